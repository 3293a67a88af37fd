"""Who reads which samples, in which order: equal shards, seed, epoch, ranks and workers give equal orders.

The samples of an epoch are one sequence: shards in a drawn order, each with its keys. Ranks take contiguous parts of
it, the workers of a rank contiguous parts of that; parts differ in length by one at most. So every sample has one
reader, a reader opens few shards, and there may be more readers than shards. Each reader then mixes its own part, a
few shards at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from datagen.seeding import generator_for

Thing = TypeVar("Thing")


@dataclass(frozen=True, kw_only=True)
class SampleRef:
    """A sample in a list of shards."""

    shard: int
    key: str


@dataclass(frozen=True, kw_only=True)
class Shuffle:
    """How an epoch is drawn."""

    enabled: bool
    seed: int
    shards_at_once: int  # mixed with each other


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where a worker goes on: in the part of worker `slot`, after `position` samples."""

    slot: int
    position: int


def rank_part(
    shards: Sequence[Sequence[str]], shuffle: Shuffle, epoch: int, rank: int, world_size: int, *, drop_uneven: bool
) -> list[SampleRef]:
    """Samples of one rank, not mixed yet; `shards` lists the keys of each.

    drop_uneven: leave out what is left when the samples are dealt to the ranks, other samples each epoch.
    """
    numbers = list(range(len(shards)))
    if shuffle.enabled:
        numbers = generator_for("shards", shuffle.seed, epoch).permutation(len(shards)).tolist()
    refs = [SampleRef(shard=number, key=key) for number in numbers for key in shards[number]]
    if drop_uneven:
        refs = refs[: len(refs) // world_size * world_size]
    return part_of(refs, rank, world_size)


def worker_part(
    refs: Sequence[SampleRef], shuffle: Shuffle, epoch: int, rank: int, worker: int, workers: int
) -> list[SampleRef]:
    """Samples of one worker of a rank in the order in which it reads them."""
    own = part_of(refs, worker, workers)
    if not shuffle.enabled:
        return own
    draw = generator_for("samples", shuffle.seed, epoch, rank, worker, workers)
    by_shard = [list(group) for _, group in groupby(own, key=lambda ref: ref.shard)]
    mixed: list[SampleRef] = []
    for start in range(0, len(by_shard), shuffle.shards_at_once):
        window = [ref for group in by_shard[start : start + shuffle.shards_at_once] for ref in group]
        mixed += [window[index] for index in draw.permutation(len(window))]
    return mixed


def part_of(things: Sequence[Thing], part: int, parts: int) -> list[Thing]:
    """One of `parts` contiguous parts; the first ones are longer by one where they do not come out even."""
    share, longer = divmod(len(things), parts)
    start = part * share + min(part, longer)
    return list(things[start : start + share + (part < longer)])


def cursors_after(num_batches: int, batch_size: int, sizes: Sequence[int], *, drop_last: bool) -> list[Cursor]:
    """Where each worker goes on after a DataLoader has handed out `num_batches`; sizes: samples of each worker.

    A DataLoader takes a batch of every worker in turn and leaves out those that have none. The cursors come in the
    order of the turns that are left, so that a new DataLoader, which begins with its worker 0, hands out the same.
    """
    positions = [0] * len(sizes)
    turns = deque(range(len(sizes)))
    ended: list[int] = []
    handed_out = 0
    while handed_out < num_batches and turns:
        worker = turns.popleft()
        batch = min(batch_size, sizes[worker] - positions[worker])
        if batch == 0 or (drop_last and batch < batch_size):
            positions[worker] = sizes[worker]
            ended.append(worker)
            continue
        positions[worker] += batch
        handed_out += 1
        turns.append(worker)
    return [Cursor(slot=worker, position=positions[worker]) for worker in (*turns, *ended)]
