"""Pictures as the published generators make them, for comparison of cost: four full renders of every frame.

`python -m blender_scripts.published JOB.json OUT` serves a `RenderJob`: F, F without the removed objects, C, and C with
them, each whole and by the settings of the scene's own pictures.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from blender_scripts.render_scene import started_on_cores
from datagen.codec import read_record
from datagen.entry import serve
from datagen.jobs import RenderJob
from datagen.layers import PICTURE
from datagen.placement import Staging
from datagen.spec import SceneSpec, World
from datagen.trajectory import read_trajectories

VIDEOS = ("factual", "hidden", "counterfactual", "present")


def main(job_path: Path, out: Path) -> None:
    """Serve one `RenderJob`."""
    job = read_record(RenderJob, job_path)
    with started_on_cores(job.threads):
        from blender_scripts.build_scene import SceneState, build_scene
        from blender_scripts.passes import standard_passes
        from blender_scripts.renderer import Renderer
    spec = read_record(SceneSpec, Path(job.spec))
    staging = read_record(Staging, Path(job.physics) / "staging.json")
    worlds = read_trajectories(Path(job.physics) / "trajectories.npz")
    scene = build_scene(spec, staging, worlds, Path(job.spec).parent)
    renderer = Renderer(scene, job.threads)
    look = next(one.settings for one in standard_passes(spec.render) if one.layer == "rgb_factual")

    def state(video: str, frame: int) -> SceneState:
        factual = scene.state(World.FACTUAL, (), frame)
        counterfactual = scene.state(World.COUNTERFACTUAL, spec.removed, frame)
        if video in ("factual", "hidden"):
            return scene.state(World.FACTUAL, spec.removed if video == "hidden" else (), frame)
        if video == "counterfactual":
            return counterfactual
        there = [index for index, name in enumerate(factual.names) if name in spec.removed]
        return replace(
            counterfactual,
            names=(*counterfactual.names, *(factual.names[index] for index in there)),
            poses=np.concatenate([counterfactual.poses, factual.poses[there]]),
            mocap_frames=factual.mocap_frames,
        )

    for video in VIDEOS:
        renderer.prepare(look)
        (out / video).mkdir()
        for frame in range(spec.clip.num_frames):
            renderer.picture(state(video, frame), out / video / f"{frame:04d}{PICTURE}")


if __name__ == "__main__":
    serve(main)
