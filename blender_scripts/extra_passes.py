"""Ids, depth and the motion of skin at pixel centres, for the optional layers of `datagen.geometry_layers`.

One sample a pixel through its very centre, and surfaces that emit numbers in the place of light: the object's index and
its distance along the view axis; then, for people, where the point of the skin is one frame later. Blender's own
vector pass would not do: it looks one frame of its own clock ahead, and a video's frame is several of motion capture.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import OpenEXR

from blender_scripts.build_scene import BuiltScene, SceneState
from blender_scripts.nodes import new_material
from blender_scripts.shutter import set_lens
from datagen.codec import write_npz
from datagen.entry import silenced
from datagen.errors import SceneFailed
from datagen.geometry_layers import raw_path
from datagen.spec import World

ATTRIBUTE = "next point"
OFFSET_M = 64.0  # light is not below 0, coordinates are; float32 is finer than 0.01 mm here
CENTRE_PX = 0.01  # the narrowest filter; Cycles heeds the width of this kind, and not of boxes
SCRATCH = "geometry.exr"


def render_geometry(scene: BuiltScene, out: Path) -> float:
    """Leave ids, depth and motion of all frames in a render's folder; CPU-seconds inside Blender's render call.

    Changes Cycles' settings for good: the last of all passes.
    """
    if not scene.spec.layers.wanted:
        return 0.0
    passes = GeometryPasses(scene, out / SCRATCH)
    for world in World:
        hidden = scene.spec.removed if world is World.COUNTERFACTUAL else ()
        states = [scene.state(world, hidden, frame) for frame in range(scene.spec.clip.num_frames)]
        for frame, arrays in enumerate(passes.frames(states)):
            write_npz(raw_path(out, world, frame), arrays)
    (out / SCRATCH).unlink(missing_ok=True)
    return passes.cpu_seconds


class GeometryPasses:
    """Blender's renderer, set to show numbers."""

    def __init__(self, scene: BuiltScene, scratch: Path) -> None:
        self.scene, self.scratch = scene, scratch
        self.cpu_seconds = 0.0
        self.surfaces, self.skin = surface_material(), skin_material()
        ids = scene.spec.ids()
        self.people = {ids[name]: person for name, person in scene.people.items()}
        settle(scene)

    def frames(self, states: list[SceneState]) -> Iterator[dict[str, np.ndarray]]:
        """Arrays of each frame; what looks like the frame before is not rendered again."""
        flow, drawn = self.scene.spec.layers.flow, None
        arrays: dict[str, np.ndarray] = {}
        for frame, state in enumerate(states):
            if not state.looks_like(drawn):
                arrays, drawn = self.surfaces_of(state), state
            after = states[frame + 1] if frame + 1 < len(states) else None
            shown = np.isin(arrays["ids"], list(self.people)) if self.people else np.zeros(1, dtype=bool)
            if flow and after is not None and shown.any():
                yield arrays | {"next_points": self.next_points(state, after, shown)}
            else:
                yield arrays

    def surfaces_of(self, state: SceneState) -> dict[str, np.ndarray]:
        """ids uint16 and depth float32 [height, width] [m]."""
        self.scene.show(state)
        picture = self.render(self.surfaces, state)
        depth = picture[..., 1]
        return {
            "ids": np.rint(picture[..., 0]).astype(np.uint16),
            "depth": np.where(depth > 0, depth, np.inf).astype(np.float32),
        }

    def next_points(self, state: SceneState, after: SceneState, shown: np.ndarray) -> np.ndarray:
        """Where the skin that is seen now is in the next state, float32 [height, width, 3] (world); nan elsewhere."""
        meshes = [mesh for person in self.people.values() for mesh in person.meshes]
        self.scene.show(after)
        points = [posed_vertices(mesh) for mesh in meshes]
        self.scene.show(state)
        for mesh, there in zip(meshes, points, strict=True):
            tell(mesh, there + OFFSET_M)
        picture = self.render(self.skin, state) - np.float32(OFFSET_M)
        return np.where(shown[..., None], picture, np.float32(np.nan))

    def render(self, material: bpy.types.Material, state: SceneState) -> np.ndarray:
        """A picture of numbers, float32 [height, width, 3]."""
        blender = bpy.context.scene
        blender.view_layers[0].material_override = material
        blender.render.filepath = str(self.scratch)
        before = time.process_time()
        with silenced():
            bpy.ops.render.render(write_still=True)
        self.cpu_seconds += time.process_time() - before
        if not self.scratch.is_file():
            key = self.scene.spec.key
            raise SceneFailed(f"{key}: Blender wrote no geometry of frame {state.frame}; see the worker's log")
        with OpenEXR.File(str(self.scratch)) as file:
            picture = np.array(file.channels()["RGB"].pixels, dtype=np.float32)
        self.scratch.unlink()
        return picture


def settle(scene: BuiltScene) -> None:
    """Set Cycles for one ray through each pixel's centre."""
    blender = bpy.context.scene
    render, cycles = blender.render, blender.cycles
    render.engine = "CYCLES"  # the pictures may have been EEVEE's
    render.resolution_x, render.resolution_y = scene.spec.render.width, scene.spec.render.height
    render.use_border = render.use_persistent_data = False
    cycles.samples, cycles.use_denoising = 1, False
    cycles.max_bounces = cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = 0
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0.0
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", CENTRE_PX
    blender.world = None
    set_lens(scene, blurred=False)
    image = render.image_settings
    image.file_format, image.color_mode, image.color_depth, image.exr_codec = "OPEN_EXR", "RGB", "32", "ZIPS"


def surface_material() -> bpy.types.Material:
    """Shows an object's pass index in red and its distance along the view axis [m] in green."""
    material, graph = new_material("geometry")
    index = graph.add("ShaderNodeObjectInfo").outputs["Object Index"]
    depth = graph.add("ShaderNodeCameraData").outputs["View Z Depth"]
    color = graph.add("ShaderNodeCombineColor", {0: index, 1: depth}).outputs[0]
    graph.surface(graph.add("ShaderNodeEmission", {"Color": color, "Strength": 1.0}).outputs[0])
    material.cycles.emission_sampling = "NONE"
    return material


def skin_material() -> bpy.types.Material:
    """Shows the point that `tell` has written on a mesh."""
    material, graph = new_material("next points")
    point = graph.add("ShaderNodeAttribute", attribute_name=ATTRIBUTE).outputs["Vector"]
    graph.surface(graph.add("ShaderNodeEmission", {"Color": point, "Strength": 1.0}).outputs[0])
    material.cycles.emission_sampling = "NONE"
    return material


def posed_vertices(mesh: bpy.types.Object) -> np.ndarray:
    """World positions float64 [V, 3] of a mesh's vertices as posed now."""
    posed = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if len(posed.data.vertices) != len(mesh.data.vertices):
        counts = f"{len(mesh.data.vertices)} vertices, posed {len(posed.data.vertices)}"
        raise SceneFailed(
            f"flow of '{mesh.name}' cannot be told: it has {counts}; remove its modifiers but the armature"
        )
    flat = np.empty(len(posed.data.vertices) * 3, dtype=np.float32)
    posed.data.vertices.foreach_get("co", flat)
    world = np.array(posed.matrix_world, dtype=np.float64)
    return np.asarray(flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])


def tell(mesh: bpy.types.Object, points: np.ndarray) -> None:
    """Write a point [V, 3] on every vertex of a mesh."""
    attributes = mesh.data.attributes
    attribute = attributes.get(ATTRIBUTE) or attributes.new(ATTRIBUTE, "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", points.astype(np.float32).ravel())
    mesh.data.update()
