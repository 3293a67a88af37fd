"""An evaluation as a page that opens from disk: the table, every clip's videos in step, plots, and what went worst.

REPORT/report.html
REPORT/report_files/<key>/
  views.mp4         input, truth, mask and every row's prediction as tiles of one video (datagen.web.tiles)
  clip.js           a record `Clip`, loaded when the clip is opened
  input.jpg truth.jpg <row>.jpg    stills for the lists

Predictions are shown as they were scored: brought to the truth's length, rate and size. A clip's folder is made again
when one of its scores, or the eval set, has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import numpy as np

from datagen import cluster
from datagen.codec import atomic_folder, read_record, remove_tree, sha256_file
from datagen.errors import DataError
from datagen.evalset import EVAL_MANIFEST, HIDDEN, INPUT_VIDEO, QUADMASK, TRUTH, EvalItem
from datagen.evalset_files import read_evalset
from datagen.mask_layers import read_layers
from datagen.metadata import SampleMetadata
from datagen.physics.records import NULL_EFFECT
from datagen.sample import LAYERS, METADATA
from datagen.video import iterate_rgb
from datagen.web.page import CLIP_SCRIPT, is_current, own_folders, write_clip, write_page
from datagen.web.records import Clip, Entry, PageHead, Poster, Tone, Word
from datagen.web.tiles import write_poster, write_tiles
from datagen.web_gallery import VIEWS, mask_overlay, mask_views, poster_frame
from inference.alignment import align
from inference.report_data import comparison_tables, page_data
from inference.report_variants import INPUT_VIEW, TRUTH_VIEW, facts_of, variant_of
from inference.scores import SCORES_JSON, Cell, Row, Scores, cell_path

FORMAT = 1  # of what is beside the page; another one makes all of it again
PAGE = "report.html"
FACETS = ("source", "family", "object", "effect", "label")


@dataclass(frozen=True, kw_only=True)
class ClipTask:
    """A clip, its rows' cells, and where its part of the page goes."""

    item: EvalItem
    report: Path
    scores: Scores
    folder: Path


def write_report(report: Path, data: Path | None = None, workers: int = 1) -> Path:
    """Make the page of a report folder that holds scores.json; its path.

    data: the eval set, where it is no longer where scores.json says. Raises `DataError` for an eval set that is gone or
    another one, and `UserError` where the page's folder holds anything else.
    """
    report = report.resolve()
    scores = read_record(Scores, report / SCORES_JSON)
    items = _items(scores, data or Path(scores.data))
    page = report / PAGE
    folders = own_folders(page, [entry.key for entry in scores.clips])
    tasks = [
        ClipTask(item=items[entry.key], report=report, scores=scores, folder=folders[entry.key])
        for entry in scores.clips
    ]
    entries = {entry.key: entry for entry in _make_entries(tasks, workers)}
    ordered = [entries[entry.key] for entry in scores.clips]
    content = {
        **page_data(scores),
        "entries": ordered,
        "facets": FACETS,
        "tables": comparison_tables(scores),
    }
    write_page(page, _head(scores), content, ("report.js",))
    return page


def _items(scores: Scores, data: Path) -> dict[str, EvalItem]:
    """Clips of the eval set by key; raises `DataError` where they are not those that were scored."""
    try:
        _, items = read_evalset(data)
    except DataError as error:
        raise DataError(
            f"{error}; if it has moved, say where: `python -m inference report REPORT --data DIR`"
        ) from None
    if sha256_file(data / EVAL_MANIFEST) != scores.manifest_sha256:
        raise DataError(
            f"{data}: not the eval set that was scored, or changed since; evaluate again into another --out"
        )
    return {item.entry.key: item for item in items}


def _head(scores: Scores) -> PageHead:
    failed = sum(bool(cell.failure) for cell in scores.cells)
    return PageHead(
        title=f"{scores.name}: evaluation",
        lead="Videos with something removed, held against the same scene simulated and rendered without it.",
        facts=(
            ("clips", str(len(scores.clips))),
            ("rows", str(len(scores.rows))),
            ("not scored", f"{failed} of {len(scores.cells)}"),
            ("metrics", str(len(scores.metrics))),
            ("licence", ", ".join(_licences(scores)) or "unknown"),
            ("voidgen", scores.versions.get("voidgen", "")),
        ),
    )


def _licences(scores: Scores) -> list[str]:
    """Each once: a clip whose objects have several names them all."""
    return sorted({name.strip() for names in scores.licences for name in names.split(",")})


def _make_entries(tasks: Sequence[ClipTask], workers: int) -> list[Entry]:
    """Cards of all clips; PyAV and numpy let go of the interpreter's lock, so threads will do."""
    with cluster.interruptible() as interrupt:
        entries = list(cluster.map_tasks(make_entry, tasks, backend="off", workers=workers, interrupt=interrupt))
        if interrupt.stopping:
            raise KeyboardInterrupt
    return entries


def make_entry(task: ClipTask) -> Entry:
    """A clip's card, its folder made if it has to be."""
    digest = _digest(task)
    if not is_current(task.folder / CLIP_SCRIPT, digest):
        remove_tree(task.folder)
        with atomic_folder(task.folder) as partial:
            _fill_folder(task, partial, digest)
    return _entry(task)


def _digest(task: ClipTask) -> str:
    """Of all that a clip's folder follows from."""
    digest = hashlib.sha256(f"{FORMAT} {task.scores.manifest_sha256}".encode())
    for row in task.scores.rows:
        path = cell_path(task.report, row.name, task.item.entry.key)
        digest.update(path.read_bytes() if path.is_file() else f"no {row.name}".encode())
    return digest.hexdigest()


def read_cell(task: ClipTask, row: Row) -> Cell:
    """A row's cell with its tracks; where its process ended before it, what scores.json says."""
    path = cell_path(task.report, row.name, task.item.entry.key)
    if path.is_file():
        return read_record(Cell, path)
    key = task.item.entry.key
    return next(cell for cell in task.scores.cells if (cell.row, cell.key) == (row.name, key))


def _fill_folder(task: ClipTask, folder: Path, digest: str) -> None:
    """Video, stills and script of one clip."""
    item, entry = task.item, task.item.entry
    cells = {row.name: read_cell(task, row) for row in task.scores.rows}
    shown = {name: video for name, cell in cells.items() if (video := _video(task, cell)) is not None}
    same = {(item.inputs / INPUT_VIDEO).resolve(): INPUT_VIEW, (item.truth / HIDDEN).resolve(): "hidden"}
    views: dict[str, Iterable[np.ndarray]] = {
        INPUT_VIEW: iterate_rgb(item.inputs / INPUT_VIDEO),
        TRUTH_VIEW: iterate_rgb(item.truth / TRUTH),
        "hidden": iterate_rgb(item.truth / HIDDEN),
        **mask_views(item.inputs / QUADMASK),
    }
    names = {}
    for row, video in shown.items():
        names[row] = same.get(video, f"row {row}")
        if names[row] not in views:
            views[names[row]] = _as_scored(video, cells[row], item)
    tiles = write_tiles(folder / VIEWS, views, fps=entry.fps, num_frames=entry.num_frames)
    _write_posters(folder, item, shown, cells)
    metadata = read_record(SampleMetadata, item.truth / METADATA)
    clip = Clip(
        key=entry.key,
        caption=metadata.caption,
        facts=facts_of(metadata),
        video=tiles,
        overlays=(mask_overlay(metadata.mask.policy),),
        variants=tuple(
            variant_of(row, cells[row.name], names.get(row.name), task.scores.metrics, entry.height)
            for row in task.scores.rows
        ),
    )
    write_clip(folder / CLIP_SCRIPT, clip, digest)


def _video(task: ClipTask, cell: Cell) -> Path | None:
    """The video that a cell was measured on, if it could be and is still there."""
    path = (task.report / cell.video).resolve()
    return path if cell.video and not cell.failure and path.is_file() else None


def _as_scored(video: Path, cell: Cell, item: EvalItem) -> Iterable[np.ndarray]:
    """Frames as they were scored; those of a video that fitted are read one by one."""
    entry = item.entry
    if cell.alignment is not None and not cell.alignment.steps and cell.alignment.num_frames == entry.num_frames:
        return iterate_rgb(video)
    return align(video, num_frames=entry.num_frames, fps=entry.fps, width=entry.width, height=entry.height)[0]


def _write_posters(folder: Path, item: EvalItem, shown: dict[str, Path], cells: dict[str, Cell]) -> None:
    """One still of the input, the truth and every row, all of the frame that shows most."""
    frame = poster_frame(read_layers(item.truth / LAYERS))
    write_poster(folder / "input.jpg", _frame_of(iterate_rgb(item.inputs / INPUT_VIDEO), frame))
    write_poster(folder / "truth.jpg", _frame_of(iterate_rgb(item.truth / TRUTH), frame))
    for row, video in shown.items():
        write_poster(folder / f"{row}.jpg", _frame_of(_as_scored(video, cells[row], item), frame))


def _frame_of(frames: Iterable[np.ndarray], frame: int) -> np.ndarray:
    return next(islice(iter(frames), frame, None))


def _entry(task: ClipTask) -> Entry:
    """A clip's card."""
    entry = task.item.entry
    metadata = read_record(SampleMetadata, task.item.truth / METADATA)
    link = "/".join(quote(part) for part in (task.folder.parent.name, task.folder.name))
    labels = tuple(label.replace("_", " ") for label in entry.labels)
    people = ("person",) if metadata.spec.people else ()
    return Entry(
        key=entry.key,
        kind="clip",
        caption=metadata.caption,
        chips=(Word(text=entry.family), *(Word(text=label, tone=Tone.NOTE) for label in labels)),
        facets={
            "source": (entry.source,),
            "family": (entry.family,),
            "object": (*sorted({thing.category for thing in metadata.spec.objects}), *people),
            "effect": ("no effect" if NULL_EFFECT in entry.labels else "effect",),
            "label": labels,
        },
        posters=(Poster(file=f"{link}/input.jpg", alt="input"), Poster(file=f"{link}/truth.jpg", alt="truth")),
        script=f"{link}/{CLIP_SCRIPT}",
    )
