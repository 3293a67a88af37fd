"""Flow points from a frame into the next one, in pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from datagen.errors import ConfigError, DataError
from inference.flow import estimate_flow


def texture(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def test_a_known_shift_is_found() -> None:
    picture = texture(96, 160)
    video = np.stack([np.roll(picture, (2 * t, 3 * t), (0, 1)) for t in range(3)])
    flow = estimate_flow(video)
    assert flow.shape == (2, 96, 160, 2)
    assert flow.dtype == np.float32
    inside = flow[:, 16:-16, 16:-16]
    assert np.linalg.norm(inside - (3, 2), axis=-1).mean() < 0.1


def test_one_frame_has_no_flow() -> None:
    assert estimate_flow(texture(32, 48)[None]).shape == (0, 32, 48, 2)


def test_what_is_not_a_video_is_refused() -> None:
    with pytest.raises(DataError, match="optical flow"):
        estimate_flow(np.zeros((2, 32, 32), np.uint8))


def test_raft_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="torchvision"):
        estimate_flow(texture(32, 48)[None], Path("raft.pth"))
