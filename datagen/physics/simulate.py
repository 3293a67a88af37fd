"""Physics without the person: who moves, and how.

Dynamic are (1) what the person held or supported, (2) what moves by itself at the first frame, and (3) what a dynamic
body then pushes, or carried until then: promoted, and everything run again until nothing changes. All else stays at
its mocap pose, because resting objects hover or sink by millimetres in motion capture and must not twitch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datagen.physics.bodies import Body, WorldRun
from datagen.physics.decompose import convex_parts
from datagen.physics.handover import Handover
from datagen.physics.materials import Material, floor_material, mass_kg, material_of
from datagen.physics.settle import Settling, settle
from datagen.physics.support import Contact, body_contact, stands_on_floor
from datagen.physics.world import run_world
from datagen.spec import SceneSpec
from datagen.trajectory import Trajectory, apply_pose

MOVING_M_S = 0.05  # a corner that is faster than this at the first frame moves; mocap noise is below 0.02
PUSHED_M_S = 0.15  # a blow that could give an object this speed slides it by millimetres
MAX_ROUNDS = 8


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known about one object at the first frame, and what follows for physics."""

    contact: Contact
    speed_m_s: float  # of its fastest corner
    settling: Settling | None
    dynamic: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The counterfactual course of a scene."""

    trajectory: Trajectory
    run: WorldRun
    bodies: tuple[Body, ...]
    standings: dict[str, Standing]
    floor: Material


def simulate_without(spec: SceneSpec, handover: Handover, cache: Path) -> Outcome:
    """Run physics from the clip's first frame without the removed people and objects.

    Raises `SceneFailed` when an object that moves cannot be made a solid.
    """
    scene = _Scene(spec, handover, cache)
    standings = {body.name: scene.judge(body) for body in scene.bodies}
    run = scene.run(standings)
    for _ in range(MAX_ROUNDS):
        promoted = scene.promotions(standings, run)
        if not promoted:
            break
        standings = {**standings, **promoted}
        run = scene.run(standings)
    trajectory = Trajectory(
        names=run.names,
        fps=spec.clip.fps,
        poses=run.poses,
        linear_velocity=run.linear_velocity,
        angular_velocity=run.angular_velocity,
    )
    return Outcome(
        trajectory=trajectory, run=run, bodies=scene.with_parts(standings), standings=standings, floor=scene.floor
    )


def rerun(spec: SceneSpec, outcome: Outcome, substep_hz: int) -> WorldRun:
    """The same bodies with another time step."""
    return _run(spec, outcome.bodies, outcome.floor, substep_hz)


def _run(spec: SceneSpec, bodies: tuple[Body, ...], floor: Material, substep_hz: int) -> WorldRun:
    return run_world(
        bodies,
        floor,
        num_frames=spec.clip.num_frames,
        fps=spec.clip.fps,
        substep_hz=substep_hz,
        gravity_m_s2=spec.physics.gravity_m_s2,
    )


class _Scene:
    """The kept objects of a scene at its first frame."""

    def __init__(self, spec: SceneSpec, handover: Handover, cache: Path) -> None:
        self.spec, self.handover, self.cache = spec, handover, cache
        self.floor = floor_material(spec.floor.kind)
        self.people = handover.body_points(0)
        self.bodies = tuple(self._body(thing.name, thing.category) for thing in spec.kept_objects())
        self.by_name: Mapping[str, Body] = {body.name: body for body in self.bodies}

    def _body(self, name: str, category: str) -> Body:
        track, factual = self.handover.track(name), self.handover.factual
        column = factual.index(name)
        return Body(
            name=name,
            material=material_of(category),
            pose=factual.poses[0, column],
            linear=factual.linear_velocity[0, column],
            angular=factual.angular_velocity[0, column],
            vertices=track.vertices,
            faces=track.faces,
        )

    def solid(self, body: Body) -> Body:
        """The body as a dynamic one."""
        return replace(body, parts=convex_parts(body.name, body.vertices, body.faces, self.cache))

    def with_parts(self, standings: Mapping[str, Standing]) -> tuple[Body, ...]:
        """All bodies, those solid that are dynamic."""
        return tuple(self.solid(body) if standings[body.name].dynamic else body for body in self.bodies)

    def run(self, standings: Mapping[str, Standing]) -> WorldRun:
        """The whole clip with the present choice of dynamic bodies."""
        return _run(self.spec, self.with_parts(standings), self.floor, self.spec.physics.substep_hz)

    def judge(self, body: Body) -> Standing:
        """Whether an object is let go by the person, or moves by itself."""
        contact = body_contact(self.people, body.pose, body.vertices, body.faces)
        speed = corner_speed(body)
        touched = contact.distance_m * 1000 < self.spec.physics.contact_mm
        moving = speed > MOVING_M_S
        if not touched and not moving:
            return _standing(contact, speed, None, False, "nobody touches it and it lies still")
        world = apply_pose(body.pose, body.vertices)
        if not moving and stands_on_floor(world, body.faces):
            return _standing(contact, speed, None, False, f"{_touch(contact)}, but it stands on the floor by itself")
        settling = self._free(body, tuple(other for other in self.bodies if other is not body))
        if not settling.beyond(self.spec.physics):
            why = f"{_touch(contact)}, but set free it stays: {_moved(settling)}"
            return _standing(contact, speed, settling, False, why)
        cause = f"held: {_touch(contact)}" if touched else f"moves by itself at {speed:.2f} m/s"
        return _standing(contact, speed, settling, True, f"{cause}; set free, {_moved(settling)}")

    def _free(self, body: Body, others: tuple[Body, ...]) -> Settling:
        return settle(self.solid(body), others, self.floor, self.spec.physics)

    def promotions(self, standings: Mapping[str, Standing], run: WorldRun) -> dict[str, Standing]:
        """New verdicts on static bodies that a run shows must move."""
        changed: dict[str, Standing] = {}
        dynamic = {name for name, standing in standings.items() if standing.dynamic}
        for name in sorted(set(standings) - dynamic):
            reason = self._why_promote(name, dynamic, run)
            if reason is not None:
                changed[name] = replace(standings[name], dynamic=True, why=reason)
        return changed

    def _why_promote(self, name: str, dynamic: set[str], run: WorldRun) -> str | None:
        """What a dynamic body does to a static one, in words; None for nothing."""
        partners = [pair for pair in run.pairs if name in pair and dynamic & set(pair)]
        if not partners:
            return None
        body = self.by_name[name]
        carriers = [pair[0] if pair[1] == name else pair[1] for pair in partners]
        if not stands_on_floor(apply_pose(body.pose, body.vertices), body.faces):
            others = tuple(other for other in self.bodies if other.name != name and other.name not in dynamic)
            settling = self._free(body, others)
            if settling.beyond(self.spec.physics):
                return f"rests on {' and '.join(carriers)}, which moves; without it, {_moved(settling)}"
        blow, by = self._hardest_push(name, run, dynamic)
        if blow / _rough_mass(body) > PUSHED_M_S and blow / self.solid(body).mass > PUSHED_M_S:
            return f"pushed by {by} with {blow:.2f} N s"
        return None

    def _hardest_push(self, name: str, run: WorldRun, dynamic: set[str]) -> tuple[float, str]:
        """Greatest horizontal impulse [N s] on an object within a frame, and by what."""
        best, by = 0.0, ""
        for column, pair in enumerate(run.pairs):
            other = pair[0] if pair[1] == name else pair[1]
            if name in pair and other in dynamic:
                blow = float(np.linalg.norm(run.side_impulse[:, column], axis=1).max())
                best, by = max((best, by), (blow, other))
        return best, by


def corner_speed(body: Body) -> float:
    """Speed [m/s] of the fastest vertex."""
    arms = apply_pose(body.pose, body.vertices) - body.pose[:3]
    return float(np.linalg.norm(body.linear + np.cross(body.angular, arms), axis=1).max())


def _rough_mass(body: Body) -> float:
    """A lower guess of a mass without decomposing the mesh [kg]: a tenth of its bounding box is solid."""
    return mass_kg(body.material, float(np.prod(np.ptp(body.vertices, axis=0))) / 10)


def _standing(contact: Contact, speed: float, settling: Settling | None, dynamic: bool, why: str) -> Standing:
    return Standing(contact=contact, speed_m_s=speed, settling=settling, dynamic=dynamic, why=why)


def _touch(contact: Contact) -> str:
    if contact.distance_mm is None:
        return "nobody touches it"
    return f"{contact.part} is {contact.distance_mm:.1f} mm away"


def _moved(settling: Settling) -> str:
    return f"it moves {settling.moved_mm:.0f} mm and turns {settling.turned_deg:.0f} degrees"
