"""Is what should be gone gone: the removed object, and the shadow and reflection that were its own.

Each is a normalised difference like the counterfactual margin: over the pixels where it was seen, the squared distance
to the factual video, less that to a clean one, over the greater of both. 1 is gone, -1 is still there.
"""

from __future__ import annotations

import numpy as np

from datagen.quadmask import Policy
from datagen.regions import SPILL_PX, grown
from inference.metrics.api import Case, Direction, Measured, Metric
from inference.metrics.derived import squared_difference
from inference.metrics.margin import normalised_difference

MIN_PIXELS = 40  # of the whole clip
MIN_DIFFERENCE = 2.0  # levels between both videos, root mean square: below it nobody could tell

GONE = Metric(
    name="removed_gone",
    group="removal",
    title="removed object gone",
    unit="",
    direction=Direction.HIGHER,
    low=-1.0,
    high=1.0,
    definition="(distance to factual - distance to clean) / the greater, squared differences over the removed object's "
    "pixels; clean is the counterfactual, or hidden where that is nearer",
    source="",
)
SHADOW = Metric(
    name="shadow_gone",
    group="removal",
    title="its shadow gone",
    unit="",
    direction=Direction.HIGHER,
    low=-1.0,
    high=1.0,
    definition="likewise over surfaces that stay, whose light the removed object changed (layer own_effects, beyond 5 "
    "pixels of what else changes), against the counterfactual",
    source="",
)
METRICS: tuple[Metric, ...] = (GONE, SHADOW)


def measure(case: Case, prediction: np.ndarray) -> Measured:
    """Whether object and shadow are gone from a prediction uint8 [num_frames, height, width, 3]."""
    removed = case.layers.removed
    elsewhere = case.layers.affected(Policy.VOID)
    near = np.stack([grown(frame, SPILL_PX) for frame in elsewhere])  # traces of what moves are no shadow
    shadow = case.layers.own_effects & ~removed & ~near
    found = {
        GONE.name: _gone(case.input, (case.truth, case.hidden), prediction, removed),
        SHADOW.name: _gone(case.input, (case.truth,), prediction, shadow),
    }
    reasons = {
        GONE.name: "the removed object is not seen, or looks like what is behind it",
        SHADOW.name: "the removed object throws no shadow that could be told",
    }
    notes = {name: reasons[name] for name, value in found.items() if np.isnan(value)}
    return Measured(values=found, notes=notes)


def _gone(factual: np.ndarray, clean: tuple[np.ndarray, ...], prediction: np.ndarray, region: np.ndarray) -> float:
    """Normalised difference in [-1, 1] over a region bool [F, H, W]; nan where it is empty or both videos are alike."""
    if region.sum() < MIN_PIXELS:
        return float("nan")
    was, now = factual[region], prediction[region]
    goals = [video[region] for video in clean]
    contrast = float(np.mean(np.min([squared_difference(was, goal) for goal in goals], axis=0)))
    if contrast < 3 * MIN_DIFFERENCE**2:
        return float("nan")
    to_factual = squared_difference(now, was).sum(dtype=np.float64)
    to_clean = np.min([squared_difference(now, goal) for goal in goals], axis=0).sum(dtype=np.float64)
    return float(normalised_difference(np.array(to_factual), np.array(to_clean)))
