"""Which devices a run may use, and its videos spread over them: one process a GPU, through the cluster layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from datagen.cluster import interruptible, map_tasks
from datagen.codec import remove_tree
from datagen.errors import ConfigError, SceneFailed, VoidgenError
from datagen.worker import run_engine
from inference.run import RunJob, Watcher, stages_of

LOGS = ".workers"  # within --out, while workers run
WORKER = "inference.worker"
VIDEO_TIMEOUT_S = 6 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """One worker's videos."""

    job: RunJob
    folder: Path


def pick_devices(asked: str) -> list[str]:
    """Names of devices: "auto" is every GPU, or the CPU where there is none; else a list as "cuda:0,cuda:1"."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    every = [f"cuda:{number}" for number in range(count)]
    if asked == "auto":
        return every or ["cpu"]
    names = every if asked == "cuda" else asked.split(",")
    for name in names or [asked]:
        if name != "cpu" and name not in every:
            there = ", ".join(["cpu", *every])
            raise ConfigError(f"--device {asked}: there is no '{name}'; there are {there}, and auto for all GPUs")
    return names


def spread(job: RunJob, devices: list[str]) -> list[RunJob]:
    """The job in as many parts as there are devices, those without videos left out; how it is cut changes no result."""
    parts = [replace(job, clips=job.clips[number :: len(devices)], device=name) for number, name in enumerate(devices)]
    return [part for part in parts if part.clips]


def run_spread(parts: list[RunJob], watcher: Watcher, backend: str) -> None:
    """Run every part in a process of its own, and tell of its videos when it ends.

    With Ray (`backend` other than "off") a part waits for a free GPU of the cluster, the only one that it sees.
    """
    on_gpus = parts[0].device != "cpu"
    if backend != "off" and on_gpus:
        parts = [replace(part, device="cuda") for part in parts]
    logs = parts[0].out / LOGS
    items = [Part(job=part, folder=logs / f"part-{number:03d}") for number, part in enumerate(parts)]
    watcher.begin(stages_of(parts[0])[-1].method.name, sum(len(part.clips) for part in parts))
    failures = list[str]()
    try:
        with interruptible() as interrupt:
            tasks = map_tasks(
                _run_part, items, backend=backend, workers=len(items), interrupt=interrupt, num_gpus=int(on_gpus)
            )
            for errors in tasks:
                failures += errors
        for key in _report(parts, watcher):
            failures.append(key)
    finally:
        remove_tree(logs)
    if failures:
        raise SceneFailed(failures[0])


def _run_part(part: Part) -> list[str]:
    """Messages of what went wrong in one worker; a crash of one does not end the others."""
    try:
        run_engine(WORKER, part.job, part.folder, timeout_s=VIDEO_TIMEOUT_S * len(part.job.clips))
    except VoidgenError as error:
        return [str(error)]
    return []


def _report(parts: list[RunJob], watcher: Watcher) -> Iterator[str]:
    """Tell the watcher of every video; yields a message for each that is missing though no worker failed."""
    for part in parts:
        stage = stages_of(part)[-1]
        missing = {clip.key for clip in stage.todo(part.clips)}
        for clip in part.clips:
            if clip.key in missing:
                watcher.failed(clip.key, "see failures.jsonl")
                yield f"{clip.key} was not made"
            else:
                watcher.finished(clip.key, 0.0)
