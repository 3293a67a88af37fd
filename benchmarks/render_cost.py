"""What one render costs whatever its size: seconds and CPU-seconds by kind of picture, in one process or several.

    python benchmarks/render_cost.py RUN [--device cuda] [--frames 20] [--threads 1] [--processes 1]

RUN: a run whose scenes physics has accepted (`datagen plan`, `datagen simulate`). Its first scene is built, and each
kind of picture rendered in every frame: the first, for which Cycles takes in the scene and opens the device, and the
going rate after it. A picture of 64 x 64 pixels costs next to no rays, so it tells what Blender, Cycles' scene and the
driver take. A band is a box of 82 % of the picture; through a stencil, an ellipse of 30 % of it is let through. Several
processes begin each kind together; printed are a render's mean over all of them, and how many they make in a second.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import tempfile
import time
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blender_scripts.render_scene import started_on_cores
from datagen.codec import read_record
from datagen.layers import PICTURE
from datagen.placement import Staging
from datagen.regions import Box
from datagen.settings import Device
from datagen.spec import SceneSpec, World
from datagen.trajectory import read_trajectories

if TYPE_CHECKING:
    from blender_scripts.build_scene import SceneState
    from blender_scripts.renderer import Renderer

SMALL = Box(left=100, top=100, right=164, bottom=164)


def first_scene(root: Path) -> tuple[Path, Path]:
    """Spec and physics of the first scene that is simulated; the spec lies beside the physics if that completed it."""
    for physics in sorted((root / "physics").iterdir()):
        if (physics / "staging.json").is_file():
            own = physics / "spec.json"
            return own if own.is_file() else root / "specs" / f"{physics.name}.json", physics
    raise SystemExit(f"{root}: no simulated scene; run `datagen simulate {root}`")


def measure(
    root: Path,
    device: Device,
    frames: int,
    threads: int,
    together: Barrier,
    found: Queue[tuple[str, tuple[float, ...]] | None],
) -> None:
    """Put each kind of picture with wall and CPU seconds of its first render, and of one after it; None at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Blender prints a line for every object of every render
    with started_on_cores(threads):
        from blender_scripts.build_scene import build_scene
        from blender_scripts.passes import mark_settings, standard_passes
        from blender_scripts.renderer import Renderer
    spec_path, physics = first_scene(root)
    spec = read_record(SceneSpec, spec_path)
    spec = replace(spec, render=replace(spec.render, device=device))
    staging, worlds = read_record(Staging, physics / "staging.json"), read_trajectories(physics / "trajectories.npz")
    scene = build_scene(spec, staging, worlds, spec_path.parent)
    renderer = Renderer(scene, threads)
    passes = {one.layer: one.settings for one in standard_passes(spec.render)}
    few, many = (replace(passes["rgb_factual"], samples=samples) for samples in (4, 32))
    band = Box(left=few.width // 11, top=0, right=few.width - few.width // 11, bottom=few.height)
    rows, columns = np.indices((few.height, few.width))
    ellipse = np.hypot((columns / few.width - 0.5) / 0.25, (rows / few.height - 0.5) / 0.38) < 1
    kinds = {
        "picture, 4 samples": (few, (), None, None),
        "picture, 4 samples, 64 x 64": (few, (), SMALL, None),
        "picture, 4 samples, band": (few, (), band, None),
        "picture, 4 samples, band through a stencil": (few, (), band, ellipse),
        "picture, 32 samples": (many, (), None, None),
        "picture, 32 samples, band": (many, (), band, None),
        "picture, 32 samples, band through a stencil": (many, (), band, ellipse),
        "light": (passes["light_factual"], (), None, None),
        "light without what is removed": (passes["light_hidden"], spec.removed, None, None),
        "marks without what is removed": (mark_settings(spec.render)[0], spec.removed, None, None),
    }
    with tempfile.TemporaryDirectory() as scratch:
        for name, (settings, hidden, box, wanted) in kinds.items():
            path = Path(scratch) / (f"picture{PICTURE}" if name.startswith("picture") else "layer.exr")
            states = [scene.state(World.FACTUAL, hidden, frame) for frame in range(frames + 1)]
            wall, cpu = time.perf_counter(), time.process_time()
            renderer.prepare(settings)
            draw(renderer, states[0], path, box, wanted)
            first = time.perf_counter() - wall, time.process_time() - cpu
            together.wait()
            wall, cpu = time.perf_counter(), time.process_time()
            for state in states[1:]:
                draw(renderer, state, path, box, wanted)
            wall, cpu = (time.perf_counter() - wall) / frames, (time.process_time() - cpu) / frames
            found.put((f"{name} ({renderer.device})", (*first, wall, cpu)))
    found.put(None)


def draw(renderer: Renderer, state: SceneState, path: Path, box: Box | None, wanted: np.ndarray | None) -> None:
    """Render a box of a state, through a stencil where only some of it is wanted, bool [height, width]."""
    with nullcontext() if wanted is None else renderer.stencil.cut(wanted):
        renderer.picture(state, path, box)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--device", type=Device, default=Device.CPU)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    together, found = context.Barrier(options.processes), context.Queue()
    words = (options.run, options.device, options.frames, options.threads, together, found)
    processes = [context.Process(target=measure, args=words, daemon=True) for _ in range(options.processes)]
    for process in processes:
        process.start()
    figures: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    ended = 0
    while ended < options.processes:
        try:
            one = found.get(timeout=5)
        except queue.Empty:
            if any(process.exitcode for process in processes):
                raise SystemExit("a process failed; what it said is above") from None
            continue
        if one is None:
            ended += 1
            continue
        name, seconds = one
        figures[name].append(seconds)
        if len(figures[name]) == options.processes:
            means = [sum(values) / options.processes for values in zip(*figures[name], strict=True)]
            first, first_cpu, wall, cpu = means
            rate = f"{wall:.3f} s {cpu:.3f} CPU-s {options.processes / wall:6.1f} a second"
            print(f"{name:60} {rate}; the first {first:.3f} s {first_cpu:.3f} CPU-s", flush=True)


if __name__ == "__main__":
    main()
