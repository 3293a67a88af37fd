"""Rigid bodies before a simulation, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datagen.physics.materials import Material, mass_kg
from datagen.rotations import of_matrix

FLOOR = "floor"


@dataclass(frozen=True, kw_only=True)
class ConvexParts:
    """A solid made of convex parts, in the object's frame.

    hulls    each float64 [V, 3], the corners of one part
    volume   [m3]
    centre   float64 [3], of mass [m]
    inertia  float64 [3, 3], about the centre of mass, for density 1 [m5]
    """

    hulls: tuple[np.ndarray, ...]
    volume: float
    centre: np.ndarray
    inertia: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Body:
    """A rigid body at the start of a simulation.

    pose      float64 [7], `world_from_object`
    linear    float64 [3], velocity of the object's origin [m/s]
    angular   float64 [3], world axes [rad/s]
    vertices  float64 [V, 3], faces int32 [F, 3]: the surface, used while the body is static
    parts     convex parts; a body with parts is dynamic
    wheels_up float64 [3], axis of the object's frame that points up while it stands on its castors; None without
    """

    name: str
    material: Material
    pose: np.ndarray
    linear: np.ndarray
    angular: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    parts: ConvexParts | None = None
    wheels_up: np.ndarray | None = None

    @property
    def dynamic(self) -> bool:
        return self.parts is not None

    @property
    def mass(self) -> float:
        """[kg]; 0 for static bodies."""
        return mass_kg(self.material, self.parts.volume) if self.parts is not None else 0.0

    @property
    def object_from_body(self) -> np.ndarray:
        """Pose [7] of the principal frame at the centre of mass, in the object's frame."""
        if self.parts is None:
            return np.array([0.0, 0, 0, 1, 0, 0, 0])
        _, axes = np.linalg.eigh(self.parts.inertia)
        axes = axes if np.linalg.det(axes) > 0 else axes * np.array([1.0, 1.0, -1.0])
        return np.concatenate([self.parts.centre, of_matrix(axes)])

    @property
    def principal_inertia(self) -> np.ndarray:
        """[kg m2], float64 [3], along the principal axes."""
        assert self.parts is not None
        return np.asarray(np.linalg.eigvalsh(self.parts.inertia) * (self.mass / self.parts.volume))


@dataclass(frozen=True, kw_only=True)
class WorldRun:
    """What came of a simulation. N names, D of them dynamic, S substeps, K pairs that ever touched.

    poses            float64 [num_frames, N, 7]
    linear_velocity  float64 [num_frames, N, 3], of the object's origin; angular_velocity likewise
    pairs            [K] names that touched, in order; `FLOOR` is the floor
    impulse          float32 [num_frames, K], sum of normal impulses since the frame before [N s]
    side_impulse     float32 [num_frames, K, 2], horizontal, on the pair's second body since the frame before [N s]
    penetration      float32 [S, K], deepest overlap [m], negative for a gap, NaN where the pair is apart
    centre           float64 [S, D, 3], centre of mass after each substep; speed float64 [S, D]
    airborne         bool [S, D], nothing within reach of a contact
    energy           float64 [S], of all dynamic bodies [J]
    """

    names: tuple[str, ...]
    dynamic: tuple[str, ...]
    substep_s: float
    first_s: float  # time of the first of the S rows: one substep, or 0 where the start is recorded too
    com: np.ndarray  # float64 [D, 3], centre of mass in the object's frame [m]
    poses: np.ndarray
    linear_velocity: np.ndarray
    angular_velocity: np.ndarray
    pairs: tuple[tuple[str, str], ...]
    impulse: np.ndarray
    side_impulse: np.ndarray
    penetration: np.ndarray
    initial_penetration: np.ndarray  # float64 [K], overlap that the pair began with [m], 0 without
    centre: np.ndarray
    speed: np.ndarray
    airborne: np.ndarray
    energy: np.ndarray
