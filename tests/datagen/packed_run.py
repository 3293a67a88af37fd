"""A run folder with samples of the synthetic scene, packed into small shards."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from datagen.codec import read_record, sha256_file, write_json
from datagen.config import resolve_config
from datagen.metadata import SampleMetadata
from datagen.runs import RunFolder, open_run
from datagen.sample import METADATA, PROMPT, compose_sample
from datagen.shards import write_shards
from tests.datagen import synthetic


def make_packed_run(
    root: Path, num_samples: int, samples_per_shard: int, *, num_frames: int = 2, sequences: int = 1
) -> RunFolder:
    """One sample is composed; the others are copies of it under other keys, with captions of their own."""
    root.mkdir(parents=True)
    config = resolve_config("preview", [f"pack.samples_per_shard={samples_per_shard}"])
    run = open_run(root, source="humoto", data=root, limit=None, config=config, versions={"voidgen": "0"})
    scene = synthetic.make_scene(root / "scratch", synthetic.make_spec("sample-000", num_frames=num_frames))
    first = compose_sample(scene.spec, scene.physics, scene.render, run.folder("compose", "sample-000"), {}).root
    shutil.rmtree(root / "scratch")
    for number in range(num_samples):
        _rename(first, run.folder("compose", f"sample-{number:03d}"), f"lift_a_box_{number % sequences}-001")
    write_shards(run.sample_paths(), run.shards, "humoto", samples_per_shard)
    return run


def _rename(first: Path, sample: Path, sequence: str) -> None:
    """A copy of a sample under another key and sequence."""
    if not sample.is_dir():
        shutil.copytree(first, sample)
    caption = f"A box of {sample.name} falls."
    write_json(sample / PROMPT, {"bg": caption})
    metadata = read_record(SampleMetadata, sample / METADATA)
    spec = dataclasses.replace(metadata.spec, key=sample.name, sequence=sequence, data_set="demo")
    files = {**metadata.files, PROMPT: sha256_file(sample / PROMPT)}
    renamed = dataclasses.replace(metadata, key=sample.name, sequence=sequence, spec=spec, caption=caption, files=files)
    write_json(sample / METADATA, renamed)
