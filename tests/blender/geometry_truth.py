"""Geometry by the renderer's passes and by ray casts of Blender's own, in one process: `python -m ... JOB.json OUT`.

OUT gets what `render_geometry` leaves, and `truth/<world>/<frame>.npz`: ids [height, width], depth [m], and `flow`, the
projected motion of the point that each ray hits.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from mathutils.interpolate import poly_3d_calc

from blender_scripts.build_scene import BuiltScene, build_scene
from blender_scripts.devices import CPU
from blender_scripts.extra_passes import render_geometry
from blender_scripts.renderer import set_constants
from datagen.camera import Lens, lens_of, project, ray_through
from datagen.codec import read_record, write_npz
from datagen.entry import serve
from datagen.jobs import RenderJob
from datagen.placement import Staging
from datagen.spec import SceneSpec, World
from datagen.trajectory import read_trajectories

FAR_M = 100.0


def main(job_path: Path, out: Path) -> None:
    job = read_record(RenderJob, job_path)
    spec = read_record(SceneSpec, Path(job.spec))
    staging = read_record(Staging, Path(job.physics) / "staging.json")
    worlds = read_trajectories(Path(job.physics) / "trajectories.npz")
    scene = build_scene(spec, staging, worlds)
    set_constants(spec, job.threads, CPU)
    for world in World:
        for frame in range(spec.clip.num_frames):
            write_npz(out / "truth" / world.value / f"{frame:04d}.npz", cast(scene, world, frame))
    for thing in bpy.context.scene.objects:
        thing.hide_viewport = False
    render_geometry(scene, out)


def cast(scene: BuiltScene, world: World, frame: int) -> dict[str, np.ndarray]:
    """Hits of rays through all pixel centres."""
    spec, lens = scene.spec, lens_of(scene.spec, scene.staging)
    hidden = spec.removed if world is World.COUNTERFACTUAL else ()
    show(scene, world, hidden, frame)
    pose = np.array(scene.staging.world_from_camera[frame])
    height, width = spec.render.height, spec.render.width
    hits = {(row, column): shoot(pose, lens, row, column) for row in range(height) for column in range(width)}
    ids, depth = np.zeros((height, width), dtype=int), np.full((height, width), np.inf)
    flow = np.full((height, width, 2), np.nan)
    for (row, column), hit in hits.items():
        if hit is not None:
            ids[row, column] = hit[1].pass_index
            depth[row, column] = project(np.array(hit[0]), pose, lens)[1]
    if frame + 1 < spec.clip.num_frames:
        show(scene, world, hidden, frame + 1)
        after = np.array(scene.staging.world_from_camera[frame + 1])
        for (row, column), hit in hits.items():
            if hit is not None:
                there = np.array(now(hit[1], hit[2], hit[3]))
                flow[row, column] = project(there, after, lens)[0] - np.array([column + 0.5, row + 0.5])
    return {"ids": ids, "depth": depth, "flow": flow}


def show(scene: BuiltScene, world: World, hidden: tuple[str, ...], frame: int) -> None:
    """Bring the scene into a state; rays heed what the viewport hides, not what the renderer does."""
    scene.show(scene.state(world, hidden, frame))
    for thing in bpy.context.scene.objects:
        thing.hide_viewport = thing.hide_render
    bpy.context.view_layer.update()


def shoot(pose: np.ndarray, lens: Lens, row: int, column: int) -> tuple | None:
    """Point, object, polygon and weights of its corners, of the first hit."""
    direction = ray_through(np.array([column + 0.5, row + 0.5]), pose, lens)
    graph = bpy.context.evaluated_depsgraph_get()
    found, point, _, polygon, thing, matrix = bpy.context.scene.ray_cast(
        graph, Vector(pose[:3]), Vector(direction), distance=FAR_M
    )
    if not found:
        return None
    mesh = thing.evaluated_get(graph).data
    corners = [mesh.vertices[index].co for index in mesh.polygons[polygon].vertices]
    return point, thing.original, polygon, poly_3d_calc(corners, matrix.inverted() @ point)


def now(thing: bpy.types.Object, polygon: int, weights: list[float]) -> Vector:
    """Where a point of a polygon is at present."""
    posed = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    corners = [posed.data.vertices[index].co for index in posed.data.polygons[polygon].vertices]
    local = sum((corner * weight for corner, weight in zip(corners, weights, strict=True)), Vector())
    return posed.matrix_world @ local


if __name__ == "__main__":
    serve(main)
