"""A run's way through its stages: which scenes are left, what they get to work with, what is written of their ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from datagen import cluster
from datagen.config import ResourceSettings, StageResources
from datagen.resources import GIB, LADDER, Needs
from datagen.runs import RunFolder, append_row
from datagen.stages import STAGES, SceneOutcome, SceneTask, lost_scene, run_of, run_scene


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a command uses the machine; nothing here changes a result."""

    workers: int
    ray: str
    threads: int
    keep_renders: bool = False


def pending(run: RunFolder, stages: Sequence[str]) -> list[str]:
    """Keys that still have to go through `stages`: their inputs are there, they were not rejected and did not fail.

    A scene that failed would most likely fail again; `datagen retry` takes its row out of failures.jsonl.
    """
    keys = set(run.keys()) - run.done(stages[-1]) - run.rejected_keys() - run.failed_keys()
    before = list(STAGES)[: list(STAGES).index(stages[0])]
    if before:
        keys &= run.done(before[-1])
    return sorted(keys)


def drive(run: RunFolder, stages: Sequence[str], execution: Execution, keys: Sequence[str]) -> Iterator[SceneOutcome]:
    """Take scenes through `stages`; yields how each ended once its rows are written."""
    resources = run.info().config.resources
    groups = stage_groups(stages, resources)
    tasks = (scene_task(run, key, groups, resources, execution) for key in keys)
    chosen = any(getattr(resources, stage).cpus for stage in stages)
    policy = cluster.Policy(
        at_once=execution.workers if chosen and execution.ray in ("off", "local") else 0,
        needs=needs_of,
        room=lambda task: LADDER[task.rung],
        again=lambda task, outcome: following(task, outcome, resources, execution),
        lost=lost_scene,
    )
    with cluster.interruptible() as interrupt:
        for outcome in cluster.map_tasks(
            run_scene,
            tasks,
            backend=execution.ray,
            workers=execution.workers * execution.threads,
            interrupt=interrupt,
            policy=policy,
        ):
            record(run, outcome)
            if outcome.ended and outcome.next_rung is None:
                yield outcome
        if interrupt.stopping:
            raise KeyboardInterrupt


def stage_groups(stages: Sequence[str], resources: ResourceSettings) -> tuple[tuple[str, ...], ...]:
    """Consecutive stages that need the same: one task, one machine; a GPU is not held while physics runs."""
    return tuple(tuple(group) for _, group in groupby(stages, key=lambda stage: getattr(resources, stage)))


def scene_task(
    run: RunFolder,
    key: str,
    groups: tuple[tuple[str, ...], ...],
    resources: ResourceSettings,
    execution: Execution,
) -> SceneTask:
    """The task for the first of a scene's groups of stages."""
    own: StageResources = getattr(resources, groups[0][0])
    return SceneTask(
        root="" if run.url else str(run.root.resolve()),
        url=run.url,
        key=key,
        stages=groups[0],
        threads=own.cpus or execution.threads,
        resources=own,
        keep_renders=execution.keep_renders,
        later=groups[1:],
    )


def needs_of(task: SceneTask) -> Needs:
    """What is reserved for a scene."""
    return Needs(cpus=task.threads, memory_bytes=int(task.resources.memory_gb * GIB), gpus=task.resources.gpus)


def following(
    task: SceneTask, outcome: SceneOutcome, resources: ResourceSettings, execution: Execution
) -> SceneTask | None:
    """The task that comes after this one for the same scene: another attempt, or the next stages."""
    if outcome.next_rung is not None:
        return replace(task, rung=outcome.next_rung, attempts=task.attempts + 1)
    if outcome.ended or outcome.failure or outcome.rejection:
        return None
    return scene_task(run_of(task.root, task.url), task.key, task.later, resources, execution)


def record(run: RunFolder, outcome: SceneOutcome) -> None:
    """Write a scene's rows; an attempt that is not the last is an event."""
    for event in outcome.events:
        append_row(run.events, event)
    if outcome.failure and outcome.next_rung is not None:
        details = outcome.failure["details"]
        append_row(
            run.events,
            {
                "key": outcome.key,
                "stage": outcome.failure["stage"],
                "retried": details.get("reason"),
                "attempt": details["attempts"],
                "node": details["node"],
            },
        )
    elif outcome.failure:
        append_row(run.failures, outcome.failure)
    if outcome.rejection:
        append_row(run.rejected, outcome.rejection)
