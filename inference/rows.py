"""Rows that every table has, and where the video of any row on any clip is.

    identity            the input itself: what doing nothing scores
    hidden              factual motion with the removed objects hidden: a perfect inpainter that knows no physics
    background_median, telea, flow_propagation    inpainting without a learned model (`inference.baselines`)
    truth_reencoded     the truth, coded as videos are usually published: what coding alone costs
    truth_perturbed     another outcome within measurement noise, rendered: what no model can be asked to beat

Baselines and the coded truth are made when they are first needed, in REPORT/rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.errors import ConfigError, DataError, did_you_mean
from datagen.evalset import HIDDEN, INPUT_VIDEO, PROMPT, QUADMASK, TRUTH, EvalItem
from datagen.video import decode_rgb, encode_published, probe
from inference.scores import ROWS, Row, RowKind

IDENTITY, HIDDEN_ROW = "identity", "hidden"
REENCODED, PERTURBED = "truth_reencoded", "truth_perturbed"
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")
MULTIPLE = 16  # sizes that baselines take

EVERY_ROW: tuple[Row, ...] = (
    Row(name=IDENTITY, kind=RowKind.BOUND, title="the input itself", method="", untrained=False),
    Row(name=HIDDEN_ROW, kind=RowKind.BOUND, title="perfect inpainting, no physics", method="", untrained=False),
    Row(name="background_median", kind=RowKind.BASELINE, title="median over time", method="", untrained=False),
    Row(name="telea", kind=RowKind.BASELINE, title="inpainting by frame (Telea)", method="", untrained=False),
    Row(name="flow_propagation", kind=RowKind.BASELINE, title="propagation along flow", method="", untrained=False),
    Row(name=REENCODED, kind=RowKind.BOUND, title="truth, coded at crf 23", method="", untrained=False),
    Row(name=PERTURBED, kind=RowKind.BOUND, title="truth, perturbed start", method="", untrained=False),
)


@dataclass(frozen=True, kw_only=True)
class RowSource:
    """A row and the folder of its videos; none for a row that the command makes or the eval set holds."""

    row: Row
    folder: Path | None


def generated_rows(names: Sequence[str] | None) -> list[RowSource]:
    """The rows of these names in the table's order, all for None; raises `ConfigError` for an unknown one."""
    known = [row.name for row in EVERY_ROW]
    for name in names or ():
        if name not in known:
            raise ConfigError(f"--rows: unknown row '{name}'{did_you_mean(name, known)}")
    return [RowSource(row=row, folder=None) for row in EVERY_ROW if names is None or row.name in names]


def prediction_rows(given: Iterable[str], keys: Sequence[str]) -> list[RowSource]:
    """The rows of `NAME=DIR` options; raises `ConfigError` or `DataError` with one line for what is wrong with one."""
    rows: list[RowSource] = []
    taken = {row.name for row in EVERY_ROW}
    for text in given:
        name, separator, folder = text.partition("=")
        if not separator or not folder or not _is_name(name):
            raise ConfigError(f"--predictions {text}: expected NAME=DIR, NAME of letters, digits, '-', '_' and '.'")
        if name in taken:
            raise ConfigError(f"--predictions {text}: there is a row '{name}' already; choose another name")
        taken.add(name)
        rows.append(_prediction_row(name, Path(folder), keys))
    return rows


def video_of(source: RowSource, item: EvalItem, report: Path) -> Path:
    """Where a row's video of a clip is, whether it is there or not."""
    name, key = source.row.name, item.entry.key
    if source.folder is not None:
        found = [source.folder / f"{key}{suffix}" for suffix in VIDEO_SUFFIXES]
        return next((path for path in found if path.is_file()), found[0])
    bounds = {IDENTITY: item.inputs / INPUT_VIDEO, HIDDEN_ROW: item.truth / HIDDEN}
    if name == PERTURBED:
        return next(item.perturbed(), item.truth / "perturbed_0.mp4")
    return bounds.get(name, report / ROWS / name / f"{key}.mp4")


def make_video(source: RowSource, item: EvalItem, report: Path) -> Path:
    """The row's video of a clip, made if it is one that the command makes and is not there."""
    path = video_of(source, item, report)
    if source.folder is None and not path.is_file():
        if source.row.kind is RowKind.BASELINE:
            _run_baseline(source.row.name, item, path.parent)
        elif source.row.name == REENCODED:
            truth = item.truth / TRUTH
            encode_published(path, decode_rgb(truth), probe(truth).fps)
    return path


def _run_baseline(name: str, item: EvalItem, out: Path) -> None:
    """As `python -m inference run --baseline NAME` on this clip, at the clip's own size."""
    from inference.inputs import Clip, read_prompt
    from inference.memory import MemoryMode
    from inference.run import RunJob, run_clips
    from inference.settings import Settings
    from inference.speed import Speed

    entry = item.entry
    height, width = (max(2 * MULTIPLE, -(-size // MULTIPLE) * MULTIPLE) for size in (entry.height, entry.width))
    clip = Clip(
        key=entry.key,
        video=item.inputs / INPUT_VIDEO,
        quadmask=item.inputs / QUADMASK,
        prompt=read_prompt(item.inputs / PROMPT),
    )
    job = RunJob(
        clips=(clip,),
        out=out,
        settings=Settings(height=height, width=width),
        weights=None,
        baseline=name,
        memory=MemoryMode.FULL,
        speed=Speed.EXACT,
        device="cpu",
    )
    run_clips(job, _Silent())


class _Silent:
    """A watcher that tells nobody: the clip's own line is enough."""

    def begin(self, stage: str, videos: int) -> None: ...

    def step(self, key: str, done: int, total: int) -> None: ...

    def finished(self, key: str, seconds: float) -> None: ...

    def failed(self, key: str, reason: str) -> None: ...


def _prediction_row(name: str, folder: Path, keys: Sequence[str]) -> RowSource:
    """A row of the user's, with what its own records say of the method."""
    if not folder.is_dir():
        raise DataError(f"--predictions {name}: {folder}: no such folder; expected one with <key>.mp4 for each clip")
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
    if not videos:
        raise DataError(f"--predictions {name}: {folder} holds no videos; expected <key>.mp4, e.g. {keys[0]}.mp4")
    unknown = [path for path in videos if path.stem not in keys]
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise DataError(
            f"--predictions {name}: {unknown[0].name}{more} is of no clip in this eval set"
            f"{did_you_mean(unknown[0].stem, keys)}; is it of another eval set?"
        )
    method, untrained = _method_of(videos[0].with_suffix(".json"))
    title = f"{method}, untrained" if untrained else method
    row = Row(name=name, kind=RowKind.PREDICTION, title=title, method=method, untrained=untrained)
    return RowSource(row=row, folder=folder.resolve())


def _method_of(record: Path) -> tuple[str, bool]:
    """What `python -m inference run` wrote beside a video; of other programs' records nothing is known."""
    try:
        method = json.loads(record.read_bytes())["method"]
        return str(method["name"]), bool(method["untrained"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", False


def _is_name(name: str) -> bool:
    return bool(name) and all(letter.isalnum() or letter in "-_." for letter in name) and not name.startswith(".")
