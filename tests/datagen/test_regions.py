"""Boxes around what changed, and one picture laid over another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from datagen.regions import (
    MAX_RAMP_LEVELS,
    RAMP_PX,
    Box,
    any_in_cells,
    boxes_around,
    clusters,
    footprint,
    grown,
    lay_over,
    near_squared,
    rectangles,
    spill,
)

HEIGHT, WIDTH = 60, 90


def region(*parts: tuple[slice, slice]) -> np.ndarray:
    picture = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for part in parts:
        picture[part] = True
    return picture


def flat(level: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), level, dtype=np.uint8)


def test_nothing_changed_needs_no_box() -> None:
    assert boxes_around(region()) == ()


def test_a_box_holds_the_region_and_its_margin_inside_the_picture() -> None:
    (box,) = boxes_around(region(np.s_[2:10, 30:40]), margin_px=5)
    assert (box.left, box.top, box.right, box.bottom) == (25, 0, 45, 15)


def test_far_parts_get_boxes_of_their_own_and_near_ones_share() -> None:
    far = boxes_around(region(np.s_[0:4, 0:4], np.s_[56:60, 86:90]), margin_px=2)
    assert len(far) == 2 and sum(box.area for box in far) == 2 * 6 * 6
    assert len(boxes_around(region(np.s_[0:4, 0:4], np.s_[0:4, 9:13]), margin_px=2)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_every_changed_pixel_lies_in_a_box(seed: int) -> None:
    changed = np.random.default_rng(seed).random((HEIGHT, WIDTH)) > 0.999
    covered = np.zeros_like(changed)
    for box in boxes_around(changed, margin_px=3):
        covered[box.slices] = True
    assert covered[changed].all()


@pytest.mark.parametrize(("edge", "reached"), [(3.45, 2), (3.6, 3), (4.4, 3), (4.6, 4)])
def test_a_footprint_reaches_one_pixel_from_its_centre(edge: float, reached: int) -> None:
    """Right of a straight edge all is shown: pixels whose centre is less than 1 left of it have a share."""
    taps = np.zeros((3 * 12, 3 * 12), dtype=bool)
    taps[:, np.round(3 * edge).astype(int) :] = True
    share = footprint(taps, 3)
    assert share.shape == (12, 12) and share.max() == 1.0
    assert (np.argmax(share[6] > 0) == reached).all() and (np.diff(share[6, :9]) >= 0).all()


def test_a_thin_thing_is_seen_wherever_it_lies() -> None:
    for column in range(9, 18):
        taps = np.zeros((36, 36), dtype=bool)
        taps[:, column] = True
        assert (footprint(taps, 3)[:, column // 3] > 0).all()


def test_the_other_picture_shows_in_the_region_only() -> None:
    changed = region(np.s_[20:30, 40:50])
    merged = lay_over(flat(100), flat(200), changed).astype(int)
    assert (merged[changed] == 200).all()
    assert merged[~changed].max() <= 100 + MAX_RAMP_LEVELS
    assert (merged[:, : 40 - RAMP_PX] == 100).all() and (merged[: 20 - RAMP_PX] == 100).all()
    row = merged[25, 50 : 51 + RAMP_PX, 0]
    assert (np.diff(row) <= 0).all() and row[0] > 100 and row[-1] == 100


@pytest.mark.parametrize("reach", [1, RAMP_PX, 20])
@pytest.mark.parametrize("share", [0.0005, 0.01, 0.5])
def test_near_distances_are_those_of_a_distance_transform(share: float, reach: int) -> None:
    spots = np.random.default_rng(0).random((HEIGHT, WIDTH)) < share
    spots[0, 0] = True
    exact = np.rint(ndimage.distance_transform_edt(~spots) ** 2)
    assert np.array_equal(near_squared(spots, reach), np.minimum(exact, (reach + 1) ** 2))


def test_where_nothing_changed_the_picture_is_the_factual_one() -> None:
    factual = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert np.array_equal(lay_over(factual, flat(0), region()), factual)


def test_a_trace_beside_the_region_is_spill_and_one_far_off_is_not() -> None:
    changed, other = region(np.s_[20:30, 40:50]), flat(100)
    other[25, 51], other[25, 80], other[25, 38] = 120, 120, 103
    found = spill(flat(100), other, changed)
    assert np.argwhere(found).tolist() == [[25, 51]]
    assert not spill(flat(100), other, region()).any()


@pytest.mark.parametrize("pixels", [1, 2, 4, 5, 8])
def test_a_region_grows_by_rows_and_columns_up_to_the_border(pixels: int) -> None:
    spots = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.01
    spots[0, 0] = spots[-1, 40] = spots[30, -2] = True
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), dtype=bool)
    before = spots.copy()
    assert np.array_equal(grown(spots, pixels), ndimage.binary_dilation(spots, square))
    assert np.array_equal(spots, before)


def test_cells_hold_what_shares_one_with_a_region() -> None:
    spots = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.01
    spots[-1, -1] = True
    cells = any_in_cells(spots, 7)
    assert cells.shape == (-(-HEIGHT // 7), -(-WIDTH // 7)) and not cells.all()
    again = cells.repeat(7, axis=0).repeat(7, axis=1)[:HEIGHT, :WIDTH]
    assert (again | ~spots).all() and again.sum() <= 49 * spots.sum()
    assert np.array_equal(any_in_cells(spots, 1), spots)


def test_rectangles_cover_a_region_once() -> None:
    spots = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.7
    spots[10:20, 30:60] = True
    count = np.zeros(spots.shape, dtype=int)
    boxes = rectangles(spots)
    for box in boxes:
        count[box.slices] += 1
    assert np.array_equal(count, spots.astype(int))
    assert rectangles(region(np.s_[20:30, 40:50])) == (Box(left=40, top=20, right=50, bottom=30),)
    assert rectangles(region()) == ()


@pytest.mark.parametrize("gap_px", [1, 4, 15])
def test_clusters_hold_a_region_and_lie_apart(gap_px: int) -> None:
    spots = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.003
    spots[0, 0] = spots[-1, -1] = True
    boxes = clusters(spots, gap_px)
    owner = np.zeros(spots.shape, dtype=int)
    for number, box in enumerate(boxes, start=1):
        assert spots[box.slices].any() and not owner[box.slices].any()
        owner[box.slices] = number
    assert owner[spots].all()
    for number in range(1, len(boxes) + 1):
        assert set(np.unique(owner[grown(owner == number, gap_px)])) <= {0, number}
    assert clusters(region(), gap_px) == []
