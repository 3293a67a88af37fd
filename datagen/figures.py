"""Figures about a sample, taken from its frames before they are coded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import scipy

from datagen.metadata import EffectVisibility, KeepDifference, MaskStatistics
from datagen.quadmask import Label, MaskLayers, Policy

MAX_KEEP_MEAN = 0.5  # levels of 255
MAX_KEEP_P999 = 4.0
MAX_CODED_MEAN = 1.5  # the same, once both videos were coded apart from each other: 0.1 to 0.8 were measured
MAX_CODED_MEAN_MOVING = 2.5  # where the camera moves every frame is coded anew, noise and all: 1.4 to 1.6 were measured
MAX_CODED_P999 = 16.0  # 4 to 8 were
MAX_SEAM = 24.0  # 9 to 16 were; a mask that is two pixels off gives 45 and more, a frame off mostly too
LATE_LEVELS = 16  # what both codings leave of equal pixels, at most
MAX_LATE = 2.0  # 0 to 0.3 were measured; a mask that is a frame off gives 3.6 and more, even where little moves
MIN_LATE_LEVELS = 16.0  # a frame: less is too little to tell anything
SEAM_PX = 2
SEAM_PERCENTILE = 99.5
MIN_VISIBLE_SHARE = 0.001  # of the pixels of a frame
MIN_VISIBLE_FRAMES = 0.2


def mask_statistics(mask: np.ndarray, policy: Policy) -> MaskStatistics:
    """Share and number of frames of each label in a quadmask uint8 [num_frames, height, width]."""
    pixels = {label: pixels_per_frame(mask == label) for label in Label}
    return MaskStatistics(
        policy=policy.value,
        share={label.name: int(counts.sum()) / mask.size for label, counts in pixels.items()},
        num_frames={label.name: int(np.count_nonzero(counts)) for label, counts in pixels.items()},
    )


def pixels_per_frame(where: np.ndarray) -> np.ndarray:
    """How many pixels of each frame are set in bool [num_frames, height, width], int64 [num_frames]."""
    return np.array([np.count_nonzero(frame) for frame in where], dtype=np.int64)


def keep_differences(
    full: Iterable[np.ndarray], removed: Iterable[np.ndarray], masks: Mapping[Policy, np.ndarray]
) -> dict[str, KeepDifference]:
    """How far two videos uint8 [num_frames, height, width, 3] differ where the mask of a policy says that they do not.

    masks: by policy, quadmasks uint8 [num_frames, height, width].
    """
    counts = _levels_in_keep(full, removed, tuple(masks.values()))
    return {policy.value: _difference_of(one) for policy, one in zip(masks, counts, strict=True)}


def keep_difference(full: Iterable[np.ndarray], removed: Iterable[np.ndarray], mask: np.ndarray) -> KeepDifference:
    """|full - removed| over the KEEP pixels of a quadmask; all zero where there are none."""
    return _difference_of(_levels_in_keep(full, removed, (mask,))[0])


def _levels_in_keep(
    full: Iterable[np.ndarray], removed: Iterable[np.ndarray], masks: tuple[np.ndarray, ...]
) -> np.ndarray:
    """How often each |full - removed| occurs in the KEEP pixels of each mask, int64 [num_masks, 256]."""
    counts = np.zeros((len(masks), 256), dtype=np.int64)
    for first, second, *labels in zip(full, removed, *masks, strict=True):
        differ = np.flatnonzero(first != second)  # mostly few
        one, other = first.ravel()[differ], second.ravel()[differ]
        levels, pixels = np.maximum(one, other) - np.minimum(one, other), differ // 3
        for count, mask in zip(counts, labels, strict=True):
            keep = (mask == Label.KEEP).ravel()
            beyond = levels[keep[pixels]]
            count += np.bincount(beyond, minlength=256)
            count[0] += 3 * np.count_nonzero(keep) - len(beyond)
    return counts


def _difference_of(counts: np.ndarray) -> KeepDifference:
    """The record of differences that occur so often, int64 [256]."""
    total = int(counts.sum())
    mean = float(counts @ np.arange(256) / total) if total else 0.0
    p999 = float(np.searchsorted(np.cumsum(counts), 0.999 * total)) if total else 0.0
    return KeepDifference(
        num_pixels=total // 3,
        mean=mean,
        p999=p999,
        passed=mean < MAX_KEEP_MEAN and p999 < MAX_KEEP_P999,
    )


def seam_difference(full: Iterable[np.ndarray], removed: Iterable[np.ndarray], mask: np.ndarray) -> float:
    """|full - removed|, largest channel, over the KEEP pixels beside others: the 99.5th percentile, in levels of 255.

    A mask that lies a little off shows here first: its edge runs through what changes. 0 where there is no edge.
    """
    counts = np.zeros(256, dtype=np.int64)
    for first, second, labels in zip(full, removed, mask, strict=True):
        keep = labels == Label.KEEP
        beside = keep & scipy.ndimage.binary_dilation(~keep, np.ones((3, 3), dtype=bool), iterations=SEAM_PX)
        counts += np.bincount(np.abs(first[beside].astype(np.int16) - second[beside]).max(axis=-1), minlength=256)
    total = int(counts.sum())
    return float(np.searchsorted(np.cumsum(counts), SEAM_PERCENTILE / 100 * total)) if total else 0.0


def lateness(full: np.ndarray, removed: np.ndarray, mask: np.ndarray) -> float:
    """How many times better the mask fits the videos when it is moved by one frame; below 1 where it lies right.

    Fit is what the videos uint8 [num_frames, height, width, 3] differ by in KEEP, beyond `LATE_LEVELS`, summed over the
    frames that both masks have. Slow motion leaves too few such pixels for a percentile to show. 0 where all is equal.
    """
    pairs = zip(full, removed, strict=True)
    beyond = [np.maximum(np.abs(one.astype(np.int16) - other).max(axis=-1) - LATE_LEVELS, 0) for one, other in pairs]
    keep = mask == Label.KEEP
    least = MIN_LATE_LEVELS * (len(keep) - 1)
    worst = 0.0
    for videos, moved in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        fit, other = (
            sum(int(one[where].sum()) for one, where in zip(beyond[videos], keep[frames], strict=True))
            for frames in (videos, moved)
        )
        if fit > least:
            worst = max(worst, fit / max(other, least))
    return worst


def effect_visibility(layers: MaskLayers) -> EffectVisibility:
    """How much of each frame changes because of the removal, by policy "void"."""
    affected = layers.affected(Policy.VOID)
    share = pixels_per_frame(affected) / affected[0].size
    visible_frames = float((share > MIN_VISIBLE_SHARE).mean())
    return EffectVisibility(
        share_per_frame=tuple(round(float(one), 6) for one in share),
        visible_frames=visible_frames,
        visible=visible_frames > MIN_VISIBLE_FRAMES,
    )
