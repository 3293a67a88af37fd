"""Means, intervals and paired tests against closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from datagen.evalset import EvalEntry
from datagen.physics.records import NULL_EFFECT
from inference.metrics.api import Direction, Metric
from inference.scores import Cell
from inference.summaries import compare, mean_interval, subsets, summarise, values_of, wilcoxon_p


def entry(key: str, source: str = "humoto", family: str = "lift", labels: tuple[str, ...] = ()) -> EvalEntry:
    return EvalEntry(
        key=key,
        source=source,
        family=family,
        affected=(),
        labels=labels,
        num_frames=1,
        fps=12.0,
        width=2,
        height=2,
        num_perturbed=0,
    )


def cell(row: str, key: str, value: float | None, failure: str = "") -> Cell:
    return Cell(
        format_version=1,
        row=row,
        key=key,
        video="",
        inputs_sha256="",
        failure=failure,
        alignment=None,
        values={"loss": value},
        notes={},
    )


LOSS = Metric(
    name="loss",
    group="appearance",
    title="loss",
    unit="",
    direction=Direction.LOWER,
    low=0.0,
    high=math.inf,
    definition="",
    source="",
)


def test_interval_of_a_coin_is_the_binomials() -> None:
    """Resampling 20 heads of 40 draws a binomial: its 2.5 % and 97.5 % quantiles are 14 and 26 of 40."""
    from scipy.stats import binom

    mean, low, high = mean_interval(np.repeat([0.0, 1.0], 20), 0)
    assert mean == 0.5
    assert (low, high) == (binom.ppf(0.025, 40, 0.5) / 40, binom.ppf(0.975, 40, 0.5) / 40)


def test_interval_of_many_normal_values_is_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    mean, low, high = mean_interval(values, 0)
    expected = 1.959964 * values.std() / math.sqrt(len(values))
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(values.mean() - expected, abs=0.06 * expected)
    assert high == pytest.approx(values.mean() + expected, abs=0.06 * expected)


def test_intervals_follow_from_their_names_alone() -> None:
    values = np.random.default_rng(2).normal(size=9)
    assert mean_interval(values, 3, "psnr") == mean_interval(values.copy(), 3, "psnr")
    assert mean_interval(values, 3, "psnr") != mean_interval(values, 4, "psnr")


def test_few_or_equal_values() -> None:
    assert mean_interval(np.array([])) == (None, None, None)
    assert mean_interval(np.array([np.nan, np.nan])) == (None, None, None)
    assert mean_interval(np.array([2.0, np.nan])) == (2.0, None, None)
    assert mean_interval(np.array([2.0, 2.0, 2.0])) == (2.0, 2.0, 2.0)


def test_wilcoxon_is_the_count_over_all_signs() -> None:
    """The exact p by enumeration: the share of the 2^n signs whose rank sum is as far from its middle, both sides."""
    differences = np.array([0.3, -0.1, 0.8, 0.5, -0.2, 0.9, 1.1])
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    middle = ranks.sum() / 2
    found = abs(ranks[differences > 0].sum() - middle)
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product((0, 1), repeat=len(ranks))
    ]
    expected = np.mean([abs(one - middle) >= found for one in sums])
    assert wilcoxon_p(differences) == pytest.approx(expected)


def test_wilcoxon_at_its_ends() -> None:
    assert wilcoxon_p(np.arange(1.0, 13.0)) == pytest.approx(2 / 2**12)  # all of twelve on one side
    assert wilcoxon_p(np.zeros(5)) == 1.0
    assert wilcoxon_p(np.array([1.0])) is None
    assert 0 < (wilcoxon_p(np.array([0.0, 0.0, 1.0, 1.0, 2.0])) or 0) <= 1  # ties and zeros


def test_compare_pairs_clips_and_knows_the_direction() -> None:
    keys = [f"c{number}" for number in range(12)]
    hard = np.linspace(0, 100, 12)  # clips differ far more than rows do: only pairs tell
    cells = [cell("a", key, value) for key, value in zip(keys, hard, strict=True)]
    cells += [cell("b", key, value + 1) for key, value in zip(keys, hard, strict=True)]
    cells += [
        cell("c", key, value + (-1) ** number) for number, (key, value) in enumerate(zip(keys, hard, strict=True))
    ]
    (one,) = compare(cells, "a", "b", {"loss": LOSS}, 0)
    assert one.difference == pytest.approx(-1) and one.better == "a" and (one.p_value or 1) < 0.01
    (other,) = compare(cells, "b", "a", {"loss": LOSS}, 0)
    assert other.difference == pytest.approx(1) and other.better == "a"
    (equal,) = compare(cells, "a", "c", {"loss": LOSS}, 0)
    assert equal.better == "" and equal.difference == pytest.approx(0) and (equal.p_value or 0) > 0.5


def test_compare_leaves_out_clips_that_one_row_lacks() -> None:
    cells = [cell("a", "x", 1.0), cell("a", "y", 5.0), cell("b", "x", 2.0), cell("b", "y", None, "missing")]
    (one,) = compare(cells, "a", "b", {"loss": LOSS}, 0)
    assert one.num_clips == 1 and one.difference == -1 and one.low is None and one.better == ""


def test_subsets() -> None:
    clips = [entry("a"), entry("b", "kubric", "pile"), entry("c", "kubric", "ramp", (NULL_EFFECT,))]
    assert subsets(clips) == {
        "all": ("a", "b", "c"),
        "source=humoto": ("a",),
        "source=kubric": ("b", "c"),
        "family=lift": ("a",),
        "family=pile": ("b",),
        "family=ramp": ("c",),
        "effect=yes": ("a", "b"),
        "effect=no": ("c",),
    }


def test_summarise_counts_what_failed_and_means_the_rest() -> None:
    clips = [entry("a"), entry("b", "kubric", "pile"), entry("c", "kubric", "pile")]
    cells = [cell("row", "a", 1.0), cell("row", "b", 3.0), cell("row", "c", None, "all black")]
    found = {one.subset: one for one in summarise(cells, clips, ["loss"], 0)}
    assert (found["all"].mean, found["all"].num_clips, found["all"].num_failed) == (2.0, 2, 1)
    assert (found["source=kubric"].mean, found["source=kubric"].num_failed) == (3.0, 1)
    assert (found["source=humoto"].mean, found["source=humoto"].low) == (1.0, None)
    assert (found["all"].low, found["all"].high) == (1.0, 3.0)  # of two values, resampled


def test_values_of_marks_what_is_missing() -> None:
    of_row = {"a": cell("r", "a", 1.5), "b": cell("r", "b", None)}
    assert np.array_equal(values_of(of_row, ["b", "a"], "loss"), [np.nan, 1.5], equal_nan=True)
