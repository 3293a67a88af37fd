"""CPU and wall seconds of a collision scene: drawing, settling and simulating both worlds, Kubric's import included.

    .venv/bin/python benchmarks/kubric_scene.py [--gso MANIFEST] [--scenes 12] [--render standard]

One process a scene, as in a run; 60 frames, 7 objects, one thread. Without a manifest the embedded set is used. With
--render, one sample of that preset is also made, through the command line, for the CPU-seconds a frame of rendering.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sample_profile import make_sample, report

from datagen.assets import AssetManifest, read_manifest
from datagen.cache import asset_cache, default_assets
from datagen.codec import read_record, write_json
from datagen.collision import REPORT_FILE, CollisionReport
from datagen.jobs import CollisionJob
from datagen.settings import PhysicsSettings, RenderSettings
from datagen.sources.kubric import FAMILIES, plan_collisions
from datagen.spec import SceneSpec

NUM_OBJECTS = 7


def main() -> None:
    """Print a line for each scene, and the medians."""
    cache = asset_cache()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gso", type=Path)
    parser.add_argument("--scenes", type=int, default=2 * len(FAMILIES))
    parser.add_argument("--render", metavar="PRESET")
    options = parser.parse_args()
    manifest = read_manifest(options.gso or default_assets(), check_meshes=False)
    rows = []
    for spec in planned(manifest, options.scenes):
        cpu_s, wall_s, draws = measure(spec, cache)
        rows.append((cpu_s, wall_s))
        print(f"{spec.key:28s} {cpu_s:6.2f} s CPU {wall_s:6.2f} s wall, {draws} drawn")
    for name, share in (("median", 50), ("90th percentile", 90)):
        cpu_s, wall_s = np.percentile(np.array(rows), share, axis=0)
        print(f"{name}: {cpu_s:.2f} s CPU, {wall_s:.2f} s wall for {NUM_OBJECTS} objects and 60 frames")
    if options.render:
        with tempfile.TemporaryDirectory() as scratch:
            gso = ["--gso", str(options.gso)] if options.gso else []
            make_sample(["kubric", *gso, "--set", "kubric.null_share=0"], options.render, Path(scratch) / "run")
            report(Path(scratch) / "run")


def planned(manifest: AssetManifest, count: int) -> list[SceneSpec]:
    """Scenes of all families, each with `NUM_OBJECTS` objects and an effect."""
    scenes = plan_collisions(
        manifest,
        count=count,
        seed=0,
        num_frames=60,
        fps=12.0,
        physics=PhysicsSettings(),
        render=RenderSettings(),
        split="all",
        null_share=0.0,
    )
    wishes = [dataclasses.replace(scene.collision, num_objects=NUM_OBJECTS) for scene in scenes if scene.collision]
    return [dataclasses.replace(scene, collision=wish) for scene, wish in zip(scenes, wishes, strict=True)]


def measure(spec: SceneSpec, cache: Path) -> tuple[float, float, int]:
    """CPU and wall seconds of the scene's process, and how often it was drawn."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_json(root / "planned.json", spec)
        write_json(root / "job.json", CollisionJob(spec=str(root / "planned.json"), cache=str(cache)))
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "kubric_jobs.simulate_scene", str(root / "job.json"), str(root / "out")]
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cpu_s, wall_s, read_record(CollisionReport, root / "out" / REPORT_FILE).draws


if __name__ == "__main__":
    main()
