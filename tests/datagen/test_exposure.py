"""Black and burnt-out videos are rejected, with a reason; every limit on its own."""

from __future__ import annotations

import numpy as np
import pytest

from datagen.errors import SceneRejected
from datagen.exposure import ExposureLimits, check_exposure, measure_exposure


def clip(level: int, num_frames: int = 3) -> np.ndarray:
    """An even grey video."""
    return np.full((num_frames, 10, 20, 3), level, dtype=np.uint8)


def with_frame(share: float, level: int) -> np.ndarray:
    """A grey video of which one frame's left part has another level."""
    frames = clip(120)
    frames[1, :, : round(20 * share)] = level
    return frames


def test_a_grey_video_passes() -> None:
    check_exposure("scene", {"rgb_full.mp4": clip(120), "rgb_removed.mp4": with_frame(0.1, 0)})


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (clip(3), "mean luma is 3 of 255, expected at least 35"),
        (clip(252), "mean luma is 252 of 255, expected at most 220"),
        (with_frame(0.5, 0), "50% of a frame is black, expected at most 30%"),
        (with_frame(0.5, 255), "50% of a frame is burnt out, expected at most 20%"),
    ],
)
def test_each_fault_is_named_with_its_video(frames: np.ndarray, reason: str) -> None:
    with pytest.raises(SceneRejected, match=reason) as caught:
        check_exposure("scene", {"rgb_full.mp4": clip(120), "rgb_removed.mp4": frames})
    assert "rgb_removed.mp4" in str(caught.value)
    assert caught.value.details["video"] == "rgb_removed.mp4"


def test_one_bad_frame_is_enough() -> None:
    frames = clip(120)
    frames[2] = 0
    assert measure_exposure(frames).black == 1.0
    with pytest.raises(SceneRejected):
        check_exposure("scene", {"rgb_full.mp4": frames})


def test_limits_can_be_set() -> None:
    check_exposure("scene", {"rgb_full.mp4": clip(20)}, ExposureLimits(min_mean=10.0))


def test_luma_is_weighted() -> None:
    green = clip(0)
    green[..., 1] = 255
    assert measure_exposure(green).darkest_mean == pytest.approx(0.7152 * 255)
