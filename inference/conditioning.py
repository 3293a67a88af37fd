"""What the transformer is conditioned on: the whole source video and the quadmask, sized, padded and levelled.

Order matters and follows the code that VOID was trained with: resize by area first, then snap the mask to its four
values, then mirror in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datagen.errors import DataError
from datagen.quadmask import Label

UPPER_BOUNDS = (31.0, 95.0, 191.0)  # the last grey value of REMOVE, OVERLAP and AFFECTED; above is KEEP
MAX_REMOVED = 0.9  # share of pixels; above it the quadmask is taken for an inverted one
PIXEL_NOISE = 0.0563  # of CogVideoX-Fun's in-painting models


class MaskMode(StrEnum):
    """How the four labels become the levels that the VAE encodes."""

    TRIMASK = "trimask"  # what both passes were trained on, and pass 1 as released: OVERLAP merges with REMOVE
    QUAD = "quad"  # four levels
    BINARY = "binary"  # pass 2 as released: only KEEP differs


LEVELS = {
    MaskMode.TRIMASK: {Label.REMOVE: 0.0, Label.OVERLAP: 0.0, Label.AFFECTED: 1 - 127 / 255, Label.KEEP: 1.0},
    MaskMode.QUAD: {label: label / 255 for label in Label},
    MaskMode.BINARY: {Label.REMOVE: 0.0, Label.OVERLAP: 0.0, Label.AFFECTED: 0.0, Label.KEEP: 1.0},
}


def resized(frames: Iterable[np.ndarray], height: int, width: int) -> Tensor:
    """Frames uint8 [height, width] or [height, width, channels] as float32 [num_frames, channels, height, width],
    0 to 255, each pixel the mean of the area it covers."""
    pictures = [_resize(np.asarray(frame), height, width) for frame in frames]
    if not pictures:
        raise DataError("the video holds no frames; it may be truncated: make it again")
    return torch.cat(pictures)


def snap_to_labels(grey: Tensor) -> Tensor:
    """Quadmask uint8 of grey values 0 to 255 of any shape: up to 31, 95, 191 and above."""
    bounds = torch.tensor(UPPER_BOUNDS, device=grey.device)
    labels = torch.tensor([int(label) for label in Label], dtype=torch.uint8, device=grey.device)
    return labels[torch.bucketize(grey.float(), bounds)]


def check_labels(labels: np.ndarray) -> None:
    """Refuse a quadmask uint8 that removes nearly everything, or nothing; says the shares of its classes."""
    counts = {label: float(np.mean(labels == label)) for label in Label}
    shares = ", ".join(f"{label.name} {100 * share:.1f} %" for label, share in counts.items())
    removed = counts[Label.REMOVE] + counts[Label.OVERLAP]
    if removed > MAX_REMOVED:
        raise DataError(
            f"the quadmask removes {100 * removed:.0f} % of the video ({shares}); it is likely inverted: "
            f"REMOVE is {int(Label.REMOVE)}, KEEP is {int(Label.KEEP)}"
        )
    if removed == 0:
        raise DataError(f"the quadmask removes nothing ({shares}); REMOVE is {int(Label.REMOVE)}")


def mask_levels(labels: Tensor, mode: MaskMode) -> Tensor:
    """Levels in [0, 1], float32, of a quadmask uint8 of any shape: what is encoded, KEEP being 1."""
    table = torch.zeros(256, device=labels.device)
    for label, level in LEVELS[mode].items():
        table[int(label)] = level
    return table[labels.long()]


def mirror_in_time(frames: Tensor, num_frames: int) -> Tensor:
    """Frames [n, ...] played forwards, backwards, forwards ... until there are `num_frames`; turning frames twice."""
    count = len(frames)
    place = torch.arange(num_frames) % (2 * count)
    return frames[torch.minimum(place, 2 * count - 1 - place)]


def with_pixel_noise(video: Tensor, generator: torch.Generator) -> Tensor:
    """The source video in [-1, 1] with Gaussian noise; pixels that are exactly -1 (blank) stay, as in training."""
    noise = torch.randn(video.shape, generator=generator, dtype=torch.float32).to(video)
    return torch.where(video == -1, video, video + PIXEL_NOISE * noise)


def _resize(frame: np.ndarray, height: int, width: int) -> Tensor:
    if frame.dtype != np.uint8 or frame.ndim not in (2, 3):
        raise DataError(f"expected frames uint8 [height, width, channels], found {frame.dtype} {frame.shape}")
    picture = torch.from_numpy(np.array(frame, ndmin=3).reshape(*frame.shape[:2], -1)).permute(2, 0, 1)[None].float()
    return (
        picture
        if picture.shape[2:] == (height, width)
        else functional.interpolate(picture, (height, width), mode="area")
    )
