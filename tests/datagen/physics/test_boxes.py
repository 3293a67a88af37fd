"""Boxes along the axes hold what comparing every point with every box says."""

from __future__ import annotations

import numpy as np
import pytest

from datagen.physics import boxes
from datagen.physics.boxes import bounds_of, points_in_boxes, triangle_bounds, within_box


@pytest.mark.parametrize("at_once", [1, 70, boxes.PAIRS_AT_ONCE])
@pytest.mark.parametrize("stretch", [(1.0, 1.0, 1.0), (0.1, 5.0, 1.0), (0.0, 0.0, 3.0), (0.0, 0.0, 0.0)])
def test_pairs_are_those_of_plain_comparison(
    monkeypatch: pytest.MonkeyPatch, stretch: tuple[float, float, float], at_once: int
) -> None:
    monkeypatch.setattr(boxes, "PAIRS_AT_ONCE", at_once)
    rng = np.random.default_rng(1)
    points = np.round(rng.normal(size=(60, 3)), 1) * stretch  # rounded: many lie on a side
    low = np.round(rng.normal(size=(40, 3)), 1)
    high = low + np.round(rng.uniform(-0.1, 1.5, (40, 3)), 1)  # some are empty
    plain = np.all((points[:, None] >= low) & (points[:, None] <= high), axis=2)
    found = [pair for parts in points_in_boxes(points, low, high) for pair in zip(*parts, strict=True)]
    assert len(found) == len(set(found))
    assert set(found) == set(zip(*np.nonzero(plain), strict=True))
    assert np.array_equal(
        np.stack([within_box(points, *sides) for sides in zip(low, high, strict=True)], axis=1), plain
    )


def test_no_box_is_reached_from_afar() -> None:
    parts = list(points_in_boxes(np.full((4, 3), 9.0), np.zeros((5, 3)), np.ones((5, 3))))
    assert sum(len(which) for which, _ in parts) == 0


def test_bounds() -> None:
    corners = np.random.default_rng(2).normal(size=(20, 3, 3))
    low, high = triangle_bounds(corners)
    assert np.array_equal(low, corners.min(axis=1)) and np.array_equal(high, corners.max(axis=1))
    least, most = bounds_of(corners.reshape(-1, 3))
    assert np.array_equal(least, low.min(axis=0)) and np.array_equal(most, high.max(axis=0))
