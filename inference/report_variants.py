"""What a report shows of one row on one clip: pictures, courses of the objects, figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datagen.gallery_physics import curve
from datagen.metadata import SampleMetadata
from datagen.web.records import Line, Pane, Plot, PlotGroup, Role, Table, Tone, Variant, Word
from inference.scores import Cell, MetricInfo, Row, StoredTrack, points_array
from inference.table import ARROWS

INPUT_VIEW, TRUTH_VIEW, HIDDEN_VIEW = "input", "truth", "hidden"


def variant_of(row: Row, cell: Cell, view: str | None, metrics: Sequence[MetricInfo], height: int) -> Variant:
    """A row on a clip. view: of its prediction; None where there is none to show. height: of the pictures [pixels]."""
    return Variant(
        name=row.name,
        note=_note(row, cell),
        tone=Tone.BAD if cell.failure else Tone.PLAIN,
        panes=panes_of(view),
        plots=tuple(track_plots(track, height) for track in cell.tracks),
        tables=(metrics_table(cell, metrics),),
    )


def _note(row: Row, cell: Cell) -> str:
    """What the row is, and what was done to its video."""
    if cell.failure:
        return f"Not scored: {cell.failure}"
    steps = cell.alignment.steps if cell.alignment else ()
    parts = [row.title, "untrained" if row.untrained and "untrained" not in row.title else "", *steps]
    return "; ".join(part for part in parts if part)


def panes_of(view: str | None) -> tuple[Pane, ...]:
    """Input, truth, prediction; below them mask, error, and inpainting without physics."""
    prediction = () if view is None else (Pane(title="Prediction", view=view),)
    error = () if view is None else (Pane(title="Error × 4", view=view, against=TRUTH_VIEW),)
    return (
        Pane(title="Input", view=INPUT_VIEW),
        Pane(title="Truth", view=TRUTH_VIEW),
        *prediction,
        Pane(title="Mask", view=INPUT_VIEW, overlay="mask"),
        *error,
        Pane(title="Hidden (no physics)", view=HIDDEN_VIEW),
    )


def track_plots(track: StoredTrack, height: int) -> PlotGroup:
    """Where an object was in the picture: across, and up from the lower edge."""
    courses = {
        name: points_array(points)
        for name, points in (
            ("truth", track.truth_px),
            ("hidden", track.hidden_px),
            ("prediction", track.prediction_px),
        )
    }
    others = [points_array(points) for points in track.perturbed_px]
    band = np.stack([courses["truth"], *others]) if others else np.empty((0, 0, 2))
    plots = (
        _plot("Across, from the left edge", courses, band, 0, None),
        _plot("Up, from the lower edge", courses, band, 1, height),
    )
    return PlotGroup(name=track.name, plots=plots)


ROLES = {"truth": Role.TRUTH, "hidden": Role.FILMED, "prediction": Role.PREDICTION}


def _plot(title: str, courses: dict[str, np.ndarray], band: np.ndarray, axis: int, top: int | None) -> Plot:
    """One coordinate over time; top: counted upwards from there."""

    def along(points: np.ndarray) -> np.ndarray:
        return points[..., axis] if top is None else top - points[..., axis]

    lines = tuple(Line(name=name, role=ROLES[name], values=curve(along(one))) for name, one in courses.items())
    if not len(band):
        return Plot(title=title, unit="px", lines=lines)
    values = along(band)
    known = np.isfinite(values).any(axis=0)
    low = np.where(known, np.where(np.isnan(values), np.inf, values).min(axis=0), np.nan)
    high = np.where(known, np.where(np.isnan(values), -np.inf, values).max(axis=0), np.nan)
    return Plot(title=title, unit="px", lines=lines, low=curve(low), high=curve(high))


def metrics_table(cell: Cell, metrics: Sequence[MetricInfo]) -> Table:
    """Every figure of a row on a clip; where one is missing, why."""
    return Table(
        title=f"Figures of {cell.row}",
        head=("metric", "value", "unit", "better", "group", "note"),
        rows=tuple(_metric_row(cell, metric) for metric in metrics),
    )


def _metric_row(cell: Cell, metric: MetricInfo) -> tuple[Word, ...]:
    value = cell.values.get(metric.name)
    return (
        Word(text=metric.title, title=metric.definition),
        Word(text="–" if value is None else f"{value:.4g}", value=value),
        Word(text=metric.unit.replace("^2", "²"), tone=Tone.FAINT),
        Word(text=ARROWS[metric.direction], tone=Tone.FAINT, title=f"{metric.direction} is better"),
        Word(text=metric.group.replace("_", " "), tone=Tone.FAINT),
        Word(text=cell.notes.get(metric.name, ""), tone=Tone.NOTE),
    )


def facts_of(metadata: SampleMetadata) -> tuple[tuple[str, str], ...]:
    """What is told of a clip beside its pictures."""
    never = "never" if metadata.divergence_frame is None else f"frame {metadata.divergence_frame}"
    return (
        ("removed", ", ".join(f"{thing.name} ({thing.kind})" for thing in metadata.removed)),
        ("moves differently", ", ".join(metadata.affected) or "nothing"),
        ("worlds part in", never),
        ("scene", metadata.description),
        ("size", f"{metadata.width} × {metadata.height}, {metadata.num_frames} frames at {metadata.fps:g} fps"),
        ("licence", metadata.licence.name),
    )
