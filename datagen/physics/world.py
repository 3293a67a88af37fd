"""A PyBullet world of rigid bodies; the only file that talks to Bullet.

Bullet's body frame is the centre of mass with principal axes; everything outside speaks of the object's own frame.
Dynamic bodies are compounds of convex parts, static bodies are concave triangle meshes, the floor is z = 0.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet
from pybullet_utils.bullet_client import BulletClient
from scipy.spatial.transform import Rotation

from datagen.entry import silenced
from datagen.physics.decompose import ConvexParts
from datagen.physics.materials import Material, mass_kg
from datagen.trajectory import apply_pose, compose_poses, inverse_pose

FLOOR = "floor"
SOLVER_ITERATIONS = 120
SPECULATIVE_M = 0.02  # contacts are seen this far ahead, so that fast bodies are stopped at the surface
MAX_STEP_M = 0.0025  # farthest way within a substep: a flat board that lands met 10 mm too late at 0.006
MOTION_COLUMNS = 13  # position, quaternion (x, y, z, w), linear and angular velocity of a body's centre of mass
REST_S = 0.4  # all that has moved slower than REST_M_S and REST_RAD_S for this long lies still for good
REST_M_S = 0.004
REST_RAD_S = 0.04
RESTITUTION_SPEED = 0.15  # slower impacts do not bounce [m/s]


@dataclass(frozen=True, kw_only=True)
class Body:
    """A rigid body at the start of a simulation.

    pose      float64 [7], `world_from_object`
    linear    float64 [3], velocity of the object's origin [m/s]
    angular   float64 [3], world axes [rad/s]
    vertices  float64 [V, 3], faces int32 [F, 3]: the surface, used while the body is static
    parts     convex parts; a body with parts is dynamic
    """

    name: str
    material: Material
    pose: np.ndarray
    linear: np.ndarray
    angular: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    parts: ConvexParts | None = None

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
        return np.concatenate([self.parts.centre, Rotation.from_matrix(axes).as_quat(scalar_first=True)])

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


def run_world(
    bodies: tuple[Body, ...],
    floor: Material,
    *,
    num_frames: int,
    fps: float,
    substep_hz: int,
    gravity_m_s2: float,
) -> WorldRun:
    """Simulate bodies for `num_frames` video frames; states are sampled exactly at the frames' times.

    `substep_hz` is the least rate: raised until nothing that falls gets far within a step, and to a multiple of `fps`.
    """
    fastest = max((_fastest(body, gravity_m_s2) for body in bodies if body.dynamic), default=0.0)
    steps = int(np.ceil(max(substep_hz, fastest / MAX_STEP_M) / fps - 1e-9))
    substep_s = 1 / (fps * steps)
    with _client(substep_s, gravity_m_s2) as client, tempfile.TemporaryDirectory() as folder:
        ids = {FLOOR: _add_floor(client, floor)}
        for index, body in enumerate(bodies):
            ids[body.name] = _add_body(client, body, Path(folder) / f"{index}.obj")
        recorder = _Recorder(client, bodies, ids, substep_s, gravity_m_s2)
        recorder.begin()
        recorder.frame()
        for _ in range(num_frames - 1):
            if not recorder.resting():
                for _ in range(steps):
                    client.stepSimulation()
                    recorder.substep()
            recorder.frame()
        return recorder.result()


def _fastest(body: Body, gravity_m_s2: float) -> float:
    """Speed [m/s] with which a body would reach the floor."""
    height = max(0.0, float(apply_pose(body.pose, body.vertices)[:, 2].max()))
    return float(np.sqrt(np.sum(body.linear**2) + 2 * gravity_m_s2 * height))


@contextmanager
def _client(substep_s: float, gravity_m_s2: float) -> Iterator[BulletClient]:
    """A private Bullet server, set up to be deterministic."""
    with silenced():
        client = BulletClient(connection_mode=pybullet.DIRECT)
    try:
        client.resetSimulation()
        client.setGravity(0, 0, -gravity_m_s2)
        client.setPhysicsEngineParameter(
            fixedTimeStep=substep_s,
            numSubSteps=0,
            numSolverIterations=SOLVER_ITERATIONS,
            useSplitImpulse=1,
            splitImpulsePenetrationThreshold=-0.0005,
            contactBreakingThreshold=SPECULATIVE_M,
            restitutionVelocityThreshold=RESTITUTION_SPEED,
            enableConeFriction=1,
            deterministicOverlappingPairs=1,
        )
        yield client
    finally:
        client.disconnect()


def _add_floor(client: BulletClient, material: Material) -> int:
    shape = client.createCollisionShape(pybullet.GEOM_PLANE, planeNormal=[0, 0, 1])
    body = int(client.createMultiBody(baseMass=0, baseCollisionShapeIndex=shape))
    _set_contact(client, body, material)
    return body


def _add_body(client: BulletClient, body: Body, file: Path) -> int:
    """Add a body through an OBJ file: one group for each convex part, or one concave surface."""
    if body.parts is None:
        write_obj(file, [(body.vertices, body.faces)])
        flags = pybullet.GEOM_FORCE_CONCAVE_TRIMESH
    else:
        to_body = inverse_pose(body.object_from_body)
        rotation = Rotation.from_quat(to_body[3:], scalar_first=True)
        write_obj(file, [(rotation.apply(hull) + to_body[:3], _fan(len(hull))) for hull in body.parts.hulls])
        flags = 0
    shape = client.createCollisionShape(pybullet.GEOM_MESH, fileName=str(file), flags=flags)
    number = int(client.createMultiBody(baseMass=body.mass, baseCollisionShapeIndex=shape))
    if body.dynamic:
        client.changeDynamics(
            number,
            -1,
            localInertiaDiagonal=body.principal_inertia.tolist(),
            linearDamping=0.0,
            angularDamping=0.0,
            activationState=pybullet.ACTIVATION_STATE_DISABLE_SLEEPING,
        )
    _set_contact(client, number, body.material)
    _place(client, number, body)
    return number


def _place(client: BulletClient, number: int, body: Body) -> None:
    """Set pose and velocity, turned from the object's origin to the centre of mass."""
    pose = compose_poses(body.pose, body.object_from_body)
    client.resetBasePositionAndOrientation(number, pose[:3].tolist(), _xyzw(pose[3:]))
    if body.dynamic:
        linear = body.linear + np.cross(body.angular, pose[:3] - body.pose[:3])
        client.resetBaseVelocity(number, linear.tolist(), body.angular.tolist())


def _set_contact(client: BulletClient, number: int, material: Material) -> None:
    client.changeDynamics(
        number,
        -1,
        lateralFriction=material.friction,
        restitution=material.restitution,
        rollingFriction=material.rolling_friction,
        spinningFriction=material.rolling_friction,
    )


def write_obj(file: Path, groups: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
    """Write meshes as groups of one OBJ file; Bullet makes a convex hull of each group."""
    lines, offset = [], 1
    for number, (vertices, faces) in enumerate(groups):
        lines.append(f"o part{number}")
        lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices]
        lines += [f"f {a + offset} {b + offset} {c + offset}" for a, b, c in faces]
        offset += len(vertices)
    file.write_text("\n".join(lines) + "\n")


def _fan(count: int) -> np.ndarray:
    """Triangles that mention every one of `count` vertices; Bullet takes only the vertices."""
    return np.array([[0, index, index + 1] for index in range(1, count - 1)])


def _xyzw(quaternion: np.ndarray) -> list[float]:
    return [float(quaternion[1]), float(quaternion[2]), float(quaternion[3]), float(quaternion[0])]


class _Recorder:
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
            poses=_continuous_signs(poses.reshape(*shape, 7)),
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


def _continuous_signs(poses: np.ndarray) -> np.ndarray:
    """The same rotations [num_frames, N, 7] with quaternion signs that do not jump."""
    if len(poses) < 2:
        return poses
    flips = np.sum(poses[1:, :, 3:] * poses[:-1, :, 3:], axis=-1) < 0
    signs = np.concatenate([np.ones((1, poses.shape[1])), np.cumprod(np.where(flips, -1.0, 1.0), axis=0)])
    return np.concatenate([poses[..., :3], poses[..., 3:] * signs[..., None]], axis=-1)
