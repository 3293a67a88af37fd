"""What a pair costs beside the published way: CPU-seconds a pair, masks included, same engine, settings and scenes.

    .venv/bin/python benchmarks/pair_cost.py [--source humoto|kubric] [--data DIR] [--scenes 1] [--frames 12]
        [--set render.samples=8]

Scenes are planned and simulated through the command line; by default those of the embedded demo data. Each is then
rendered twice in a process of one thread, one after the other: as datagen does (render and compose, everything
included), and as published: four full renders of every frame (the factual motion and the counterfactual one, with and
without the removed objects) and a threshold of 15 of 255 on the difference of the two without. Physics is the same
for both and not counted. A JSON line follows the text.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from datagen.codec import read_record, write_json
from datagen.config import resolve_config
from datagen.demo import make_demo_data
from datagen.frames import read_png
from datagen.jobs import ComposeJob, RenderJob
from datagen.layers import read_manifest
from datagen.runs import RunFolder
from datagen.spec import SceneSpec
from datagen.worker import run_engine

TARGET = 2.5
TIMEOUT_S = 7200.0
SMALL = ("render.width=84", "render.height=48", "render.samples=1", "render.light_samples=1")


def simulated(options: argparse.Namespace, root: Path) -> RunFolder:
    """A run whose scenes passed physics; rendered as small as can be, which is thrown away."""
    command = [sys.executable, "-m", "datagen.cli", "run", options.source, "--out", str(root), "--ray", "off"]
    command += ["--limit", str(options.scenes), "--workers", "1"]
    if options.source == "humoto":
        if not options.data:
            make_demo_data(root.parent / "demo")
        command += ["--data", str(options.data or root.parent / "demo")]
    elif options.data:
        command += ["--gso", str(options.data)]
    settings = (*SMALL, f"clips.num_frames={options.frames}")
    subprocess.run([*command, *(part for one in settings for part in ("--set", one))], check=True)
    return RunFolder(root=root)


def ours(spec: Path, physics: Path, root: Path) -> tuple[float, float]:
    """CPU-seconds of render and compose, and the share of the counterfactual's pixels that were rendered."""
    job = RenderJob(spec=str(spec), physics=str(physics), threads=1)
    render = run_engine("blender_scripts.render_scene", job, root / "render", timeout_s=TIMEOUT_S)
    compose = ComposeJob(spec=str(spec), physics=str(physics), render=str(root / "render"))
    composed = run_engine("datagen.compose_scene", compose, root / "sample", timeout_s=TIMEOUT_S)
    reuse = read_manifest(root / "render").reuse
    return render.cpu_s + composed.cpu_s, reuse.rendered_share if reuse else 1.0


def published(spec: Path, physics: Path, root: Path, num_frames: int) -> float:
    """CPU-seconds of four full renders and a threshold."""
    job = RenderJob(spec=str(spec), physics=str(physics), threads=1)
    usage = run_engine("blender_scripts.published", job, root / "published", timeout_s=TIMEOUT_S)
    before = time.process_time()
    for frame in range(num_frames):
        first, second = (
            read_png(root / "published" / one / f"{frame:04d}.png") for one in ("hidden", "counterfactual")
        )
        (np.abs(first.astype(np.int16) - second).max(axis=-1) >= 15).sum()
    return usage.cpu_s + time.process_time() - before


def compare(run: RunFolder, key: str, overrides: Sequence[str], root: Path) -> tuple[float, float]:
    """CPU-seconds of a scene our way and the published way; prints a line."""
    physics = run.folder("simulate", key)
    source = physics / "spec.json" if (physics / "spec.json").is_file() else run.spec_path(key)
    settings = resolve_config("standard", overrides).render
    spec = replace(read_record(SceneSpec, source), render=settings)
    path = source.with_name(f"{key}-full.json")  # beside it: relative paths of geometry stay true
    write_json(path, spec)
    mine, share = ours(path, physics, root)
    theirs = published(path, physics, root, spec.clip.num_frames)
    frames = spec.clip.num_frames
    print(
        f"{key}: {frames} frames of {settings.width}x{settings.height}, {settings.samples} samples: "
        f"{mine / frames:.2f} against {theirs / frames:.2f} CPU-s a frame, {theirs / mine:.2f} times; "
        f"{share:.0%} of the counterfactual rendered"
    )
    return mine, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", choices=("humoto", "kubric"), default="humoto")
    parser.add_argument("--data", type=Path, help="sequences or scanned objects; default: the embedded ones")
    parser.add_argument("--scenes", type=int, default=1)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="of the rendering, e.g. samples")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = simulated(options, Path(scratch) / "run")
        keys = [path.name for path in sorted((run.root / "samples").iterdir())]
        pairs = [compare(run, key, options.overrides, Path(scratch) / key) for key in keys]
    mine, theirs = (sum(column) for column in zip(*pairs, strict=True))
    print(f"all: {theirs / mine:.2f} times cheaper than the published way (to reach: at least {TARGET})")
    print(json.dumps({"ours_cpu_s": mine, "published_cpu_s": theirs, "ratio": theirs / mine}))


if __name__ == "__main__":
    main()
