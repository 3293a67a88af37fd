"""Is a video well exposed? A clip that is black, or burnt out, in any of its frames teaches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from datagen.errors import SceneRejected

LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709
BLACK_BELOW, WHITE_ABOVE = 8.0, 250.0


@dataclass(frozen=True, kw_only=True)
class ExposureLimits:
    """What every frame of both videos has to keep; luma in levels of 255, on the coded values."""

    min_mean: float = 35.0
    max_mean: float = 220.0
    max_black: float = 0.30  # share of pixels below `BLACK_BELOW`
    max_white: float = 0.20  # share of pixels above `WHITE_ABOVE`


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Of a video: its darkest and brightest frame's mean luma, and the largest shares of black and of white."""

    darkest_mean: float
    brightest_mean: float
    black: float
    white: float


def measure_exposure(frames: np.ndarray) -> Exposure:
    """Of frames uint8 [num_frames, height, width, 3]."""
    means, black, white = [], [], []
    for frame in frames:
        luma = frame @ LUMA
        means.append(float(luma.mean()))
        black.append(np.count_nonzero(luma < BLACK_BELOW) / luma.size)
        white.append(np.count_nonzero(luma > WHITE_ABOVE) / luma.size)
    return Exposure(darkest_mean=min(means), brightest_mean=max(means), black=max(black), white=max(white))


def check_exposure(key: str, videos: Mapping[str, np.ndarray], limits: ExposureLimits | None = None) -> None:
    """Raise `SceneRejected` for the first video [num_frames, height, width, 3] with a frame beyond a limit."""
    limits = limits or ExposureLimits()
    for name, frames in videos.items():
        found = measure_exposure(frames)
        if fault := _fault(found, limits):
            raise SceneRejected(f"{key}: {name} is badly exposed: {fault}", video=name, exposure=vars(found))


def _fault(found: Exposure, limits: ExposureLimits) -> str:
    if found.darkest_mean < limits.min_mean:
        return f"a frame's mean luma is {found.darkest_mean:.0f} of 255, expected at least {limits.min_mean:g}"
    if found.brightest_mean > limits.max_mean:
        return f"a frame's mean luma is {found.brightest_mean:.0f} of 255, expected at most {limits.max_mean:g}"
    if found.black > limits.max_black:
        return f"{found.black:.0%} of a frame is black, expected at most {limits.max_black:.0%}"
    if found.white > limits.max_white:
        return f"{found.white:.0%} of a frame is burnt out, expected at most {limits.max_white:.0%}"
    return ""
