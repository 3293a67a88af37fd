"""The stages of a scene, and a run's way through them.

    specs/<key>.json -> simulate -> physics/<key>/ -> render -> renders/<key>/ -> compose -> samples/<key>/ -> pack

Each of the three middle stages is one process for one scene; a folder that exists is done, so a run resumes where it
stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen import cluster
from datagen.cache import asset_cache, extracted_sequence, hull_cache
from datagen.codec import remove_tree
from datagen.errors import DataError, SceneError, SceneRejected
from datagen.jobs import CertifyJob, CollisionJob, ComposeJob, RenderJob, SimulateJob
from datagen.manifest import write_manifest
from datagen.runs import RunFolder, append_row, drop_rows
from datagen.shards import ShardIndex, write_shards
from datagen.versions import versions
from datagen.worker import Usage, run_engine

COMPOSE_TIMEOUT_S = 1800.0


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a command uses the machine; nothing here changes a result."""

    workers: int
    ray: str
    threads: int
    keep_renders: bool = False


@dataclass(frozen=True, kw_only=True)
class SceneTask:
    """One scene and the stages to take it through."""

    root: str
    key: str
    stages: tuple[str, ...]
    threads: int
    keep_renders: bool


@dataclass(frozen=True, kw_only=True)
class SceneOutcome:
    """How far a scene came: rows for events.jsonl, and one for failures.jsonl or rejected.jsonl if it ended early."""

    key: str
    events: tuple[dict[str, Any], ...]
    failure: dict[str, Any] | None = None
    rejection: dict[str, Any] | None = None

    @property
    def state(self) -> str:
        """In one word."""
        return "failed" if self.failure else "rejected" if self.rejection else "done"


def simulate(run: RunFolder, key: str, threads: int) -> Usage:
    """Run physics for both worlds and stage the scene: specs/<key>.json -> physics/<key>/."""
    spec = run.spec(key)
    if spec.collision is not None:
        return simulate_collision(run, key, threads)
    geometry = (spec.people or spec.objects)[0].geometry
    sequence = extracted_sequence(Path(geometry.file), geometry.sha256)
    job = SimulateJob(spec=str(run.spec_path(key)), sequence=str(sequence), cache=str(hull_cache()))
    out = run.folder("simulate", key)
    return run_engine("datagen.simulate_scene", job, out, timeout_s=spec.physics.timeout_s, threads=threads)


def simulate_collision(run: RunFolder, key: str, threads: int) -> Usage:
    """Draw and simulate a collision scene with Kubric, then judge and stage it without: two processes."""
    timeout_s = run.spec(key).physics.timeout_s
    drawn = run.root / "collisions" / key
    job = CollisionJob(spec=str(run.spec_path(key)), cache=str(asset_cache()))
    drawing = run_engine("kubric_jobs.simulate_scene", job, drawn, timeout_s=timeout_s, threads=threads)
    judging = run_engine(
        "datagen.certify_collision",
        CertifyJob(simulation=str(drawn)),
        run.folder("simulate", key),
        timeout_s=timeout_s,
        threads=threads,
    )
    remove_tree(drawn)
    return Usage(
        wall_s=drawing.wall_s + judging.wall_s,
        cpu_s=drawing.cpu_s + judging.cpu_s,
        peak_rss_bytes=max(drawing.peak_rss_bytes, judging.peak_rss_bytes),
    )


def render(run: RunFolder, key: str, threads: int) -> Usage:
    """Render both worlds and the layers behind the mask: physics/<key>/ -> renders/<key>/."""
    job = RenderJob(spec=str(run.simulated_spec_path(key)), physics=str(run.folder("simulate", key)), threads=threads)
    out = run.folder("render", key)
    timeout_s = run.spec(key).render.timeout_s
    return run_engine("blender_scripts.render_scene", job, out, timeout_s=timeout_s, threads=threads)


def compose(run: RunFolder, key: str, threads: int) -> Usage:
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
    return run_engine("datagen.compose_scene", job, out, timeout_s=COMPOSE_TIMEOUT_S, threads=threads, keep_log=False)


STAGES: dict[str, Callable[[RunFolder, str, int], Usage]] = {"simulate": simulate, "render": render, "compose": compose}


def run_scene(task: SceneTask) -> SceneOutcome:
    """Take one scene through its stages, skipping what is done; expected failures become rows, a full disk raises."""
    run = RunFolder(root=Path(task.root))
    events: list[dict[str, Any]] = []
    for name in task.stages:
        if task.key in _done_here(run, name, task.key):
            continue
        started = time.time()
        try:
            usage = STAGES[name](run, task.key, task.threads)
        except SceneRejected as error:
            row = {"key": task.key, "stage": name, "message": str(error), "details": dict(error.details)}
            return SceneOutcome(key=task.key, events=tuple(events), rejection=row)
        except (SceneError, DataError) as error:
            details = dict(error.details) if isinstance(error, SceneError) else {}
            row = {
                "key": task.key,
                "stage": name,
                "type": type(error).__name__,
                "message": str(error),
                "details": details,
            }
            return SceneOutcome(key=task.key, events=tuple(events), failure=row)
        events.append(_event(task.key, name, started, usage))
    if "compose" in task.stages and not task.keep_renders:
        remove_tree(run.folder("render", task.key))
    return SceneOutcome(key=task.key, events=tuple(events))


def _done_here(run: RunFolder, stage: str, key: str) -> set[str]:
    """`{key}` if this stage or a later one has finished this scene, else nothing."""
    names = list(STAGES)
    later = names[names.index(stage) :]
    return {key} if any(run.folder(name, key).is_dir() for name in later) else set()


def _event(key: str, stage: str, started: float, usage: Usage) -> dict[str, Any]:
    return {
        "key": key,
        "stage": stage,
        "started": round(started, 3),
        "wall_s": usage.wall_s,
        "cpu_s": usage.cpu_s,
        "peak_rss_bytes": usage.peak_rss_bytes,
    }


def pending(run: RunFolder, stages: Sequence[str]) -> list[str]:
    """Keys that still have to go through `stages`: their inputs are there and they were not rejected.

    A scene that failed before is tried again: its rows are taken out of failures.jsonl first.
    """
    keys = set(run.keys()) - run.done(stages[-1]) - run.rejected_keys()
    before = list(STAGES)[: list(STAGES).index(stages[0])]
    if before:
        keys &= run.done(before[-1])
    return sorted(keys)


def drive(run: RunFolder, stages: Sequence[str], execution: Execution) -> Iterator[SceneOutcome]:
    """Take every pending scene through `stages`; yields each outcome once its rows are written."""
    keys = pending(run, stages)
    drop_rows(run.failures, keys)
    tasks = [
        SceneTask(
            root=str(run.root.resolve()),
            key=key,
            stages=tuple(stages),
            threads=execution.threads,
            keep_renders=execution.keep_renders,
        )
        for key in keys
    ]
    with cluster.interruptible() as interrupt:
        for outcome in cluster.map_tasks(
            run_scene, tasks, backend=execution.ray, workers=execution.workers, interrupt=interrupt
        ):
            record(run, outcome)
            yield outcome
        if interrupt.stopping:
            raise KeyboardInterrupt


def record(run: RunFolder, outcome: SceneOutcome) -> None:
    """Write a scene's rows."""
    for event in outcome.events:
        append_row(run.events, event)
    if outcome.failure:
        append_row(run.failures, outcome.failure)
    if outcome.rejection:
        append_row(run.rejected, outcome.rejection)


def pack(run: RunFolder) -> ShardIndex:
    """All finished samples as shards, with their index."""
    info, samples = run.info(), run.sample_paths()
    write_manifest(run.root, info, samples)
    return write_shards(samples, run.shards, source=info.source, samples_per_shard=info.config.pack.samples_per_shard)
