"""What a demo sequence is: a person's bones and some objects, posed on every frame."""

from dataclasses import dataclass

import numpy as np

from blender_scripts.demo_body import Body, Outfit

Colour = tuple[float, float, float]

__all__ = ["Colour", "Mesh", "Prop", "Take"]


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """A closed polygon mesh with outward faces: vertices float [num_vertices, 3] in metres."""

    vertices: np.ndarray
    faces: list[list[int]]


@dataclass(frozen=True, kw_only=True)
class Prop:
    """An object: its mesh, colour (linear RGB) and world_from_object on every frame, float [num_frames, 4, 4]."""

    name: str
    mesh: Mesh
    colour: Colour
    poses: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Take:
    """A finished sequence.

    `rotations` [num_frames, num_bones, 3, 3] turn each bone from its rest pose, in world axes; `positions`
    [num_frames, num_bones, 3] are the bones' heads in the world, metres.
    """

    name: str
    short_script: str
    long_script: str
    body: Body
    outfit: Outfit
    rotations: np.ndarray
    positions: np.ndarray
    props: tuple[Prop, ...]

    @property
    def num_frames(self) -> int:
        return len(self.rotations)
