"""Kubric's PyBullet simulator, mended: its time step is set, round things stop rolling, bodies have plausible masses,
and what lies still is left out of the simulation until something pushes it.

Kubric leaves Bullet at 1/240 s whatever the scene's step rate says, without rolling friction and with contacts that
are seen only once bodies overlap.

Sleep: Bullet lets resting bodies creep, and wakes whatever a moving body's bounding box comes near. Here a sleeping
body keeps its pose exactly until a contact pushes it. So two worlds that differ in one object are equal, bit by bit,
wherever that object's influence has not arrived.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
import pybullet

from datagen.entry import silenced
from datagen.physics.materials import Material
from kubric_jobs.kubric_compat import CachedAssetSource, core, simulator
from kubric_jobs.recorder import FLOOR, Contact, Pair, Recorder, WorldRecord
from kubric_jobs.things import Thing

SOLVER_ITERATIONS = 60
SPECULATIVE_M = 0.02  # contacts are seen this far ahead, so that fast bodies are stopped at the surface
MAX_STEP_M = 0.008  # farthest way within a substep, or impacts are met too late
RESTITUTION_SPEED = 0.15  # slower impacts do not bounce [m/s]
REST_S = 0.4  # what has moved slower than the following for this long falls asleep, with all that touches it
REST_M_S = 0.004
REST_RAD_S = 0.04


class CollisionSimulator(simulator.PyBullet):  # type: ignore[misc]
    """Kubric's simulator over a `kb.Scene`, with a floor at z = 0."""

    def __init__(self, scene: object, substep_s: float, floor: Material) -> None:
        self.things: dict[str, int] = {}
        with silenced():
            super().__init__(scene, scratch_dir=None)
        client = self._physics_client
        client.setPhysicsEngineParameter(
            fixedTimeStep=substep_s,
            numSubSteps=0,
            numSolverIterations=SOLVER_ITERATIONS,
            solverResidualThreshold=0.0,  # else one island's residual ends another's iterations
            minimumSolverIslandSize=1,  # each island is solved by itself, so absent bodies change no other's rounding
            contactBreakingThreshold=SPECULATIVE_M,
            restitutionVelocityThreshold=RESTITUTION_SPEED,
            enableConeFriction=1,
            deterministicOverlappingPairs=1,
        )
        shape = client.createCollisionShape(pybullet.GEOM_PLANE, planeNormal=[0, 0, 1])
        self.floor = int(client.createMultiBody(baseMass=0, baseCollisionShapeIndex=shape))
        self._set_contact(self.floor, floor)

    def place(self, source: CachedAssetSource, thing: Thing) -> None:
        """Add a thing to the scene, through Kubric."""
        material = thing.shape.material
        asset = source.create(
            thing.shape.asset_id,
            simulation_filename=str(thing.shape.solid.urdf),
            name=thing.name.replace(".", "_"),  # Kubric appends .001, .002, ... to names it has seen, and compares them
            position=thing.pose[:3],
            quaternion=thing.pose[3:],
            velocity=thing.linear,
            angular_velocity=thing.angular,
            scale=thing.scale,
            static=thing.static,
            mass=max(thing.mass, 1e-3),
            friction=material.friction,
            restitution=material.restitution,
        )
        with silenced():
            self.scene.add(asset)
        number = int(asset.linked_objects[self])
        self.things[thing.name] = number
        self._set_contact(number, material)
        if not thing.static:
            self._physics_client.changeDynamics(
                number,
                -1,
                mass=thing.mass,
                localInertiaDiagonal=thing.inertia.tolist(),
                linearDamping=0.0,
                angularDamping=0.0,
                contactProcessingThreshold=SPECULATIVE_M,  # Kubric's 0 lets fast bodies overlap first
                activationState=pybullet.ACTIVATION_STATE_DISABLE_SLEEPING,
            )

    def _set_contact(self, number: int, material: Material) -> None:
        self._physics_client.changeDynamics(
            number,
            -1,
            lateralFriction=material.friction,
            restitution=material.restitution,
            rollingFriction=material.rolling_friction,
            spinningFriction=material.rolling_friction,
            contactProcessingThreshold=SPECULATIVE_M,
        )

    def close(self) -> None:
        """End Bullet's world."""
        self._physics_client.disconnect()
        self._physics_client._client = -1


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
        self.things = things
        self.names = {number: name for name, number in world.things.items()} | {world.floor: FLOOR}
        self.dynamic = {thing.name: world.things[thing.name] for thing in things if not thing.static}
        self.recorder = Recorder(things, substep_s, gravity_m_s2)
        self.rest_steps = math.ceil(REST_S / substep_s)
        self.contact_points = self.client.getContactPoints
        self.frozen: dict[str, tuple[float, ...]] = {}
        self.last: list[tuple[str, str, Contact]] = []
        self._begin(asleep, pressing)

    def _begin(self, asleep: Collection[str], pressing: Mapping[Pair, np.ndarray]) -> None:
        self.client.performCollisionDetection()
        self.recorder.begin([(first, second, contact[8]) for first, second, contact in self._contacts()])
        for name in asleep:
            self._sleep(name)
        self.recorder.held = {pair: value for pair, value in pressing.items() if set(pair) <= {*asleep, *self._fixed()}}
        self.recorder.substep([], self._motions(), set())  # the initial state, so that energy is measured from it
        self.frame()

    def _fixed(self) -> set[str]:
        return {FLOOR, *(thing.name for thing in self.things if thing.static)}

    def _contacts(self) -> list[tuple[str, str, Contact]]:
        return [(self.names[contact[1]], self.names[contact[2]], contact) for contact in self.contact_points()]

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
        contacts = self._contacts()
        if self.frozen:
            self._wake_pushed(contacts)
            self._hold_frozen()
            contacts = [one for one in contacts if not (one[0] in self.frozen or one[1] in self.frozen)] + [
                one for one in contacts if self._meets_frozen(one)
            ]
        self.last = contacts
        self.recorder.substep(contacts, self._motions(), set(self.dynamic) - set(self.frozen))

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
        return [self._motion(number) for number in self.dynamic.values()]

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
    until_rest: end at the first frame at which everything sleeps.
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
