"""Small worlds for the tests of physics: boxes, a bowl, and a sequence in which a hand holds one of them."""

from __future__ import annotations

import numpy as np
import trimesh

from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.physics.bodies import Body, ConvexParts
from datagen.physics.decompose import parts_from_hulls
from datagen.physics.materials import material_of
from datagen.sequence import FORMAT_VERSION, BodyTrack, ObjectTrack, Sequence, SequenceInfo
from datagen.spec import Clip, GeometryRef, ObjectSpec, PersonSpec, SceneSpec

MOCAP_FPS = 30.0
STILL = np.array([1.0, 0.0, 0.0, 0.0])


def box_mesh(size: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a box around the origin."""
    box = trimesh.creation.box(size)
    return np.array(box.vertices), np.array(box.faces, dtype=np.int32)


def pose(x: float, y: float, z: float) -> np.ndarray:
    """An upright pose."""
    return np.concatenate([[x, y, z], STILL])


def box_body(name: str, size: tuple[float, float, float], at: np.ndarray, *, dynamic: bool = True) -> Body:
    """A box at rest."""
    vertices, faces = box_mesh(size)
    parts: ConvexParts | None = parts_from_hulls(name, (vertices,)) if dynamic else None
    return Body(
        name=name,
        material=material_of(name),
        pose=at,
        linear=np.zeros(3),
        angular=np.zeros(3),
        vertices=vertices,
        faces=faces,
        parts=parts,
    )


def hand_at(points: np.ndarray) -> np.ndarray:
    """Points of a hand [num_frames, 4, 3] that follows [num_frames, 3]."""
    offsets = np.array([[0, 0, 0], [0, 0, 0.5], [0, 0.3, 0.5], [0, -0.3, 0.5]])
    return points[:, None, :] + offsets[None]


def sequence_of(objects: dict[str, tuple[tuple[float, float, float], np.ndarray]], hand: np.ndarray) -> Sequence:
    """Boxes by name: (size, poses [num_frames, 7]), and a hand that follows [num_frames, 3]."""
    tracks = tuple(
        ObjectTrack(name=name, vertices=box_mesh(size)[0], faces=box_mesh(size)[1], poses=poses)
        for name, (size, poses) in objects.items()
    )
    body = BodyTrack(
        name="Armature",
        points=hand_at(hand).astype(np.float32),
        part=np.array([0, 1, 1, 1], dtype=np.uint8),
        part_names=("RightHand", "Spine"),
    )
    info = SequenceInfo(
        format_version=FORMAT_VERSION,
        name="test",
        file="/data/test.fbx",
        sha256="0" * 64,
        num_frames=len(hand),
        first_frame=1,
        objects=tuple(objects),
        people=("Armature",),
        versions={},
    )
    return Sequence(info=info, objects=tracks, people=(body,))


def spec_of(sequence: Sequence, *, start_s: float = 0.0, num_frames: int = 24, fps: float = 12.0) -> SceneSpec:
    """The scene of a sequence without its person."""

    def geometry(node: str) -> GeometryRef:
        return GeometryRef(file="/data/test.fbx", sha256="0" * 64, node=node)

    return SceneSpec(
        key="test-f0000",
        source="humoto",
        seed=7,
        sequence="test",
        description="a test",
        clip=Clip(start_s=start_s, num_frames=num_frames, fps=fps),
        objects=tuple(ObjectSpec(name=name, category=name, geometry=geometry(name)) for name in sequence.info.objects),
        people=(PersonSpec(name="Armature", geometry=geometry("Armature"), mocap_fps=MOCAP_FPS),),
        removed=("Armature",),
        camera=draw_camera(7),
        light=draw_light(7),
        floor=draw_surface(7, "floor"),
        wall=draw_surface(7, "wall"),
    )
