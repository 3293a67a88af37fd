"""The ladder of degradations: its videos are wrong as they say, and metrics see it."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from inference.metrics.all import METRICS
from inference.metrics.api import Case
from inference.metrics.courses import known_objects
from inference.metrics.templates import cut_out

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))  # commands, not a package

from ladder_videos import Placed, Rung, paste, rungs
from metric_ladder import ORDERED, Scored, climb, order_table, pairs, read_scores, response_table, write_scores

BY_NAME = {metric.name: metric for metric in METRICS}


@pytest.fixture(scope="module")
def ladder(case: Case) -> dict[str, list[Rung]]:
    found: dict[str, list[Rung]] = defaultdict(list)
    for rung in rungs(case):
        found[rung.series].append(rung)
    return found


def test_every_series_applies_to_a_fall(ladder: dict[str, list[Rung]], case: Case) -> None:
    assert list(ladder) == [
        "truth",
        "blur",
        "removed object left",
        "time shift",
        "object frozen",
        "slower fall",
        "through the floor",
        "wrong object moved",
    ]
    np.testing.assert_array_equal(ladder["truth"][0].video, case.truth)
    for series, steps in ladder.items():
        assert [step.strength for step in steps] == list(range(series != "truth", len(steps) + (series != "truth")))
        assert all(step.video.shape == case.truth.shape and step.video.dtype == np.uint8 for step in steps)


@pytest.mark.parametrize("series", ["time shift", "slower fall", "through the floor", "wrong object moved"])
def test_worse_is_further_off(ladder: dict[str, list[Rung]], series: str) -> None:
    off = [step.off_px for step in ladder[series]]
    assert off[0] > 0
    assert (np.diff(off) >= 0).all() and off[-1] > off[0]


def test_what_floats_stays_where_it_starts(ladder: dict[str, list[Rung]], case: Case) -> None:
    floats = ladder["slower fall"][-1]
    assert floats.label == "floats"
    one = known_objects(case)[0]
    expected = np.linalg.norm(one.truth_px - one.truth_px[0], axis=1).mean()
    assert floats.off_px == pytest.approx(expected)
    start = one.masks[0]
    difference = np.abs(floats.video[-1].astype(int) - case.truth[0])[start]
    assert np.median(difference) < 3


def test_paste_puts_a_cut_out_where_it_is_told() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:9, 6:10] = True
    picture = np.where(mask[..., None], 200, 0).astype(np.uint8).repeat(3, axis=2)
    canvas = np.zeros((30, 40, 3), dtype=np.float32)
    paste(canvas, Placed(place=np.array([20.25, 11.5]), template=cut_out(0, picture, mask)))
    weight = canvas[..., 0]
    rows, columns = np.mgrid[:30, :40] + 0.5
    assert (weight * columns).sum() / weight.sum() == pytest.approx(20.25, abs=0.02)
    assert (weight * rows).sum() / weight.sum() == pytest.approx(11.5, abs=0.02)
    paste(canvas, Placed(place=np.array([-1.0, 29.0]), template=cut_out(0, picture, mask)))  # over the border
    paste(canvas, Placed(place=np.array([-50.0, 90.0]), template=cut_out(0, picture, mask)))
    assert canvas.max() <= 200


def scored(series: str, strength: int, off_px: float, value: float) -> Scored:
    values = dict.fromkeys(ORDERED, float("nan")) | {"traj_centroid_px": value}
    return Scored(key="a", series=series, strength=strength, label="", off_px=off_px, values=values)


def test_pairs_leave_out_what_was_not_made_worse() -> None:
    clip = [
        scored("truth", 0, 0, 0.1),
        scored("time shift", 1, 0.2, 0.1),
        scored("time shift", 2, 4.0, 4.1),
        scored("time shift", 3, 9.0, 3.0),
    ]
    found = pairs(clip, BY_NAME["traj_centroid_px"])
    assert [(pair.better.strength, pair.worse.strength, pair.right) for pair in found] == [
        (0, 2, True),
        (0, 3, True),
        (1, 2, True),
        (1, 3, True),
        (2, 3, False),
    ]


def test_scores_are_kept(tmp_path: Path) -> None:
    rung = scored("time shift", 1, 2.0, 3.0)
    write_scores(tmp_path / "scores.jsonl", [rung])
    again = read_scores(tmp_path / "scores.jsonl")[0]
    assert again.values["traj_centroid_px"] == 3 and np.isnan(again.values["margin"])
    assert read_scores(None) == [] == read_scores(tmp_path / "none")


@pytest.mark.slow
def test_metrics_keep_the_order_of_the_ladder(case: Case) -> None:
    climbed = list(climb(case))
    for name in ("margin", "traj_centroid_px", "traj_chamfer_px", "traj_iou"):
        right = [pair.right for pair in pairs(climbed, BY_NAME[name])]
        assert len(right) > 20
        assert np.mean(right) >= 0.9, name
    assert len(order_table(climbed)) == len(ORDERED) + 2
    assert response_table(climbed)[2].startswith("| truth | 1 | 1.00 |")
