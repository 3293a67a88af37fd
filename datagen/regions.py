"""Which part of the counterfactual picture is rendered, and how it is laid over the factual one.

Where nothing changes, both videos show the same pixels: those of the factual picture. The changed region (removed and
affected by policy "effects") is rendered inside boxes with a margin, and laid over it with a short ramp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

MARGIN_PX = 20  # of rendered picture around what changed: the ramp, and what the denoiser looks at
RAMP_PX = 8
MAX_RAMP_LEVELS = 3  # the ramp hides steps of noise and indirect light; whatever differs more is spill or was missed
SPILL_PX = 5  # a contact shadow this near to a silhouette is too narrow for the layers of light, which are smaller
MIN_SPILL_LEVELS = 8
BOX_COST = 0.05  # of a full picture: what one more render costs whatever its size


@dataclass(frozen=True, kw_only=True)
class Box:
    """Pixels left <= x < right, top <= y < bottom."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def joined(self, other: Box) -> Box:
        """Smallest box around both."""
        return Box(
            left=min(self.left, other.left),
            top=min(self.top, other.top),
            right=max(self.right, other.right),
            bottom=max(self.bottom, other.bottom),
        )


def boxes_around(region: np.ndarray, margin_px: int = MARGIN_PX) -> tuple[Box, ...]:
    """Boxes that hold a region bool [height, width] with a margin, few and small enough to be cheap to render."""
    height, width = region.shape
    near = ndimage.grey_dilation(region.view(np.uint8), (2 * margin_px + 1, 2 * margin_px + 1))
    boxes = [
        Box(left=columns.start, top=rows.start, right=columns.stop, bottom=rows.stop)
        for rows, columns in ndimage.find_objects(ndimage.label(near)[0])
    ]
    while pair := _best_pair(boxes, BOX_COST * height * width):
        first, second = pair
        boxes = [box for box in boxes if box not in pair] + [first.joined(second)]
    return tuple(sorted(boxes, key=lambda box: (box.top, box.left)))


def _best_pair(boxes: list[Box], cost: float) -> tuple[Box, Box] | None:
    """The two boxes that save most when they are rendered as one; None if none do. cost: of one more box, in pixels."""
    pairs = [(one, other) for index, one in enumerate(boxes) for other in boxes[index + 1 :]]
    saved = [one.area + other.area + cost - one.joined(other).area for one, other in pairs]
    return pairs[int(np.argmax(saved))] if saved and max(saved) > 0 else None


def spill(factual: np.ndarray, other: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Where the picture shows a trace of what is in the region, next to it, bool [height, width].

    Denoising spreads silhouettes by a pixel or two, further than coverage tells. factual, other: uint8 [height, width,
    3]; region: bool [height, width].
    """
    beside = ndimage.binary_dilation(region, np.ones((3, 3), dtype=bool), iterations=SPILL_PX) & ~region
    return np.asarray(beside & (_distance(factual, other) >= MIN_SPILL_LEVELS))


def lay_over(factual: np.ndarray, other: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The factual picture with the other one in the region, uint8 [height, width, 3].

    Over `RAMP_PX` outside the region the other one fades out, by steps of at most `MAX_RAMP_LEVELS`; beyond, the result
    is the factual picture exactly.
    """
    if not region.any():
        return factual
    weight = 1 - np.minimum(ndimage.distance_transform_edt(~region) / (RAMP_PX + 1), 1)
    weight = (weight * weight * (3 - 2 * weight))[..., None]
    step = other.astype(np.float64) - factual
    ramp = weight * np.clip(step, -MAX_RAMP_LEVELS, MAX_RAMP_LEVELS)
    return np.asarray(np.rint(factual + np.where(region[..., None], step, ramp)), dtype=np.uint8)


def _distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Largest difference of a channel, int16 [height, width]."""
    return np.asarray(np.abs(first.astype(np.int16) - second).max(axis=-1))
