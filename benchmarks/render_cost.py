"""What one render costs whatever its size: seconds and CPU-seconds by kind of picture, in one process or several.

    python benchmarks/render_cost.py RUN [--device cuda] [--frames 20] [--threads 1] [--processes 1]

RUN: a run whose scenes physics has accepted (`datagen plan`, `datagen simulate`). Its first scene is built, and each
kind of picture rendered in every frame but the first, which is left out: what is measured is the going rate. A picture
of 64 x 64 pixels costs next to no rays, so it tells what Blender, Cycles' scene and the driver take. With several
processes all render at once, and the first one's figures are printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from blender_scripts.render_scene import started_on_cores
from datagen.codec import read_record
from datagen.entry import silenced
from datagen.placement import Staging
from datagen.regions import Box
from datagen.settings import Device
from datagen.spec import SceneSpec, World
from datagen.trajectory import read_trajectories

SMALL = Box(left=100, top=100, right=164, bottom=164)


def first_scene(root: Path) -> tuple[Path, Path]:
    """Spec and physics of the first scene that is simulated; the spec lies beside the physics if that completed it."""
    for physics in sorted((root / "physics").iterdir()):
        if (physics / "staging.json").is_file():
            own = physics / "spec.json"
            return own if own.is_file() else root / "specs" / f"{physics.name}.json", physics
    raise SystemExit(f"{root}: no simulated scene; run `datagen simulate {root}`")


def measure(root: Path, device: Device, frames: int, threads: int) -> None:
    """Print a line for each kind of picture."""
    with started_on_cores(threads):
        from blender_scripts.build_scene import build_scene
        from blender_scripts.passes import Renderer, mark_settings, standard_passes
    spec_path, physics = first_scene(root)
    spec = read_record(SceneSpec, spec_path)
    spec = replace(spec, render=replace(spec.render, device=device))
    staging, worlds = read_record(Staging, physics / "staging.json"), read_trajectories(physics / "trajectories.npz")
    with silenced():
        scene = build_scene(spec, staging, worlds, spec_path.parent)
        renderer = Renderer(scene, threads)
    passes = {one.layer: one.settings for one in standard_passes(spec.render)}
    look = passes["rgb_factual"]
    kinds = {
        "picture, 4 samples": (replace(look, samples=4), (), None),
        "picture, 4 samples, 64 x 64": (replace(look, samples=4), (), SMALL),
        "picture, 32 samples": (replace(look, samples=32), (), None),
        "light": (passes["light_factual"], (), None),
        "light without what is removed": (passes["light_hidden"], spec.removed, None),
        "marks without what is removed": (mark_settings(spec.render)[0], spec.removed, None),
    }
    print(f"{spec.key}, {look.width}x{look.height}, {renderer.device}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, (settings, hidden, box) in kinds.items():
            renderer.prepare(settings)
            path = Path(scratch) / ("picture.png" if name.startswith("picture") else "layer.exr")
            states = [scene.state(World.FACTUAL, hidden, frame) for frame in range(frames + 1)]
            renderer.picture(states[0], path, box)
            wall, cpu = time.perf_counter(), time.process_time()
            for state in states[1:]:
                renderer.picture(state, path, box)
            wall, cpu = (time.perf_counter() - wall) / frames, (time.process_time() - cpu) / frames
            print(f"{name:32} {wall:.3f} s {cpu:.3f} CPU-s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--device", type=Device, default=Device.CPU)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    words = [str(options.run), "--device", options.device, "--frames", str(options.frames)]
    words += ["--threads", str(options.threads)]
    beside = [
        subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(options.processes - 1)
    ]
    try:
        measure(options.run, options.device, options.frames, options.threads)
    finally:
        for process in beside:
            process.wait()


if __name__ == "__main__":
    main()
