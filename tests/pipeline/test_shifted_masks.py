"""A mask that lies a frame or two pixels off fails validation, although all else in the sample agrees with it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datagen.codec import read_record, sha256_file, write_json
from datagen.figures import effect_visibility, mask_statistics
from datagen.mask_layers import read_layers, write_layers
from datagen.metadata import SampleMetadata
from datagen.quadmask import MaskLayers, Policy, compose_mask
from datagen.runs import RunFolder
from datagen.sample import LAYERS, MASK, METADATA
from datagen.video import encode_mask
from tests.pipeline.conftest import datagen

pytestmark = [pytest.mark.blender, pytest.mark.slow]

Shift = Callable[[np.ndarray], np.ndarray]
SHIFTS: dict[str, Shift] = {
    "frame later": lambda layer: np.concatenate([layer[:1], layer[:-1]]),
    "frame earlier": lambda layer: np.concatenate([layer[1:], layer[-1:]]),
    "two pixels to the right": lambda layer: np.roll(layer, 2, axis=2),
    "two pixels up": lambda layer: np.roll(layer, -2, axis=1),
}


def plant(sample: Path, shift: Shift) -> None:
    """Shift the evidence of a finished sample; mask, statistics and hashes follow from it as they do in any sample."""
    metadata = read_record(SampleMetadata, sample / METADATA)
    layers = MaskLayers(**{name: shift(layer) for name, layer in read_layers(sample / LAYERS).arrays().items()})
    mask = compose_mask(layers, Policy(metadata.mask.policy))
    write_layers(sample / LAYERS, layers)
    encode_mask(sample / MASK, mask, metadata.fps)
    planted = dataclasses.replace(
        metadata,
        mask=mask_statistics(mask, Policy(metadata.mask.policy)),
        effect=effect_visibility(layers),
        files={name: sha256_file(sample / name) for name in metadata.files},
    )
    write_json(sample / METADATA, planted)


def problems_of(sample: Path) -> tuple[int, list[dict[str, str]]]:
    """What `datagen validate` says."""
    result = datagen("validate", sample, "--json")
    return result.returncode, json.loads(result.stdout)["problems"]


def test_an_unshifted_mask_passes(finished_run: Path, tmp_path: Path) -> None:
    """The planting itself breaks nothing."""
    for source in RunFolder(root=finished_run).sample_paths():
        sample = Path(shutil.copytree(source, tmp_path / source.name))
        plant(sample, lambda layer: layer)
        assert problems_of(sample) == (0, [])


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shifted_mask_fails_by_the_check_of_keep_alone(finished_run: Path, tmp_path: Path, name: str) -> None:
    for source in RunFolder(root=finished_run).sample_paths():
        sample = Path(shutil.copytree(source, tmp_path / source.name))
        plant(sample, SHIFTS[name])
        code, problems = problems_of(sample)
        assert code != 0 and problems
        assert all("as if it lay a little off" in one["problem"] for one in problems), problems
