"""The table of an evaluation, on a terminal and in a document."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from datagen.errors import ConfigError
from inference.metrics.api import Direction
from inference.scores import MetricInfo, Row, RowKind, Scores, Summary
from inference.scoring import all_metrics
from inference.table import choose_columns, markdown_table, metrics_table, print_scores

REPOSITORY = Path(__file__).resolve().parents[2]


def metric(name: str, group: str, unit: str = "") -> MetricInfo:
    return MetricInfo(
        name=name,
        group=group,
        title=name,
        unit=unit,
        direction=Direction.LOWER,
        low=0.0,
        high=None,
        definition="",
        source="",
    )


def summary(row: str, name: str, mean: float | None, half: float | None, failed: int = 0) -> Summary:
    low, high = (None, None) if mean is None or half is None else (mean - half, mean + half)
    return Summary(
        row=row, metric=name, subset="all", num_clips=4 - failed, num_failed=failed, mean=mean, low=low, high=high
    )


@pytest.fixture
def scores() -> Scores:
    metrics = (
        metric("margin", "margin"),
        metric("course_px", "trajectory", "px"),
        metric("rest_px", "trajectory", "px"),
    )
    rows = tuple(
        Row(name=name, kind=RowKind.PREDICTION, title="", method="", untrained=name == "noise")
        for name in ("good", "noise")
    )
    summaries = (
        summary("good", "margin", 0.5, 0.25),
        summary("good", "course_px", 123.4, 10.0),
        summary("good", "rest_px", 0.00123, None),
        summary("noise", "margin", -0.5, 0.0, 1),
        summary("noise", "course_px", None, None, 1),
        summary("noise", "rest_px", 1.0, None, 1),
    )
    return Scores(
        format_version=1,
        data="set",
        name="set",
        manifest_sha256="",
        licences={},
        seed=0,
        metrics=metrics,
        rows=rows,
        clips=(),
        cells=(),
        summaries=summaries,
        comparisons=(),
        versions={},
    )


def test_markdown(scores: Scores) -> None:
    assert markdown_table(scores, choose_columns(scores, [])).splitlines() == [
        "| row | margin ↓ | course_px [px] ↓ | n |",
        "| --- | ---: | ---: | ---: |",
        "| good | 0.50 (0.25 .. 0.75) | 123 (113 .. 133) | 4 |",
        "| noise (untrained) | -0.50 (-0.50 .. -0.50) | - | 3 (1 failed) |",
    ]


def test_columns_by_group_and_name(scores: Scores) -> None:
    assert [one.name for one in choose_columns(scores, ["trajectory"])] == ["course_px", "rest_px"]
    assert [one.name for one in choose_columns(scores, ["rest_px", "margin"])] == ["margin", "rest_px"]
    with pytest.raises(ConfigError, match=r"no metric or group 'trajectry'; did you mean 'trajectory'\?"):
        choose_columns(scores, ["trajectry"])


def test_a_terminal_and_a_pipe_show_the_same_figures(scores: Scores) -> None:
    plain = io.StringIO()
    print_scores(scores, Console(file=plain), choose_columns(scores, []))
    lines = plain.getvalue().splitlines()
    assert lines[0].split() == ["row", "margin", "↓", "course_px", "[px]", "↓", "n"]
    assert lines[1].split() == ["good", "0.50", "(0.25", "..", "0.75)", "123", "(113", "..", "133)", "4"]


def test_the_document_lists_every_metric_as_it_is() -> None:
    text = (REPOSITORY / "docs" / "EVALUATION.md").read_text()
    shown = text.split("<!-- metrics -->\n")[1].split("<!-- end of metrics -->")[0].strip()
    assert shown == metrics_table(all_metrics().values()), "run `python -m inference metrics` and paste what it says"
