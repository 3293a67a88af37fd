"""Which samples of runs are held out: by what is in them, never by the sample.

A recording, a scanned object and an environment map are in "test" or "train" by a hash of their names
(`datagen.splits`). A sample whose inputs are all in one split belongs to it; one of both (of a run over all inputs)
belongs to none, because training on it would show what is held out.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from datagen.sample import SampleInfo
from datagen.spec import SceneSpec
from datagen.splits import map_name, recording_name, split_of

SPLITS = ("train", "test")
MADE_HERE = "geometry"  # folder of shapes that scenes draw for themselves: no data set's assets


def divide(samples: Iterable[SampleInfo]) -> tuple[dict[str, list[SampleInfo]], list[SampleInfo]]:
    """Samples by split, and those that belong to none; each in the order in which they came."""
    divided: dict[str, list[SampleInfo]] = {split: [] for split in SPLITS}
    neither = []
    for sample in samples:
        splits = {split_of(name) for name in inputs_of(sample.metadata.spec)}
        if len(splits) == 1:
            divided[splits.pop()].append(sample)
        else:
            neither.append(sample)
    return divided, neither


def inputs_of(spec: SceneSpec) -> set[str]:
    """Names of what a scene is made of that a split goes by."""
    names = {map_name(Path(spec.light.environment))} if spec.light.environment else set()
    if spec.source == "humoto":
        return names | {recording_name(spec.sequence)}
    folders = [Path(thing.geometry.file).parent for thing in spec.objects]
    return names | {folder.name for folder in folders if folder.parent.name != MADE_HERE}
