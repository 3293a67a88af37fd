"""Finished shards as a torch dataset: streaming, split over ranks and workers, resumable in mid-epoch.

    from datagen.loader import PairDataset, collate_pairs

    dataset = PairDataset("runs/humoto-preview", seed=0)      # or "s3://bucket/run", or a list of both
    for epoch in range(10):
        dataset.set_epoch(epoch)
        for batch in DataLoader(dataset, batch_size=2, num_workers=2, collate_fn=collate_pairs):
            ...

The only module of datagen that imports torch; what it does without torch is in `datagen.loading`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datagen.errors import ConfigError, DataError, did_you_mean
from datagen.loading.decode import MaskWish, read_pair
from datagen.loading.order import Cursor, SampleRef, Shuffle, cursors_after, part_of, rank_part, worker_part
from datagen.loading.shard_set import ShardSet, TornShard, find_shards, fingerprint, opened
from datagen.quadmask import parse_form, parse_policy

try:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError as error:
    raise ConfigError(
        f"datagen.loader needs torch ({error}): pip install 'voidgen[train]'; shards can be read without it, by "
        "datagen.shards.read_shard, webdataset or Hugging Face datasets (docs/TRAINING.md)"
    ) from None

STATE_VERSION = 1
ON_TORN = ("raise", "skip")
VIDEOS = ("rgb_full", "rgb_removed", "quadmask")
EPOCH, WORKERS_READ = 0, 1  # places in the memory that workers share


class PairDataset(IterableDataset):
    """Pairs of videos from shards. Yields dicts:

    key             str
    rgb_full        torch.uint8 [num_frames, height, width, 3], sRGB: with the removed objects
    rgb_removed     likewise: the counterfactual
    quadmask        torch.uint8 [num_frames, height, width], values of `datagen.quadmask.Label`
    caption         str, the counterfactual in words
    metadata        dict, the sample's metadata.json

    data            a run folder, a folder of shards, an address (s3://bucket/run), or a list of these
    policy, form    of the mask ("void", "effects"; "quad", "binary", "trimask", "grid"); "": as it was packed
    shuffle         by `seed` and epoch; `shuffle_shards` shards are mixed with each other at a time
    rank, world_size    of this process; None: those of torch.distributed, else $RANK and $WORLD_SIZE, else 0 and 1
    drop_uneven     give all ranks equally many samples, and leave out those that are left over
    on_torn         "raise", or "skip" to leave out damaged shards and samples with a warning that names them
    transform       called with each dict; what it returns is yielded

    Over an epoch every sample is yielded once, whatever the number of ranks and workers, of which there may be more
    than shards. Equal arguments, epoch, ranks and workers give equal orders.

    Raises `DataError` or `ConfigError`, in one line, for data or settings that it cannot use.
    """

    def __init__(
        self,
        data: str | Path | Sequence[str | Path],
        *,
        policy: str = "",
        form: str = "",
        shuffle: bool = True,
        seed: int = 0,
        shuffle_shards: int = 4,
        rank: int | None = None,
        world_size: int | None = None,
        drop_uneven: bool = False,
        on_torn: str = "raise",
        transform: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        if on_torn not in ON_TORN:
            raise ConfigError(f"on_torn: no '{on_torn}'{did_you_mean(on_torn, ON_TORN)}")
        if shuffle_shards < 1:
            raise ConfigError(f"shuffle_shards: expected at least 1, found {shuffle_shards}")
        self.rank, self.world_size = _place_of(rank, world_size)
        self._wish = MaskWish(policy=parse_policy(policy) if policy else None, form=parse_form(form) if form else None)
        self._shuffle = Shuffle(enabled=shuffle, seed=seed, shards_at_once=shuffle_shards)
        self._drop_uneven = drop_uneven
        self._skip_torn = on_torn == "skip"
        self._transform = transform
        self._shards = find_shards(data)
        self._fingerprint = fingerprint(self._shards)
        self._shared = torch.zeros(2, dtype=torch.int64).share_memory_()
        self._cursors: list[Cursor] = []  # where workers go on; empty: at the beginning
        self._position = 0

    @property
    def epoch(self) -> int:
        """Which order the next pass has."""
        return int(self._shared[EPOCH])

    @property
    def num_samples(self) -> int:
        """Samples that this rank yields in an epoch, of all its workers together."""
        return len(self._rank_part())

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass; workers that are kept (persistent_workers) hear of it too."""
        if epoch != self.epoch:
            self._cursors, self._position = [], 0
        self._shared[EPOCH] = epoch

    def __iter__(self) -> Iterator[Any]:
        worker, workers = _worker()
        if workers:
            self._shared[WORKERS_READ] = 1
        cursor = self._take_cursor(worker, max(workers, 1))
        refs = self._worker_part(cursor.slot, max(workers, 1))
        self._position = cursor.position
        with opened(self._shards, self._shuffle.shards_at_once + 1) as shards:
            for ref in refs[cursor.position :]:
                pair = self._read(shards, ref)
                self._position += 1
                if pair is not None:
                    yield pair if self._transform is None else self._transform(pair)

    def state_dict(self) -> dict[str, Any]:
        """Where this process is, for `load_state_dict` of an equal dataset.

        Exact in the process that reads: without workers, and inside of torchdata's StatefulDataLoader, which asks its
        workers. For a plain DataLoader with workers use `state_after`; `ConfigError` says so.
        """
        worker, workers = _worker()
        if not workers and self._shared[WORKERS_READ]:
            raise ConfigError(
                "state_dict: the DataLoader's workers read ahead, and this process does not know where they are; use "
                "dataset.state_after(num_batches, batch_size=..., num_workers=...) or torchdata's StatefulDataLoader"
            )
        cursors = [Cursor(slot=slot, position=0) for slot in range(max(workers, 1))]
        cursors[worker] = Cursor(slot=worker, position=self._position)
        return self._state(cursors)

    def state_after(
        self, num_batches: int, *, batch_size: int, num_workers: int, drop_last: bool = False
    ) -> dict[str, Any]:
        """Where a plain DataLoader is after so many batches of this epoch, counted from the epoch's beginning."""
        if self._skip_torn:
            raise ConfigError(
                "state_after: with on_torn='skip' batches do not tell what was read; use no workers and state_dict, or "
                "torchdata's StatefulDataLoader"
            )
        sizes = [len(part_of(self._rank_part(), worker, max(num_workers, 1))) for worker in range(max(num_workers, 1))]
        return self._state(cursors_after(num_batches, batch_size, sizes, drop_last=drop_last))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state says; before the DataLoader is iterated. Raises `ConfigError` for one of other data."""
        for name, here in self._identity().items():
            if state.get(name) != here:
                raise ConfigError(
                    f"load_state_dict: '{name}' was {state.get(name)!r} when the state was saved and is {here!r} here; "
                    "go on with equal data, settings and ranks, or start the epoch again"
                )
        self._shared[EPOCH] = state["epoch"]
        self._cursors = [Cursor(slot=slot, position=position) for slot, position in state["cursors"]]
        self._position = self._cursors[0].position

    def _identity(self) -> dict[str, Any]:
        """What a state belongs to."""
        return {
            "version": STATE_VERSION,
            "data": self._fingerprint,
            "shuffle": self._shuffle.enabled,
            "seed": self._shuffle.seed,
            "shuffle_shards": self._shuffle.shards_at_once,
            "drop_uneven": self._drop_uneven,
            "rank": self.rank,
            "world_size": self.world_size,
        }

    def _state(self, cursors: Sequence[Cursor]) -> dict[str, Any]:
        return self._identity() | {"epoch": self.epoch, "cursors": [[one.slot, one.position] for one in cursors]}

    def _take_cursor(self, worker: int, workers: int) -> Cursor:
        """Where to begin; only once, so that the next pass begins at the beginning."""
        cursors, self._cursors = self._cursors, []
        if cursors and len(cursors) != workers:
            raise ConfigError(
                f"load_state_dict: the state was saved with {len(cursors)} readers (workers, or this process without "
                f"any), and there are {workers} now; go on with as many"
            )
        return cursors[worker] if cursors else Cursor(slot=worker, position=0)

    def _rank_part(self) -> list[SampleRef]:
        keys = [place.entry.keys for place in self._shards]
        return rank_part(keys, self._shuffle, self.epoch, self.rank, self.world_size, drop_uneven=self._drop_uneven)

    def _worker_part(self, slot: int, workers: int) -> list[SampleRef]:
        return worker_part(self._rank_part(), self._shuffle, self.epoch, self.rank, slot, workers)

    def _read(self, shards: ShardSet, ref: SampleRef) -> dict[str, Any] | None:
        """A sample as tensors; None for a damaged one that is to be skipped."""
        try:
            pair = read_pair(shards.shard(ref.shard), ref.key, self._wish)
        except TornShard as error:
            if not self._skip_torn:
                raise
            warnings.warn(f"skipped: {error}", RuntimeWarning, stacklevel=2)
            return None
        return {name: torch.from_numpy(value) if name in VIDEOS else value for name, value in pair.items()}


def collate_pairs(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch: tensors stacked to [batch, ...], everything else as lists."""
    batch: dict[str, Any] = {name: [pair[name] for pair in pairs] for name in pairs[0]}
    for name, values in batch.items():
        if isinstance(values[0], torch.Tensor):
            shapes = {tuple(value.shape) for value in values}
            if len(shapes) > 1:
                raise DataError(
                    f"batch: '{name}' has shapes {sorted(shapes)}; crop or resize clips to one shape with "
                    "PairDataset(transform=...), or take batch_size=1"
                )
            batch[name] = torch.stack(values)
    return batch


def _worker() -> tuple[int, int]:
    """Index of this DataLoader worker and how many there are; (0, 0) outside of one."""
    info = get_worker_info()
    return (info.id, info.num_workers) if info else (0, 0)


def _place_of(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Rank and number of ranks, as given or as torch.distributed or its environment says."""
    if (rank is None) != (world_size is None):
        raise ConfigError("rank and world_size: expected both or none of them")
    if rank is None or world_size is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        else:
            rank, world_size = _from_environment("RANK", 0), _from_environment("WORLD_SIZE", 1)
    if not 0 <= rank < world_size:
        raise ConfigError(f"rank: expected 0 to {world_size - 1} for a world_size of {world_size}, found {rank}")
    return rank, world_size


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if text and not text.isdecimal():
        raise ConfigError(f"${name}: expected a whole number, found '{text}'")
    return int(text or default)
