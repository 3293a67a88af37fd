"""The stages of a scene, and one scene's way through them.

    specs/<key>.json -> simulate -> physics/<key>/ -> render -> renders/<key>/ -> compose -> samples/<key>/ -> pack

Each of the three middle stages is one process for one scene; a folder that exists is done, so a run resumes where it
stopped.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from datagen.cache import asset_cache, extracted_sequence, hull_cache
from datagen.cluster import node_name
from datagen.codec import remove_tree
from datagen.config import StageResources
from datagen.desk import clear_desk, drop_render, fetch_inputs, fetch_spec, publish
from datagen.errors import DataError, EngineFailed, SceneError, SceneRejected
from datagen.jobs import CertifyJob, CollisionJob, ComposeJob, ListDevicesJob, RenderJob, SimulateJob
from datagen.layers import read_manifest
from datagen.resources import GIB, LADDER, next_rung
from datagen.runs import RUN_FILE, RunFolder
from datagen.settings import Device, Engine, RenderSettings
from datagen.storage import desk_of
from datagen.versions import versions
from datagen.worker import Usage, run_engine

COMPOSE_TIMEOUT_S = 1800.0
PROBE_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class SceneTask:
    """One scene and the stages to take it through on one machine."""

    root: str  # of the run; "" for one at an address
    url: str  # of such a run
    key: str
    stages: tuple[str, ...]
    threads: int
    resources: StageResources  # alike for all of `stages`
    keep_renders: bool
    later: tuple[tuple[str, ...], ...] = ()  # stages that need other resources: tasks of their own
    rung: int = 0  # of the ladder
    attempts: int = 1  # this one included


@dataclass(frozen=True, kw_only=True)
class SceneOutcome:
    """How far a scene came: rows for events.jsonl, and one for failures.jsonl or rejected.jsonl if it ended early."""

    key: str
    events: tuple[dict[str, Any], ...]
    failure: dict[str, Any] | None = None
    rejection: dict[str, Any] | None = None
    next_rung: int | None = None  # of the ladder, when the failure is not final
    ended: bool = True  # False: other stages follow

    @property
    def state(self) -> str:
        """In one word."""
        if self.next_rung is not None:
            return "again"
        return "failed" if self.failure else "rejected" if self.rejection else "done"


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one process gets of its machine."""

    threads: int
    memory_bytes: int  # at which it is killed; 0: no limit


def simulate(run: RunFolder, key: str, share: Share) -> Usage:
    """Run physics for both worlds and stage the scene: specs/<key>.json -> physics/<key>/."""
    spec = run.spec(key)
    if spec.collision is not None:
        return simulate_collision(run, key, share)
    geometry = (spec.people or spec.objects)[0].geometry
    sequence = extracted_sequence(Path(geometry.file), geometry.sha256)
    job = SimulateJob(spec=str(run.spec_path(key)), sequence=str(sequence), cache=str(hull_cache()))
    out = run.folder("simulate", key)
    return run_engine("datagen.simulate_scene", job, out, timeout_s=spec.physics.timeout_s, **asdict(share))


def simulate_collision(run: RunFolder, key: str, share: Share) -> Usage:
    """Draw and simulate a collision scene with Kubric, then judge and stage it without: two processes."""
    timeout_s = run.spec(key).physics.timeout_s
    drawn = run.root / "collisions" / key
    job = CollisionJob(spec=str(run.spec_path(key)), cache=str(asset_cache()))
    drawing = run_engine("kubric_jobs.simulate_scene", job, drawn, timeout_s=timeout_s, **asdict(share))
    judging = run_engine(
        "datagen.certify_collision",
        CertifyJob(simulation=str(drawn)),
        run.folder("simulate", key),
        timeout_s=timeout_s,
        **asdict(share),
    )
    remove_tree(drawn)
    return drawing.plus(judging)


def render(run: RunFolder, key: str, share: Share) -> Usage:
    """Render both worlds and the layers behind the mask: physics/<key>/ -> renders/<key>/."""
    job = RenderJob(
        spec=str(run.simulated_spec_path(key)), physics=str(run.folder("simulate", key)), threads=share.threads
    )
    out = run.folder("render", key)
    timeout_s = run.spec(key).render.timeout_s
    return run_engine("blender_scripts.render_scene", job, out, timeout_s=timeout_s, **asdict(share))


def compose(run: RunFolder, key: str, share: Share) -> Usage:
    """Derive the mask, encode, describe: renders/<key>/ -> samples/<key>/."""
    info = run.info()
    job = ComposeJob(
        spec=str(run.simulated_spec_path(key)),
        physics=str(run.folder("simulate", key)),
        render=str(run.folder("render", key)),
        provenance={"config_sha256": info.config_sha256, "versions": versions()},
        policy=info.config.masks.policy,
    )
    out = run.folder("compose", key)
    return run_engine("datagen.compose_scene", job, out, timeout_s=COMPOSE_TIMEOUT_S, keep_log=False, **asdict(share))


STAGES: dict[str, Callable[[RunFolder, str, Share], Usage]] = {
    "simulate": simulate,
    "render": render,
    "compose": compose,
}


def run_scene(task: SceneTask) -> SceneOutcome:
    """Take one scene through its stages, skipping what is done; expected failures become rows, a full disk raises."""
    run = run_of(task.root, task.url)
    check_machine(run, task.stages)
    try:
        if run.remote:
            fetch_spec(run, task.key)
        return _through_stages(run, task)
    finally:
        if run.remote:
            clear_desk(run, task.key)


def run_of(root: str, url: str) -> RunFolder:
    """The run as this process sees it: the folder itself, or a desk of its own."""
    return RunFolder(root=desk_of(url) if url else Path(root), url=url)


def _through_stages(run: RunFolder, task: SceneTask) -> SceneOutcome:
    share = Share(threads=task.threads, memory_bytes=int(task.resources.memory_limit_gb * GIB * LADDER[task.rung]))
    events: list[dict[str, Any]] = []
    for name in task.stages:
        if _is_done(run, name, task.key):
            continue
        started = time.time()
        try:
            fetch_inputs(run, name, task.key)
            usage = STAGES[name](run, task.key, share)
        except SceneRejected as error:
            row = {"key": task.key, "stage": name, "message": str(error), "details": dict(error.details)}
            return SceneOutcome(key=task.key, events=tuple(events), rejection=row)
        except (SceneError, DataError) as error:
            return _failed(task, name, error, events)
        if name != "render" or task.keep_renders or "compose" not in task.stages:
            publish(run, name, task.key)
        device = {"device": read_manifest(run.folder("render", task.key)).device} if name == "render" else {}
        events.append({**_event(task, name, started, usage), **device})
    if "compose" in task.stages and not task.keep_renders:
        drop_render(run, task.key)
    return SceneOutcome(key=task.key, events=tuple(events), ended=not task.later)


def _failed(task: SceneTask, stage: str, error: Exception, events: list[dict[str, Any]]) -> SceneOutcome:
    """A scene that failed: for good, or to be tried on the next rung if its process ended by itself."""
    details = dict(error.details) if isinstance(error, SceneError) else {}
    details |= {"node": node_name(), "attempts": task.attempts}
    row = failure_row(task, stage, type(error).__name__, str(error), details)
    following = None
    if isinstance(error, EngineFailed):
        following = next_rung(str(details.get("reason")), task.rung)
    return SceneOutcome(key=task.key, events=tuple(events), failure=row, next_rung=following)


def failure_row(task: SceneTask, stage: str, kind: str, message: str, details: dict[str, Any]) -> dict[str, Any]:
    """A scene's row for failures.jsonl."""
    return {"key": task.key, "stage": stage, "type": kind, "message": message, "details": details}


def lost_scene(task: SceneTask, message: str) -> SceneOutcome:
    """The outcome of a scene that takes its worker with it each time."""
    details = {"reason": "worker lost", "attempts": task.attempts}
    row = failure_row(task, task.stages[0], "WorkerLost", f"its worker died: {message}", details)
    return SceneOutcome(key=task.key, events=(), failure=row)


def _is_done(run: RunFolder, stage: str, key: str) -> bool:
    """Whether this stage or a later one has finished this scene."""
    names = list(STAGES)
    return any(run.has(name, key) for name in names[names.index(stage) :])


def _event(task: SceneTask, stage: str, started: float, usage: Usage) -> dict[str, Any]:
    return {
        "key": task.key,
        "stage": stage,
        "started": round(started, 3),
        **asdict(usage),
        "node": node_name(),
        "attempt": task.attempts,
    }


@cache
def check_machine(run: RunFolder, stages: tuple[str, ...]) -> None:
    """Raise `DataError` unless this machine sees the run and its input and has Blender; once a process."""
    where = f"node {node_name()}"
    if run.remote:
        run.remote.get(RUN_FILE, run.root / RUN_FILE)
    elif not (run.root / RUN_FILE).is_file():
        raise DataError(f"{where} does not see the run folder {run.root}; mount it there at the same path")
    data = run.info().data
    if "simulate" in stages and Path(data).is_absolute() and not Path(data).exists():
        raise DataError(f"{where} does not see the input {data}; mount it there at the same path, then run this again")
    if stages[0] != "compose" and not _has_blender():
        raise DataError(f"{where} has no Blender (module bpy); install it there: pip install 'voidgen[render]'")
    if "render" in stages:
        check_renderer(run.info().config.render, where)


def check_renderer(settings: RenderSettings, where: str) -> None:
    """Raise `DataError` where the engine cannot start, or the device that is asked for is not there."""
    if settings.engine is Engine.CYCLES and settings.device in (Device.AUTO, Device.CPU):
        return
    with tempfile.TemporaryDirectory() as scratch:
        job, out = ListDevicesJob(settings=settings), Path(scratch) / "devices"
        try:
            run_engine("blender_scripts.list_devices", job, out, timeout_s=PROBE_TIMEOUT_S, keep_log=False)
        except (DataError, SceneError) as error:
            raise DataError(f"{where}: {error}") from None


def _has_blender() -> bool:
    try:
        return find_spec("bpy") is not None
    except (ImportError, ValueError):
        return False
