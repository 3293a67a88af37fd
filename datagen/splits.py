"""Which things are held out for evaluation: one in five, by a hash of the name alone.

A partial copy of a data set so splits like the whole, and a name stays where it is when others come or go. Splits are
by asset, by recording and by environment map, never by sample.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TypeVar

from datagen.errors import ConfigError, DataError, did_you_mean

TEST_SHARE = 0.2
SPLITS = ("train", "test", "all")
TAKE = re.compile(r"-\d+$")  # of a recording's name: its number
RESOLUTION = re.compile(r"_\d+k$")  # of an environment map's

Thing = TypeVar("Thing")


def split_of(name: str) -> str:
    """ "train" or "test" (one in five), by the name alone."""
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    return "test" if digest < TEST_SHARE * 2**32 else "train"


def is_in_split(name: str, split: str) -> bool:
    """Whether a name belongs to "train", "test" or "all"."""
    return split in ("all", split_of(name))


def check_split(split: str, where: str = "split") -> str:
    """`split` itself; raises `ConfigError` for one that there is not."""
    if split not in SPLITS:
        raise ConfigError(f"{where}: no split '{split}'{did_you_mean(split, SPLITS)} (train, test or all)")
    return split


def recording_name(sequence: str) -> str:
    """What a sequence is split by: its name without its number, so that takes of one act stay together."""
    return TAKE.sub("", sequence)


def map_name(path: PurePath) -> str:
    """What an environment map is split by: its file's name without the resolution: `hall_1k.exr` is `hall`."""
    return RESOLUTION.sub("", path.stem)


def in_split(
    things: Sequence[Thing], split: str, name: Callable[[Thing], str], *, where: str, kind: str, setting: str
) -> list[Thing]:
    """Those of a split, in their order.

    where, kind, setting: for the message of the `DataError` when there are none, e.g. "--data DIR", "sequences",
    "humoto.split".
    """
    chosen = [thing for thing in things if is_in_split(name(thing), check_split(split))]
    if not chosen:
        raise DataError(
            f"{where}: none of its {len(things)} {kind} is in the split '{split}' (a hash of the name decides: one in "
            f"five is 'test', the rest 'train'): name a folder with more of them, or take all with --set {setting}=all "
            "and keep them out of training"
        )
    return chosen
