"""Removal without a learned model: what any model has to beat, behind the one interface that models have too.

All of them fill REMOVE and OVERLAP and leave every other pixel as it is: none can undo what a removed object did.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from datagen.errors import DataError
from datagen.quadmask import Label
from inference.flow import estimate_flow

TELEA_RADIUS_PX = 5
GROWTH_PX = 2  # the removed object's soft edge belongs to it
REMOVED_UP_TO = (Label.OVERLAP + Label.AFFECTED) // 2


class Baseline(Protocol):
    """A way to remove what a quadmask marks."""

    def __call__(self, video: np.ndarray, quadmask: np.ndarray) -> np.ndarray:
        """Uint8 [num_frames, height, width, 3], as the video; the quadmask is uint8 [num_frames, height, width]."""
        ...


def identity(video: np.ndarray, quadmask: np.ndarray) -> np.ndarray:
    """The input: what doing nothing scores."""
    removed_region(video, quadmask)
    return video.copy()


def telea(video: np.ndarray, quadmask: np.ndarray) -> np.ndarray:
    """Each frame by itself, filled from its surroundings (Telea 2004)."""
    return _fill_frames(video, removed_region(video, quadmask))


def background_median(video: np.ndarray, quadmask: np.ndarray) -> np.ndarray:
    """The median of a pixel over the frames that do not cover it; never seen: as `telea`. For a camera at rest."""
    hole = removed_region(video, quadmask)
    out = video.copy()
    for row in range(video.shape[1]):  # by rows, so that the masked copy stays small
        if hole[:, row].any():
            known: np.ma.MaskedArray = np.ma.masked_array(
                video[:, row], np.broadcast_to(hole[:, row, :, None], video[:, row].shape)
            )
            median = np.ma.median(known, axis=0).filled(0).round().astype(np.uint8)
            out[:, row] = np.where(hole[:, row, :, None], median, video[:, row])
    return _fill_frames(out, hole & hole.all(axis=0))


def flow_propagation(video: np.ndarray, quadmask: np.ndarray) -> np.ndarray:
    """Known pixels carried along the background's motion, forwards and backwards in time; the rest as `telea`.

    The motion inside a hole is the harmonic continuation of the motion around it: there the object's own is no use.
    Where both directions bring something, the one from the nearer frame counts.
    """
    hole = removed_region(video, quadmask)
    there = _background_flow(estimate_flow(video), hole[:-1])
    back = _background_flow(estimate_flow(video[::-1]), hole[::-1][:-1])
    from_past, age = _carry(video, hole, back[::-1])
    from_future, wait = _carry(video[::-1], hole[::-1], there[::-1])
    from_future, wait = from_future[::-1], wait[::-1]
    out = np.where((age <= wait)[..., None], from_past, from_future)
    return _fill_frames(out, np.minimum(age, wait) == UNREACHED)


BASELINES: dict[str, Baseline] = {
    "identity": identity,
    "background_median": background_median,
    "telea": telea,
    "flow_propagation": flow_propagation,
}

UNREACHED = np.iinfo(np.int32).max


def removed_region(video: np.ndarray, quadmask: np.ndarray) -> np.ndarray:
    """Bool [num_frames, height, width]: REMOVE and OVERLAP, grown by the object's soft edge."""
    if video.ndim != 4 or quadmask.shape != video.shape[:3] or video.dtype != np.uint8 or quadmask.dtype != np.uint8:
        raise DataError(
            f"baseline: expected a video uint8 [num_frames, height, width, 3] and a quadmask uint8 of its size; found "
            f"{video.dtype} {list(video.shape)} and {quadmask.dtype} {list(quadmask.shape)}"
        )
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GROWTH_PX + 1,) * 2)
    marked = (quadmask <= REMOVED_UP_TO).astype(np.uint8)
    return np.stack([cv2.dilate(frame, kernel) for frame in marked]).astype(bool)


def _fill_frames(video: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Each frame's hole filled from its surroundings."""
    out = video.copy()
    for index in np.flatnonzero(hole.any(axis=(1, 2))):
        frame = np.ascontiguousarray(video[index])
        out[index] = cv2.inpaint(frame, hole[index].astype(np.uint8), TELEA_RADIUS_PX, cv2.INPAINT_TELEA)
    return out


def _background_flow(flow: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The flow with each hole filled smoothly from around it."""
    return np.stack([_smooth_fill(field, mask) for field, mask in zip(flow, hole, strict=True)]) if len(flow) else flow


def _smooth_fill(field: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """`field` float32 [height, width, 2] with the hole as means of what is known, from coarse to fine (push-pull)."""
    weight = (~hole).astype(np.float32)
    if hole.all() or not hole.any():
        return np.zeros_like(field) if hole.all() else field
    height, width = hole.shape
    if min(height, width) < 2:
        mean = (field * weight[..., None]).sum((0, 1)) / weight.sum()
        return np.where(hole[..., None], mean, field).astype(np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    small_weight = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    small = cv2.resize(field * weight[..., None], half, interpolation=cv2.INTER_AREA)
    small = small / np.maximum(small_weight, 1e-6)[..., None]
    coarse = cv2.resize(_smooth_fill(small, small_weight <= 1e-6), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(hole[..., None], coarse, field).astype(np.float32)


def _carry(video: np.ndarray, hole: np.ndarray, backward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The video with holes filled from earlier frames, and how many frames ago each pixel was seen (UNREACHED: never).

    backward   float32 [num_frames - 1, height, width, 2]: from frame t + 1 to where it was in frame t
    """
    out = video.copy()
    age = np.where(hole, UNREACHED, 0).astype(np.int32)
    y, x = np.mgrid[: video.shape[1], : video.shape[2]].astype(np.float32)
    for now in range(1, len(video)):
        at_x, at_y = x + backward[now - 1, ..., 0], y + backward[now - 1, ..., 1]
        colour = cv2.remap(out[now - 1], at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # Unreached spreads to whatever touches it, so that no colour of the removed object is blended in.
        missing = (age[now - 1] == UNREACHED).astype(np.float32)
        touched = cv2.remap(missing, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1) > 0
        seen = cv2.remap(
            np.where(age[now - 1] == UNREACHED, 0, age[now - 1]).astype(np.float32), at_x, at_y, cv2.INTER_NEAREST
        )
        reached = hole[now] & ~touched
        out[now][reached] = colour[reached]
        age[now][reached] = seen[reached].astype(np.int32) + 1
    return out, age
