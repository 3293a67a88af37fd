"""A sample of a shard as arrays; its mask by any policy and form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.errors import DataError
from datagen.loading.shard_set import OpenShard, TornShard
from datagen.mask_layers import read_layers
from datagen.quadmask import Form, Policy, compose_mask, in_form
from datagen.sample import LAYERS, MASK, METADATA, RGB_FULL, RGB_REMOVED
from datagen.video import decode_mask, decode_rgb


class UnfitMask(DataError):
    """A mask that cannot be made from what was packed."""


@dataclass(frozen=True, kw_only=True)
class MaskWish:
    """The mask that is wanted; None: as it was packed."""

    policy: Policy | None = None
    form: Form | None = None


def read_pair(shard: OpenShard, key: str, wish: MaskWish) -> dict[str, Any]:
    """A decoded sample, see `datagen.loader.PairDataset`; arrays are NumPy's.

    Raises `TornShard` for files that are damaged, `DataError` for a mask that cannot be made from what was packed.
    """
    try:
        metadata = json.loads(shard.read(key, METADATA))
        packed = MaskWish(policy=Policy(metadata["mask"]["policy"]), form=Form(metadata["mask"]["form"]))
        source = _mask_source(shard, key, packed, wish)
        pair = {
            "key": key,
            "rgb_full": decode_rgb(_named(shard, key, RGB_FULL), shard.read(key, RGB_FULL)),
            "rgb_removed": decode_rgb(_named(shard, key, RGB_REMOVED), shard.read(key, RGB_REMOVED)),
            "quadmask": _mask(shard, key, source, packed, wish),
            "caption": str(metadata["caption"]),
            "metadata": metadata,
        }
    except UnfitMask:
        raise
    except (DataError, ValueError, KeyError, TypeError) as error:
        message = str(error) if isinstance(error, DataError) else f"{_named(shard, key, METADATA)}: {error!r}"
        raise TornShard(f"{message} (shard {shard.address}, sample '{key}')") from None
    for name in ("rgb_removed", "quadmask"):
        if pair[name].shape[:3] != pair["rgb_full"].shape[:3]:
            shapes = f"expected {pair['rgb_full'].shape[:3]}, found {pair[name].shape[:3]}"
            raise TornShard(f"{shard.address}: sample '{key}': {name}: {shapes}; compose and pack it again")
    return pair


def _mask_source(shard: OpenShard, key: str, packed: MaskWish, wish: MaskWish) -> str:
    """The file that the mask is made from."""
    same_policy = wish.policy in (None, packed.policy)
    if same_policy and (packed.form is Form.QUAD or wish.form in (None, packed.form)):
        return MASK
    if LAYERS in shard.names(key):
        return LAYERS
    wanted = f"policy '{wish.policy or packed.policy}' and form '{wish.form or packed.form}'"
    raise UnfitMask(
        f"{shard.address}: sample '{key}' has a mask of policy '{packed.policy}' and form '{packed.form}' and no "
        f"{LAYERS}, from which {wanted} would be made; take the mask as it is, or shards that hold the layers"
    )


def _mask(shard: OpenShard, key: str, source: str, packed: MaskWish, wish: MaskWish) -> np.ndarray:
    where, contents = _named(shard, key, source), shard.read(key, source)
    form = wish.form or packed.form or Form.QUAD
    if source == MASK:
        mask = decode_mask(where, contents=contents)
        return mask if form is packed.form else in_form(mask, form)
    return in_form(compose_mask(read_layers(where, contents), wish.policy or packed.policy or Policy.VOID), form)


def _named(shard: OpenShard, key: str, name: str) -> Path:
    """What messages call a file of a shard."""
    return Path(f"{shard.address}/{key}.{name}")
