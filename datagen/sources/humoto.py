"""HUMOTO as a source of scenes: which files are there, and which clips of them make which scenes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datagen.errors import DataError, Page, SpecError, UserError
from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.people import draw_look, within_room
from datagen.seeding import generator_for, seed_for
from datagen.sequence import Sequence
from datagen.settings import PhysicsSettings, RenderSettings
from datagen.sources.body_room import BodyRoom
from datagen.sources.clips import ClipProposal, clip_length, draw_clips, propose_clips
from datagen.spec import Clip, GeometryRef, ObjectSpec, PersonSpec, SceneSpec, category_of, check_key, slug
from datagen.wishes import PersonLook

SUFFIXES = (".fbx", ".glb")  # in order of preference
SCRIPT_KEYS = ("short_script", "description", "script", "text", "long_script")
LAYOUTS = (
    "accepted are a folder of sequence folders (<sequence>/<sequence>.fbx), a folder of .fbx or .glb files, or one file"
)


@dataclass(frozen=True, kw_only=True)
class SequenceFile:
    """A sequence on disk."""

    name: str
    file: Path
    description: str
    data_set: str = "humoto"  # or what the sequence's own yaml says, e.g. "demo"
    problem: str = ""  # why no scene can be made of it, in one line


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Scenes to make, and the sequences that give none."""

    scenes: tuple[SceneSpec, ...]
    problems: dict[str, str]  # by sequence name


def find_sequences(data: Path) -> tuple[SequenceFile, ...]:
    """Sequences of a HUMOTO folder, sorted by name; raises `DataError` when there is no folder or nothing in it."""
    if not data.exists():
        raise DataError(f"{data}: no such file or folder; expected HUMOTO sequences: {LAYOUTS}").see(Page.HUMOTO)
    files = [data] if data.is_file() else _files_in(data)
    if data.is_file() and data.suffix.lower() not in SUFFIXES:
        raise DataError(f"{data}: expected an .fbx or .glb, found '{data.suffix}'; {LAYOUTS}").see(Page.HUMOTO)
    if not files:
        inside = sorted(path.name for path in data.iterdir())[:6]
        raise DataError(f"{data}: holds no sequence; {LAYOUTS}; found {', '.join(inside) or 'an empty folder'}").see(
            Page.HUMOTO
        )
    scripts = _animation_scripts(data if data.is_dir() else data.parent)
    return tuple(_describe(file, scripts) for file in files)


def _files_in(folder: Path) -> list[Path]:
    """One file per stem, .fbx before .glb, in the folder itself and in the folders one level down."""
    best: dict[str, Path] = {}
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        suffix = path.suffix.lower()
        if not path.is_file() or suffix not in SUFFIXES or path.name.startswith("."):
            continue
        known = best.get(path.stem)
        if known is None or SUFFIXES.index(suffix) < SUFFIXES.index(known.suffix.lower()):
            best[path.stem] = path
    return [best[stem] for stem in sorted(best)]


def _describe(file: Path, scripts: Mapping[str, str]) -> SequenceFile:
    name = file.stem
    own = _yaml_entries(file.with_suffix(".yaml"))
    return SequenceFile(
        name=name,
        file=file,
        description=_script_of(own) or scripts.get(name) or name.replace("_", " "),
        data_set=str(own.get("data_set", "humoto")),
        problem=_name_problem(name),
    )


def _name_problem(name: str) -> str:
    """Why a name cannot become a key; sample keys may hold no dot, because shards cut names at the first one."""
    try:
        check_key(name)
    except SpecError:
        return (
            f"sequence '{name}' has characters that a sample's name cannot hold (letters, digits, '_' and '-' only); "
            f"rename its file to '{slug(name)}'"
        )
    return ""


def _animation_scripts(folder: Path) -> dict[str, str]:
    """Descriptions from the public subset's `animations.json`, by sequence name; empty without that file."""
    path = folder / "animations.json"
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not JSON ({error}); mend it or remove it, it only holds descriptions") from None
    entries = list(content.values()) if isinstance(content, dict) else content
    flat = [item for entry in entries for item in (entry if isinstance(entry, list) else [entry])]
    named = [item for item in flat if isinstance(item, dict) and "fileName" in item]
    return {Path(str(item["fileName"])).stem: _script_of(item) for item in named}


def _yaml_entries(path: Path) -> Mapping[str, Any]:
    """What a sequence's own yaml says; empty without one."""
    if not path.is_file():
        return {}
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not YAML ({str(error).splitlines()[0]}); mend it or remove it") from None
    return content if isinstance(content, dict) else {}


def _script_of(entry: Mapping[str, Any]) -> str:
    return next((str(entry[key]).strip() for key in SCRIPT_KEYS if entry.get(key)), "")


def plan_scenes(
    files: Iterable[SequenceFile],
    sequences: Mapping[str, Sequence],
    *,
    num_frames: int,
    fps: float,
    mocap_fps: float = 30.0,
    physics: PhysicsSettings,
    render: RenderSettings,
    seed: int,
    limit: int | None = None,
    per_sequence: int | None = None,
    effect_share: float = 1.0,
    touched_later_share: float = 0.0,
    max_overlap: float = 0.5,
) -> Plan:
    """Scenes of a run: the first clip of every sequence, then the second of every sequence, up to `limit`.

    With `effect_share` below 1 the rest of the scenes are drawn from clips in which nothing would change;
    `touched_later_share` of those with an effect begin while all is at rest. Raises `SpecError` for a length or a
    rate that no clip can have.
    """
    clip = Clip(start_s=0.0, num_frames=num_frames, fps=fps)
    problems: dict[str, str] = {}
    queues: list[list[SceneSpec]] = []
    for file in files:
        try:
            if file.problem:
                raise DataError(file.problem)
            sequence = _extracted(file, sequences)
            candidates = propose_clips(
                sequence, num_frames=num_frames, fps=fps, mocap_fps=mocap_fps, contact_mm=physics.contact_mm
            )
        except UserError as error:
            problems[file.name] = str(error)
            continue
        drawn = draw_clips(
            candidates,
            length=clip_length(sequence, num_frames=num_frames, fps=fps, mocap_fps=mocap_fps),
            max_overlap=max_overlap,
            effect_share=effect_share,
            touched_later_share=touched_later_share,
            rng=generator_for(seed, "humoto", file.name, "clips"),
            limit=per_sequence,
        )
        rooms = tuple(BodyRoom(sequence, person) for person in range(len(sequence.people)))
        queues.append([_scene(file, sequence, rooms, one, clip, mocap_fps, physics, render, seed) for one in drawn])
    return Plan(scenes=tuple(_round_robin(queues)[:limit]), problems=problems)


def _extracted(file: SequenceFile, sequences: Mapping[str, Sequence]) -> Sequence:
    if file.name not in sequences:
        raise DataError(f"{file.file}: was not extracted; run `datagen plan` again")
    return sequences[file.name]


def _round_robin(queues: list[list[SceneSpec]]) -> list[SceneSpec]:
    """First of each queue, then second of each, and so on."""
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[place] for place in range(longest) for queue in queues if place < len(queue)]


def scene_key(sequence: str, proposal: ClipProposal) -> str:
    """Name of the scene that a clip of a sequence makes."""
    return f"{sequence}-f{proposal.start_frame:04d}"


def _scene(
    file: SequenceFile,
    sequence: Sequence,
    rooms: tuple[BodyRoom, ...],
    proposal: ClipProposal,
    clip: Clip,
    mocap_fps: float,
    physics: PhysicsSettings,
    render: RenderSettings,
    seed: int,
) -> SceneSpec:
    """A scene of a clip; all that is drawn is seeded by the run's seed and the scene's key."""
    info = sequence.info
    key = scene_key(file.name, proposal)
    scene_seed = seed_for(seed, "humoto", key)
    length = clip_length(sequence, num_frames=clip.num_frames, fps=clip.fps, mocap_fps=mocap_fps)
    frames = range(proposal.start_frame, proposal.start_frame + length + 1)

    def geometry(node: str) -> GeometryRef:
        return GeometryRef(file=str(file.file.absolute()), sha256=info.sha256, node=node)

    return SceneSpec(
        key=key,
        source="humoto",
        data_set=file.data_set,
        seed=scene_seed,
        sequence=file.name,
        description=file.description,
        clip=Clip(start_s=proposal.start_frame / mocap_fps, num_frames=clip.num_frames, fps=clip.fps),
        objects=tuple(
            ObjectSpec(name=name, category=category_of(name), geometry=geometry(name)) for name in info.objects
        ),
        people=tuple(
            PersonSpec(
                name=name,
                geometry=geometry(name),
                mocap_fps=mocap_fps,
                look=_look(scene_seed, name, room.over(frames)),
            )
            for name, room in zip(info.people, rooms, strict=True)
        ),
        removed=info.people,
        camera=draw_camera(scene_seed),
        light=draw_light(scene_seed),
        floor=draw_surface(scene_seed, "floor"),
        wall=draw_surface(scene_seed, "wall"),
        physics=physics,
        render=render,
    )


def _look(seed: int, person: str, room_m: Mapping[str, float]) -> PersonLook:
    """A person's look, its shape limited to what leaves room for what the person handles in a clip."""
    look = draw_look(seed, person)
    return replace(look, shape=within_room(look.shape, room_m))
