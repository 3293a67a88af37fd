"""From cells to a table: means over clips with bootstrap intervals, and two rows compared clip by clip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import stats

from datagen.evalset import EvalEntry
from datagen.physics.records import NULL_EFFECT
from datagen.seeding import generator_for
from inference.metrics.api import Direction, Metric
from inference.scores import ALL, Cell, Comparison, Summary

RESAMPLES = 9_999
CONFIDENCE = 0.95


def subsets(clips: Sequence[EvalEntry]) -> dict[str, tuple[str, ...]]:
    """Keys of the clips by the name of a subset: all, and by source, family and effect."""
    found: dict[str, list[str]] = {ALL: []}
    for clip in clips:
        effect = "no" if NULL_EFFECT in clip.labels else "yes"
        for name in (ALL, f"source={clip.source}", f"family={clip.family}", f"effect={effect}"):
            found.setdefault(name, []).append(clip.key)
    return {name: tuple(keys) for name, keys in found.items()}


def mean_interval(values: np.ndarray, *names: str | int) -> tuple[float | None, float | None, float | None]:
    """Mean of float [n], and the ends of its 95 % percentile bootstrap interval (Efron 1979); nan values are left out.

    names: what is drawn for, so that the same figures give the same interval. No interval for fewer than two values.
    """
    values = values[np.isfinite(values)]
    if not values.size:
        return None, None, None
    mean = float(values.mean())
    if values.size < 2:
        return mean, None, None
    if np.ptp(values) == 0:
        return mean, mean, mean
    interval = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=generator_for("bootstrap", *names),
    ).confidence_interval
    return mean, float(interval.low), float(interval.high)


def summarise(
    cells: Iterable[Cell], clips: Sequence[EvalEntry], metrics: Sequence[str], seed: int
) -> tuple[Summary, ...]:
    """Every row and metric over every subset."""
    table = by_row(cells)
    found = []
    for row, of_row in table.items():
        for subset, keys in subsets(clips).items():
            failed = sum(1 for key in keys if of_row[key].failure)
            for metric in metrics:
                values = values_of(of_row, keys, metric)
                mean, low, high = mean_interval(values, seed, metric, subset)
                found.append(
                    Summary(
                        row=row,
                        metric=metric,
                        subset=subset,
                        num_clips=int(np.isfinite(values).sum()),
                        num_failed=failed,
                        mean=mean,
                        low=low,
                        high=high,
                    )
                )
    return tuple(found)


def compare(
    cells: Iterable[Cell], first: str, second: str, metrics: Mapping[str, Metric], seed: int
) -> tuple[Comparison, ...]:
    """Each metric of row `first` against row `second`, over the clips on which both have a figure."""
    table = by_row(cells)
    keys = sorted(table[first].keys() & table[second].keys())
    return tuple(
        _compare_metric(
            metric, first, second, values_of(table[first], keys, name) - values_of(table[second], keys, name), seed
        )
        for name, metric in metrics.items()
    )


def by_row(cells: Iterable[Cell]) -> dict[str, dict[str, Cell]]:
    """Cells by row and key."""
    table: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        table.setdefault(cell.row, {})[cell.key] = cell
    return table


def values_of(of_row: Mapping[str, Cell], keys: Sequence[str], metric: str) -> np.ndarray:
    """A row's figures on these clips, float64 [n]; nan where there is none."""
    found = (of_row[key].values.get(metric) for key in keys)
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64)


def _compare_metric(metric: Metric, first: str, second: str, differences: np.ndarray, seed: int) -> Comparison:
    differences = differences[np.isfinite(differences)]
    mean, low, high = mean_interval(differences, seed, metric.name, first, second)
    better = ""
    if low is not None and high is not None and (low > 0 or high < 0):
        better = first if (low > 0) == (metric.direction is Direction.HIGHER) else second
    return Comparison(
        first=first,
        second=second,
        metric=metric.name,
        num_clips=len(differences),
        difference=mean,
        low=low,
        high=high,
        p_value=wilcoxon_p(differences),
        better=better,
    )


def wilcoxon_p(differences: np.ndarray) -> float | None:
    """Two-sided p of Wilcoxon's signed-rank test (1945) of paired differences float [n]; exact for few without ties.

    None for fewer than two; 1 where all are zero.
    """
    if len(differences) < 2:
        return None
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)
