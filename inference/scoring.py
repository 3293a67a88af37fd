"""Scores of one clip: which metrics there are, one row on one clip as a cell, and the process that does a clip's rows.

`python -m inference.scoring JOB.json OUT` decodes a clip once and writes a cell for every row of a `ClipJob`, each as
soon as it is measured.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datagen.codec import parse_record, sha256_file, sha256_record, write_json
from datagen.entry import serve
from datagen.errors import ConfigError, DataError, SceneFailed, did_you_mean
from datagen.evalset import EvalEntry, EvalItem, EvalManifest
from datagen.evalset_files import key_of
from inference.alignment import PredictionRefused, align
from inference.cases import load_case
from inference.metrics.api import Case, Measured, Metric, Track
from inference.rows import RowSource, make_video, video_of
from inference.scores import SCORES_FORMAT_VERSION, Cell, cell_path, stored_track

if TYPE_CHECKING:
    from inference.metrics.all import Group

HEADLINE_GROUP = "margin"  # the table is sorted by it, and shows it first
WITH_BACKBONES = "appearance"
MEASURING = ("inference.metrics", "inference")  # packages whose source decides a figure
MEASURING_FILES = ("alignment.py", "cases.py", "flow.py")  # of inference


@dataclass(frozen=True, kw_only=True)
class ClipJob:
    """What one process measures: some rows on one clip."""

    data: str
    entry: EvalEntry
    report: str
    rows: tuple[RowSource, ...]
    metrics: tuple[str, ...]
    backbones: dict[str, str]  # .pt2 files of torch.export by the metric that needs one
    clip_sha256: str  # of the clip's files, the metrics and the code that measures

    @property
    def item(self) -> EvalItem:
        """Where the clip's files are."""
        return EvalItem(root=Path(self.data), entry=self.entry)


def groups() -> dict[str, Group]:
    """Every group of metrics by name, in the order of the table's columns."""
    from inference.metrics.all import GROUPS

    return {group.name: group for group in sorted(GROUPS, key=lambda group: group.name != HEADLINE_GROUP)}


def all_metrics() -> dict[str, Metric]:
    """Every metric by name, in the order of the table's columns."""
    return {metric.name: metric for group in groups().values() for metric in group.metrics}


def choose_metrics(names: Sequence[str]) -> dict[str, Metric]:
    """The metrics of these groups or names, all for none; raises `ConfigError` for a name that is neither."""
    known = all_metrics()
    for name in names:
        if name not in known and name not in groups():
            raise ConfigError(f"--metrics: unknown metric or group '{name}'{did_you_mean(name, {*groups(), *known})}")
    return {name: one for name, one in known.items() if not names or name in names or one.group in names}


def clip_digest(manifest: EvalManifest, key: str, metrics: Mapping[str, Metric], backbones: Mapping[str, Path]) -> str:
    """Digest of all that a cell's figures follow from, but the prediction."""
    files = files_digest(manifest, key)
    networks = {name: sha256_file(path) for name, path in sorted(backbones.items())}
    return sha256_record({"files": files, "metrics": sorted(metrics), "networks": networks, "code": _code_digest()})


def files_digest(manifest: EvalManifest, key: str) -> str:
    """Digest of a clip's files, as the manifest lists them."""
    return sha256_record({name: digest for name, digest in manifest.files.items() if key_of(name) == key})


def parse_backbones(given: Sequence[str]) -> dict[str, Path]:
    """Networks of `NAME=PATH` options; raises `ConfigError` for a name that no metric takes, or a missing file."""
    found = {}
    for text in given:
        name, separator, path = text.partition("=")
        if not separator or not path:
            raise ConfigError(f"--backbone {text}: expected NAME=PATH, e.g. lpips=lpips_alex.pt2")
        found[name] = Path(path).resolve()
    if found:
        from inference.metrics.perceptual import check_backbones

        check_backbones(found)
    return found


def current_cell(source: RowSource, item: EvalItem, report: Path, clip_sha256: str) -> Cell | None:
    """The cell of a row on a clip if it is there and of these inputs."""
    try:
        path = cell_path(report, source.row.name, item.entry.key)
        cell = parse_record(Cell, path.read_bytes(), str(path))
    except (OSError, DataError):
        return None
    return cell if cell.inputs_sha256 == _inputs_digest(clip_sha256, video_of(source, item, report)) else None


def score_clip(job: ClipJob) -> None:
    """Measure every row of a job and write its cell."""
    case = load_case(job.item)
    for source in job.rows:
        cell = score_row(job, source, case)
        write_json(cell_path(Path(job.report), source.row.name, job.entry.key), cell)


def score_row(job: ClipJob, source: RowSource, case: Case) -> Cell:
    """One row on one clip; a prediction that cannot be scored is a cell with the reason."""
    report, entry = Path(job.report), job.entry
    path = video_of(source, job.item, report)
    measured, alignment, failure = Measured(values={}), None, ""
    try:
        path = make_video(source, job.item, report)
        frames, alignment = align(
            path, num_frames=entry.num_frames, fps=entry.fps, width=entry.width, height=entry.height
        )
        measured = _measure(case, frames, job)
    except (PredictionRefused, SceneFailed) as error:
        failure = str(error)
    return Cell(
        format_version=SCORES_FORMAT_VERSION,
        row=source.row.name,
        key=entry.key,
        video=_shown(path, report),
        inputs_sha256=_inputs_digest(job.clip_sha256, path),
        failure=failure,
        alignment=alignment,
        values={name: _finite_or_none(measured.values.get(name)) for name in job.metrics},
        notes={name: note for name, note in measured.notes.items() if name in job.metrics},
        tracks=tuple(stored_track(track) for track in measured.tracks),
    )


def _measure(case: Case, frames: np.ndarray, job: ClipJob) -> Measured:
    """What all groups with a wanted metric find."""
    values, notes, tracks = dict[str, float](), dict[str, str](), list[Track]()
    for group in groups().values():
        if any(metric.name in job.metrics for metric in group.metrics):
            found = _measure_group(group, case, frames, job)
            values |= found.values
            notes |= found.notes
            tracks += found.tracks
    return Measured(values=values, notes=notes, tracks=tuple(tracks))


def _measure_group(group: Group, case: Case, frames: np.ndarray, job: ClipJob) -> Measured:
    if group.name == WITH_BACKBONES and job.backbones:
        from inference.metrics.appearance import measure_with

        return measure_with(case, frames, {name: Path(path) for name, path in job.backbones.items()})
    return group.measure(case, frames)


def _code_digest() -> str:
    """Digest of the source that a figure follows from: after a change of it, cells are measured anew."""
    digest = hashlib.sha256()
    metrics, package = (importlib.resources.files(name) for name in MEASURING)
    files = sorted((one for one in metrics.iterdir() if one.name.endswith(".py")), key=lambda one: one.name)
    for file in [*files, *(package / name for name in MEASURING_FILES)]:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _inputs_digest(clip_sha256: str, video: Path) -> str:
    return sha256_record([clip_sha256, sha256_file(video) if video.is_file() else ""])


def _shown(path: Path, report: Path) -> str:
    """A video's path as a cell names it."""
    if not path.is_file():
        return ""
    path, root = path.resolve(), report.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _finite_or_none(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def main(job: Path, out: Path) -> None:
    """Cells go to the report, each as soon as it is measured; OUT holds the log alone."""
    import cv2

    cv2.setNumThreads(1)
    score_clip(parse_record(ClipJob, job.read_bytes(), str(job)))


if __name__ == "__main__":
    serve(main)
