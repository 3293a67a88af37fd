"""The table of an evaluation on a terminal or in Markdown: rows sorted by margin, means with intervals of 95 %."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from inference.scores import Comparison, MetricInfo, Row, Scores, Summary
from inference.summaries import ALL

ARROWS = {"higher": "↑", "lower": "↓"}
PLAIN_WIDTH = 200  # where there is no terminal whose width counts


def headline_metrics(scores: Scores) -> list[MetricInfo]:
    """The first metric of every group."""
    firsts: dict[str, MetricInfo] = {}
    for metric in scores.metrics:
        firsts.setdefault(metric.group, metric)
    return list(firsts.values())


def print_scores(scores: Scores, console: Console, metrics: Sequence[MetricInfo], subset: str = ALL) -> None:
    """One table of these metrics."""
    if not console.is_terminal:
        console = Console(file=console.file, width=PLAIN_WIDTH)
    table = Table(box=None, pad_edge=False)
    for column in _head(metrics):
        table.add_column(column, justify="left" if column == "row" else "right", no_wrap=True)
    for line in _lines(scores, metrics, subset):
        table.add_row(*line)
    console.print(table)


def markdown(scores: Scores, metrics: Sequence[MetricInfo], subset: str = ALL) -> str:
    """The same table in Markdown."""
    head = _head(metrics)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *_lines(scores, metrics, subset)]
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
