"""One sample, wherever it lies: a folder of its own, a run, a shard, or a folder of shards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datagen.errors import ConfigError, DataError, did_you_mean
from datagen.runs import RUN_FILE, RunFolder
from datagen.sample import METADATA, SampleInfo, read_sample
from datagen.shards import INDEX_FILE, read_index, read_shard, unpack_sample


@dataclass(frozen=True, kw_only=True)
class FoundSample:
    """A finished sample, and what its run still knows of it."""

    info: SampleInfo
    physics: Path | None  # the scene's physics folder; None where the sample has left its run


@contextmanager
def sample_at(path: Path, key: str = "") -> Iterator[FoundSample]:
    """The sample `key` at a path; one of a shard is unpacked for a while. A lone sample needs no key.

    Raises `DataError` for a path that holds no samples or not this one, `ConfigError` where a key is missing.
    """
    if (path / METADATA).is_file():
        info = read_sample(path)
        if key and info.metadata.key != key:
            raise DataError(f"{path} is the sample '{info.metadata.key}', not '{key}'; leave the key away")
        yield FoundSample(info=info, physics=_physics_beside(path))
    elif (path / RUN_FILE).is_file():
        run = RunFolder(root=path)
        chosen = _choose(path, key, [sample.name for sample in run.sample_paths()])
        sample = run.folder("compose", chosen)
        yield FoundSample(info=read_sample(sample), physics=_physics_beside(sample))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield FoundSample(info=read_sample(_unpacked(path, key, Path(scratch))), physics=None)


def _physics_beside(sample: Path) -> Path | None:
    """The physics folder of a sample that still lies in its run."""
    root = sample.resolve().parent.parent
    folder = RunFolder(root=root).folder("simulate", sample.resolve().name)
    return folder if (root / RUN_FILE).is_file() and folder.is_dir() else None


def _unpacked(path: Path, key: str, scratch: Path) -> Path:
    """A sample of a shard, or of a folder of shards, as a folder."""
    if path.is_file():
        packed = {sample.key: sample for sample in read_shard(path)}
        chosen = _choose(path, key, list(packed))
        return unpack_sample(packed[chosen], scratch / chosen)
    if not (path / INDEX_FILE).is_file():
        raise DataError(f"{path}: expected a sample folder, a run folder, a .tar shard or a folder of shards")
    shards = {name: entry.file for entry in read_index(path).shards for name in entry.keys}
    chosen = _choose(path, key, list(shards))
    return _unpacked(path / shards[chosen], chosen, scratch)


def _choose(path: Path, key: str, keys: list[str]) -> str:
    """The key that is meant."""
    if not keys:
        raise DataError(f"{path}: holds no finished sample")
    if key in keys:
        return key
    if key:
        raise DataError(f"{path}: no finished sample '{key}'{did_you_mean(key, keys)}")
    if len(keys) > 1:
        raise ConfigError(f"{path} holds {len(keys)} samples; name one by its key{did_you_mean('', keys)}")
    return keys[0]
