"""The scores as a report's page wants them: by row, metric and clip, in few letters."""

from __future__ import annotations

from typing import Any

from datagen.web.records import Table, Tone, Word
from inference.scores import ALL, Comparison, Scores

DIGITS = 6  # of a figure on the page; scores.json has all of them


def page_data(scores: Scores) -> dict[str, Any]:
    """Rows, metrics, figures [row][metric][clip], summaries over all clips, and reasons of failures [row][clip]."""
    keys = [entry.key for entry in scores.clips]
    cells = {(cell.row, cell.key): cell for cell in scores.cells}
    names = [metric.name for metric in scores.metrics]
    return {
        "seed": scores.seed,
        "keys": keys,
        "rows": scores.rows,
        "metrics": scores.metrics,
        "values": {
            row.name: {name: [_short(cells[row.name, key].values.get(name)) for key in keys] for name in names}
            for row in scores.rows
        },
        "failures": {row.name: [cells[row.name, key].failure for key in keys] for row in scores.rows},
        "summaries": _summaries(scores),
    }


def _summaries(scores: Scores) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Means over all clips with their intervals, as in scores.json."""
    found: dict[str, dict[str, dict[str, float | int | None]]] = {row.name: {} for row in scores.rows}
    for one in scores.summaries:
        if one.subset == ALL:
            interval = {"mean": _short(one.mean), "low": _short(one.low), "high": _short(one.high)}
            found[one.row][one.metric] = {"count": one.num_clips, **interval}
    return found


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def comparison_tables(scores: Scores) -> tuple[Table, ...]:
    """A table for each pair of rows that was compared clip by clip."""
    titles = {metric.name: metric.title for metric in scores.metrics}
    pairs = list(dict.fromkeys((one.first, one.second) for one in scores.comparisons))
    return tuple(
        Table(
            title=f"{first} − {second}",
            head=("metric", "clips", "difference", "95 % from", "to", "p (Wilcoxon)", "better"),
            rows=tuple(
                _comparison_row(one, titles[one.metric])
                for one in scores.comparisons
                if (one.first, one.second) == (first, second)
            ),
            note="Clip by clip; a row is better where the interval of the mean difference does not hold 0.",
        )
        for first, second in pairs
    )


def _comparison_row(one: Comparison, title: str) -> tuple[Word, ...]:
    figures = (float(one.num_clips), one.difference, one.low, one.high, one.p_value)
    words = (Word(text="–" if value is None else f"{value:.3g}", value=value) for value in figures)
    return (Word(text=title), *words, Word(text=one.better or "–", tone=Tone.PLAIN if one.better else Tone.FAINT))
