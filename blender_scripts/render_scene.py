"""Render a scene that physics has accepted.

`python -m blender_scripts.render_scene JOB.json OUT` fills OUT with the layers of `datagen.layers` and their manifest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blender_scripts.user_files import check_files
from datagen.codec import read_record
from datagen.entry import serve
from datagen.jobs import RenderJob
from datagen.spec import SceneSpec


@contextmanager
def started_on_cores(threads: int) -> Iterator[None]:
    """Let what is imported meanwhile see only so many cores.

    Blender starts a task scheduler with a worker for every core that it sees; beyond `threads` they find no work and
    spin, which doubled the CPU time of a render with one thread on two cores. Which cores differs by process, and
    workers may run on any afterwards: a thread keeps the cores that it was started on, so that sixteen processes
    would have theirs wait for one core.
    """
    if not hasattr(os, "sched_setaffinity"):  # macOS
        yield
        return
    cores = sorted(os.sched_getaffinity(0))
    first = os.getpid() * threads
    os.sched_setaffinity(0, {cores[(first + number) % len(cores)] for number in range(threads)})
    try:
        yield
    finally:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread.name), cores)


def main(job_path: Path, out: Path) -> None:
    """Serve one `RenderJob`."""
    job = read_record(RenderJob, job_path)
    with started_on_cores(job.threads):
        from blender_scripts.render_layers import render_job
    render_job(job, out)
    check_files(read_record(SceneSpec, Path(job.spec)))


if __name__ == "__main__":
    serve(main)
