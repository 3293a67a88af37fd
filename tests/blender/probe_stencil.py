"""Run in a process of its own: finer light of a scene's last frame, whole and through a stencil.

`python tests/blender/probe_stencil.py JOB.json OUT.npz` writes `whole`, `cut`, `again`, `all`, `coarse`, `drawn` and
bool `wanted`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from blender_scripts.build_scene import build_scene
from blender_scripts.exr import read_weighted
from blender_scripts.passes import LUMINANCE, standard_passes
from blender_scripts.renderer import Renderer
from blender_scripts.reuse_light import FineLight
from blender_scripts.stencil import GPU_CELL_PX, Stencil
from datagen.codec import read_record
from datagen.jobs import RenderJob
from datagen.placement import Staging
from datagen.spec import SceneSpec, World
from datagen.trajectory import read_trajectories


def main(job_path: Path, out: Path) -> None:
    """Serve a `RenderJob`."""
    job = read_record(RenderJob, job_path)
    spec, physics = read_record(SceneSpec, Path(job.spec)), Path(job.physics)
    staging, worlds = read_record(Staging, physics / "staging.json"), read_trajectories(physics / "trajectories.npz")
    scene = build_scene(spec, staging, worlds, Path(job.spec).parent)
    renderer, stencil = Renderer(scene, threads=1), Stencil(scene, cell_px=1)
    one = {one.layer: one for one in standard_passes(spec.render)}["fine_hidden"]  # the level of more samples
    renderer.prepare(one.settings)
    rows, columns = np.indices((one.settings.height, one.settings.width))
    wanted = np.hypot(rows - 40, columns - 50) < 20
    state, path = scene.state(World.FACTUAL, spec.removed, spec.clip.num_frames - 1), out.with_suffix(".exr")
    pictures = {}
    holes = {
        "cut": (stencil, wanted),
        "all": (stencil, np.ones_like(wanted)),
        "coarse": (Stencil(scene, GPU_CELL_PX), wanted),
    }
    for name in ("whole", "cut", "again", "all", "coarse"):
        if name in holes:
            card, hole = holes[name]
            with card.cut(hole):
                renderer.picture(state, path)
        else:
            renderer.picture(state, path)
        pictures[name] = read_weighted(path, LUMINANCE)
    (out.parent / "scratch").mkdir()
    finer = FineLight(renderer, {}, physics, out.parent / "scratch")
    pictures["drawn"] = finer.draw(one, state, wanted)
    np.savez(out, wanted=wanted, **pictures)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
