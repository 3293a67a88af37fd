"""From a folder of recordings to scene specs in a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from datagen import cluster
from datagen.assets import read_manifest
from datagen.cache import default_assets, extracted_sequence
from datagen.camera_paths import set_in_motion
from datagen.codec import dump_json, write_json
from datagen.config import Config
from datagen.errors import ConfigError, DataError, Page, RunFolderError, SceneError, UserError, did_you_mean
from datagen.look_inputs import Textures, read_maps, read_textures
from datagen.looks import draw_look
from datagen.runs import RunFolder, append_row, drop_rows, open_run, read_rows
from datagen.sequence import read_sequence
from datagen.sources.humoto import SequenceFile, find_sequences, plan_scenes
from datagen.sources.kubric import FAMILIES, check_families, plan_collisions
from datagen.spec import SceneSpec
from datagen.splits import in_split, recording_name
from datagen.versions import versions
from datagen.wishes import InputFile

STAGE = "plan"
SOURCES = ("humoto", "kubric")


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """What came of one file."""

    file: SequenceFile
    folder: str = ""  # of the extracted sequence
    problem: str = ""  # why there is none, in one line


def plan_source(
    source: str,
    data: Path | None,
    gso: str,
    out: Path,
    config: Config,
    *,
    limit: int | None,
    workers: int,
    console: Console,
) -> None:
    """Plan a run of either source; raises `ConfigError` for an unknown one, and for one without its input."""
    if source not in SOURCES:
        raise ConfigError(f"unknown source '{source}'{did_you_mean(source, SOURCES)}")
    if source == "kubric":
        planned = plan_kubric(gso, out, config, limit=limit, console=console)
    elif data is None:
        raise ConfigError(
            "--data is missing: name a folder of HUMOTO sequences, or make one with `datagen demo-data DIR`"
        ).see(Page.HUMOTO)
    else:
        planned = plan_humoto(data, out, config, limit=limit, workers=workers, console=console)
    console.print(f"plan: {planned} scenes")


def plan_humoto(data: Path, out: Path, config: Config, *, limit: int | None, workers: int, console: Console) -> int:
    """Write the specs of a run; how many there are in all.

    The first clip of each sequence comes first, then the second of each: a larger `limit` adds scenes and changes
    none. A sequence that gives no scene is a row in failures.jsonl. Raises `UserError` when none gives one.
    """
    files = sequences_in_split(find_sequences(data), config.humoto.split, data, console)
    wardrobe = read_wardrobe(config, config.humoto.split, "humoto.split")
    run = open_run(out, source="humoto", data=data, limit=limit, config=config, versions=versions())
    _drop_plan_rows(run)
    queues: list[list[SceneSpec]] = []
    problems: dict[str, str] = {}
    for extraction in _extractions(files, limit, workers, console):
        name = extraction.file.name
        try:
            queues.append(_scenes_of(extraction, config))
        except UserError as error:
            problems[name] = str(error)
            console.print(f"plan: left out {name}: {error}", highlight=False, soft_wrap=True)
            continue
        if not queues[-1]:
            console.print(
                f"plan: in {name} nothing is held or moved: it gives no scene", highlight=False, soft_wrap=True
            )
    scenes = _round_robin(queues, limit)
    if not scenes:
        first = next(iter(problems.values()), f"no clip of {data} has anything that its person holds")
        raise DataError(f"no scene can be planned from {data}: {first}")
    for scene in scenes:
        camera = set_in_motion(scene.camera, scene.seed, config.camera)
        _write_spec(run, replace(wardrobe.dress(scene), camera=camera, layers=config.layers))
    _add_plan_rows(run, problems)
    _leave_out(run, wardrobe.textures.problems, console)
    return len(run.keys())


def plan_kubric(gso: str, out: Path, config: Config, *, limit: int | None, console: Console) -> int:
    """Write the specs of a run of collision scenes; how many there are in all.

    gso: a manifest, a folder of assets or a gs:// address; "" for the embedded objects. An asset that cannot be used
    is a row in failures.jsonl. Raises `UserError` for a set that is none, an unknown family or split.
    """
    if limit is None:
        raise ConfigError("collision scenes are drawn without end: say how many with --limit N")
    families = [name.strip() for name in config.kubric.families.split(",") if name.strip()] or list(FAMILIES)
    check_families(families)
    wardrobe = read_wardrobe(config, config.kubric.split, "kubric.split")
    manifest = read_manifest(gso or default_assets())
    planned = plan_collisions(
        manifest,
        count=limit,
        seed=config.seed,
        num_frames=config.clips.num_frames,
        fps=config.clips.fps,
        physics=config.physics,
        render=config.render,
        split=config.kubric.split,
        families=families,
        null_share=config.kubric.null_share,
        data_set="gso" if gso else "default-assets",
    )
    run = open_run(
        out,
        source="kubric",
        data=gso if not gso or gso.startswith("gs://") else Path(gso),
        limit=limit,
        config=config,
        versions=versions(),
    )
    _drop_plan_rows(run)
    for scene in planned:
        camera = set_in_motion(scene.camera, scene.seed, config.camera)
        _write_spec(run, replace(wardrobe.dress(scene), camera=camera, layers=config.layers))
    _leave_out(run, {**manifest.problems, **wardrobe.textures.problems}, console)
    return len(run.keys())


def sequences_in_split(
    files: Sequence[SequenceFile], split: str, data: Path, console: Console
) -> Sequence[SequenceFile]:
    """Sequences of "train", "test" or "all"; raises `DataError` when there are none."""
    chosen = in_split(
        files,
        split,
        lambda file: recording_name(file.name),
        where=str(data),
        kind="sequences",
        setting="humoto.split",
    )
    if len(chosen) < len(files):
        console.print(f"plan: {len(chosen)} of {len(files)} sequences are in the split '{split}'", highlight=False)
    return chosen


@dataclass(frozen=True, kw_only=True)
class Wardrobe:
    """What the rooms of a run may look like: a split, and the user's own maps and textures of it."""

    split: str
    maps: tuple[InputFile, ...]
    textures: Textures

    def dress(self, scene: SceneSpec) -> SceneSpec:
        """The scene in a room, a light and surfaces drawn by its seed."""
        look = draw_look(scene.seed, self.split, self.maps, self.textures.usable)
        return replace(scene, room=look.room, light=look.light, floor=look.floor, wall=look.wall)


def read_wardrobe(config: Config, split: str, setting: str) -> Wardrobe:
    """The user's maps and textures; raises `DataError` for a map that cannot be used, or where no texture can be.

    Nothing has been written by then.
    """
    return Wardrobe(
        split=split,
        maps=read_maps(config.looks.hdri, split, setting),
        textures=read_textures(config.looks.textures, split, setting),
    )


def _drop_plan_rows(run: RunFolder) -> None:
    """Forget what could not be planned the last time: it is tried again."""
    drop_rows(run.failures, [str(row["key"]) for row in read_rows(run.failures) if row["stage"] == STAGE])


def _add_plan_rows(run: RunFolder, problems: Mapping[str, str]) -> None:
    """Rows of inputs that cannot be used, by name."""
    for name, problem in problems.items():
        append_row(run.failures, {"key": name, "stage": STAGE, "type": "DataError", "message": problem, "details": {}})


def _leave_out(run: RunFolder, problems: Mapping[str, str], console: Console) -> None:
    """Say which inputs are not used and why, and keep it."""
    for problem in problems.values():
        console.print(f"plan: left out: {problem}", highlight=False, soft_wrap=True, markup=False)
    _add_plan_rows(run, problems)


def _extractions(
    files: Sequence[SequenceFile], limit: int | None, workers: int, console: Console
) -> Iterator[Extraction]:
    """Extracted sequences in the order of `files`; no more of them than a run of `limit` scenes can need."""
    wanted = limit if limit is not None else len(files)
    good = 0
    with cluster.interruptible() as interrupt:
        for start in range(0, len(files), max(workers, 1)):
            if good >= wanted or interrupt.stopping:
                break
            batch = files[start : start + workers]
            made = cluster.map_tasks(_extract, batch, backend="off", workers=workers, interrupt=interrupt)
            found = {extraction.file.name: extraction for extraction in made}
            for file in batch:
                if file.name in found:
                    good += not found[file.name].problem
                    yield found[file.name]
            console.print(f"plan: {min(start + workers, len(files))}/{len(files)} sequences read", highlight=False)
        if interrupt.stopping:
            raise KeyboardInterrupt


def _extract(file: SequenceFile) -> Extraction:
    if file.problem:
        return Extraction(file=file, problem=file.problem)
    try:
        return Extraction(file=file, folder=str(extracted_sequence(file.file)))
    except (DataError, SceneError) as error:
        return Extraction(file=file, problem=str(error))


def _scenes_of(extraction: Extraction, config: Config) -> list[SceneSpec]:
    """Scenes of one sequence, best first; none where nobody holds anything. Raises `DataError` for a bad sequence."""
    if extraction.problem:
        raise DataError(extraction.problem)
    file = extraction.file
    plan = plan_scenes(
        [file],
        {file.name: read_sequence(Path(extraction.folder))},
        num_frames=config.clips.num_frames,
        fps=config.clips.fps,
        mocap_fps=config.humoto.mocap_fps,
        physics=config.physics,
        render=config.render,
        seed=config.seed,
        per_sequence=config.clips.per_sequence,
        effect_share=config.clips.effect_share,
        touched_later_share=config.clips.touched_later_share,
        max_overlap=config.clips.max_overlap,
    )
    if file.name in plan.problems:
        raise DataError(plan.problems[file.name])
    return list(plan.scenes)


def _round_robin(queues: Sequence[Sequence[SceneSpec]], limit: int | None) -> list[SceneSpec]:
    """First of each queue, then second of each, and so on, up to `limit`."""
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[place] for place in range(longest) for queue in queues if place < len(queue)][:limit]


def _write_spec(run: RunFolder, scene: SceneSpec) -> None:
    """Write a scene's spec unless it is there; raises `RunFolderError` if another one is."""
    path = run.spec_path(scene.key)
    if not path.is_file():
        write_json(path, scene)
    elif path.read_text() != dump_json(scene) + "\n":
        raise RunFolderError(
            f"{path} describes another scene than its source does now: the recording or this program has changed; "
            "choose another --out"
        )
