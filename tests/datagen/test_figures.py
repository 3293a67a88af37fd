"""Figures that a sample is judged by."""

from __future__ import annotations

import numpy as np
import pytest

from datagen.figures import LATE_LEVELS, MAX_CODED_P999, MAX_LATE, MAX_SEAM, keep_difference, lateness, seam_difference
from datagen.quadmask import label_pixels

FRAMES, HEIGHT, WIDTH = 30, 60, 90


def videos(noise: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A thing that is removed and hardly moves: once in the clip it shifts by a pixel."""
    rng = np.random.default_rng(5)
    full = rng.integers(60, 70, (FRAMES, HEIGHT, WIDTH, 3)).astype(np.uint8)
    removed = full.copy()
    there = np.zeros((FRAMES, HEIGHT, WIDTH), dtype=bool)
    for frame in range(FRAMES):
        left = 30 if frame < FRAMES // 2 else 31
        there[frame, 20:30, left : left + 12] = True
        full[frame, 20:30, left : left + 12] += 140
    full += rng.integers(0, noise + 1, full.shape).astype(np.uint8)
    return full, removed, label_pixels(there, np.zeros_like(there))


@pytest.mark.parametrize("noise", [0, LATE_LEVELS])
def test_a_mask_that_lies_right_is_not_late(noise: int) -> None:
    assert lateness(*videos(noise)) == 0.0


@pytest.mark.parametrize("order", [[0, *range(FRAMES - 1)], [*range(1, FRAMES), FRAMES - 1]])
def test_a_frame_is_noticed_where_percentiles_see_nothing(order: list[int]) -> None:
    full, removed, mask = videos(2)
    moved = mask[order]
    assert keep_difference(full, removed, moved).p999 < MAX_CODED_P999
    assert seam_difference(full, removed, moved) < MAX_SEAM
    assert lateness(full, removed, moved) > MAX_LATE


def test_a_clip_of_one_frame_cannot_be_late() -> None:
    full, removed, mask = (one[:1] for one in videos(0))
    assert lateness(full, removed, mask) == 0.0
