"""A person as the file has them before any bone moves: joints, vertices, and what moves each vertex."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

HEAD_M = 0.2  # from the head's joint to its top, of the body that face and hair are measured on
EYES_UP, EYES_AHEAD = 0.435, 0.47  # of the head: where eyes lie above and before its joint, without eyes in the file


@dataclass(frozen=True, kw_only=True)
class Rest:
    """A rest pose, in the world [m]: joints by bone name without prefix, and directions of the body.

    eyes: the point between them; head_scale: of face and hair, 1 for a head as long as `HEAD_M`.
    """

    joints: dict[str, np.ndarray]
    forward: np.ndarray
    top: float
    eyes: np.ndarray
    head_scale: float

    @property
    def left(self) -> np.ndarray:
        """To the person's left, horizontally."""
        return np.array([-self.forward[1], self.forward[0], 0.0])

    def at(self, name: str, height_share: float) -> np.ndarray:
        """A joint, or a point at a share of the body's height."""
        return self.joints.get(name, np.array([0.0, 0.0, height_share * self.top]))

    def from_body(self, points: np.ndarray) -> np.ndarray:
        """World points [V, 3] as (to the left of, ahead of the eyes' middle, above the floor)."""
        flat = points - self.eyes
        return np.stack([flat @ self.left, flat @ self.forward, points[:, 2]], axis=1)

    def from_eyes(self, points: np.ndarray) -> np.ndarray:
        """World points [V, 3] as (left, ahead, up) from between the eyes, for a head as long as `HEAD_M`."""
        return (self.from_body(points) - np.array([0.0, 0.0, self.eyes[2]])) / self.head_scale


def rest_of(
    armature: bpy.types.Object, bodies: tuple[bpy.types.Object, ...], eyes: tuple[bpy.types.Object, ...]
) -> Rest:
    """The rest pose of an armature; eyes: those of its meshes that are eyes."""
    joints = {
        bone.name.split(":")[-1]: np.array(armature.matrix_world @ bone.head_local) for bone in armature.data.bones
    }
    top = max(float(rest_vertices(mesh)[:, 2].max()) for mesh in bodies)
    ahead = forward_of(joints)
    head = joints.get("Head", np.array([0.0, 0.0, 0.87 * top]))
    long = float(np.linalg.norm(joints["HeadTop_End"] - head)) if "HeadTop_End" in joints else top - head[2]
    if eyes:
        points = np.concatenate([rest_vertices(mesh) for mesh in eyes])
        between = 0.5 * (points.min(axis=0) + points.max(axis=0))
    else:
        between = head + long * (EYES_UP * np.array([0.0, 0.0, 1.0]) + EYES_AHEAD * ahead)
    return Rest(joints=joints, forward=ahead, top=top, eyes=between, head_scale=max(long, 0.05) / HEAD_M)


def forward_of(joints: dict[str, np.ndarray]) -> np.ndarray:
    """Where the toes point, horizontally, [3]; HUMOTO's people look along -Y."""
    ahead = np.zeros(3)
    for side in ("Left", "Right"):
        if f"{side}ToeBase" in joints and f"{side}Foot" in joints:
            ahead += joints[f"{side}ToeBase"] - joints[f"{side}Foot"]
    ahead[2] = 0.0
    length = float(np.linalg.norm(ahead))
    return ahead / length if length > 1e-6 else np.array([0.0, -1.0, 0.0])


def rest_vertices(mesh: bpy.types.Object) -> np.ndarray:
    """Undeformed vertices float64 [V, 3], in the world."""
    flat = np.empty(len(mesh.data.vertices) * 3, dtype=np.float32)
    mesh.data.vertices.foreach_get("co", flat)
    world = np.array(mesh.matrix_world, dtype=np.float64)
    return np.asarray(flat.reshape(-1, 3).astype(np.float64) @ world[:3, :3].T + world[:3, 3])


class BoneWeights:
    """How much each bone moves each vertex of a mesh."""

    def __init__(self, mesh: bpy.types.Object) -> None:
        self.columns = {group.name.split(":")[-1]: group.index for group in mesh.vertex_groups}
        self.weights = np.zeros((len(mesh.data.vertices), len(mesh.vertex_groups)))
        for vertex in mesh.data.vertices:
            for group in vertex.groups:
                self.weights[vertex.index, group.group] = group.weight
        self.weights /= np.maximum(self.weights.sum(axis=1, keepdims=True), 1e-9)

    def of(self, *bones: str) -> np.ndarray:
        """Share that some bones, by name without prefix, have in each vertex, float64 [V]."""
        return np.asarray(self.weights[:, [self.columns[bone] for bone in bones if bone in self.columns]].sum(axis=1))

    def both(self, *bones: str) -> np.ndarray:
        """Likewise of bones on either side."""
        return self.of(*(f"{side}{bone}" for side in ("Left", "Right") for bone in bones))
