"""Optical flow between the frames of a video: where each pixel goes in the next frame."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datagen.errors import DataError

SMALLEST_SIDE = 16  # below it DIS has no level of its pyramid to work on


def estimate_flow(video: np.ndarray, raft_weights: Path | None = None, device: str = "cpu") -> np.ndarray:
    """Float32 [num_frames - 1, height, width, 2], (x, y) [px], of a video uint8 [num_frames, height, width, 3].

    What is at p in frame t is at p + flow[t, p] in frame t + 1. Dense inverse search (Kroeger et al., ECCV 2016) as
    OpenCV has it, on grey values; with `raft_weights` RAFT, on a device (`inference.raft`).
    """
    if video.ndim != 4 or video.shape[3] != 3 or video.dtype != np.uint8 or min(video.shape[1:3]) < SMALLEST_SIDE:
        raise DataError(
            f"video for optical flow: expected uint8 [num_frames, height, width, 3] with sides of at least "
            f"{SMALLEST_SIDE}; found {video.dtype} {list(video.shape)}"
        )
    if raft_weights is not None:
        from inference.raft import raft_flow

        return raft_flow(video, raft_weights, device)
    grey = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in video]
    # One estimator a pair: it would start from the last pair's flow, and a cut would spoil what follows.
    estimator: Any = cv2  # its stubs lack the factory
    fields = [
        estimator.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(now, then, None)
        for now, then in pairwise(grey)
    ]
    empty = np.empty((0, *video.shape[1:3], 2), np.float32)
    return np.stack(fields).astype(np.float32) if fields else empty
