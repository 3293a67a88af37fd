"""Pairs an hour from one GPU, by processes that share it; seconds a frame by engine, device and samples; time by stage.

    python benchmarks/gpu_render.py --data HUMOTO [--processes 1,2,4,8] [--samples 4,32] [--frames-of cycles:auto,...]
        [--pairs 2] [--set KEY=VALUE] [--out FILE.json]

Pairs: the product's own command, from plan to shard with masks, `--pairs` scenes for each process; the clock runs from
the first stage's start to the last one's end. Frames: full pictures of one scene, one after the other, in one process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from datagen.codec import write_json
from datagen.layers import read_manifest
from datagen.runs import RunFolder, read_rows

TARGETS = {32: 600, 4: 1300}  # pairs an hour on an H100, 60 frames at 672x384
RESULTS: dict[str, Any] = {}


def record(name: str, value: Any, out: Path | None) -> None:
    """Print a result, and keep what is known so far."""
    RESULTS[name] = value
    print(f"{name}: {json.dumps(value)}", flush=True)
    if out is not None:
        write_json(out, RESULTS)


def datagen(*words: str) -> None:
    """A command of the product; its output shows only if it fails."""
    done = subprocess.run([sys.executable, "-m", "datagen.cli", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"datagen {' '.join(words[:2])}: exit code {done.returncode}: {done.stderr[-600:]}")


def make_pairs(data: Path, root: Path, processes: int, count: int, settings: list[str]) -> dict[str, Any]:
    """Figures of one run."""
    words = ["run", "humoto", "--data", str(data), "--out", str(root), "--limit", str(count), "--ray", "off"]
    words += ["--workers", str(processes), "--keep-renders"]
    words += [part for one in ["humoto.split=all", "clips.per_sequence=8", *settings] for part in ("--set", one)]
    datagen(*words)
    return figures(RunFolder(root=root), processes)


def figures(run: RunFolder, processes: int) -> dict[str, Any]:
    """Of a run: pairs an hour, seconds a pair by stage, and what was rendered.

    Pairs an hour are those made, from the first stage's start to the last one's end: the run's beginning and end, when
    some processes wait, lower them. "At work" they are how many the processes make while all have work, by Little's
    law: so many processes over the seconds that a pair takes.
    """
    made = [path.name for path in run.sample_paths()]
    rows = [row for row in read_rows(run.events) if "started" in row and row["key"] in made]
    wall_s = max(row["started"] + row["wall_s"] for row in rows) - min(row["started"] for row in rows)
    manifests = [read_manifest(run.folder("render", key)) for key in made]
    stages: dict[str, float] = defaultdict(float)
    for row in rows:
        stages[row["stage"]] += row["wall_s"] / len(made)
    passes: dict[str, float] = defaultdict(float)
    cpu_passes: dict[str, float] = defaultdict(float)
    for manifest in manifests:
        for name, seconds in manifest.seconds.items():
            passes[name] += seconds / len(made)
        for name, seconds in manifest.cpu_seconds.items():
            cpu_passes[name] += seconds / len(made)
    return {
        "device": manifests[0].device,
        "pairs": len(made),
        "wall_s": round(wall_s, 1),
        "pairs_an_hour": round(3600 * len(made) / wall_s),
        "pairs_an_hour_at_work": round(3600 * processes / sum(stages.values())),
        "cpu_s_a_pair": round(sum(row["cpu_s"] for row in rows) / len(made), 1),
        "in_engine_cpu_s": round(float(np.mean([one.engine_cpu_seconds for one in manifests])), 1),
        "s_by_stage": {name: round(seconds, 2) for name, seconds in stages.items()},
        "s_by_pass": {name: round(seconds, 2) for name, seconds in passes.items()},
        "cpu_s_by_pass": {name: round(seconds, 2) for name, seconds in cpu_passes.items()},
        "rendered_share": [
            round(one.reuse.factual_share + one.reuse.rendered_share, 3) for one in manifests if one.reuse
        ],
    }


def measure_frames(data: Path, root: Path, engine: str, device: str, samples: int, settings: list[str]) -> Any:
    """Seconds a full picture: one scene whose pictures are all rendered, 24 of each world."""
    words = [f"render.engine={engine}", f"render.device={device}", f"render.samples={samples}"]
    words += ["render.reuse_unchanged=false", "clips.num_frames=24", *settings]
    start = time.perf_counter()
    found = make_pairs(data, root, 1, 1, words)
    a_frame = found["s_by_pass"]["rgb_factual"] / 24
    return {"device": found["device"], "s_a_frame": round(a_frame, 3), "all_s": round(time.perf_counter() - start, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--processes", default="1,2,4,8")
    parser.add_argument("--samples", default="4,32")
    parser.add_argument("--pairs", type=int, default=2, help="for each process")
    parser.add_argument("--frames-of", default="", help="engine:device, with commas between them")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for number, pair in enumerate(filter(None, options.frames_of.split(","))):
            engine, device = pair.split(":")
            for samples in map(int, options.samples.split(",")):
                root = Path(scratch) / f"frames{number}-{samples}"
                try:
                    found = measure_frames(options.data, root, engine, device, samples, options.settings)
                except (RuntimeError, KeyError, ValueError) as error:
                    found = f"failed: {error}"
                record(f"{engine} on {device}, {samples} samples", found, options.out)
        for processes in map(int, filter(None, options.processes.split(","))):
            for samples in map(int, options.samples.split(",")):
                root = Path(scratch) / f"pairs{processes}-{samples}"
                settings = [f"render.samples={samples}", *options.settings]
                try:
                    found = make_pairs(options.data, root, processes, options.pairs * processes, settings)
                    found["to_reach"] = TARGETS.get(samples)
                except (RuntimeError, ValueError) as error:
                    found = f"failed: {error}"
                record(f"{processes} processes, {samples} samples", found, options.out)


if __name__ == "__main__":
    main()
