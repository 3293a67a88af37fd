"""Pixels chosen by masks, and sums over squares."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from datagen.pixels import levels_at, square_sums, whole_pixels

HEIGHT, WIDTH = 60, 90


def test_whole_pixels_are_copied_and_read_where_a_mask_says() -> None:
    rng = np.random.default_rng(0)
    picture, other = rng.integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    where = rng.random((HEIGHT, WIDTH)) < 0.3
    wide = other.astype(np.int16)
    assert np.array_equal(levels_at(picture, where), picture[where])
    assert np.array_equal(levels_at(wide[5:, 7:], where[5:, 7:]), wide[5:, 7:][where[5:, 7:]])
    expected = np.where(where[..., None], other, picture)
    np.copyto(whole_pixels(picture), whole_pixels(other), where=where)
    assert np.array_equal(picture, expected)


def test_square_sums_are_those_of_a_uniform_filter() -> None:
    values = np.random.default_rng(0).integers(-255, 256, (HEIGHT, WIDTH, 3), dtype=np.int16)
    means = ndimage.uniform_filter(values.astype(np.float64), (5, 5, 0))
    assert np.array_equal(square_sums(values, 5), np.rint(25 * means))
