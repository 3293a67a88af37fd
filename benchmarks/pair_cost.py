"""What a pair costs beside the published way: CPU-seconds a pair, masks included, same engine, settings and scenes.

    .venv/bin/python benchmarks/pair_cost.py [--source humoto|kubric] [--data PATH] [--scenes 1] [--frames 60]
        [--size 336x192] [--set render.samples=4]

Scenes are planned and simulated through the command line; by default those of the embedded demo data. Each is then
rendered twice in a process of one thread, one after the other: as datagen does (render and compose, everything
included), and as published: four full renders of every frame (the factual motion and the counterfactual one, with and
without the removed objects) and a threshold of 15 of 255 on the difference of the two without. Physics is the same
for both and not counted. Progress goes to stderr; a JSON line follows the text. Short clips flatter nobody: what falls
comes to rest after one or two seconds, and from then on the counterfactual is rendered once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from datagen.codec import read_record
from datagen.demo import make_demo_data
from datagen.frames import read_rgb
from datagen.jobs import ComposeJob, RenderJob
from datagen.layers import PICTURE, read_manifest
from datagen.runs import RunFolder
from datagen.spec import SceneSpec
from datagen.worker import run_engine

TARGET = 2.5
TIMEOUT_S = 7200.0
SPARE = 3  # planned for each that is wanted: physics rejects some


def note(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def simulated(options: argparse.Namespace, root: Path) -> RunFolder:
    """A run with planned scenes, of which some passed physics."""
    width, height = options.size.split("x")
    settings = [f"clips.num_frames={options.frames}", f"render.width={width}", f"render.height={height}"]
    settings += ["humoto.split=all", "camera.pace=static"]  # whatever recordings there are, as they were measured
    command = ["plan", options.source, "--out", str(root), "--limit", str(SPARE * options.scenes), "--workers", "1"]
    if options.source == "humoto":
        if not options.data:
            make_demo_data(root.parent / "demo")
        command += ["--data", str(options.data or root.parent / "demo")]
    elif options.data:
        command += ["--gso", str(options.data)]
    command += [part for one in (*settings, *options.overrides) for part in ("--set", one)]
    for arguments in (command, ["simulate", str(root), "--workers", "1", "--ray", "off"]):
        note(arguments[0])
        subprocess.run([sys.executable, "-m", "datagen.cli", *arguments], stdout=sys.stderr, check=True)
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
            read_rgb(root / "published" / one / f"{frame:04d}{PICTURE}") for one in ("hidden", "counterfactual")
        )
        (np.abs(first.astype(np.int16) - second).max(axis=-1) >= 15).sum()
    return usage.cpu_s + time.process_time() - before


def compare(run: RunFolder, key: str, root: Path) -> tuple[float, float]:
    """CPU-seconds of a scene our way and the published way; prints a line."""
    physics = run.folder("simulate", key)
    path = physics / "spec.json" if (physics / "spec.json").is_file() else run.spec_path(key)
    spec = read_record(SceneSpec, path)
    frames, settings = spec.clip.num_frames, spec.render
    note(f"{key}: ours")
    mine, share = ours(path, physics, root)
    note(f"{key}: {mine:.0f} CPU-s; now the published way")
    theirs = published(path, physics, root, frames)
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
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", default="336x192", help="WIDTHxHEIGHT")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="as of datagen plan")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = simulated(options, Path(scratch) / "run")
        keys = sorted(path.name for path in (run.root / "physics").iterdir() if path.is_dir())[: options.scenes]
        if not keys:
            sys.exit(f"physics rejected all {SPARE * options.scenes} scenes that were planned; try more --scenes")
        pairs = [compare(run, key, Path(scratch) / key) for key in keys]
    mine, theirs = (sum(column) for column in zip(*pairs, strict=True))
    print(f"all: {theirs / mine:.2f} times cheaper than the published way (to reach: at least {TARGET})")
    print(json.dumps({"ours_cpu_s": mine, "published_cpu_s": theirs, "ratio": theirs / mine}))


if __name__ == "__main__":
    main()
