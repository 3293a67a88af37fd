"""Why each object moves or stays once the person is gone: of a simulated scene, or of a whole sequence over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from datagen.cache import extracted_sequence, hull_cache
from datagen.codec import read_record
from datagen.entry import muted
from datagen.errors import ConfigError, DataError, SceneFailed, did_you_mean
from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.physics.handover import take_moment
from datagen.physics.records import PhysicsCertificate
from datagen.runs import RunFolder, read_rows
from datagen.sequence import Sequence, read_sequence
from datagen.settings import PhysicsSettings
from datagen.sources.humoto import SequenceFile, find_sequences
from datagen.spec import Clip, GeometryRef, ObjectSpec, PersonSpec, SceneSpec, category_of, slug

CERTIFICATE = "certificate.json"
SEED = 0  # of the look of scenes that are never rendered
HORIZON = Clip(start_s=0.0, num_frames=25, fps=12.0)  # 2 s are enough for what falls to reach what it hits


@dataclass(frozen=True, kw_only=True)
class ObjectVerdict:
    """What becomes of one object when the person disappears."""

    object: str
    contact_mm: float | None  # None: no body within 50 mm
    part: str
    free_mm: float | None  # None: not set free, because nothing called for it
    free_deg: float | None
    verdict: str  # "dynamic" or "static"
    why: str


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Verdicts at one time of a sequence."""

    sequence: str
    time_s: float
    mocap_frame: int
    objects: tuple[ObjectVerdict, ...]
    problem: str = ""  # why there are no verdicts


def explain_scene(root: Path, key: str) -> tuple[ObjectVerdict, ...]:
    """Verdicts of a simulated scene, as its certificate has them.

    Raises `DataError` for a key that the run does not have or has not simulated.
    """
    run = RunFolder(root=root)
    run.info()
    keys = run.keys()
    if key not in keys:
        raise DataError(f"{root}: no scene '{key}'{did_you_mean(key, keys)}")
    file = run.folder("simulate", key) / CERTIFICATE
    if not file.is_file():
        for rows, word in ((run.rejected, "rejected"), (run.failures, "failed")):
            message = next((row["message"] for row in read_rows(rows) if row["key"] == key), None)
            if message is not None:
                raise DataError(f"{root}: scene '{key}' was {word}, so it has no certificate: {message}")
        raise DataError(f"{root}: scene '{key}' has not been simulated; run `datagen simulate {root}`")
    return tuple(
        ObjectVerdict(
            object=body.name,
            contact_mm=body.contact_mm,
            part=body.contact_part,
            free_mm=body.settle_mm,
            free_deg=body.settle_deg,
            verdict="dynamic" if body.dynamic else "static",
            why=body.why,
        )
        for body in read_record(PhysicsCertificate, file).bodies
    )


def explain_sequence(
    data: Path, name: str, *, times: int | None, step_s: float | None, mocap_fps: float, console: Console
) -> tuple[Moment, ...]:
    """Verdicts at several times of a sequence, evenly spread or every `step_s` seconds.

    Raises `DataError` for an unknown sequence, `ConfigError` for a step that is not positive.
    """
    files = {file.name: file for file in find_sequences(data)}
    if name not in files:
        raise DataError(f"{data}: no sequence '{name}'{did_you_mean(name, files)}")
    if not mocap_fps > 0 or (step_s is not None and not step_s > 0):
        raise ConfigError(f"expected a positive step and rate; found --step {step_s}, --mocap-fps {mocap_fps}")
    with console.status(f"reading {name}"):
        sequence = read_sequence(extracted_sequence(files[name].file))
    moments = moments_of(sequence, mocap_fps, times=times, step_s=step_s)
    shown = track(moments, description=name[:40], console=console, disable=not console.is_terminal)
    return tuple(_judge(files[name], sequence, float(time_s), mocap_fps) for time_s in shown)


def moments_of(sequence: Sequence, mocap_fps: float, *, times: int | None, step_s: float | None) -> list[float]:
    """Times [s] of whole mocap frames: every `step_s`, else the middles of `times` (5) equal parts."""
    last = sequence.info.num_frames - 1
    if step_s is not None:
        at = np.arange(0.0, last + 0.5, max(1.0, step_s * mocap_fps))
    else:
        count = times or 5
        at = (np.arange(count) + 0.5) / count * last
    return [float(frame) / mocap_fps for frame in np.unique(at.astype(int))]


def _judge(file: SequenceFile, sequence: Sequence, time_s: float, mocap_fps: float) -> Moment:
    spec = _spec_at(file, sequence, time_s, mocap_fps)
    frame = round(time_s * mocap_fps)
    try:
        with muted():  # Bullet prints when it is loaded and whenever a world begins
            from datagen.physics.simulate import simulate_without

            outcome = simulate_without(spec, take_moment(spec, sequence, mocap_fps), hull_cache())
    except SceneFailed as error:
        return Moment(sequence=file.name, time_s=time_s, mocap_frame=frame, objects=(), problem=str(error))
    verdicts = tuple(
        ObjectVerdict(
            object=name,
            contact_mm=one.contact.distance_mm,
            part=one.contact.part,
            free_mm=one.settling.moved_mm if one.settling else None,
            free_deg=one.settling.turned_deg if one.settling else None,
            verdict="dynamic" if one.dynamic else "static",
            why=one.why,
        )
        for name, one in outcome.standings.items()
    )
    return Moment(sequence=file.name, time_s=time_s, mocap_frame=frame, objects=verdicts)


def _spec_at(file: SequenceFile, sequence: Sequence, time_s: float, mocap_fps: float) -> SceneSpec:
    """A scene that begins at a time; how it would look does not matter."""
    info = sequence.info

    def geometry(node: str) -> GeometryRef:
        return GeometryRef(file=str(file.file.absolute()), sha256=info.sha256, node=node)

    return SceneSpec(
        key=slug(f"{file.name}-t{round(time_s * 1000):05d}"),
        source="humoto",
        seed=SEED,
        sequence=file.name,
        description=file.description,
        clip=Clip(start_s=time_s, num_frames=HORIZON.num_frames, fps=HORIZON.fps),
        objects=tuple(
            ObjectSpec(name=name, category=category_of(name), geometry=geometry(name)) for name in info.objects
        ),
        people=tuple(PersonSpec(name=name, geometry=geometry(name), mocap_fps=mocap_fps) for name in info.people),
        removed=info.people,
        camera=draw_camera(SEED),
        light=draw_light(SEED),
        floor=draw_surface(SEED, "floor"),
        wall=draw_surface(SEED, "wall"),
        physics=PhysicsSettings(),
    )


COLUMNS = ("object", "contact mm", "body part", "free mm", "free deg", "verdict", "why")


def cells(verdict: ObjectVerdict) -> tuple[str, ...]:
    """One row of a table, in the order of `COLUMNS`."""
    return (
        verdict.object,
        _number(verdict.contact_mm, 1),
        verdict.part or "-",
        _number(verdict.free_mm, 0),
        _number(verdict.free_deg, 0),
        verdict.verdict,
        verdict.why,
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def scene_table(title: str, verdicts: tuple[ObjectVerdict, ...]) -> Table:
    """One scene for a terminal."""
    return _table(title, (), [((), verdict) for verdict in verdicts])


def sequence_table(moments: tuple[Moment, ...]) -> Table:
    """A sequence over time for a terminal."""
    rows: list[tuple[tuple[str, ...], ObjectVerdict]] = [
        ((f"{moment.time_s:.2f}",), verdict) for moment in moments for verdict in moment.objects
    ]
    return _table(moments[0].sequence if moments else "", ("time s",), rows)


def _table(title: str, first: tuple[str, ...], rows: list[tuple[tuple[str, ...], ObjectVerdict]]) -> Table:
    table = Table(title=title)
    for column in (*first, *COLUMNS):
        numeric = column.endswith((" mm", " deg", " s"))
        table.add_column(column, justify="right" if numeric else "left", min_width=24 if column == "why" else None)
    for lead, verdict in rows:
        table.add_row(*lead, *cells(verdict), style="bold" if verdict.verdict == "dynamic" else "")
    return table


def markdown_lines(moments: tuple[Moment, ...]) -> Iterator[str]:
    """A sequence over time as a Markdown table."""
    header = ("time s", *COLUMNS)
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for moment in moments:
        if moment.problem:
            yield f"| {moment.time_s:.2f} | " + " | ".join("-" for _ in COLUMNS[1:]) + f" | {moment.problem} |"
        for verdict in moment.objects:
            yield f"| {moment.time_s:.2f} | " + " | ".join(cells(verdict)) + " |"
