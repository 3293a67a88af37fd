"""Shards to read from, on disk or at an address, any sample at any time."""

from __future__ import annotations

import hashlib
import tarfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from datagen.codec import parse_record
from datagen.errors import DataError
from datagen.shards import INDEX_FILE, ShardEntry, ShardIndex, split_member
from datagen.storage import Remote, scratch_folder, url_of

SHARD_FOLDER = "shards"


class TornShard(DataError):
    """A shard, or a sample in it, that is not what was packed."""


@dataclass(frozen=True, kw_only=True)
class ShardPlace:
    """A shard and where it lies: below `root`, or at `url`."""

    entry: ShardEntry
    root: Path
    url: str = ""

    @property
    def address(self) -> str:
        """What a user calls it."""
        return f"{self.url or self.root}/{self.entry.file}"


@dataclass(frozen=True, kw_only=True)
class OpenShard:
    """A shard on disk and where in it each file of each sample lies (offset, size)."""

    path: Path
    address: str
    members: Mapping[str, Mapping[str, tuple[int, int]]]

    def names(self, key: str) -> set[str]:
        """Files of a sample."""
        return set(self._sample(key))

    def read(self, key: str, name: str) -> bytes:
        """One file of a sample; raises `TornShard` where there is none."""
        files = self._sample(key)
        if name not in files:
            raise TornShard(f"{self.address}: sample '{key}' lacks {name}; pack the run again")
        offset, size = files[name]
        with self.path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)

    def _sample(self, key: str) -> Mapping[str, tuple[int, int]]:
        if key not in self.members:
            raise TornShard(f"{self.address}: lacks the sample '{key}', which {INDEX_FILE} lists; pack the run again")
        return self.members[key]


def find_shards(data: str | Path | Sequence[str | Path]) -> tuple[ShardPlace, ...]:
    """All shards of run folders or folders with an index, in their order; each may be an address.

    Raises `DataError` where there are none, and for a key that occurs twice.
    """
    roots = [data] if isinstance(data, str | Path) else list(data)
    places = [place for root in roots for place in _shards_of(Path(root))]
    first: dict[str, str] = {}
    for place in places:
        for key in place.entry.keys:
            if key in first:
                raise DataError(f"the key '{key}' occurs twice: in {first[key]} and {place.address}; leave one out")
            first[key] = place.address
    if not first:
        raise DataError(
            f"{', '.join(map(str, roots)) or 'no folder'}: no samples in its shards; make some with `datagen pack RUN`"
        )
    return tuple(places)


def fingerprint(places: Sequence[ShardPlace]) -> str:
    """Digest of what is in the shards, wherever they lie."""
    return hashlib.sha256(" ".join(place.entry.sha256 for place in places).encode()).hexdigest()


def _shards_of(root: Path) -> list[ShardPlace]:
    url = url_of(root)
    for folder in (SHARD_FOLDER, ""):
        contents = Remote(url=url).read(f"{folder}/{INDEX_FILE}".lstrip("/")) if url else _contents(root / folder)
        if contents is not None:
            where = f"{url}/{folder}".rstrip("/") if url else ""
            index = parse_record(ShardIndex, contents, f"{where or root / folder}/{INDEX_FILE}")
            return [ShardPlace(entry=entry, root=root / folder, url=where) for entry in index.shards]
    raise DataError(
        f"{url or root}: no {INDEX_FILE} in it or in its {SHARD_FOLDER}/; expected a run folder or its shards, packed "
        "with `datagen pack RUN`"
    )


def _contents(folder: Path) -> bytes | None:
    path = folder / INDEX_FILE
    return path.read_bytes() if path.is_file() else None


class ShardSet:
    """Open shards, the last few that were asked for; those at addresses are copied to `scratch` meanwhile."""

    def __init__(self, places: Sequence[ShardPlace], scratch: Path, at_once: int) -> None:
        self._places = places
        self._scratch = scratch
        self._at_once = at_once
        self._open: OrderedDict[int, OpenShard] = OrderedDict()

    def shard(self, number: int) -> OpenShard:
        """A shard; raises `TornShard` for one that is missing, cut short or no tar."""
        if number not in self._open:
            if len(self._open) >= self._at_once:
                gone, shard = self._open.popitem(last=False)
                if self._places[gone].url:
                    shard.path.unlink(missing_ok=True)
            self._open[number] = self._opened(self._places[number])
        self._open.move_to_end(number)
        return self._open[number]

    def _opened(self, place: ShardPlace) -> OpenShard:
        path = place.root / place.entry.file
        if place.url:
            path = self._scratch / hashlib.sha256(place.address.encode()).hexdigest()
            if not Remote(url=place.url).get(place.entry.file, path):
                raise TornShard(f"{place.address}: no such shard, but {INDEX_FILE} lists it; pack the run again")
        return open_shard(path, place.address, place.entry.bytes)


def open_shard(path: Path, address: str, size: int) -> OpenShard:
    """Where everything lies in a tar of `size` bytes: its headers are read and nothing else."""
    if not path.is_file():
        raise TornShard(f"{address}: no such shard, but {INDEX_FILE} lists it; pack the run again")
    if (found := path.stat().st_size) != size:
        raise TornShard(f"{address}: torn: expected {size} bytes as in {INDEX_FILE}, found {found}; pack the run again")
    members: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                key, name = split_member(member, Path(address))
                members.setdefault(key, {})[name] = (member.offset_data, member.size)
    except (tarfile.TarError, DataError, EOFError, OSError) as error:
        raise TornShard(f"{address}: torn: not a readable tar ({error}); pack the run again") from None
    return OpenShard(path=path, address=address, members=members)


@contextmanager
def opened(places: Sequence[ShardPlace], at_once: int) -> Iterator[ShardSet]:
    """Shards to read from until the block ends; copies of remote ones are then gone."""
    if not any(place.url for place in places):
        yield ShardSet(places, Path(), at_once)
        return
    scratch_folder().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch_folder(), prefix="shards-") as scratch:
        yield ShardSet(places, Path(scratch), at_once)
