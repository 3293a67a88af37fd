"""One evaluation: an eval set, rows of videos, and the report folder that holds their scores.

Clips are measured in processes of their own, several at a time. What a report holds already, of the same videos, clips
and metrics, is not measured again.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datagen.cluster import interruptible, map_tasks
from datagen.codec import parse_record, read_record, remove_tree, sha256_file, write_json
from datagen.errors import ConfigError, DataError, RunFolderError, SceneFailed, did_you_mean, reraise_storage_error
from datagen.evalset import EVAL_MANIFEST, EvalItem, EvalManifest
from datagen.evalset_files import read_evalset, verify_evalset
from datagen.worker import Usage, run_engine
from inference.metrics.api import Direction, Metric
from inference.rows import RowSource, generated_rows, prediction_rows, video_of
from inference.scores import ALL, SCORES_CSV, SCORES_FORMAT_VERSION, SCORES_JSON, Cell, Scores, cell_path, info_of
from inference.scores_csv import write_csv
from inference.scoring import (
    HEADLINE_GROUP,
    ClipJob,
    choose_metrics,
    clip_digest,
    current_cell,
    files_digest,
    parse_backbones,
)
from inference.summaries import compare, summarise

EVALUATION = "evaluation.json"
LOGS = ".workers"
SCORING = "inference.scoring"
ROW_TIMEOUT_S = 3600.0
PACKAGES = ("voidgen", "numpy", "scipy", "opencv-python-headless", "av", "scikit-image", "torchmetrics")


@dataclass(frozen=True, kw_only=True)
class EvaluationInfo:
    """evaluation.json: what a report folder is of. An eval set may grow, but its clips stay what they are."""

    format_version: int
    clips: dict[str, str]  # digest of a clip's files by key


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is to be measured; all of it checked."""

    data: Path
    shown_data: str  # as it was given
    manifest: EvalManifest
    items: tuple[EvalItem, ...]
    rows: tuple[RowSource, ...]
    metrics: dict[str, Metric]
    backbones: dict[str, Path]
    report: Path
    seed: int


@dataclass(frozen=True, kw_only=True)
class ClipTask:
    """One clip for one process."""

    job: ClipJob
    folder: Path  # of its log


@dataclass(frozen=True, kw_only=True)
class ClipOutcome:
    """How the process of a clip ended."""

    job: ClipJob
    usage: Usage | None
    failure: str  # "" where every row has its cell


def prepare(
    data: Path,
    report: Path,
    *,
    predictions: Sequence[str],
    rows: Sequence[str] | None,
    metrics: Sequence[str],
    backbones: Sequence[str],
    seed: int,
) -> Evaluation:
    """What a command line asks for, checked: names first, then folders, then every checksum of the eval set.

    Raises `ConfigError`, `DataError` or `RunFolderError` with one line.
    """
    generated, chosen, networks = generated_rows(rows), choose_metrics(metrics), parse_backbones(backbones)
    manifest, items = read_evalset(data)
    if not items:
        raise DataError(f"{data}: an eval set of no clips")
    for item in items:
        _check_complete(item)
    brought = prediction_rows(predictions, [item.entry.key for item in items])
    if not generated and not brought:
        raise ConfigError("nothing to score: give --predictions NAME=DIR, or leave out --rows")
    verify_evalset(data)
    _open_report(report, manifest)
    root = data.resolve()
    return Evaluation(
        data=root,
        shown_data=str(data),
        manifest=manifest,
        items=tuple(replace(item, root=root) for item in items),
        rows=(*generated, *brought),
        metrics=chosen,
        backbones=networks,
        report=report.resolve(),
        seed=seed,
    )


def check_compared(evaluation: Evaluation, pairs: Iterable[tuple[str, str]]) -> None:
    """Raise `ConfigError` for a pair of rows to compare that the table does not have."""
    known = [source.row.name for source in evaluation.rows]
    for pair in pairs:
        for name in pair:
            if name not in known:
                raise ConfigError(f"--compare: unknown row '{name}'{did_you_mean(name, known)}")
        if pair[0] == pair[1]:
            raise ConfigError(f"--compare {pair[0]} {pair[1]}: expected two different rows")


def pending_jobs(evaluation: Evaluation) -> list[ClipJob]:
    """A job for every clip that lacks a cell."""
    jobs = []
    for item in evaluation.items:
        digest = clip_digest(evaluation.manifest, item.entry.key, evaluation.metrics, evaluation.backbones)
        rows = [one for one in evaluation.rows if current_cell(one, item, evaluation.report, digest) is None]
        if rows:
            jobs.append(
                ClipJob(
                    data=str(evaluation.data),
                    entry=item.entry,
                    report=str(evaluation.report),
                    rows=tuple(rows),
                    metrics=tuple(evaluation.metrics),
                    backbones={name: str(path) for name, path in evaluation.backbones.items()},
                    clip_sha256=digest,
                )
            )
    return jobs


def score_clips(jobs: Sequence[ClipJob], report: Path, *, backend: str, workers: int) -> Iterator[ClipOutcome]:
    """Do the jobs, each in its own process; outcomes as they come. Raises `KeyboardInterrupt` after Ctrl-C."""
    logs = report.resolve() / LOGS
    for job in jobs:  # a cell of other inputs must not stay if its process fails now
        for source in job.rows:
            remove_tree(cell_path(report, source.row.name, job.entry.key))
    tasks = [ClipTask(job=job, folder=logs / job.entry.key) for job in jobs]
    try:
        with interruptible() as interrupt:
            yield from map_tasks(_score, tasks, backend=backend, workers=workers, interrupt=interrupt)
            if interrupt.stopping:
                raise KeyboardInterrupt
    finally:
        remove_tree(logs)


def _score(task: ClipTask) -> ClipOutcome:
    """One process; its crash costs this clip alone."""
    timeout_s = ROW_TIMEOUT_S * len(task.job.rows)
    try:
        usage = run_engine(SCORING, task.job, task.folder, timeout_s=timeout_s)
    except SceneFailed as error:
        return ClipOutcome(job=task.job, usage=None, failure=f"scoring failed: {error}")
    return ClipOutcome(job=task.job, usage=usage, failure="")


def collect(evaluation: Evaluation, outcomes: Iterable[ClipOutcome], pairs: Sequence[tuple[str, str]]) -> Scores:
    """All cells, their means and comparisons."""
    crashed = {one.job.entry.key: one.failure for one in outcomes if one.failure}
    cells = [
        _read_cell(evaluation, source, item, crashed.get(item.entry.key, ""))
        for source in evaluation.rows
        for item in evaluation.items
    ]
    clips = tuple(item.entry for item in evaluation.items)
    summaries = summarise(cells, clips, list(evaluation.metrics), evaluation.seed)
    means = {(one.row, one.metric): one.mean for one in summaries if one.subset == ALL}
    rows = tuple(sorted((source.row for source in evaluation.rows), key=lambda row: _rank(evaluation, row.name, means)))
    order = {row.name: number for number, row in enumerate(rows)}
    comparisons = (compare(cells, *pair, evaluation.metrics, evaluation.seed) for pair in pairs)
    return Scores(
        format_version=SCORES_FORMAT_VERSION,
        data=evaluation.shown_data,
        name=evaluation.manifest.name,
        manifest_sha256=sha256_file(evaluation.data / EVAL_MANIFEST),
        licences=evaluation.manifest.licences,
        seed=evaluation.seed,
        metrics=tuple(info_of(metric) for metric in evaluation.metrics.values()),
        rows=rows,
        clips=clips,
        cells=tuple(sorted(cells, key=lambda cell: (order[cell.row], cell.key))),
        summaries=tuple(sorted(summaries, key=lambda one: order[one.row])),
        comparisons=tuple(one for group in comparisons for one in group),
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
    )


def write_scores(report: Path, scores: Scores) -> None:
    """scores.json and scores.csv."""
    write_json(report / SCORES_JSON, scores)
    write_csv(report / SCORES_CSV, scores)


def headline(metrics: dict[str, Metric]) -> Metric:
    """The metric that the table is sorted by: the counterfactual margin, else the first there is."""
    return next((one for one in metrics.values() if one.group == HEADLINE_GROUP), next(iter(metrics.values())))


def _rank(evaluation: Evaluation, row: str, means: dict[tuple[str, str], float | None]) -> tuple[bool, float, str]:
    """What the rows are sorted by: best first, those without a figure last."""
    first = headline(evaluation.metrics)
    mean = means[row, first.name]
    sign = -1.0 if first.direction is Direction.HIGHER else 1.0
    return mean is None, sign * (mean or 0.0), row


def _read_cell(evaluation: Evaluation, source: RowSource, item: EvalItem, crash: str) -> Cell:
    """A cell without its tracks; where the process ended before it, one with the reason."""
    path = cell_path(evaluation.report, source.row.name, item.entry.key)
    if path.is_file():
        return replace(read_record(Cell, path), tracks=())
    return Cell(
        format_version=SCORES_FORMAT_VERSION,
        row=source.row.name,
        key=item.entry.key,
        video=str(video_of(source, item, evaluation.report)),
        inputs_sha256="",
        failure=crash or "not scored",
        alignment=None,
        values=dict.fromkeys(evaluation.metrics),
        notes={},
    )


def _check_complete(item: EvalItem) -> None:
    """Raise `DataError` for a clip without what the metrics need."""
    entry = item.entry
    for there, name in ((entry.hidden, "hidden.mp4"), (entry.segmentation, "segmentation.npz")):
        if not there:
            raise DataError(
                f"{item.root}: clip {entry.key} has no {name}, which metrics need; export the set from a run that "
                "renders it: `make eval-set`"
            )


def _open_report(report: Path, manifest: EvalManifest) -> None:
    """Make the report's folder; raises `RunFolderError` for one of another eval set."""
    if report.is_file():
        raise ConfigError(f"--out {report} is a file; expected a folder")
    path = report / EVALUATION
    clips = {entry.key: files_digest(manifest, entry.key) for entry in manifest.entries}
    known = parse_record(EvaluationInfo, path.read_bytes(), str(path)).clips if path.is_file() else {}
    if other := [key for key in clips if known.get(key, clips[key]) != clips[key]]:
        raise RunFolderError(
            f"{report}: holds scores of another eval set, in which clip {other[0]} has other files; choose another "
            "--out, or remove it"
        )
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise reraise_storage_error(error, report) from error
    write_json(path, EvaluationInfo(format_version=SCORES_FORMAT_VERSION, clips=known | clips))
