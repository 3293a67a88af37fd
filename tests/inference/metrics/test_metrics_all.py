"""All groups: names, ranges, and predictions that are nothing like the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.metrics.all import GROUPS, METRICS, Group
from inference.metrics.api import Case, Direction

DOCS = Path(__file__).parents[3] / "docs" / "METRICS.md"


def test_names_are_unique_and_said(case: Case) -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for group in GROUPS:
        assert all(metric.group == group.name for metric in group.metrics)
    assert all(metric.definition and metric.title and metric.low < metric.high for metric in METRICS)


def strange_videos(case: Case) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "truth": case.truth.copy(),
        "hidden": case.hidden.copy(),
        "input": case.input.copy(),
        "black": np.zeros_like(case.truth),
        "white": np.full_like(case.truth, 255),
        "frozen": np.repeat(case.truth[:1], len(case.truth), axis=0),
        "noise": rng.integers(0, 256, case.truth.shape, dtype=np.uint8),
        "negative": 255 - case.truth,
    }


@pytest.mark.parametrize("group", GROUPS, ids=[group.name for group in GROUPS])
def test_any_prediction_gives_figures_in_range_or_says_why(case: Case, group: Group) -> None:
    for name, video in strange_videos(case).items():
        found = group.measure(case, video)
        assert set(found.values) == {metric.name for metric in group.metrics}
        for metric in group.metrics:
            value = found.values[metric.name]
            assert np.isfinite(value) or found.notes[metric.name], (name, metric.name)
            assert np.isnan(value) or metric.low - 1e-6 <= value <= metric.high + 1e-6, (name, metric.name, value)


HEADLINES = ("margin", "traj_centroid_px", "traj_chamfer_px", "traj_iou", "piq_score", "events_right")


def test_physics_prefers_truth_to_perturbed_to_hidden(case: Case) -> None:
    """The order that the headline figures must have on every clip."""
    videos = {"truth": case.truth.copy(), "perturbed": case.perturbed[0].copy(), "hidden": case.hidden.copy()}
    values: dict[str, dict[str, float]] = {name: {} for name in videos}
    for group in GROUPS:
        for name, video in videos.items() if group.name != "appearance" else ():
            values[name] |= group.measure(case, video).values
    for metric in METRICS:
        if metric.name in HEADLINES:
            sign = 1 if metric.direction is Direction.HIGHER else -1
            truth, perturbed, hidden = (sign * values[name][metric.name] for name in videos)
            assert truth >= perturbed > hidden, metric.name
