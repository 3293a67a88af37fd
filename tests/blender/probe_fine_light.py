"""Run in a process of its own: both levels of a scene's finer light of C, on the other layers of a finished render.

`python tests/blender/probe_fine_light.py JOB.json RENDER OUT.npz` writes float32 `few` and `many`, bool `wanted` and
`contested`, each [num_frames, height, width].
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from blender_scripts.build_scene import build_scene
from blender_scripts.passes import standard_passes
from blender_scripts.render_layers import states_of
from blender_scripts.renderer import Renderer
from blender_scripts.reuse_light import FINE_LAYERS, FineLight
from datagen.codec import read_record
from datagen.frames import make_stack, read_stack
from datagen.jobs import RenderJob
from datagen.layers import standard_layers
from datagen.placement import Staging
from datagen.spec import SceneSpec
from datagen.trajectory import read_trajectories


def main(job_path: Path, render: Path, out: Path) -> None:
    """Serve a `RenderJob` whose render is finished."""
    job = read_record(RenderJob, job_path)
    spec, physics = read_record(SceneSpec, Path(job.spec)), Path(job.physics)
    staging, worlds = read_record(Staging, physics / "staging.json"), read_trajectories(physics / "trajectories.npz")
    scene = build_scene(spec, staging, worlds, Path(job.spec).parent)
    settings = spec.render
    layers = {one.name: one for one in standard_layers(settings.width, settings.height, settings.light_scale)}
    folder = out.with_suffix("")
    folder.mkdir()
    length = spec.clip.num_frames
    coarse = [layer for layer in layers.values() if layer.values and layer.name not in FINE_LAYERS]
    stacks = {layer.name: read_stack(render, layer, length) for layer in coarse}
    stacks |= {name: make_stack(folder, layers[name], length) for name in FINE_LAYERS}
    finer = FineLight(Renderer(scene, threads=1), stacks, physics, folder)
    passes = [one for one in standard_passes(settings) if one.layer in FINE_LAYERS]
    pictures = {}
    for name, level in (("few", passes[:2]), ("many", passes[2:])):
        for one in level:
            finer.render(one, states_of(scene, one))
        pictures[name] = stacks[FINE_LAYERS[1]].copy()
    np.savez(out, wanted=finer.wanted, contested=finer.contested, **pictures)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
