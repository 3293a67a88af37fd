"""Watches a Bullet world while it runs: states at the frames, contacts and motion at every substep."""

from __future__ import annotations

import itertools

import numpy as np
from pybullet_utils.bullet_client import BulletClient
from scipy.spatial.transform import Rotation

from datagen.physics.bodies import FLOOR, Body, WorldRun
from datagen.trajectory import compose_poses, continuous_signs, inverse_pose

MOTION_COLUMNS = 13  # position, quaternion (x, y, z, w), linear and angular velocity of a body's centre of mass
REST_S = 0.4  # all that has moved slower than REST_M_S and REST_RAD_S for this long lies still for good
REST_M_S = 0.004
REST_RAD_S = 0.04


class Recorder:
    """Collects states and contacts while a world runs."""

    def __init__(
        self, client: BulletClient, bodies: tuple[Body, ...], ids: dict[str, int], substep_s: float, gravity_m_s2: float
    ) -> None:
        self.client, self.bodies, self.ids = client, bodies, ids
        self.substep_s, self.gravity = substep_s, gravity_m_s2
        self.names = {number: name for name, number in ids.items()}
        self.order = {name: index for index, name in enumerate((*(body.name for body in bodies), FLOOR))}
        self.dynamic = tuple(body for body in bodies if body.dynamic)
        self.offsets = {body.name: inverse_pose(body.object_from_body) for body in bodies}
        self.states: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = []
        self.substeps: list[dict[tuple[str, str], float]] = []
        self.frames: list[dict[tuple[str, str], np.ndarray]] = []
        self.bin: dict[tuple[str, str], np.ndarray] = {}
        self.first: dict[tuple[str, str], float] = {}
        self.motion: list[tuple[float, ...]] = []
        self.flying: list[list[bool]] = []
        self.rests = False

    def begin(self) -> None:
        """Measure the overlaps of the initial poses, before anything moves."""
        self.client.performCollisionDetection()
        for contact in self.client.getContactPoints():
            pair, depth = self._pair(contact), -contact[8]
            self.first[pair] = max(self.first.get(pair, 0.0), depth)

    def substep(self) -> None:
        """Record contacts and motion of the centres of mass after a substep."""
        depths: dict[tuple[str, str], float] = {}
        touching: set[str] = set()
        for contact in self.client.getContactPoints():
            pair = self._pair(contact)
            depths[pair] = max(depths.get(pair, -1.0), -contact[8])
            touching.update(pair)
            if contact[9] > 0:
                self._add_impulse(pair, contact)
        self.substeps.append(depths)
        self._record_motion(touching)

    def _record_motion(self, touching: set[str]) -> None:
        """One row of `MOTION_COLUMNS` numbers for each dynamic body."""
        for body in self.dynamic:
            number = self.ids[body.name]
            position, quaternion = self.client.getBasePositionAndOrientation(number)
            self.motion.append((*position, *quaternion, *itertools.chain(*self.client.getBaseVelocity(number))))
        self.flying.append([body.name not in touching for body in self.dynamic])

    def resting(self) -> bool:
        """Whether nothing has moved for `REST_S`; then nothing will, and the simulation need not go on."""
        count = len(self.dynamic) * int(np.ceil(REST_S / self.substep_s))
        if len(self.motion) <= count:
            return not self.dynamic
        if not self.rests:
            speeds = np.array(self.motion[-count:])[:, 7:]
            self.rests = bool(
                np.linalg.norm(speeds[:, :3], axis=1).max() < REST_M_S
                and np.linalg.norm(speeds[:, 3:], axis=1).max() < REST_RAD_S
            )
        return self.rests

    def _energy(self, motion: np.ndarray) -> np.ndarray:
        """Potential, translational and rotational energy [S] of motion [S, D, 13] in joule."""
        total = np.zeros(len(motion))
        for column, body in enumerate(self.dynamic):
            state = motion[:, column]
            spin = Rotation.from_quat(state[:, 3:7]).inv().apply(state[:, 10:13])
            total += body.mass * (self.gravity * state[:, 2] + np.sum(state[:, 7:10] ** 2, axis=1) / 2)
            total += np.sum(body.principal_inertia * spin**2, axis=1) / 2
        return total

    def frame(self) -> None:
        """Record the state at a video frame."""
        if self.rests:
            self.states.append([(pose, np.zeros(3), np.zeros(3)) for pose, _, _ in self.states[-1]])
            self.frames.append(self.frames[-1])
            return
        self.states.append([self._state(body) for body in self.bodies])
        self.frames.append(self.bin)
        self.bin = {}

    def _state(self, body: Body) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pose and velocities of the object's own frame."""
        if not body.dynamic:
            return body.pose, np.zeros(3), np.zeros(3)
        position, (x, y, z, w) = self.client.getBasePositionAndOrientation(self.ids[body.name])
        linear, angular = (np.array(value) for value in self.client.getBaseVelocity(self.ids[body.name]))
        pose = compose_poses(np.array([*position, w, x, y, z]), self.offsets[body.name])
        return pose, linear + np.cross(angular, pose[:3] - np.array(position)), angular

    def _pair(self, contact: tuple) -> tuple[str, str]:
        first, second = self.names[contact[1]], self.names[contact[2]]
        return (first, second) if self.order[first] < self.order[second] else (second, first)

    def _add_impulse(self, pair: tuple[str, str], contact: tuple) -> None:
        """Add normal and horizontal impulse; Bullet's normal points from its second body to its first."""
        sign = 1.0 if self.names[contact[1]] == pair[1] else -1.0
        force = np.array(contact[7]) * contact[9]
        force += np.array(contact[11]) * contact[10] + np.array(contact[13]) * contact[12]
        total = self.bin.setdefault(pair, np.zeros(3))
        total += np.array([contact[9], sign * force[0], sign * force[1]]) * self.substep_s

    def result(self) -> WorldRun:
        """Everything, as arrays."""
        seen = {*self.first, *(pair for step in self.substeps for pair in step)}
        pairs = tuple(sorted(seen, key=lambda pair: (self.order[pair[0]], self.order[pair[1]])))
        impulses = np.array([[frame.get(pair, np.zeros(3)) for pair in pairs] for frame in self.frames])
        impulses = impulses.reshape(len(self.frames), len(pairs), 3).astype(np.float32)
        depth = np.array([[step.get(pair, np.nan) for pair in pairs] for step in self.substeps], dtype=np.float32)
        poses, linear, angular = (
            np.array([[state[part] for state in row] for row in self.states]) for part in range(3)
        )
        motion = np.array(self.motion).reshape(len(self.substeps), len(self.dynamic), MOTION_COLUMNS)
        shape = (len(self.states), len(self.bodies))
        return WorldRun(
            names=tuple(body.name for body in self.bodies),
            dynamic=tuple(body.name for body in self.dynamic),
            substep_s=self.substep_s,
            poses=continuous_signs(poses.reshape(*shape, 7)),
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
