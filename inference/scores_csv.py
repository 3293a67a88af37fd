"""scores.csv: one line a row and clip, one column a metric; empty where there is no figure."""

from __future__ import annotations

import csv
from pathlib import Path

from datagen.codec import atomic_path
from datagen.physics.records import NULL_EFFECT
from inference.scores import Scores

COLUMNS = ("row", "kind", "key", "source", "family", "effect", "failure", "alignment")


def write_csv(path: Path, scores: Scores) -> None:
    """Write the cells of `scores`, whole or not at all."""
    clips = {clip.key: clip for clip in scores.clips}
    kinds = {row.name: row.kind for row in scores.rows}
    metrics = [metric.name for metric in scores.metrics]
    with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS, *metrics])
        for cell in scores.cells:
            clip = clips[cell.key]
            effect = "no" if NULL_EFFECT in clip.labels else "yes"
            steps = "; ".join(cell.alignment.steps) if cell.alignment else ""
            facts = (cell.row, kinds[cell.row], cell.key, clip.source, clip.family, effect, cell.failure, steps)
            writer.writerow([*facts, *(_figure(cell.values.get(name)) for name in metrics)])


def _figure(value: float | None) -> str:
    return "" if value is None else repr(value)
