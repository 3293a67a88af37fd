"""Girth, loose clothes and hair's volume: the person that is seen, a little off the one that was recorded.

Vertices move in the rest pose, along normals that are smoothed so that nothing folds; hands, forearms and face never
do.
Physics does not see it: it knows the recorded body, and `datagen.sources.body_room` keeps the difference off objects.
"""

from __future__ import annotations

import bpy
import numpy as np
from scipy.spatial import ConvexHull

from blender_scripts.rest_pose import BoneWeights, Rest, rest_vertices
from datagen.wishes import BodyShape

SMOOTHINGS = 3
SAME_M = 1e-5  # vertices nearer than this are one vertex, split at a seam
HAIR_EDGE_M = 0.015  # hair rises from its edge over this distance
MAX_TOE_GAP_M = 0.02
SHOE_EDGE_M = 0.02  # over which a shoe ends at the ankle


def shape_mesh(
    mesh: bpy.types.Object, weights: BoneWeights, rest: Rest, shape: BodyShape, hair: np.ndarray | None
) -> None:
    """Move a mesh's vertices.

    hair: distance of each vertex inside the hair's edge [m], float [V]; None: the mesh is no bare body, and has its own
    hair and shoes.
    """
    points = rest_vertices(mesh)
    out = girth(points, weights, rest, shape)
    if hair is not None:
        out += shape.hair_m * np.clip(hair / HAIR_EDGE_M, 0.0, 1.0)
    moved = points + out[:, None] * smooth_normals(mesh, points)
    if hair is not None and shape.feet > 0:
        moved += shape.feet * closed_toes(points, weights, rest)
    if np.array_equal(moved, points):
        return
    world = np.array(mesh.matrix_world, dtype=np.float64)
    offset = ((moved - points) @ np.linalg.inv(world[:3, :3]).T).astype(np.float32)
    keys = mesh.data.shape_keys.key_blocks if mesh.data.shape_keys else ()
    for data in (mesh.data.vertices, *(key.data for key in keys)):
        flat = np.empty(len(points) * 3, dtype=np.float32)
        data.foreach_get("co", flat)
        data.foreach_set("co", flat + offset.ravel())
    mesh.data.update()


def girth(points: np.ndarray, weights: BoneWeights, rest: Rest, shape: BodyShape) -> np.ndarray:
    """How far each vertex moves outwards for the trunk and the upper limbs [m], float [V]."""
    chest = weights.of("Spine2") + 0.5 * weights.of("Spine1") + 0.5 * weights.both("Shoulder")
    belly = weights.of("Hips", "Spine") + 0.5 * weights.of("Spine1")
    return np.asarray(
        shape.chest_m * chest
        + shape.belly_m * belly * (0.7 + 0.3 * ahead_of_spine(points, rest))
        + shape.upper_arms_m * weights.both("Arm")
        + shape.thighs_m * weights.both("UpLeg")
        + shape.calves_m * weights.both("Leg") * (0.4 + 0.6 * down_the_calf(points, rest))
    )


def ahead_of_spine(points: np.ndarray, rest: Rest) -> np.ndarray:
    """From 0 at the back to 1 at the front: bellies grow forwards, float [V]."""
    ahead = (points - rest.at("Spine", 0.6)) @ rest.forward
    return np.asarray(np.clip(0.5 + ahead / (0.12 * rest.top), 0.0, 1.0))


def down_the_calf(points: np.ndarray, rest: Rest) -> np.ndarray:
    """From 0 at the knee to 1 above the ankle: trouser legs hang straight, float [V]."""
    knee, ankle = float(rest.at("LeftLeg", 0.29)[2]), float(rest.at("LeftFoot", 0.05)[2])
    return np.asarray(np.clip((knee - points[:, 2]) / max(0.8 * (knee - ankle), 1e-3), 0.0, 1.0))


def smooth_normals(mesh: bpy.types.Object, points: np.ndarray) -> np.ndarray:
    """Unit normals float [V, 3] in the world, averaged with their neighbours'; equal where vertices coincide."""
    flat = np.empty(len(points) * 3, dtype=np.float32)
    mesh.data.vertex_normals.foreach_get("vector", flat)
    to_world = np.linalg.inv(np.array(mesh.matrix_world, dtype=np.float64)[:3, :3])
    normals = flat.reshape(-1, 3).astype(np.float64) @ to_world
    _, place = np.unique(np.round(points / SAME_M), axis=0, return_inverse=True)
    edges = np.empty(len(mesh.data.edges) * 2, dtype=np.int32)
    mesh.data.edges.foreach_get("vertices", edges)
    pairs = place.ravel()[edges.reshape(-1, 2)]
    merged = np.zeros((int(place.max()) + 1, 3))
    np.add.at(merged, place.ravel(), normals)
    for _ in range(SMOOTHINGS):
        merged = unit(merged)
        spread = merged.copy()
        np.add.at(spread, pairs[:, 0], merged[pairs[:, 1]])
        np.add.at(spread, pairs[:, 1], merged[pairs[:, 0]])
        merged = spread
    return unit(merged)[place.ravel()]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [N, 3] of length 1; zeros stay."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def closed_toes(points: np.ndarray, weights: BoneWeights, rest: Rest) -> np.ndarray:
    """Displacement [V, 3] of bare feet onto their convex hulls: a shoe has no gaps between toes, and no arch."""
    result = np.zeros_like(points)
    for side in ("Left", "Right"):
        joints = [rest.joints.get(f"{side}{bone}") for bone in ("Foot", "ToeBase")]
        ankle, ball = joints
        foot = weights.of(f"{side}Foot", f"{side}ToeBase", f"{side}Toe_End") > 0.5
        if ankle is None or ball is None or foot.sum() < 20:
            continue
        floor = float(points[foot, 2].min())
        below = foot & (points[:, 2] < ankle[2])
        start, end = np.array([*ankle[:2], floor + 0.025]), np.array([*ball[:2], floor + 0.018])
        out = onto_hull(points[below], start, end)
        fade = np.clip((ankle[2] - points[below, 2]) / SHOE_EDGE_M, 0.0, 1.0)
        result[below] = out * fade[:, None]
    return result


def onto_hull(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Displacement of points [N, 3] to their convex hull, away from the axis from start to end [3]."""
    axis = end - start
    share = np.clip((points - start) @ axis / (axis @ axis), 0.0, 1.0)
    away = unit(points - (start + share[:, None] * axis))
    planes = ConvexHull(points).equations  # outside: normal @ point + offset > 0
    speed, gap = away @ planes[:, :3].T, -(points @ planes[:, :3].T + planes[:, 3])
    travel = np.where(speed > 1e-6, np.maximum(gap, 0.0) / np.maximum(speed, 1e-6), np.inf).min(axis=1)
    return np.asarray(np.minimum(travel, MAX_TOE_GAP_M)[:, None] * away)
