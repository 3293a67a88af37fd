"""A run's samples as shards, written in parallel: shard i holds what is finished of a fixed slice of the planned keys.

So a scene that failed and is made later changes one shard, and packing again gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datagen import cluster
from datagen.driving import Execution
from datagen.manifest import ManifestEntry, manifest_entry, write_manifest
from datagen.runs import RunFolder
from datagen.shards import ShardIndex, ShardPart, finish_shards, shard_name, write_shard


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """One shard to write."""

    root: str
    source: str
    number: int
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PackedShard:
    """A shard that is written, and its samples' rows of the manifest."""

    number: int
    part: ShardPart
    manifest: tuple[ManifestEntry, ...]


def pack(run: RunFolder, execution: Execution | None = None) -> ShardIndex:
    """All finished samples as shards, with their index and the run's manifest; without `execution` one by one."""
    info = run.info()
    tasks = shard_tasks(run)
    made = sorted(_packed(tasks, execution), key=lambda shard: shard.number)
    write_manifest(run.root, info, [entry for shard in made for entry in shard.manifest])
    return finish_shards([shard.part for shard in made], run.shards, info.source, info.config.pack.samples_per_shard)


def shard_tasks(run: RunFolder) -> list[ShardTask]:
    """Slices of the planned keys that hold at least one finished sample."""
    info = run.info()
    size = info.config.pack.samples_per_shard
    finished = {path.name for path in run.sample_paths()}
    keys = sorted(finished.union(run.keys()))
    slices = [keys[start : start + size] for start in range(0, len(keys), size)]
    tasks = [
        ShardTask(
            root=str(run.root.resolve()),
            source=info.source,
            number=number,
            keys=tuple(key for key in keys if key in finished),
        )
        for number, keys in enumerate(slices)
    ]
    return [task for task in tasks if task.keys]


def _packed(tasks: list[ShardTask], execution: Execution | None) -> list[PackedShard]:
    """The shards, written by as many workers as `execution` has; a Ray of our own is not worth its start here."""
    if execution is None or len(tasks) == 1:
        return [pack_shard(task) for task in tasks]
    with cluster.interruptible() as interrupt:
        backend = "off" if execution.ray == "local" else execution.ray
        workers = execution.workers * execution.threads
        made = list(cluster.map_tasks(pack_shard, tasks, backend=backend, workers=workers, interrupt=interrupt))
        if interrupt.stopping:
            raise KeyboardInterrupt
    return made


def pack_shard(task: ShardTask) -> PackedShard:
    """Write one shard."""
    run = RunFolder(root=Path(task.root))
    samples = [run.folder("compose", key) for key in task.keys]
    part = write_shard(samples, run.shards / shard_name(task.source, task.number))
    return PackedShard(number=task.number, part=part, manifest=tuple(manifest_entry(sample) for sample in samples))
