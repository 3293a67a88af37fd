"""The kept objects of a scene at its first frame, as bodies that can be set free, held fixed and run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datagen.errors import SceneFailed
from datagen.physics.bodies import Body, ConvexParts
from datagen.physics.decompose import convex_parts
from datagen.physics.handover import Handover
from datagen.physics.materials import Material, floor_material, mass_kg, material_of
from datagen.physics.settle import Settling, settle
from datagen.physics.support import BodyPoints, stands_on_floor, upright_axis
from datagen.physics.wheels import has_wheels
from datagen.sequence import ObjectTrack
from datagen.spec import SceneSpec
from datagen.trajectory import apply_pose

UPRIGHT_VERTICES = 400  # enough to see which side of an object is down


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Bodies at the moment at which the person disappears; all of them static."""

    spec: SceneSpec
    bodies: tuple[Body, ...]
    people: tuple[BodyPoints, ...]
    floor: Material
    cache: Path
    solids: dict[str, ConvexParts]  # parts of bodies that were needed so far

    def body(self, name: str) -> Body:
        """The body of that name."""
        return next(body for body in self.bodies if body.name == name)

    def solid(self, body: Body) -> Body:
        """The body as a dynamic one. Raises `SceneFailed` when it encloses no volume."""
        if body.name not in self.solids:
            self.solids[body.name] = convex_parts(body.name, body.vertices, body.faces, self.cache)
        return replace(body, parts=self.solids[body.name])

    def with_parts(self, dynamic: set[str]) -> tuple[Body, ...]:
        """All bodies, those solid that are dynamic."""
        return tuple(self.solid(body) if body.name in dynamic else body for body in self.bodies)

    def free(self, body: Body, without: set[str]) -> Settling:
        """How far a body gets when it is set free and all others stay; some of the others are taken away."""
        others = tuple(other for other in self.bodies if other.name != body.name and other.name not in without)
        return settle(self.solid(body), others, self.floor, self.spec.physics)

    def stands(self, body: Body) -> bool:
        """Whether a body stands on the floor by itself."""
        return stands_on_floor(apply_pose(body.pose, body.vertices), body.faces)

    def moving_with(self, velocities: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Scene:
        """The same scene with other linear and angular velocities [3] of some bodies."""
        bodies = tuple(
            replace(body, linear=velocities[body.name][0], angular=velocities[body.name][1])
            if body.name in velocities
            else body
            for body in self.bodies
        )
        return replace(self, bodies=bodies)


def scene_of(spec: SceneSpec, handover: Handover, cache: Path) -> Scene:
    """The scene at a clip's first frame. Raises `SceneFailed` for an object that has no surface or no pose."""
    return Scene(
        spec=spec,
        bodies=tuple(_body(spec, handover, thing.name, thing.category) for thing in spec.kept_objects()),
        people=handover.body_points(0),
        floor=floor_material(spec.floor.kind),
        cache=cache,
        solids={},
    )


def _body(spec: SceneSpec, handover: Handover, name: str, category: str) -> Body:
    track, factual = handover.track(name), handover.factual
    column = factual.index(name)
    pose = factual.poses[0, column]
    _check(spec, track, pose)
    return Body(
        name=name,
        material=material_of(category),
        pose=pose,
        linear=factual.linear_velocity[0, column],
        angular=factual.angular_velocity[0, column],
        vertices=track.vertices,
        faces=track.faces,
        wheels_up=_upright(track) if has_wheels(category) else None,
    )


def _check(spec: SceneSpec, track: ObjectTrack, pose: np.ndarray) -> None:
    """Refuse what Bullet would take in silence, or hang on."""
    bad = ""
    if not len(track.faces) or not len(track.vertices):
        bad = f"has {len(track.faces)} triangles and {len(track.vertices)} vertices"
    elif not np.isfinite(track.vertices).all():
        bad = f"has {int((~np.isfinite(track.vertices)).any(axis=1).sum())} vertices that are not finite"
    elif track.faces.min() < 0 or track.faces.max() >= len(track.vertices):
        bad = f"has triangles that name vertex {int(track.faces.max())} of {len(track.vertices)}"
    elif not np.isfinite(pose).all():
        bad = f"has no finite pose at {spec.clip.start_s:.2f} s"
    if bad:
        raise SceneFailed(
            f"{spec.key}: object '{track.name}' {bad}; expected a closed surface with a pose in every frame; "
            "mend the sequence's file",
            object=track.name,
        )


def _upright(track: ObjectTrack) -> np.ndarray:
    step = max(1, len(track.vertices) // UPRIGHT_VERTICES)
    return upright_axis(track.poses, track.vertices[::step])


def corner_speed(body: Body) -> float:
    """Speed [m/s] of the fastest vertex."""
    arms = apply_pose(body.pose, body.vertices) - body.pose[:3]
    return float(np.linalg.norm(body.linear + np.cross(body.angular, arms), axis=1).max())


def rough_mass(body: Body) -> float:
    """A lower guess of a mass without decomposing the mesh [kg]: a tenth of its bounding box is solid."""
    return mass_kg(body.material, float(np.prod(np.ptp(body.vertices, axis=0))) / 10)
