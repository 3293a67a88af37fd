"""What a stage without Blender costs, in CPU-seconds, against another checkout, and whether both give the same bytes.

    .venv/bin/python benchmarks/stage_cost.py compose RUN [--against CHECKOUT] [--repeats 3]
    .venv/bin/python benchmarks/stage_cost.py simulate RUN [--against CHECKOUT] [--repeats 3]

RUN is a finished run; nothing in it is changed. Composing needs its renders (`--keep-renders`), simulating the folder
that it was planned from. Every scene goes through the stage anew, in turn by this checkout and by the other one, so
that both meet the same load, and its files are compared with the run's; of a certificate all but the seconds that it
took. Sequences and convex parts are cached. Only CPU time is told: user and system, imports and children included.
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
from typing import Any

from datagen.cache import extracted_sequence, hull_cache
from datagen.codec import sha256_file, write_json
from datagen.jobs import ComposeJob, SimulateJob
from datagen.runs import RunFolder
from datagen.sample import CERTIFICATE, read_sample

HERE = Path(__file__).resolve().parents[1]
MODULES = {"simulate": "datagen.simulate_scene", "compose": "datagen.compose_scene"}


def job_of(run: RunFolder, stage: str, key: str) -> ComposeJob | SimulateJob:
    """What the run's own stage was asked for."""
    if stage == "simulate":
        spec = run.spec(key)
        geometry = (spec.people or spec.objects)[0].geometry
        sequence = extracted_sequence(Path(geometry.file), geometry.sha256)
        return SimulateJob(spec=str(run.spec_path(key)), sequence=str(sequence), cache=str(hull_cache()))
    metadata = read_sample(run.folder("compose", key)).metadata
    return ComposeJob(
        spec=str(run.simulated_spec_path(key)),
        physics=str(run.folder("simulate", key)),
        render=str(run.folder("render", key)),
        provenance=metadata.provenance,
        policy=metadata.mask.policy,
    )


def cpu_seconds(checkout: Path, stage: str, job: Path, out: Path) -> float:
    """Of one process that runs a checkout's code."""
    command = [sys.executable, "-m", MODULES[stage], str(job), str(out)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    process = subprocess.Popen(
        command,
        cwd=checkout,
        env={**os.environ, **threads, "PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{checkout}: {' '.join(command)} ended with exit code {process.returncode}")
    return used.ru_utime + used.ru_stime


def contents(path: Path) -> Any:
    """What has to be the same in a file."""
    if not path.is_file():
        return None
    if path.name == CERTIFICATE:
        return {**json.loads(path.read_text()), "seconds": None}
    return sha256_file(path)


def changed_files(made: Path, theirs: Path) -> list[str]:
    """Names of files that are not alike, or in one of the two folders alone; a run's log is no result."""
    names = {path.name for folder in (made, theirs) for path in folder.iterdir() if path.suffix != ".log"}
    return sorted(name for name in names if contents(made / name) != contents(theirs / name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=MODULES)
    parser.add_argument("run", type=Path)
    parser.add_argument("--against", type=Path, help="another checkout, e.g. a git worktree of an older commit")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    run = RunFolder(root=options.run.resolve())
    keys = run.keys()
    finished = [key for key in keys if run.has(options.stage, key)]
    checkouts = [HERE, *([options.against.resolve()] if options.against else [])]
    costs: dict[Path, list[float]] = {checkout: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory() as scratch:
        for key in finished:
            job = Path(scratch) / "job.json"
            write_json(job, job_of(run, options.stage, key))
            for repeat in range(options.repeats):
                for number, checkout in enumerate(checkouts):
                    out = Path(scratch) / f"{key}-{repeat}-{number}"
                    costs[checkout].append(cpu_seconds(checkout, options.stage, job, out))
                    changed = changed_files(out, run.folder(options.stage, key))
                    print(f"{key} by {checkout}: {costs[checkout][-1]:.2f} CPU-s, changed: {changed or 'nothing'}")
    medians = [statistics.median(found) for found in costs.values()]
    figures = {"cpu_s": round(medians[0], 2)}
    if options.against:
        ratios = [theirs / ours for ours, theirs in zip(*costs.values(), strict=True)]
        figures |= {"against_cpu_s": round(medians[1], 2), "median_ratio": round(statistics.median(ratios), 2)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
