"""One run of Kubric's simulator: what lies still is left out of the simulation until something pushes it.

Sleep: Bullet lets resting bodies creep, and wakes whatever a moving body's bounding box comes near. Here a sleeping
body keeps its pose exactly until a contact pushes it. So two worlds that differ in one object are equal, bit by bit,
wherever that object's influence has not arrived.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
import pybullet

from datagen.physics.materials import Material
from kubric_jobs.kubric_compat import CachedAssetSource, core
from kubric_jobs.recorder import FLOOR, Contact, Pair, Recorder, WorldRecord
from kubric_jobs.simulator import CollisionSimulator
from kubric_jobs.things import Thing

MAX_STEP_M = 0.008  # farthest way within a substep, or impacts are met too late
REST_S = 0.4  # what has moved slower than the following for this long falls asleep, with all that touches it
REST_M_S = 0.004
REST_RAD_S = 0.04
LEAVE_M, LEAVE_STEPS = 0.002, 2  # what is as near, or may be touched within so many time steps, is met


class Course:
    """One run of a simulator: who sleeps, who is awake, and the record of both."""

    def __init__(
        self,
        world: CollisionSimulator,
        things: tuple[Thing, ...],
        substep_s: float,
        gravity_m_s2: float,
        asleep: Collection[str],
        pressing: Mapping[Pair, np.ndarray],
    ) -> None:
        self.world, self.client = world, world._physics_client
        self.things = tuple(thing for thing in things if not thing.ghost)
        self.ghosts = {world.things[thing.name]: thing.name for thing in things if thing.ghost}
        self.radius = {thing.name: float(np.linalg.norm(thing.outline, axis=1).max()) for thing in things}
        self.substep_s = substep_s
        self.names = {number: name for name, number in world.things.items()} | {world.floor: FLOOR}
        self.dynamic = {thing.name: world.things[thing.name] for thing in things if not thing.static}
        self.recorded = [world.things[thing.name] for thing in self.things if not thing.static]
        self.recorder = Recorder(self.things, substep_s, gravity_m_s2)
        self.rest_steps = math.ceil(REST_S / substep_s)
        self.contact_points = self.client.getContactPoints
        self.frozen: dict[str, tuple[float, ...]] = {}
        self.last: list[tuple[str, str, Contact]] = []
        self._begin(asleep, pressing)

    def _begin(self, asleep: Collection[str], pressing: Mapping[Pair, np.ndarray]) -> None:
        self.client.performCollisionDetection()
        self.recorder.begin([(first, second, contact[8]) for first, second, contact in self._contacts()])
        for name in (*self.ghosts.values(), *asleep):
            self._sleep(name)
        self._leave()
        self.recorder.held = {pair: value for pair, value in pressing.items() if set(pair) <= {*asleep, *self._fixed()}}
        self.recorder.substep([], self._motions(), set())  # the initial state, so that energy is measured from it
        self.frame()

    def _fixed(self) -> set[str]:
        return {FLOOR, *(thing.name for thing in self.things if thing.static)}

    def _contacts(self) -> list[tuple[str, str, Contact]]:
        return [
            (self.names[contact[1]], self.names[contact[2]], contact)
            for contact in self.contact_points()
            if not (self.ghosts and (contact[1] in self.ghosts or contact[2] in self.ghosts))
        ]

    def _sleep(self, name: str) -> None:
        number = self.dynamic[name]
        position, quaternion = self.client.getBasePositionAndOrientation(number)
        self.frozen[name] = (*position, *quaternion)
        self._freeze(number, self.frozen[name])

    def _freeze(self, number: int, pose: tuple[float, ...]) -> None:
        self.client.resetBasePositionAndOrientation(number, pose[:3], pose[3:])
        self.client.resetBaseVelocity(number, (0, 0, 0), (0, 0, 0))
        self.client.changeDynamics(number, -1, activationState=pybullet.ACTIVATION_STATE_SLEEP)

    def _wake(self, name: str) -> None:
        del self.frozen[name]
        self.recorder.release(name)
        self.client.changeDynamics(self.dynamic[name], -1, activationState=pybullet.ACTIVATION_STATE_DISABLE_SLEEPING)

    def substep(self) -> None:
        """One time step."""
        self.client.stepSimulation()
        self._leave()
        contacts = self._contacts()
        if self.frozen:
            self._wake_pushed(contacts)
            self._hold_frozen()
            contacts = [one for one in contacts if not (one[0] in self.frozen or one[1] in self.frozen)] + [
                one for one in contacts if self._meets_frozen(one)
            ]
        self.last = contacts
        self.recorder.substep(contacts, self._motions(), set(self.dynamic) - set(self.frozen))

    def _leave(self) -> None:
        """Take ghosts away when something awake may touch them within the next steps, or what lies against them."""
        if not self.ghosts:
            return
        awake = [number for name, number in self.dynamic.items() if name not in self.frozen]
        reach = LEAVE_M + LEAVE_STEPS * max((self._step_m(number) for number in awake), default=0.0)
        met = {name for name in self.frozen if any(self._near(self.dynamic[name], other, reach) for other in awake)}
        if not met:
            return
        touching = [(self.names[contact[1]], self.names[contact[2]]) for contact in self.contact_points()]
        ghosts = {name: number for number, name in self.ghosts.items()}
        for group in touching_groups(self.frozen, touching):
            for name in sorted(group & ghosts.keys()) if group & met else ():
                del self.frozen[name], self.dynamic[name], self.ghosts[ghosts[name]]
                self.client.removeBody(ghosts[name])

    def _near(self, first: int, second: int, distance_m: float) -> bool:
        """Whether two bodies are no farther apart."""
        low, high = (np.array(corners) for corners in zip(*map(self.client.getAABB, (first, second)), strict=True))
        if (low.max(axis=0) > high.min(axis=0) + distance_m).any():
            return False
        return bool(self.client.getClosestPoints(first, second, distance_m))

    def _step_m(self, number: int) -> float:
        """Farthest way [m] that a point of a body gets in a time step."""
        linear, angular = self.client.getBaseVelocity(number)
        speed = np.linalg.norm(linear) + np.linalg.norm(angular) * self.radius[self.names[number]]
        return float(speed) * self.substep_s

    def _meets_frozen(self, contact: tuple[str, str, Contact]) -> bool:
        """Whether a contact is one of an awake body with a sleeping one; two sleeping ones have nothing to report."""
        first, second = (name in self.frozen for name in contact[:2])
        other = contact[1] if first else contact[0]
        return first != second and other in self.dynamic

    def _wake_pushed(self, contacts: list[tuple[str, str, Contact]]) -> None:
        """Wake what an awake body pushes, what that pushes, and so on."""
        pushing = [(first, second) for first, second, contact in contacts if contact[9] > 0]
        while woken := {
            name
            for pair in pushing
            for name, other in (pair, pair[::-1])
            if name in self.frozen and other in self.dynamic and other not in self.frozen
        }:
            for name in sorted(woken):
                self._wake(name)

    def _hold_frozen(self) -> None:
        """Put back what Bullet moved although nothing pushed it."""
        for name, pose in self.frozen.items():
            number = self.dynamic[name]
            position, quaternion = self.client.getBasePositionAndOrientation(number)
            if (*position, *quaternion) != pose:
                self._freeze(number, pose)

    def _motions(self) -> list[tuple[float, ...]]:
        return [self._motion(number) for number in self.recorded]

    def _motion(self, number: int) -> tuple[float, ...]:
        position, quaternion = self.client.getBasePositionAndOrientation(number)
        linear, angular = self.client.getBaseVelocity(number)
        return (*position, *quaternion, *linear, *angular)

    def frame(self) -> None:
        """Record a video frame."""
        rows = [
            (*thing.pose[:3], *np.roll(thing.pose[3:], -1), *(0.0,) * 6)
            if thing.static
            else self._motion(self.dynamic[thing.name])
            for thing in self.things
        ]
        self.recorder.frame(np.array(rows), set(self.frozen))

    def doze(self) -> None:
        """Let groups of touching bodies that have long been still fall asleep."""
        speeds = self.recorder.speeds(self.rest_steps)
        if speeds is None:
            return
        still = {name for name, (linear, angular) in speeds.items() if linear < REST_M_S and angular < REST_RAD_S}
        awake = set(self.dynamic) - set(self.frozen)
        for group in touching_groups(awake, [(first, second) for first, second, _ in self.last]):
            if group <= still:
                for name in sorted(group):
                    self._sleep(name)
        self.recorder.hold(set(self.frozen))

    @property
    def at_rest(self) -> bool:
        """Whether everything sleeps."""
        return len(self.frozen) == len(self.dynamic)


def touching_groups(names: Collection[str], pairs: Collection[Pair]) -> list[set[str]]:
    """Connected groups of `names`; pairs with others do not connect."""
    groups = [{name} for name in sorted(names)]
    for first, second in pairs:
        one, other = (next((group for group in groups if name in group), None) for name in (first, second))
        if one is not None and other is not None and one is not other:
            one |= other
            groups.remove(other)
    return groups


def run_course(
    things: tuple[Thing, ...],
    floor: Material,
    *,
    num_frames: int,
    fps: float,
    substep_hz: float,
    gravity_m_s2: float,
    asleep: Collection[str] = (),
    pressing: Mapping[Pair, np.ndarray] | None = None,
    until_rest: bool = False,
) -> WorldRecord:
    """Simulate things in a Kubric scene, sampled exactly at the video's frames.

    asleep: dynamic things that lie still at the start; pressing: impulses per frame of those, from their settling;
    until_rest: end at the first frame at which everything sleeps. Ghosts are not in the record.
    """
    steps = substeps_per_frame(things, fps, substep_hz, gravity_m_s2)
    substep_s = 1 / (fps * steps)
    rate = max(1, round(fps))
    scene = core.Scene(
        frame_start=0, frame_end=num_frames - 1, frame_rate=rate, step_rate=rate * steps, gravity=(0, 0, -gravity_m_s2)
    )
    world = CollisionSimulator(scene, substep_s, floor)
    try:
        shapes = {thing.shape.asset_id: thing.shape for thing in things}
        entries = {name: shape.entry for name, shape in shapes.items()}
        source = CachedAssetSource("scene", entries, {name: shape.folder for name, shape in shapes.items()})
        for thing in things:
            world.place(source, thing)
        course = Course(world, things, substep_s, gravity_m_s2, asleep, pressing or {})
        for _ in range(num_frames - 1):
            if not course.at_rest:
                for _ in range(steps):
                    course.substep()
            course.frame()
            if not course.at_rest:
                course.doze()
            if until_rest and course.at_rest:
                course.frame()
                break
        return course.recorder.result()
    finally:
        world.close()


def substeps_per_frame(things: tuple[Thing, ...], fps: float, substep_hz: float, gravity_m_s2: float) -> int:
    """Enough that nothing gets far within a substep."""
    moving = [thing for thing in things if not thing.static and not thing.at_rest]
    fastest = max(
        (
            math.sqrt(float(thing.linear @ thing.linear) + 2 * gravity_m_s2 * max(0.0, thing.pose[2]))
            for thing in moving
        ),
        default=0.0,
    )
    return math.ceil(max(substep_hz, fastest / MAX_STEP_M) / fps - 1e-9)
