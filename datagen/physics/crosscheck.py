"""The same bodies in a second engine, MuJoCo; the only file that imports it.

What is the same: convex parts, masses, inertia, poses and velocities at the start, gravity, friction against the
floor. What is not: MuJoCo's contacts are soft and have no restitution, so the engines can be compared up to the first
bounce; Bullet keeps a margin of 1 mm around convex shapes and sees contacts a step ahead.

Static surfaces: MuJoCo's meshes are convex. Each triangle of a static mesh becomes a prism of 1 mm under its face, so
the surface is Bullet's, to rounding. (Convex parts of furniture differ from it by the decomposition's tolerance, a
tenth of an object's size, which is more than what is to be measured.) `datagen.physics.agreement` compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np
from scipy.spatial import ConvexHull

from datagen.physics.agreement import REACH_M, Course
from datagen.physics.bodies import FLOOR, Body
from datagen.physics.materials import Material
from datagen.physics.orient import outward_faces
from datagen.physics.wheels import MAX_TILT_DEG, rolling_floor
from datagen.trajectory import apply_pose

STEP_HZ = 2000.0  # the least rate
PRISM_M = 0.001
MIN_HEIGHT_M = 1e-5  # of a triangle; slimmer ones hold nothing up
CONTACT_TIME_S = 0.002  # time constant of a soft contact
MIN_FRICTION = 1e-5  # MuJoCo's own least
EVERYTHING = (np.full(3, -np.inf), np.full(3, np.inf))

Hulls = Sequence[np.ndarray]
Box = tuple[np.ndarray, np.ndarray]


def run_mujoco(
    bodies: tuple[Body, ...],
    floor: Material,
    *,
    num_frames: int,
    fps: float,
    gravity_m_s2: float,
    step_hz: float = STEP_HZ,
    static_hulls: Mapping[str, Hulls] | None = None,
    within: Box = EVERYTHING,
) -> Course:
    """Simulate bodies in MuJoCo for `num_frames` video frames.

    static_hulls  convex pieces [V, 3] in the object's frame of static bodies that are made of some; others are made of
                  their triangles
    within        box in the world (low [3], high [3]); triangles outside of it are left out
    """
    steps = int(np.ceil(step_hz / fps - 1e-9))
    world = _World(bodies, floor, 1 / (fps * steps), gravity_m_s2)
    for body in bodies:
        hulls = (static_hulls or {}).get(body.name)
        if body.dynamic:
            world.add_dynamic(body)
        elif hulls is not None:
            world.add_static(body, [apply_pose(body.pose, hull) for hull in hulls])
        else:
            world.add_static(body, triangle_prisms(apply_pose(body.pose, body.vertices), body.faces, within))
    return world.run(num_frames, steps)


def triangle_prisms(vertices: np.ndarray, faces: np.ndarray, within: Box = EVERYTHING) -> list[np.ndarray]:
    """A prism [6, 3] under each triangle of a surface whose box meets `within`; slivers are left out."""
    corners = vertices[outward_faces(vertices, faces)]
    edges = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], corners[:, 2] - corners[:, 1]], 1)
    normals = np.cross(edges[:, 0], edges[:, 1])
    double_area = np.linalg.norm(normals, axis=1)
    height = double_area / np.maximum(np.linalg.norm(edges, axis=2).max(axis=1), 1e-12)
    near = ((corners.max(axis=1) >= within[0]) & (corners.min(axis=1) <= within[1])).all(axis=1)
    kept = np.flatnonzero((height > MIN_HEIGHT_M) & near)
    down = -PRISM_M * normals[kept] / double_area[kept, None]
    return list(np.concatenate([corners[kept], corners[kept] + down[:, None]], axis=1))


class _World:
    """A MuJoCo model being built, and its run."""

    def __init__(self, bodies: tuple[Body, ...], floor: Material, step_s: float, gravity_m_s2: float) -> None:
        self.dynamic = tuple(body for body in bodies if body.dynamic)
        self.order = (*(body.name for body in bodies), FLOOR)
        self.floor, self.step_s = floor, step_s
        self.wheeled = {body.name: body for body in self.dynamic if body.wheels_up is not None}
        self.pairs: list[str] = []  # bodies on castors, once for each of their geoms
        self.owners: list[str] = []  # of the geoms, in the order of the model
        self.spec = mujoco.MjSpec()
        option = self.spec.option
        option.timestep = step_s
        option.gravity = [0, 0, -gravity_m_s2]
        option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        self._geom(self.spec.worldbody, FLOOR, floor, type=mujoco.mjtGeom.mjGEOM_PLANE, size=[50, 50, 1])

    def add_dynamic(self, body: Body) -> None:
        """A free body: its parts, and mass properties that are given, not derived."""
        assert body.parts is not None
        principal = body.object_from_body
        item = self.spec.worldbody.add_body(name=body.name, pos=body.pose[:3], quat=body.pose[3:])
        item.explicitinertial = True
        item.mass, item.inertia = body.mass, body.principal_inertia
        item.ipos, item.iquat = principal[:3], principal[3:]
        item.add_freejoint()
        self._meshes(item, body, body.parts.hulls)

    def add_static(self, body: Body, pieces: Sequence[np.ndarray]) -> None:
        """Convex pieces [V, 3] in the world."""
        self._meshes(self.spec.worldbody, body, pieces)

    def _meshes(self, parent: mujoco.MjsBody, body: Body, pieces: Sequence[np.ndarray]) -> None:
        for index, piece in enumerate(pieces):
            name = f"{body.name}#{index}"
            mesh = self.spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
            mesh.uservert = piece.ravel()
            mesh.userface = ConvexHull(piece).simplices.ravel()
            self._geom(parent, body.name, body.material, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name)

    def _geom(self, parent: mujoco.MjsBody, owner: str, material: Material, **shape: object) -> None:
        """A geom that reports contacts from `REACH_M` on and pushes from 0 on.

        MuJoCo takes the greater friction of two geoms; Bullet the product. Equal here against the floor.
        """
        share = 0.0 if owner == FLOOR else material.friction * self.floor.friction
        rolling = material.rolling_friction
        name = f"geom {len(self.owners)}"
        geom = parent.add_geom(
            **shape, name=name, condim=6, margin=0.0, gap=REACH_M / 2, friction=[share, rolling, rolling]
        )
        geom.solref = [max(CONTACT_TIME_S, 2 * self.step_s), 1.0]
        self.owners.append(owner)
        if owner in self.wheeled:
            self._pair_with_floor(name, owner, rolling)

    def _pair_with_floor(self, geom: str, owner: str, rolling: float) -> None:
        """A contact of its own with the floor, whose friction changes when the body tips over."""
        pair = self.spec.add_pair(
            name=f"pair {len(self.pairs)}", geomname1=geom, geomname2="geom 0", condim=6, margin=0.0, gap=REACH_M
        )
        pair.friction = [0.0, 0.0, rolling, rolling, rolling]
        pair.solref = [max(CONTACT_TIME_S, 2 * self.step_s), 1.0]
        self.pairs.append(owner)

    def _follow_castors(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """While a body stands on its castors it meets the floor that they feel, as in `wheels.Castors`."""
        for index, owner in enumerate(self.pairs):
            body = self.wheeled[owner]
            up = data.xmat[model.body(owner).id].reshape(3, 3)[2] @ body.wheels_up
            floor = rolling_floor(self.floor) if up > np.cos(np.radians(MAX_TILT_DEG)) else self.floor
            model.pair(f"pair {index}").friction[:2] = max(body.material.friction * floor.friction, MIN_FRICTION)

    def run(self, num_frames: int, steps: int) -> Course:
        """All steps; states are recorded after each, and poses at the frames."""
        model = self.spec.compile()
        data = mujoco.MjData(model)
        owners = self._owners(model)
        numbers = [model.body(body.name).id for body in self.dynamic]
        for body in self.dynamic:
            self._set_velocity(model, data, body)
        centres, gaps, poses = [], [], []
        for step in range((num_frames - 1) * steps + 1):
            mujoco.mj_step1(model, data)  # positions and contacts of the present state; then it is advanced
            centres.append(data.xipos[numbers].copy())
            gaps.append(self._gaps(data, owners))
            if step % steps == 0:
                poses.append(_poses(data, numbers))
            self._follow_castors(model, data)
            mujoco.mj_step2(model, data)
        return Course.of(
            engine="mujoco",
            names=tuple(body.name for body in self.dynamic),
            times_s=np.arange(len(centres)) * self.step_s,
            centre=np.array(centres),
            poses=np.array(poses),
            gaps=gaps,
        )

    def _owners(self, model: mujoco.MjModel) -> list[str]:
        """Object of each geom; the compiler orders geoms by body."""
        bodies = ["", *(body.name for body in self.dynamic)]
        static = iter([owner for owner in self.owners if owner not in bodies])
        return [bodies[number] if number else next(static) for number in model.geom_bodyid]

    @staticmethod
    def _set_velocity(model: mujoco.MjModel, data: mujoco.MjData, body: Body) -> None:
        """Linear velocity of the object's origin in the world, angular velocity in the object's own axes."""
        address = int(model.jnt_dofadr[model.body(body.name).jntadr[0]])
        inverse = np.zeros(4)
        mujoco.mju_negQuat(inverse, body.pose[3:])
        spin = np.zeros(3)
        mujoco.mju_rotVecQuat(spin, body.angular, inverse)
        data.qvel[address : address + 6] = [*body.linear, *spin]

    def _gaps(self, data: mujoco.MjData, owners: list[str]) -> dict[tuple[str, str], float]:
        """Smallest gap [m] of each pair that is within reach; negative for an overlap."""
        found: dict[tuple[str, str], float] = {}
        for (first, second), gap in zip(data.contact.geom, data.contact.dist, strict=True):
            one, other = sorted((owners[first], owners[second]), key=self.order.index)
            found[one, other] = min(found.get((one, other), np.inf), float(gap))
        return found


def _poses(data: mujoco.MjData, numbers: list[int]) -> np.ndarray:
    """`world_from_object` [D, 7]."""
    return np.concatenate([data.xpos[numbers], data.xquat[numbers]], axis=1)
