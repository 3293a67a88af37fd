"""Compose one sample in a process of its own: `python -m datagen.compose_scene JOB.json OUT`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datagen.codec import read_record
from datagen.entry import serve
from datagen.sample import fill_sample
from datagen.spec import SceneSpec


@dataclass(frozen=True, kw_only=True)
class ComposeJob:
    """Which folders make a sample."""

    spec: str  # path of the SceneSpec's JSON
    physics: str  # folder of the scene's physics
    render: str  # folder of the scene's render
    provenance: dict[str, Any] = field(default_factory=dict)  # goes into the metadata as it is
    policy: str = "void"


def main(job_file: Path, out: Path) -> None:
    """Fill the folder `out` with a sample's files."""
    job = read_record(ComposeJob, job_file)
    spec = read_record(SceneSpec, Path(job.spec))
    fill_sample(spec, Path(job.physics), Path(job.render), out, job.provenance, job.policy)


if __name__ == "__main__":
    serve(main)
