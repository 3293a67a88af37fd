"""The table of an evaluation on a terminal or in Markdown: rows sorted by margin, means with intervals of 95 %."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from datagen.errors import ConfigError, did_you_mean
from inference.metrics.api import Metric
from inference.scores import ALL, Comparison, MetricInfo, Row, Scores, Summary

ARROWS = {"higher": "↑", "lower": "↓"}
PLAIN_WIDTH = 200  # where there is no terminal whose width counts


def choose_columns(scores: Scores, names: Sequence[str]) -> list[MetricInfo]:
    """The metrics of these names or groups; the first of every group for none. Raises `ConfigError` for others."""
    groups = [metric.group for metric in scores.metrics]
    known = {*groups, *(metric.name for metric in scores.metrics)}
    for name in names:
        if name not in known:
            raise ConfigError(f"--metrics: the report has no metric or group '{name}'{did_you_mean(name, known)}")
    firsts = {group: groups.index(group) for group in groups}
    if not names:
        return [scores.metrics[index] for index in firsts.values()]
    return [metric for metric in scores.metrics if metric.name in names or metric.group in names]


def print_scores(scores: Scores, console: Console, metrics: Sequence[MetricInfo], subset: str = ALL) -> None:
    """One table of these metrics."""
    if not console.is_terminal:
        console = Console(file=console.file, width=PLAIN_WIDTH)
    table = Table(box=None, pad_edge=False)
    for column in _head(metrics):
        table.add_column(escape(column), justify="left" if column == "row" else "right", no_wrap=True)
    for line in _lines(scores, metrics, subset):
        table.add_row(*line)
    console.print(table)


def markdown_table(scores: Scores, metrics: Sequence[MetricInfo], subset: str = ALL) -> str:
    """The same table in Markdown."""
    head = _head(metrics)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *_lines(scores, metrics, subset)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def metrics_table(metrics: Iterable[Metric]) -> str:
    """What each metric is, in Markdown."""
    lines = [["metric", "better", "unit", "range", "what it is", "source"], ["---"] * 6]
    for one in metrics:
        ends = (f"{end:g}" if math.isfinite(end) else "-" for end in (one.low, one.high))
        what = [ARROWS[one.direction], one.unit or "-", " .. ".join(ends), one.definition, one.source or "-"]
        lines.append([f"`{one.name}`", *(text.replace("|", "\\|") for text in what)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def print_comparisons(comparisons: Sequence[Comparison], console: Console) -> None:
    """One line a metric: the mean difference, its interval, and p."""
    if not comparisons:
        return
    if not console.is_terminal:
        console = Console(file=console.file, width=PLAIN_WIDTH)
    table = Table(box=None, pad_edge=False, title=f"{comparisons[0].first} - {comparisons[0].second}")
    for column in ("metric", "clips", "difference", "95 %", "p (Wilcoxon)", "better"):
        table.add_column(column, justify="left" if column in ("metric", "better") else "right", no_wrap=True)
    for one in comparisons:
        interval = f"{one.low:.3g} .. {one.high:.3g}" if one.low is not None and one.high is not None else "-"
        p_value = f"{one.p_value:.3g}" if one.p_value is not None else "-"
        table.add_row(one.metric, str(one.num_clips), _figure(one.difference), interval, p_value, one.better or "-")
    console.print(table)


def _head(metrics: Sequence[MetricInfo]) -> list[str]:
    return [
        "row",
        *(f"{one.name}{f' [{one.unit}]' if one.unit else ''} {ARROWS[one.direction]}" for one in metrics),
        "n",
    ]


def _lines(scores: Scores, metrics: Sequence[MetricInfo], subset: str) -> list[list[str]]:
    found = {(one.row, one.metric): one for one in scores.summaries if one.subset == subset}
    return [_line(row, [found[row.name, metric.name] for metric in metrics]) for row in scores.rows]


def _line(row: Row, summaries: Sequence[Summary]) -> list[str]:
    """Name, figures, and how many clips could be scored."""
    name = f"{row.name} (untrained)" if row.untrained else row.name
    most = max((one.num_clips for one in summaries), default=0)
    failed = max((one.num_failed for one in summaries), default=0)
    return [name, *(_with_interval(one) for one in summaries), f"{most} ({failed} failed)" if failed else str(most)]


def _with_interval(one: Summary) -> str:
    if one.mean is None:
        return "-"
    if one.low is None or one.high is None:
        return _figure(one.mean)
    return f"{_figure(one.mean)} ({_figure(one.low)} .. {_figure(one.high)})"


def _figure(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    return f"{value:.2f}" if 0.1 <= abs(value) < 100 or value == 0 else f"{value:.3g}"
