"""Watches a Bullet world while it runs: states at the frames, contacts and motion at every substep."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import scipy
from pybullet_utils.bullet_client import BulletClient

from datagen.physics.bodies import FLOOR, Body, WorldRun
from datagen.physics.wheels import ROLLING_FLOOR, Castors
from datagen.trajectory import compose_poses, continuous_signs, inverse_pose

MOTION_COLUMNS = 13  # position, quaternion (x, y, z, w), linear and angular velocity of a body's centre of mass
REST_S = 0.4  # all that has moved slower than REST_M_S and REST_RAD_S for this long lies still for good
REST_M_S = 0.004
REST_RAD_S = 0.04


class Sampler:
    """Samples poses at the video's frames and notices when all lies still; looks at nothing else.

    A world runs the same, bit by bit, under a `Sampler` and under a `Recorder`.
    """

    def __init__(self, client: BulletClient, bodies: tuple[Body, ...], ids: dict[str, int], substep_s: float) -> None:
        self.bodies, self.ids, self.substep_s = bodies, ids, substep_s
        self.dynamic = tuple(body for body in bodies if body.dynamic)
        self.numbers = tuple(ids[body.name] for body in self.dynamic)
        self.offsets = {body.name: inverse_pose(body.object_from_body) for body in bodies}
        self.detect = client.performCollisionDetection  # BulletClient looks its functions up at every call: slow
        self.contacts_of = client.getContactPoints
        self.pose_of, self.velocity_of = client.getBasePositionAndOrientation, client.getBaseVelocity
        self.states: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = []
        self.castors = Castors(client, bodies, ids)
        self.still_for = 0  # substeps
        self.still_steps = int(np.ceil(REST_S / substep_s))

    def begin(self) -> None:
        """Look for contacts of the initial poses, as a recorder does."""
        self.detect()

    def substep(self) -> None:
        """After a substep."""
        self.castors.follow()
        self._watch_rest(map(self.velocity_of, self.numbers))

    def _watch_rest(self, speeds: Iterable[tuple[tuple[float, ...], tuple[float, ...]]]) -> None:
        """Count how long every body has been slow."""
        for (vx, vy, vz), (wx, wy, wz) in speeds:
            if vx * vx + vy * vy + vz * vz >= REST_M_S**2 or wx * wx + wy * wy + wz * wz >= REST_RAD_S**2:
                self.still_for = 0
                return
        self.still_for += 1

    def resting(self) -> bool:
        """Whether nothing has moved for `REST_S`; then nothing will, and the simulation need not go on."""
        return not self.dynamic or self.still_for >= self.still_steps

    def frame(self) -> None:
        """Record the state at a video frame."""
        if self.states and self.resting():
            self.states.append([(pose, np.zeros(3), np.zeros(3)) for pose, _, _ in self.states[-1]])
        else:
            self.states.append([self._state(body) for body in self.bodies])

    def _state(self, body: Body) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pose and velocities of the object's own frame."""
        if not body.dynamic:
            return body.pose, np.zeros(3), np.zeros(3)
        position, (x, y, z, w) = self.pose_of(self.ids[body.name])
        linear, angular = (np.array(value) for value in self.velocity_of(self.ids[body.name]))
        pose = compose_poses(np.array([*position, w, x, y, z]), self.offsets[body.name])
        return pose, linear + np.cross(angular, pose[:3] - np.array(position)), angular

    def poses(self) -> np.ndarray:
        """World poses of all bodies at the frames, float64 [num_frames, N, 7]."""
        poses = np.array([[state[0] for state in row] for row in self.states])
        return continuous_signs(poses.reshape(len(self.states), len(self.bodies), 7))


class Recorder(Sampler):
    """Collects states, contacts and motion while a world runs."""

    def __init__(
        self,
        client: BulletClient,
        bodies: tuple[Body, ...],
        ids: dict[str, int],
        substep_s: float,
        gravity_m_s2: float,
    ) -> None:
        super().__init__(client, bodies, ids, substep_s)
        self.gravity = gravity_m_s2
        self.names = {number: FLOOR if name == ROLLING_FLOOR else name for name, number in ids.items()}
        self.order = {name: index for index, name in enumerate((*(body.name for body in bodies), FLOOR))}
        self.substeps: list[dict[tuple[str, str], float]] = []
        self.frames: list[dict[tuple[str, str], list[float]]] = []
        self.bin: dict[tuple[str, str], list[float]] = {}
        self.first: dict[tuple[str, str], float] = {}
        self.met: set[tuple[str, str]] = set()  # pairs that ever came near
        self.motion: list[tuple[float, ...]] = []
        self.flying: list[list[bool]] = []

    def begin(self) -> None:
        """Measure the overlaps of the initial poses, before anything moves."""
        super().begin()
        for contact in self.contacts_of():
            pair, depth = self._pair(contact), -contact[8]
            self.first[pair] = max(self.first.get(pair, 0.0), depth)
            self.met.add(pair)

    def substep(self) -> None:
        """Record contacts and motion of the centres of mass after a substep."""
        self.castors.follow()
        depths: dict[tuple[str, str], float] = {}
        touching: set[str] = set()
        for contact in self.contacts_of():
            pair = self._pair(contact)
            depths[pair] = max(depths.get(pair, -1.0), -contact[8])
            touching.update(pair)
            if contact[9] > 0:
                self._add_impulse(pair, contact)
        self.substeps.append(depths)
        self.met.update(depths)
        self._record_motion(touching)

    def _record_motion(self, touching: set[str]) -> None:
        """One row of `MOTION_COLUMNS` numbers for each dynamic body."""
        velocities = [self.velocity_of(number) for number in self.numbers]
        for number, velocity in zip(self.numbers, velocities, strict=True):
            position, quaternion = self.pose_of(number)
            self.motion.append((*position, *quaternion, *itertools.chain(*velocity)))
        self.flying.append([body.name not in touching for body in self.dynamic])
        self._watch_rest(velocities)

    def frame(self) -> None:
        """Record the state at a video frame, and what pressed on what since the one before."""
        held = bool(self.frames) and self.resting()
        super().frame()
        self.frames.append(self.frames[-1] if held and not self.bin else self.bin)
        self.bin = {}

    def _pair(self, contact: tuple) -> tuple[str, str]:
        first, second = self.names[contact[1]], self.names[contact[2]]
        return (first, second) if self.order[first] < self.order[second] else (second, first)

    def _add_impulse(self, pair: tuple[str, str], contact: tuple) -> None:
        """Add normal and horizontal impulse; Bullet's normal points from its second body to its first."""
        sign = self.substep_s if self.names[contact[1]] == pair[1] else -self.substep_s
        total = self.bin.get(pair)
        if total is None:
            total = self.bin[pair] = [0.0, 0.0, 0.0]
        force = contact[9]
        total[0] += force * self.substep_s
        for axis in (0, 1):
            sideways = contact[7][axis] * force + contact[11][axis] * contact[10] + contact[13][axis] * contact[12]
            total[axis + 1] += sign * sideways

    def _energy(self, motion: np.ndarray) -> np.ndarray:
        """Potential, translational and rotational energy [S] of motion [S, D, 13] in joule."""
        total = np.zeros(len(motion))
        for column, body in enumerate(self.dynamic):
            state = motion[:, column]
            spin = scipy.spatial.transform.Rotation.from_quat(state[:, 3:7]).inv().apply(state[:, 10:13])
            total += body.mass * (self.gravity * state[:, 2] + np.sum(state[:, 7:10] ** 2, axis=1) / 2)
            total += np.sum(body.principal_inertia * spin**2, axis=1) / 2
        return total

    def result(self) -> WorldRun:
        """Everything, as arrays."""
        seen = {*self.first, *(pair for step in self.substeps for pair in step)}
        pairs = tuple(sorted(seen, key=lambda pair: (self.order[pair[0]], self.order[pair[1]])))
        impulses = np.array([[frame.get(pair, (0.0, 0.0, 0.0)) for pair in pairs] for frame in self.frames])
        impulses = impulses.reshape(len(self.frames), len(pairs), 3).astype(np.float32)
        depth = np.array([[step.get(pair, np.nan) for pair in pairs] for step in self.substeps], dtype=np.float32)
        linear, angular = (np.array([[state[part] for state in row] for row in self.states]) for part in (1, 2))
        motion = np.array(self.motion).reshape(len(self.substeps), len(self.dynamic), MOTION_COLUMNS)
        shape = (len(self.states), len(self.bodies))
        return WorldRun(
            names=tuple(body.name for body in self.bodies),
            dynamic=tuple(body.name for body in self.dynamic),
            substep_s=self.substep_s,
            first_s=self.substep_s,
            com=np.array([body.object_from_body[:3] for body in self.dynamic]).reshape(-1, 3),
            poses=self.poses(),
            linear_velocity=linear.reshape(*shape, 3),
            angular_velocity=angular.reshape(*shape, 3),
            pairs=pairs,
            impulse=impulses[..., 0],
            side_impulse=impulses[..., 1:],
            penetration=depth.reshape(len(self.substeps), len(pairs)),
            initial_penetration=np.array([max(self.first.get(pair, 0.0), 0.0) for pair in pairs]),
            centre=motion[..., :3],
            speed=np.linalg.norm(motion[..., 7:10], axis=-1),
            airborne=np.array(self.flying, dtype=bool).reshape(len(self.substeps), len(self.dynamic)),
            energy=self._energy(motion) if self.substeps else np.zeros(0),
        )
