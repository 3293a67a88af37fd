"""One GPU, one process: `python -m inference.worker JOB.json OUT` makes the videos of a RunJob; OUT holds its log."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from datagen.codec import read_record
from datagen.entry import serve
from inference.quiet import quiet_libraries


def main(job: Path, out: Path) -> None:
    """Videos go to the job's own folder, each as soon as it is made."""
    quiet_libraries()
    from inference.run import RunJob, run_clips
    from inference.watch import watching

    with watching(Console()) as watcher:
        run_clips(read_record(RunJob, job), watcher)


if __name__ == "__main__":
    serve(main)
