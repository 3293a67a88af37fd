"""Compose one sample in a process of its own: `python -m datagen.compose_scene JOB.json OUT`."""

from __future__ import annotations

from pathlib import Path

from datagen.codec import read_record
from datagen.entry import serve
from datagen.jobs import ComposeJob
from datagen.sample import fill_sample
from datagen.spec import SceneSpec


def main(job_file: Path, out: Path) -> None:
    """Fill the folder `out` with a sample's files."""
    job = read_record(ComposeJob, job_file)
    spec = read_record(SceneSpec, Path(job.spec))
    fill_sample(spec, Path(job.physics), Path(job.render), out, job.provenance, job.policy)


if __name__ == "__main__":
    serve(main)
