"""Run in a process of its own: pictures of a scene's first frame, whole and drawn on a canvas.

`python tests/blender/probe_canvas.py JOB.json OUT.npz` writes uint8 `whole_*` and `drawn_*`, of a denoised and a noisy
picture; bool `region` and `known`; and as bool how the canvas plans: `cut`, `cut_full`, `cut_focused`, `cut_exposed`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from blender_scripts.build_scene import build_scene
from blender_scripts.canvas import Canvas
from blender_scripts.passes import standard_passes
from blender_scripts.renderer import Renderer
from datagen.codec import read_record
from datagen.frames import read_rgb
from datagen.jobs import RenderJob
from datagen.layers import PICTURE, Layer
from datagen.placement import Staging
from datagen.spec import SceneSpec
from datagen.trajectory import read_trajectories


def slanting(height: int, width: int) -> np.ndarray:
    """A narrow band from the upper left to the lower right corner, bool [height, width]."""
    rows, columns = np.indices((height, width))
    return np.abs(rows / height - columns / width) < 0.05


def main(job_path: Path, out: Path) -> None:
    """Serve a `RenderJob`."""
    job = read_record(RenderJob, job_path)
    spec, physics = read_record(SceneSpec, Path(job.spec)), Path(job.physics)
    staging, worlds = read_record(Staging, physics / "staging.json"), read_trajectories(physics / "trajectories.npz")
    scene = build_scene(spec, staging, worlds, Path(job.spec).parent)
    renderer = Renderer(scene, threads=1)
    one = next(one for one in standard_passes(spec.render) if one.layer == "rgb_factual")
    layer = Layer(name=one.layer, suffix=PICTURE, width=spec.render.width, height=spec.render.height, meaning="")
    state, region = scene.state(one.world, (), 0), slanting(layer.height, layer.width)
    canvas, found = Canvas(renderer, layer, out.parent), {"region": region}
    for name, denoise in (("denoised", True), ("noisy", False)):
        renderer.prepare(replace(one.settings, denoise=denoise))
        renderer.picture(state, out.with_suffix(PICTURE))
        whole = read_rgb(out.with_suffix(PICTURE))
        drawn = canvas.draw(state, region)
        found |= {f"whole_{name}": whole, f"drawn_{name}": drawn.over(np.zeros_like(whole))}
        found["known"] = drawn.known(whole.shape)
    found["cut"] = canvas.plan(region).through is not None
    found["cut_full"] = canvas.plan(np.ones_like(region)).through is not None
    scene.camera.data.dof.use_dof = True
    found["cut_focused"] = canvas.plan(region).through is not None
    scene.camera.data.dof.use_dof, bpy.context.scene.render.use_motion_blur = False, True
    found["cut_exposed"] = canvas.plan(region).through is not None
    np.savez(out, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
