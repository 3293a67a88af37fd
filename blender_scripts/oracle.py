"""What a mask is measured against: some frames of a scene rendered with many samples and no denoiser.

`python -m blender_scripts.oracle JOB.json OUT` serves an `OracleJob` and fills OUT with one `<frame>.npz` a frame:

    light_<factual|hidden|counterfactual>_<0|1>   float32 [height, width, 3], linear, half of `samples` a pixel by a
                                                  first seed, and half by a second; a seed is one pattern of noise in
                                                  all three worlds
    deep_<hidden|counterfactual>_<0|1>            likewise; in boxes around where the two differ by little more or less
                                                  than what counts, half of `deep_samples` by other seeds
    removed                                       float32 [height, width], share of the pixel that shows a removed
                                                  object in F, by `samples` samples under the picture's own filter
    moved_before, moved_after                     likewise for objects that are elsewhere in the other world, in H, C
    moved_names                                   their names
    cheap_<factual|hidden|counterfactual>         uint8 [height, width, 3] sRGB, as the scene's own pictures: few
                                                  samples, denoised; what recipes that compare pictures get to see
    cheap_coverage                                float32 [height, width], `removed` by 16 samples
    cheap_removed                                 bool [height, width], whether a pixel's centre shows a removed object

Nothing of the mask's own derivation is used: whether an object moved is told by all of its vertices, and no seed is one
that a scene is rendered with.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import OpenEXR
from PIL import Image
from scipy import ndimage

from blender_scripts.build_scene import BuiltScene, SceneState, build_scene
from blender_scripts.devices import take_device
from blender_scripts.nodes import new_material
from blender_scripts.renderer import set_border, set_constants
from datagen.camera import lens_of, project
from datagen.codec import read_record, write_npz
from datagen.entry import serve, silenced
from datagen.jobs import OracleJob
from datagen.placement import Staging
from datagen.regions import Box, boxes_around
from datagen.seeding import seed_for
from datagen.spec import SceneSpec, World
from datagen.trajectory import apply_pose, read_trajectories

MIN_MOVE_M = 0.001
MIN_MOVE_PX = 0.25
CHEAP_COVERAGE_SAMPLES = 16
FILTER_PX = 1.5  # Blackman-Harris, as in every picture
NARROW_PX = 0.01  # Cycles heeds the width of this filter, and not that of its box
SEEDS = 2
DEEP_BLUR_PX, DEEP_MARGIN_PX = 1.5, 3


def main(job_path: Path, out: Path) -> None:
    """Serve one `OracleJob`."""
    job = read_record(OracleJob, job_path)
    spec = read_record(SceneSpec, Path(job.spec))
    staging = read_record(Staging, Path(job.physics) / "staging.json")
    worlds = read_trajectories(Path(job.physics) / "trajectories.npz")
    scene = build_scene(spec, staging, worlds, Path(job.spec).parent)
    set_constants(spec, job.threads, take_device(spec.render, spec.key))
    bpy.context.scene.render.use_persistent_data = False
    oracle = Oracle(scene, job, out)
    for frame in job.frames:
        write_npz(out / f"{frame:04d}.npz", oracle.frame(frame))
    oracle.scratch.unlink(missing_ok=True)


class Oracle:
    """A scene's pictures by many samples."""

    def __init__(self, scene: BuiltScene, job: OracleJob, out: Path) -> None:
        self.scene, self.job, self.samples = scene, job, job.samples
        self.scratch = out / "scratch.exr"
        self.marks = show_color()
        render = bpy.context.scene.render
        render.resolution_x, render.resolution_y = scene.spec.render.width, scene.spec.render.height

    def frame(self, frame: int) -> dict[str, np.ndarray]:
        """Everything that is known of one frame."""
        moved = moved_objects(self.scene, frame)
        removed = self.scene.spec.removed
        factual = self.scene.state(World.FACTUAL, (), frame)
        hidden = self.scene.state(World.FACTUAL, removed, frame)
        counterfactual = self.scene.state(World.COUNTERFACTUAL, removed, frame)
        result: dict[str, np.ndarray] = {"moved_names": np.array(moved, dtype=np.str_)}
        for name, state in (("factual", factual), ("hidden", hidden), ("counterfactual", counterfactual)):
            for seed in range(SEEDS):
                result[f"light_{name}_{seed}"] = self.light(state, self.samples // SEEDS, seed)
            result[f"cheap_{name}"] = self.cheap(state)
        result |= self.deep({"hidden": hidden, "counterfactual": counterfactual}, result)
        result["removed"] = self.coverage(factual, removed, self.samples)
        result["moved_before"] = self.coverage(hidden, moved, self.samples)
        result["moved_after"] = self.coverage(counterfactual, moved, self.samples)
        result["cheap_coverage"] = self.coverage(factual, removed, CHEAP_COVERAGE_SAMPLES)
        result["cheap_removed"] = self.coverage(factual, removed, 1, NARROW_PX) > 0.5
        return result

    def light(self, state: SceneState, samples: int, seed: int, box: Box | None = None) -> np.ndarray:
        """Linear radiance float32 [height, width, 3] of the picture or a part, not denoised."""
        self.settle(samples, self.scene.spec.render.max_bounces, denoise=False, seed=seed + 1)
        return self.render_exr(state, box)

    def deep(self, states: dict[str, SceneState], light: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """H and C with more samples where their difference is near what counts."""
        hidden, counterfactual = (
            np.mean([light[f"light_{name}_{seed}"] for seed in range(SEEDS)], axis=0) for name in states
        )
        close = self.is_near(hidden, counterfactual)
        boxes = boxes_around(close, DEEP_MARGIN_PX) if self.job.deep_samples else ()
        result = {}
        for name, state in states.items():
            for seed in range(SEEDS):
                picture = light[f"light_{name}_{seed}"].copy()
                for box in boxes:
                    picture[box.slices] = self.light(state, self.job.deep_samples // SEEDS, SEEDS + seed, box)
                result[f"deep_{name}_{seed}"] = picture
        return result

    def is_near(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Where two pictures [height, width, 3] differ by a share within `deep_change`, bool [height, width]."""
        first, second = (ndimage.gaussian_filter(one.sum(axis=-1), DEEP_BLUR_PX) for one in (first, second))
        share = np.abs(first - second) / np.maximum(np.maximum(first, second), 1e-6)
        return np.asarray((share > self.job.deep_change[0]) & (share < self.job.deep_change[1]))

    def cheap(self, state: SceneState) -> np.ndarray:
        """The picture as the scene's settings make it, uint8 [height, width, 3] sRGB."""
        render = self.scene.spec.render
        self.settle(render.samples, render.max_bounces, denoise=render.denoise, seed=0)
        output = bpy.context.scene.render.image_settings
        output.file_format, output.color_mode, output.color_depth = "PNG", "RGB", "8"
        path = self.scratch.with_suffix(".png")
        self.render(state, path)
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
        path.unlink()
        return picture

    def coverage(
        self, state: SceneState, names: tuple[str, ...], samples: int, filter_px: float = FILTER_PX
    ) -> np.ndarray:
        """Share of each pixel that shows some of the things named, float32 [height, width]."""
        self.settle(samples, 0, denoise=False, seed=0)
        blender = bpy.context.scene
        blender.view_layers[0].material_override, blender.world = self.marks, None
        blender.cycles.filter_width = filter_px
        for name, thing in self.scene.objects.items():
            thing.color = (float(name in names), 0.0, 0.0, 1.0)
        for name, person in self.scene.people.items():
            for mesh in person.meshes:
                mesh.color = (float(name in names), 0.0, 0.0, 1.0)
        return self.render_exr(state)[..., 0]

    def settle(self, samples: int, bounces: int, *, denoise: bool, seed: int) -> None:
        """Set Cycles for the next picture."""
        blender = bpy.context.scene
        cycles = blender.cycles
        cycles.samples, cycles.use_denoising = samples, denoise
        cycles.max_bounces = bounces
        cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = bounces
        cycles.seed = (seed_for(self.scene.spec.seed, "render") + seed) % 2**31
        cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", FILTER_PX
        blender.view_layers[0].material_override = None
        blender.world = self.scene.environment

    def render_exr(self, state: SceneState, box: Box | None = None) -> np.ndarray:
        image = bpy.context.scene.render.image_settings
        image.file_format, image.color_mode, image.color_depth, image.exr_codec = "OPEN_EXR", "RGB", "32", "ZIPS"
        self.render(state, self.scratch, box)
        with OpenEXR.File(str(self.scratch)) as file:
            return np.array(file.channels()["RGB"].pixels, dtype=np.float32)

    def render(self, state: SceneState, path: Path, box: Box | None = None) -> None:
        self.scene.show(state)
        set_border(box)
        bpy.context.scene.render.filepath = str(path)
        with silenced():
            bpy.ops.render.render(write_still=True)


def moved_objects(scene: BuiltScene, frame: int) -> tuple[str, ...]:
    """Objects with a vertex that is elsewhere in the other world, by 1 mm or 0.25 px, whichever is larger."""
    lens = lens_of(scene.spec, scene.staging)
    camera = np.array(scene.staging.world_from_camera[frame])
    factual, counterfactual = scene.worlds[World.FACTUAL], scene.worlds[World.COUNTERFACTUAL]
    moved = []
    for name, thing in scene.objects.items():
        if name not in factual.names or name not in counterfactual.names:
            continue
        flat = np.empty(len(thing.data.vertices) * 3, dtype=np.float32)
        thing.data.vertices.foreach_get("co", flat)
        vertices = flat.reshape(-1, 3).astype(np.float64)
        first, second = (apply_pose(world.of(name)[frame], vertices) for world in (factual, counterfactual))
        depth = np.minimum(project(first, camera, lens)[1], project(second, camera, lens)[1])
        least_m = np.maximum(MIN_MOVE_M, MIN_MOVE_PX * np.maximum(depth, 0.1) / lens.focal_px)
        if (np.linalg.norm(first - second, axis=1) > least_m).any():
            moved.append(name)
    return tuple(moved)


def show_color() -> bpy.types.Material:
    """Emits the red of an object's colour; the room has none."""
    material, graph = new_material("oracle marks")
    info = graph.add("ShaderNodeObjectInfo")
    red = graph.add("ShaderNodeSeparateColor", {0: info.outputs["Color"]}).outputs[0]
    color = graph.add("ShaderNodeCombineColor", {0: red}).outputs[0]
    graph.surface(graph.add("ShaderNodeEmission", {"Color": color, "Strength": 1.0}).outputs[0])
    material.cycles.emission_sampling = "NONE"
    return material


if __name__ == "__main__":
    serve(main)
