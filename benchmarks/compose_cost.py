"""What composing costs: CPU-seconds of its process, against another checkout, and whether both give the same bytes.

    .venv/bin/python benchmarks/compose_cost.py RUN [--against CHECKOUT] [--repeats 3]

RUN is a finished run whose renders were kept (`--keep-renders`); nothing in it is changed. Every sample is composed
anew, in turn by this checkout and by the other one, so that both meet the same load, and its files are compared with
the run's. Only CPU time is told: user and system, imports included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from datagen.codec import sha256_file, write_json
from datagen.jobs import ComposeJob
from datagen.runs import RunFolder
from datagen.sample import SampleInfo, read_sample

HERE = Path(__file__).resolve().parents[1]


def job_of(run: RunFolder, sample: SampleInfo) -> ComposeJob:
    """What the run's own compose stage was asked for."""
    key = sample.metadata.key
    return ComposeJob(
        spec=str(run.simulated_spec_path(key)),
        physics=str(run.folder("simulate", key)),
        render=str(run.folder("render", key)),
        provenance=sample.metadata.provenance,
        policy=sample.metadata.mask.policy,
    )


def compose(checkout: Path, job: Path, out: Path) -> float:
    """CPU-seconds of one compose process that runs a checkout's code."""
    command = [sys.executable, "-m", "datagen.compose_scene", str(job), str(out)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    process = subprocess.Popen(command, cwd=checkout, env={**os.environ, **threads, "PYTHONPATH": str(checkout)})
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{checkout}: composing {job} ended with exit code {process.returncode}")
    return used.ru_utime + used.ru_stime


def changed_files(made: Path, sample: Path) -> list[str]:
    """Names of files that are not alike, or in one of the two folders alone."""
    names = {path.name for folder in (made, sample) for path in folder.iterdir()}
    return sorted(
        name
        for name in names
        if not all((folder / name).is_file() for folder in (made, sample))
        or sha256_file(made / name) != sha256_file(sample / name)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--against", type=Path, help="another checkout, e.g. a git worktree of an older commit")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    run = RunFolder(root=options.run.resolve())
    checkouts = [HERE, *([options.against.resolve()] if options.against else [])]
    costs: dict[Path, list[float]] = {checkout: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory() as scratch:
        for folder in run.sample_paths():
            job = Path(scratch) / "job.json"
            write_json(job, job_of(run, read_sample(folder)))
            for repeat in range(options.repeats):
                for number, checkout in enumerate(checkouts):
                    out = Path(scratch) / f"{folder.name}-{repeat}-{number}"
                    costs[checkout].append(compose(checkout, job, out))
                    changed = changed_files(out, folder)
                    print(
                        f"{folder.name} by {checkout}: {costs[checkout][-1]:.2f} CPU-s, changed: {changed or 'nothing'}"
                    )
    medians = [statistics.median(found) for found in costs.values()]
    figures = {"cpu_s": round(medians[0], 2)}
    if options.against:
        ratios = [theirs / ours for ours, theirs in zip(*costs.values(), strict=True)]
        figures |= {"against_cpu_s": round(medians[1], 2), "median_ratio": round(statistics.median(ratios), 2)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
