"""A PyBullet world of rigid bodies; the only file that talks to Bullet.

Bullet's body frame is the centre of mass with principal axes; everything outside speaks of the object's own frame.
Dynamic bodies are compounds of convex parts, static bodies are concave triangle meshes, the floor is z = 0.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import pybullet
from pybullet_utils.bullet_client import BulletClient

from datagen.entry import silenced
from datagen.physics.bodies import FLOOR, Body, WorldRun
from datagen.physics.materials import Material
from datagen.physics.recorder import Recorder, Sampler
from datagen.physics.wheels import ROLLING_FLOOR, rolling_floor
from datagen.trajectory import apply_pose, compose_poses, inverse_pose

SOLVER_ITERATIONS = 120
SPECULATIVE_M = 0.02  # contacts are seen this far ahead, so that fast bodies are stopped at the surface
MAX_STEP_M = 0.0025  # farthest way within a substep: a flat board that lands met 10 mm too late at 0.006
RESTITUTION_SPEED = 0.15  # slower impacts do not bounce [m/s]


def run_world(
    bodies: tuple[Body, ...],
    floor: Material,
    *,
    num_frames: int,
    fps: float,
    substep_hz: int,
    gravity_m_s2: float,
    finer_for_speed: bool = True,
    stop: Callable[[Recorder], bool] | None = None,
) -> WorldRun:
    """Simulate bodies for `num_frames` video frames; states are sampled exactly at the frames' times.

    `substep_hz` is the least rate: raised (unless not `finer_for_speed`) until nothing that falls gets far within a
    step, and to a multiple of `fps`. `stop` is asked after every frame; where it says so, the run ends there.
    """
    steps = substeps_per_frame(bodies if finer_for_speed else (), fps, substep_hz, gravity_m_s2)
    with _world(bodies, floor, 1 / (fps * steps), gravity_m_s2) as (client, ids):
        recorder = Recorder(client, bodies, ids, 1 / (fps * steps), gravity_m_s2)
        for _ in _advance(client, recorder, num_frames, steps):
            if stop is not None and stop(recorder):
                break
        return recorder.result()


def run_poses(
    bodies: tuple[Body, ...], floor: Material, *, num_frames: int, fps: float, substep_hz: int, gravity_m_s2: float
) -> np.ndarray:
    """The poses [num_frames, N, 7] of `run_world`, bit by bit, at a fraction of its cost: contacts are not read."""
    steps = substeps_per_frame(bodies, fps, substep_hz, gravity_m_s2)
    with _world(bodies, floor, 1 / (fps * steps), gravity_m_s2) as (client, ids):
        sampler = Sampler(client, bodies, ids, 1 / (fps * steps))
        for _ in _advance(client, sampler, num_frames, steps):
            pass
        return sampler.poses()


def substeps_per_frame(bodies: tuple[Body, ...], fps: float, substep_hz: int, gravity_m_s2: float) -> int:
    """Enough that nothing gets far within a substep."""
    fastest = max((_fastest(body, gravity_m_s2) for body in bodies if body.dynamic), default=0.0)
    return int(np.ceil(max(substep_hz, fastest / MAX_STEP_M) / fps - 1e-9))


@contextmanager
def overlap_probe(bodies: tuple[Body, ...], floor: Material) -> Iterator[Callable[[Body], dict[str, float]]]:
    """A function that puts a body where it says it is and returns its deepest overlap [m] with every other one.

    It stays there until it is put elsewhere.
    """
    with _world(bodies, floor, 1 / 480, 0.0) as (client, ids):
        names = {number: name for name, number in ids.items()}

        def probe(body: Body) -> dict[str, float]:
            _place(client, ids[body.name], body)
            client.performCollisionDetection()
            depths: dict[str, float] = {}
            for contact in client.getContactPoints(bodyA=ids[body.name]):
                other = names[contact[2]]
                depths[other] = max(depths.get(other, 0.0), -contact[8])
            return depths

        yield probe


def _advance(client: BulletClient, watcher: Sampler, num_frames: int, steps: int) -> Iterator[int]:
    """Run a world and have it watched; yields the number of each frame that is done."""
    step = client.stepSimulation  # BulletClient looks its functions up at every call: slow
    watcher.begin()
    watcher.frame()
    yield 0
    for frame in range(1, num_frames):
        if not watcher.resting():
            for _ in range(steps):
                step()
                watcher.substep()
        watcher.frame()
        yield frame


def _fastest(body: Body, gravity_m_s2: float) -> float:
    """Speed [m/s] with which a body would reach the floor."""
    height = max(0.0, float(apply_pose(body.pose, body.vertices)[:, 2].max()))
    return float(np.sqrt(np.sum(body.linear**2) + 2 * gravity_m_s2 * height))


@contextmanager
def _world(
    bodies: tuple[Body, ...], floor: Material, substep_s: float, gravity_m_s2: float
) -> Iterator[tuple[BulletClient, dict[str, int]]]:
    """A Bullet server with a floor and all bodies, and their numbers in it."""
    with _client(substep_s, gravity_m_s2) as client, tempfile.TemporaryDirectory() as folder:
        ids = {FLOOR: _add_floor(client, floor)}
        for index, body in enumerate(bodies):
            ids[body.name] = _add_body(client, body, Path(folder) / f"{index}.obj")
        if any(body.wheels_up is not None and body.dynamic for body in bodies):
            ids[ROLLING_FLOOR] = _add_floor(client, rolling_floor(floor))
        yield client, ids


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
            splitImpulsePenetrationThreshold=0.0,  # PyBullet drops a negative one in silence: 40 mm would remain
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
    body = _create(client, 0.0, shape)
    _set_contact(client, body, material)
    return body


def _create(client: BulletClient, mass_kg: float, shape: int) -> int:
    """A plain rigid body: split impulses do not hold for a multi-body, which an overlap at the start throws out."""
    return int(client.createMultiBody(baseMass=mass_kg, baseCollisionShapeIndex=shape, useMaximalCoordinates=1))


def _add_body(client: BulletClient, body: Body, file: Path) -> int:
    """Add a body through an OBJ file: one group for each convex part, or one concave surface."""
    if body.parts is None:
        write_obj(file, [(body.vertices, body.faces)])
        flags = pybullet.GEOM_FORCE_CONCAVE_TRIMESH
    else:
        to_body = inverse_pose(body.object_from_body)
        write_obj(file, [(apply_pose(to_body, hull), _fan(len(hull))) for hull in body.parts.hulls])
        flags = 0
    shape = client.createCollisionShape(pybullet.GEOM_MESH, fileName=str(file), flags=flags)
    number = _create(client, body.mass, shape)
    if body.dynamic:
        client.changeDynamics(
            number,
            -1,
            mass=body.mass,  # Bullet takes a rigid body's mass for 0 when it is given the inertia alone
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
    offset = 1
    with file.open("w") as stream:
        for number, (vertices, faces) in enumerate(groups):
            stream.write(f"o part{number}\n")
            stream.write(_lines("v %.9g %.9g %.9g\n", vertices.shape, vertices.astype(np.float64).tobytes()))
            stream.write(_lines("f %d %d %d\n", faces.shape, (faces + offset).astype(np.float64).tobytes()))
            offset += len(vertices)


@lru_cache(maxsize=512)  # a scene's worlds are made of the same meshes again and again
def _lines(line: str, shape: tuple[int, int], values: bytes) -> str:
    """One line of text for each row of a float64 array."""
    return line * shape[0] % tuple(np.frombuffer(values).tolist())


def _fan(count: int) -> np.ndarray:
    """Triangles that mention every one of `count` vertices; Bullet takes only the vertices."""
    return np.array([[0, index, index + 1] for index in range(1, count - 1)])


def _xyzw(quaternion: np.ndarray) -> list[float]:
    return [float(quaternion[1]), float(quaternion[2]), float(quaternion[3]), float(quaternion[0])]
