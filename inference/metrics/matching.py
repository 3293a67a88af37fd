"""Where in a frame an object of known looks is, against a known background.

For a cut-out with pixels M and a thin ring R around it, at each place of a frame P with the clean plate B:

    unexplained = sum_M |P - cut-out|^2 + sum_R |P - B|^2     if the object is here
    nothing     = sum_M |P - B|^2       + sum_R |P - B|^2     if it is not
    fit         = 1 - unexplained / (nothing + noise)         1: all that differs from the plate is the object

This is a matched filter with a background that is known, so that a change of light or an object that looks like its
surroundings is judged by what can be told there. The ring makes a dark object differ from a larger dark stain.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inference.metrics.templates import Template

RING_WEIGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One frame against the plate, padded so that objects may reach over the border."""

    picture: np.ndarray  # float32 [height + 2 pad, width + 2 pad, 3]
    nothing: np.ndarray  # float32, |picture - plate|^2 in each pixel; 0 in the padding
    pad: int


def scene_of(picture: np.ndarray, plate: np.ndarray, pad: int) -> Scene:
    """A frame and the plate, both float32 [height, width, 3]."""
    difference = picture - plate
    nothing = np.einsum("hwc,hwc->hw", difference, difference)
    return Scene(
        picture=cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_REPLICATE),
        nothing=cv2.copyMakeBorder(nothing, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0.0),
        pad=pad,
    )


def fit_map(scene: Scene, template: Template, noise: float) -> np.ndarray:
    """The fit of a cut-out at every place, float32 [rows, columns] in [-1, 1].

    Entry [row, column] has the cut-out's upper left corner at (column - pad, row - pad) of the frame.
    noise: expected |picture - plate|^2 of a pixel without any object.
    """
    mask = template.mask
    here = cv2.matchTemplate(scene.nothing, mask, cv2.TM_CCORR)
    ring = RING_WEIGHT * cv2.matchTemplate(scene.nothing, template.ring, cv2.TM_CCORR)
    mask_3 = np.repeat(mask[..., None], 3, axis=2)
    weighted = template.picture * mask_3
    squares = np.einsum("hwc,hwc->hw", scene.picture, scene.picture)
    object_here = (
        cv2.matchTemplate(squares, mask, cv2.TM_CCORR)
        - 2 * cv2.matchTemplate(scene.picture, weighted, cv2.TM_CCORR)
        + float((weighted * template.picture).sum())
    )
    unexplained = np.maximum(object_here, 0) + ring
    nothing = here + ring + noise * template.area
    return np.asarray(np.clip(1 - unexplained / nothing, -1, 1))


def sub_pixel(fit: np.ndarray, row: int, column: int) -> np.ndarray:
    """Offset (right, down) of the top of the parabola through a peak and its neighbours, each in [-0.5, 0.5]."""

    def top(before: float, here: float, after: float) -> float:
        bend = before - 2 * here + after
        return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0

    right = top(*fit[row, column - 1 : column + 2]) if 0 < column < fit.shape[1] - 1 else 0.0
    down = top(*fit[row - 1 : row + 2, column]) if 0 < row < fit.shape[0] - 1 else 0.0
    return np.array([right, down])
