"""Physics-IQ's four against a computation of their own in plain numpy, on masks made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from inference.metrics.api import Case
from inference.metrics.physics_iq import Four, compare, measure, motion_masks, score


def boxes(*corners: tuple[int, int] | None) -> np.ndarray:
    """A mask bool [num_frames, 12, 16] of 4x4 boxes at these corners (row, column); None: empty."""
    masks = np.zeros((len(corners), 12, 16), dtype=bool)
    for frame, corner in enumerate(corners):
        if corner is not None:
            masks[frame, corner[0] : corner[0] + 4, corner[1] : corner[1] + 4] = True
    return masks


PAIRS = [
    (boxes(None, (0, 0), (0, 4), (0, 8)), boxes(None, (0, 0), (0, 4), (0, 8))),
    (boxes(None, (0, 0), (0, 4), (0, 8)), boxes(None, (0, 2), (0, 6), (0, 10))),
    (boxes(None, (0, 0), (0, 4), (0, 8)), boxes(None, (0, 8), (0, 4), (0, 0))),
    (boxes(None, (0, 0), None, None), boxes(None, None, None, (8, 12))),
    (boxes(None, None), boxes(None, None)),
    (boxes(None, (3, 3)), boxes(None, None)),
]


def by_hand(first: np.ndarray, second: np.ndarray) -> list[float]:
    """Pixel by pixel, from the paper's words."""
    per_frame = []
    for one, other in zip(first, second, strict=True):
        common = sum(bool(a) and bool(b) for a, b in zip(one.flat, other.flat, strict=True))
        union = sum(bool(a) or bool(b) for a, b in zip(one.flat, other.flat, strict=True))
        per_frame.append(1.0 if union == 0 else common / union)
    ever = [(one.max(), other.max()) for one, other in _courses(first, second)]
    union = sum(a or b for a, b in ever)
    spatial = 1.0 if union == 0 else sum(a and b for a, b in ever) / union
    shares = [(one.sum() / len(one), other.sum() / len(other)) for one, other in _courses(first, second)]
    greater = sum(max(pair) for pair in shares)
    weighted = 1.0 if greater == 0 else sum(min(pair) for pair in shares) / greater
    return [sum(per_frame) / len(per_frame), float(spatial), float(weighted)]


def _courses(first: np.ndarray, second: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(first[:, row, column], second[:, row, column]) for row, column in np.ndindex(first.shape[1:])]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_overlaps_agree_with_a_second_computation(first: np.ndarray, second: np.ndarray) -> None:
    video = np.zeros((*first.shape, 3), dtype=np.uint8)
    found = compare(video, video, first, second)
    np.testing.assert_allclose(found.overlaps, by_hand(first, second), atol=1e-12)


def test_mse_is_of_colours_from_0_to_1() -> None:
    black = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    half = black.copy()
    half[0] = 255
    still = np.zeros(black.shape[:3], dtype=bool)
    assert compare(half, black, still, still).mse == pytest.approx(0.5)


def test_score_by_hand() -> None:
    found = Four(spatiotemporal_iou=0.4, spatial_iou=0.3, weighted_spatial_iou=0.2, mse=0.03)
    variance = (
        Four(spatiotemporal_iou=0.8, spatial_iou=0.6, weighted_spatial_iou=0.5, mse=0.01),
        Four(spatiotemporal_iou=0.8, spatial_iou=0.6, weighted_spatial_iou=0.3, mse=0.03),
    )
    assert score(found, variance) == pytest.approx(100 * ((0.5 + 0.5 + 0.5) / 3 - (0.03 - 0.02)))
    assert score(variance[0], variance[:1]) == pytest.approx(100)
    bad = Four(spatiotemporal_iou=0.0, spatial_iou=0.0, weighted_spatial_iou=0.0, mse=0.9)
    assert score(bad, variance) == 0


def test_motion_masks_by_a_second_computation() -> None:
    rng = np.random.default_rng(3)
    video = np.full((6, 40, 60, 3), 60, dtype=np.uint8) + rng.integers(0, 3, (6, 40, 60, 3), dtype=np.uint8)
    for frame in range(6):
        video[frame, 12:26, 8 + 6 * frame : 22 + 6 * frame] = (200, 120, 40)
    video[3, 32, 30] = 255  # a speck, which opening takes away
    masks, expected = motion_masks(video), _masks_by_scipy(video)
    assert not masks[0].any()
    assert masks[1:].any(axis=(1, 2)).all()
    assert not masks[3, 30:35].any()
    assert (masks != expected).sum() <= 0.01 * expected.sum()  # rounding to whole levels on the way


def _masks_by_scipy(video: np.ndarray) -> np.ndarray:
    square, taps = np.ones((5, 5)), np.array([1, 4, 6, 4, 1]) / 16
    grey = video @ np.array([0.299, 0.587, 0.114])
    blurred = ndimage.convolve1d(ndimage.convolve1d(grey, taps, axis=1, mode="mirror"), taps, axis=2, mode="mirror")
    masks, mean = [np.zeros(grey.shape[1:], dtype=bool)], blurred[0]
    for frame in blurred[1:]:
        mean = 0.7 * mean + 0.3 * frame
        moving = np.abs(frame - mean) > 10
        masks.append(ndimage.binary_closing(ndimage.binary_opening(moving, square), square))
    return np.stack(masks)


def test_truth_reaches_all(case: Case) -> None:
    found = measure(case, case.truth).values
    assert found["piq_spatiotemporal_iou"] == found["piq_spatial_iou"] == found["piq_weighted_spatial_iou"] == 1
    assert found["piq_mse"] == 0
    assert found["piq_score"] == 100
    assert measure(case, case.hidden).values["piq_score"] < 60


def test_without_perturbed_outcomes_there_is_no_score(case: Case) -> None:
    found = measure(replace(case, perturbed=()), case.truth)
    assert np.isnan(found.values["piq_score"])
    assert "perturbed" in found.notes["piq_score"]


def test_a_moving_camera_leaves_only_what_needs_no_motion_masks(case: Case) -> None:
    moving = case.physics["world_from_camera"].copy()
    moving[:, 0] += 0.01 * np.arange(len(moving))
    found = measure(replace(case, physics={**case.physics, "world_from_camera": moving}), case.hidden)
    left = {name for name, value in found.values.items() if np.isfinite(value)}
    assert left == {"piq_mse"} and found.values["piq_mse"] == measure(case, case.hidden).values["piq_mse"]
    assert all("camera moves" in found.notes[name] for name in found.values if name != "piq_mse")
