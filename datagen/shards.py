"""Shards: samples in tar files that WebDataset, Hugging Face `datasets` and plain tarfile read.

A shard's bytes follow from its samples alone: members are sorted, and carry no time and no owner.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from datagen.codec import atomic_folder, partial_of, read_record, remove_tree, sha256_file, write_json
from datagen.errors import DataError, reraise_storage_error
from datagen.metadata import SampleMetadata
from datagen.sample import METADATA, SampleInfo, read_sample
from datagen.spec import KEY_PATTERN

Number = TypeVar("Number", int, float)

INDEX_FILE = "index.json"
INDEX_VERSION = 1
METADATA_MEMBER = "json"  # <key>.json: what WebDataset hands out as a sample's record
MEMBER_NAME = re.compile(KEY_PATTERN.pattern + r"(\.[A-Za-z0-9_\-]+)+")
SHARD_NAME = re.compile(r"(?P<source>.+)-\d{6}\.tar")


@dataclass(frozen=True, kw_only=True)
class ShardEntry:
    """One tar file."""

    file: str
    bytes: int
    sha256: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ShardTotals:
    """Figures of all shards together, as a dataset card shows them."""

    shards: int
    samples: int
    bytes: int
    frames: int
    seconds: float  # of video, one world
    visible_effects: int  # samples whose effect is seen
    null_effects: int  # samples in which nothing moves differently
    sizes: dict[str, int]  # samples by "<width>x<height>@<fps>"
    sequences: dict[str, int]  # samples by sequence
    removed: dict[str, int]  # things removed, by category
    mask_share: dict[str, float]  # mean over samples, by label


@dataclass(frozen=True, kw_only=True)
class ShardIndex:
    """What `index.json` holds."""

    format_version: int
    source: str
    samples_per_shard: int
    shards: tuple[ShardEntry, ...]
    totals: ShardTotals


@dataclass(frozen=True, kw_only=True)
class ShardPart:
    """One shard and the figures of its samples, which add up to `ShardTotals`."""

    entry: ShardEntry
    frames: int
    seconds: float
    visible_effects: int
    null_effects: int
    sizes: dict[str, int]
    sequences: dict[str, int]
    removed: dict[str, int]
    mask_share: dict[str, float]  # sum over samples, by label


@dataclass(frozen=True, kw_only=True)
class PackedSample:
    """A sample as it lies in a shard: contents by sample file name."""

    key: str
    files: Mapping[str, bytes]


def write_shards(samples: Sequence[Path], out: Path, source: str, samples_per_shard: int) -> ShardIndex:
    """Pack sample folders, in the order of their keys, into `out/<source>-<000000>.tar` and write the index.

    Each shard is whole or absent; one that would not change is not written again, one that is no longer wanted is
    removed. Raises `DataError` for keys that occur twice and for a sample whose files are not those in its metadata.
    """
    if samples_per_shard < 1:
        raise DataError(f"{out}: expected at least 1 sample per shard, found {samples_per_shard}")
    paths = sorted(samples, key=lambda path: read_sample(path).metadata.key)
    chunks = [paths[start : start + samples_per_shard] for start in range(0, len(paths), samples_per_shard)]
    parts = [write_shard(chunk, out / shard_name(source, number)) for number, chunk in enumerate(chunks)]
    return finish_shards(parts, out, source, samples_per_shard)


def write_shard(samples: Sequence[Path], path: Path) -> ShardPart:
    """Pack sample folders into the shard `path`; it is left as it is if nothing would change."""
    infos = sorted((read_sample(sample) for sample in samples), key=lambda info: info.metadata.key)
    return _part(_write_shard(infos, path), [info.metadata for info in infos])


def finish_shards(parts: Sequence[ShardPart], out: Path, source: str, samples_per_shard: int) -> ShardIndex:
    """Write the index of shards that are there, and remove those of this source that it does not name."""
    counts = Counter(key for part in parts for key in part.entry.keys)
    if twice := [key for key, count in counts.items() if count > 1]:
        raise DataError(f"{out}: the keys {twice} occur more than once; each sample of a set needs its own")
    index = ShardIndex(
        format_version=INDEX_VERSION,
        source=source,
        samples_per_shard=samples_per_shard,
        shards=tuple(part.entry for part in parts),
        totals=_totals(parts),
    )
    write_json(out / INDEX_FILE, index)
    _remove_stale(out, source, {part.entry.file for part in parts})
    return index


def shard_name(source: str, number: int) -> str:
    """File name of a shard."""
    return f"{source}-{number:06d}.tar"


def read_index(folder: Path) -> ShardIndex:
    """The index of a folder of shards."""
    return read_record(ShardIndex, folder / INDEX_FILE)


def read_shard(path: Path) -> Iterator[PackedSample]:
    """Samples of a shard in their order; raises `DataError` for a file that is no shard or is cut short."""
    try:
        with tarfile.open(path, "r:") as archive:
            key, files = "", dict[str, bytes]()
            for member in archive:
                next_key, name = split_member(member, path)
                if files and next_key != key:
                    yield PackedSample(key=key, files=files)
                    files = {}
                key = next_key
                files[name] = _contents(archive, member, path)
            _check_end(archive, path)
            if files:
                yield PackedSample(key=key, files=files)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected a shard") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path}: not a readable tar ({error}); it may be truncated: pack the run again") from None


def _check_end(archive: tarfile.TarFile, path: Path) -> None:
    """Raise `DataError` unless a tar that was read to its end has one: tarfile takes a cut between members for it."""
    size, needed = path.stat().st_size, archive.offset + 2 * tarfile.BLOCKSIZE
    if size < needed or size % tarfile.RECORDSIZE:
        raise DataError(f"{path}: has no end ({size} bytes); it is truncated: pack the run again")


def unpack_shard(path: Path, folder: Path) -> list[Path]:
    """Write the samples of a shard as sample folders `folder/<key>`, and return those."""
    return [unpack_sample(sample, folder / sample.key) for sample in read_shard(path)]


def unpack_sample(sample: PackedSample, root: Path) -> Path:
    """Write one sample of a shard as a sample folder."""
    with atomic_folder(root) as partial:
        for name, contents in sample.files.items():
            (partial / name).write_bytes(contents)
    return root


def split_member(member: tarfile.TarInfo, path: Path) -> tuple[str, str]:
    """Key and sample file name of a member `<key>.<extension>`."""
    key, _, extension = member.name.partition(".")
    if not (member.isfile() and MEMBER_NAME.fullmatch(member.name)):
        raise DataError(f"{path}: member '{member.name}': expected a plain file named <key>.<extension>")
    return key, METADATA if extension == METADATA_MEMBER else extension


def member_name(key: str, file: str) -> str:
    """Name in a shard of a sample's file."""
    return f"{key}.{METADATA_MEMBER if file == METADATA else file}"


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    stream = archive.extractfile(member)
    contents = stream.read() if stream else b""
    if len(contents) != member.size:
        raise DataError(f"{path}: member '{member.name}' is cut short ({len(contents)} of {member.size} bytes)")
    return contents


def _write_shard(infos: Sequence[SampleInfo], path: Path) -> ShardEntry:
    """Write one shard beside its place, and move it there if that changes anything."""
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(partial, "w:", format=tarfile.GNU_FORMAT) as archive:
            for info in infos:
                _add_sample(archive, info)
        digest = sha256_file(partial)
        if not (path.is_file() and sha256_file(path) == digest):
            partial.replace(path)
    except OSError as error:
        raise reraise_storage_error(error, path) from error
    finally:
        remove_tree(partial)
    keys = tuple(info.metadata.key for info in infos)
    return ShardEntry(file=path.name, bytes=path.stat().st_size, sha256=digest, keys=keys)


def _add_sample(archive: tarfile.TarFile, info: SampleInfo) -> None:
    """Add a sample's files, sorted by member name."""
    key, listed = info.metadata.key, info.metadata.files
    for name in sorted((METADATA, *listed), key=lambda name: member_name(key, name)):
        path = info.path(name)
        if not path.is_file():
            raise DataError(f"{path}: no such file, but the sample's metadata lists it; compose the sample again")
        if name in listed and sha256_file(path) != listed[name]:
            raise DataError(f"{path}: its sha256 is not the one in the sample's metadata; compose the sample again")
        contents = path.read_bytes()
        member = tarfile.TarInfo(member_name(key, name))
        member.size, member.mode = len(contents), 0o644
        archive.addfile(member, io.BytesIO(contents))


def _remove_stale(folder: Path, source: str, wanted: set[str]) -> None:
    """Remove this source's shards that the index no longer names."""
    for path in folder.glob(f"{source}-*.tar"):
        match = SHARD_NAME.fullmatch(path.name)
        if match and match["source"] == source and path.name not in wanted:
            path.unlink()


def _part(entry: ShardEntry, samples: Sequence[SampleMetadata]) -> ShardPart:
    labels = sorted({label for sample in samples for label in sample.mask.share})
    return ShardPart(
        entry=entry,
        frames=sum(sample.num_frames for sample in samples),
        seconds=sum(sample.num_frames / sample.fps for sample in samples),
        visible_effects=sum(sample.effect.visible for sample in samples),
        null_effects=sum("null_effect" in sample.labels for sample in samples),
        sizes=Counter(f"{sample.width}x{sample.height}@{sample.fps:g}" for sample in samples),
        sequences=Counter(sample.sequence for sample in samples),
        removed=Counter(thing.category for sample in samples for thing in sample.removed),
        mask_share={label: sum(sample.mask.share[label] for sample in samples) for label in labels},
    )


def _totals(parts: Sequence[ShardPart]) -> ShardTotals:
    samples = sum(len(part.entry.keys) for part in parts)
    shares = _added(part.mask_share for part in parts)
    return ShardTotals(
        shards=len(parts),
        samples=samples,
        bytes=sum(part.entry.bytes for part in parts),
        frames=sum(part.frames for part in parts),
        seconds=round(sum(part.seconds for part in parts), 3),
        visible_effects=sum(part.visible_effects for part in parts),
        null_effects=sum(part.null_effects for part in parts),
        sizes=_added(part.sizes for part in parts),
        sequences=_added(part.sequences for part in parts),
        removed=_added(part.removed for part in parts),
        mask_share={label: round(share / samples, 6) for label, share in shares.items()},
    )


def _added(tables: Iterable[Mapping[str, Number]]) -> dict[str, Number]:
    """Tables of figures added up by name, sorted by name."""
    total: dict[str, Number] = {}
    for table in tables:
        for name, figure in table.items():
            total[name] = total[name] + figure if name in total else figure
    return dict(sorted(total.items()))
