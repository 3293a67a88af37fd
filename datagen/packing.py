"""A run's samples as shards, written in parallel: shard i holds what is finished of a fixed slice of the planned keys.

So a scene that failed and is made later changes one shard, and packing again gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from datagen import cluster
from datagen.desk import clear_desk, fetch_sample
from datagen.driving import Execution
from datagen.manifest import MANIFEST_FILE, ManifestEntry, manifest_entry, write_manifest
from datagen.runs import RunFolder
from datagen.shards import INDEX_FILE, ShardIndex, ShardPart, finish_shards, read_index, shard_name, write_shard
from datagen.stages import run_of
from datagen.storage import Remote


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """One shard to write."""

    root: str  # of the run; "" for one at an address
    url: str  # of such a run
    source: str
    number: int
    keys: tuple[str, ...]
    sha256: str  # of the shard that is there; "": none


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
    parts = [shard.part for shard in made]
    index = finish_shards(parts, run.shards, info.source, info.config.pack.samples_per_shard)
    if run.remote:
        _publish_index(run, run.remote, index)
    return index


def _publish_index(run: RunFolder, remote: Remote, index: ShardIndex) -> None:
    """Push what tells of the shards, and remove shards that it does not name."""
    remote.put(run.root / MANIFEST_FILE, MANIFEST_FILE)
    remote.put(run.shards / INDEX_FILE, f"shards/{INDEX_FILE}")
    wanted = {entry.file for entry in index.shards}
    for name in remote.names("shards"):
        if name.endswith(".tar") and name not in wanted:
            remote.delete(f"shards/{name}")


def shard_tasks(run: RunFolder) -> list[ShardTask]:
    """Slices of the planned keys that hold at least one finished sample."""
    info = run.info()
    size = info.config.pack.samples_per_shard
    finished = {path.name for path in run.sample_paths()}
    there = (
        {entry.file: entry.sha256 for entry in read_index(run.shards).shards} if run.remote and _indexed(run) else {}
    )
    keys = sorted(finished.union(run.keys()))
    slices = [keys[start : start + size] for start in range(0, len(keys), size)]
    tasks = [
        ShardTask(
            root="" if run.url else str(run.root.resolve()),
            url=run.url,
            source=info.source,
            number=number,
            keys=tuple(key for key in keys if key in finished),
            sha256=there.get(shard_name(info.source, number), ""),
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


def _indexed(run: RunFolder) -> bool:
    return (run.shards / INDEX_FILE).is_file()


def pack_shard(task: ShardTask) -> PackedShard:
    """Write one shard; for a run at an address on this process's desk, which is left as it was."""
    run = run_of(task.root, task.url)
    path = run.shards / shard_name(task.source, task.number)
    try:
        for key in task.keys:
            fetch_sample(run, key)
        samples = [run.folder("compose", key) for key in task.keys]
        part = write_shard(samples, path)
        manifest = tuple(manifest_entry(sample) for sample in samples)
        if run.remote and part.entry.sha256 != task.sha256:
            run.remote.put(path, f"shards/{path.name}")
    finally:
        for key in task.keys if run.remote else ():
            clear_desk(run, key)
    if run.remote:
        path.unlink()
    return PackedShard(number=task.number, part=part, manifest=manifest)
