"""The counterfactual margin: is the prediction nearer to the truth than to inpainting without physics?

`hidden` shows the factual motion with the removed objects hidden: what a perfect inpainter gives that knows nothing of
physics. Both distances are taken over the affected region alone: where the two worlds differ, and where the prediction
puts the objects that move differently (as far as the tracker finds them), for else one that it puts where neither world
has it would not count.

Compared at several scales, because a single one is blind to "nearly": an object that lands one width beside its true
place covers no pixel of it. At coarser levels of the pyramid it does. Each level gives a margin of its own:

    (d_hidden - d_truth) / max(d_hidden, d_truth),   d the sum of squared differences over region, frames and channels

Squares, because codec noise of a few levels then weighs next to nothing against an object of another colour.
"""

from __future__ import annotations

import cv2
import numpy as np

from datagen.quadmask import Policy
from inference.metrics.api import Case, Direction, Measured, Metric
from inference.metrics.courses import courses_of

LEVELS = 5  # of the pyramid; the coarsest pixel is 16 pixels wide
SMALLEST_SIDE = 6  # [px] of the coarsest level
SOFT_EDGE_PX = 2  # an edge of a moving object blurs over its mask
MIN_PIXELS = 40  # affected pixels of the whole clip
MIN_DIFFERENCE = 3.0  # levels; below it the two worlds differ by no more than coding does

MARGIN = Metric(
    name="margin",
    group="margin",
    title="counterfactual margin",
    unit="",
    direction=Direction.HIGHER,
    low=-1.0,
    high=1.0,
    definition="(distance to hidden - distance to truth) / the greater of both, squared differences over the affected "
    "region, mean over five scales: -1 is the factual motion, 1 the counterfactual",
    source="",
)
METRICS: tuple[Metric, ...] = (MARGIN,)


def measure(case: Case, prediction: np.ndarray) -> Measured:
    """The margin of a prediction uint8 [num_frames, height, width, 3]; nan where removal changes nothing."""
    region = case.layers.affected(Policy.VOID)
    if region.sum() < MIN_PIXELS:
        return _missing("nothing is affected: the removal has no effect that can be seen")
    contrast = _distances(case.truth, case.hidden, region)[0] / (3 * region.sum())
    if contrast < MIN_DIFFERENCE**2:
        return _missing("truth and hidden look the same: the effect cannot be seen")
    for course in courses_of(case, prediction):
        region = region | course.masks
    to_hidden = _distances(prediction, case.hidden, region)
    to_truth = _distances(prediction, case.truth, region)
    return Measured(values={MARGIN.name: float(np.mean(normalised_difference(to_hidden, to_truth)))})


def normalised_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(first - second) / max(first, second) in [-1, 1] of distances >= 0; 0 where both are 0."""
    greater = np.maximum(first, second)
    return np.asarray(np.divide(first - second, greater, out=np.zeros_like(greater), where=greater > 0))


def _missing(why: str) -> Measured:
    return Measured(values={MARGIN.name: float("nan")}, notes={MARGIN.name: why})


def _distances(first: np.ndarray, second: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Sum of squared differences over a region, one for each level of the pyramid, float64 [levels].

    A coarser level's pixel counts as the many that it stands for.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SOFT_EDGE_PX + 1,) * 2)
    total = np.zeros(num_levels(region.shape[1], region.shape[2]))
    for now, then, mask in zip(first, second, region, strict=True):
        if not mask.any():
            continue
        grown = cv2.dilate(mask.astype(np.uint8), kernel)
        error = (now.astype(np.float32) - then) * grown[..., None]
        for level in range(len(total)):
            total[level] += float(np.vdot(error, error)) * 4.0**level
            error = cv2.pyrDown(error)
    return total


def num_levels(height: int, width: int) -> int:
    """Levels of the pyramid for pictures of this size."""
    return int(np.clip(np.log2(min(height, width) / SMALLEST_SIDE) + 1, 1, LEVELS))
