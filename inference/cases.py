"""Clips of an eval set, decoded for metrics: one at a time, because one of 60 frames at 672x384 is half a gigabyte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from datagen.codec import read_npz, read_record
from datagen.errors import DataError
from datagen.evalset import HIDDEN, INPUT_VIDEO, QUADMASK, TRUTH, EvalEntry, EvalItem
from datagen.mask_layers import read_layers
from datagen.metadata import SampleMetadata
from datagen.sample import LAYERS, METADATA, PHYSICS
from datagen.spec import World
from datagen.video import decode_mask, decode_rgb
from inference.metrics.api import Case

SEGMENTATION = "segmentation.npz"
ROW_PERTURBED = 0  # this perturbed outcome is a row of the table, so it does not count as variance


def load_case(item: EvalItem) -> Case:
    """Everything that a prediction for this clip is held against.

    Raises `DataError` for a file that is missing, unreadable, or of another length or size than the manifest says.
    """
    entry, truth = item.entry, item.truth
    ids = read_npz(truth / SEGMENTATION)
    case = Case(
        entry=entry,
        metadata=read_record(SampleMetadata, truth / METADATA),
        input=decode_rgb(item.inputs / INPUT_VIDEO),
        truth=decode_rgb(truth / TRUTH),
        hidden=decode_rgb(truth / HIDDEN),
        perturbed=tuple(decode_rgb(path) for number, path in enumerate(item.perturbed()) if number != ROW_PERTURBED),
        quadmask=decode_mask(item.inputs / QUADMASK),
        layers=read_layers(truth / LAYERS),
        ids_factual=_world_of(ids, World.FACTUAL, truth),
        ids_counterfactual=_world_of(ids, World.COUNTERFACTUAL, truth),
        physics=read_npz(truth / PHYSICS),
    )
    _check(case, entry, item.root)
    return case


def _world_of(ids: dict[str, np.ndarray], world: World, folder: Path) -> np.ndarray:
    if world.value not in ids:
        raise DataError(f"{folder / SEGMENTATION}: lacks the array '{world.value}'; make the eval set again")
    return ids[world.value]


def _check(case: Case, entry: EvalEntry, root: Path) -> None:
    """Raise `DataError` where an array is not what the manifest says."""
    expected = (entry.num_frames, entry.height, entry.width)
    arrays: dict[str, Any] = {
        INPUT_VIDEO: case.input,
        TRUTH: case.truth,
        HIDDEN: case.hidden,
        QUADMASK: case.quadmask,
        LAYERS: case.layers.removed,
        f"{SEGMENTATION}, factual": case.ids_factual,
        f"{SEGMENTATION}, counterfactual": case.ids_counterfactual,
    }
    arrays |= {f"perturbed_{number}": video for number, video in enumerate(case.perturbed, ROW_PERTURBED + 1)}
    for name, array in arrays.items():
        if array.shape[:3] != expected:
            raise DataError(
                f"{root}: clip {entry.key}: {name} is {list(array.shape[:3])}, the manifest says {list(expected)} "
                "[num_frames, height, width]; make the eval set again"
            )
