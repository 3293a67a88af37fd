"""What an evaluation leaves, as records.

REPORT/
  scores.json               Scores: all that is below but the tracks, with means, intervals and comparisons
  scores.csv                one line a row and clip, one column a metric
  cells/<row>/<key>.json    Cell: one row on one clip, with its tracks; whole or absent, so that a run resumes
  rows/<row>/<key>.mp4      videos of the rows that the command makes itself

A figure is null where it does not apply or could not be had; `notes` then say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from datagen.evalset import EvalEntry
from inference.metrics.api import Direction, Metric, Track

SCORES_FORMAT_VERSION = 1
SCORES_JSON = "scores.json"
SCORES_CSV = "scores.csv"
CELLS = "cells"
ROWS = "rows"
TRACK_DECIMALS = 2  # of a pixel
ALL = "all"  # the subset of every clip


class RowKind(StrEnum):
    """Where a row of the table comes from."""

    BOUND = "bound"  # what the eval set itself bounds: identity, hidden, the truth coded and perturbed
    BASELINE = "baseline"  # inpainting without a learned model
    PREDICTION = "prediction"  # what the user brings


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table."""

    name: str
    kind: RowKind
    title: str  # what it is, in words
    method: str  # of the predictions' own records, e.g. "pass1"; "" where they say nothing
    untrained: bool  # made by a model whose weights are random


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """A `Metric` in JSON, which has no infinities: an open end is null."""

    name: str
    group: str
    title: str
    unit: str
    direction: Direction
    low: float | None
    high: float | None
    definition: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How a prediction was brought to the truth's length, rate and size."""

    num_frames: int  # as it was found
    fps: float
    width: int
    height: int
    steps: tuple[str, ...]  # what was done, in order, in words; empty where it fitted


@dataclass(frozen=True, kw_only=True)
class StoredTrack:
    """A `Track` in JSON: each point (x, y) in pixels, null where the object was not found."""

    name: str
    prediction_px: tuple[tuple[float, float] | None, ...]
    truth_px: tuple[tuple[float, float] | None, ...]
    hidden_px: tuple[tuple[float, float] | None, ...]
    perturbed_px: tuple[tuple[tuple[float, float] | None, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row on one clip."""

    format_version: int
    row: str
    key: str
    video: str  # that was scored: relative to the report's folder where it lies within, else absolute; "" for none
    inputs_sha256: str  # of all that the figures follow from: video, clip, metrics; another one is scored anew
    failure: str  # why there are no figures, in one line; "" otherwise
    alignment: Alignment | None
    values: dict[str, float | None]  # by metric name
    notes: dict[str, str]  # why a value is null, by metric name
    tracks: tuple[StoredTrack, ...] = ()  # in cells/ only


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mean of one metric over clips, with its bootstrap interval of 95 %; null where no clip has a figure."""

    row: str
    metric: str
    subset: str  # "all", "source=humoto", "family=...", "effect=yes" or "effect=no" (label null_effect)
    num_clips: int  # with a figure
    num_failed: int  # clips of the subset without a usable prediction
    mean: float | None
    low: float | None  # null with fewer than two clips
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric in two rows over the clips that both have; difference is first - second."""

    first: str
    second: str
    metric: str
    num_clips: int
    difference: float | None  # mean
    low: float | None  # paired bootstrap, 95 %
    high: float | None
    p_value: float | None  # Wilcoxon's signed-rank test, two-sided; null with fewer than two clips
    better: str  # the row that the metric's direction prefers when the interval excludes 0; "" otherwise


@dataclass(frozen=True, kw_only=True)
class Scores:
    """scores.json; equal inputs give equal bytes, so it holds no clock."""

    format_version: int
    data: str  # the eval set's folder, as it was given
    name: str  # the eval set's name
    manifest_sha256: str
    licences: dict[str, str]
    seed: int  # of the bootstrap
    metrics: tuple[MetricInfo, ...]  # in the order of the columns
    rows: tuple[Row, ...]  # sorted as the table: best margin first
    clips: tuple[EvalEntry, ...]
    cells: tuple[Cell, ...]  # every row on every clip, without tracks
    summaries: tuple[Summary, ...]
    comparisons: tuple[Comparison, ...]
    versions: dict[str, str]


def cell_path(report: Path, row: str, key: str) -> Path:
    """Where a cell lies."""
    return report / CELLS / row / f"{key}.json"


def info_of(metric: Metric) -> MetricInfo:
    """A metric as it is stored."""
    return MetricInfo(
        name=metric.name,
        group=metric.group,
        title=metric.title,
        unit=metric.unit,
        direction=metric.direction,
        low=_finite(metric.low),
        high=_finite(metric.high),
        definition=metric.definition,
        source=metric.source,
    )


def stored_track(track: Track) -> StoredTrack:
    """A track as it is stored."""
    return StoredTrack(
        name=track.name,
        prediction_px=_points(track.prediction_px),
        truth_px=_points(track.truth_px),
        hidden_px=_points(track.hidden_px),
        perturbed_px=tuple(_points(course) for course in track.perturbed_px),
    )


def points_array(points: Sequence[tuple[float, float] | None]) -> np.ndarray:
    """A stored course float64 [num_frames, 2], nan where the object was not found."""
    return np.array([(np.nan, np.nan) if point is None else point for point in points], dtype=np.float64).reshape(-1, 2)


def _points(course: np.ndarray) -> tuple[tuple[float, float] | None, ...]:
    return tuple(
        (round(float(x), TRACK_DECIMALS), round(float(y), TRACK_DECIMALS)) if np.isfinite((x, y)).all() else None
        for x, y in course
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
