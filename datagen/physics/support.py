"""What holds what: distance from bodies to objects, and what stands by itself. Only geometry; settle.py has physics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.transform import Rotation

from datagen.physics.distance import distances_to_mesh, within_mesh
from datagen.trajectory import apply_pose, inverse_pose

REACH_M = 0.05  # body points farther away than this are not measured
CLOSE_M = 0.006
FLOOR_CONTACT_M = 0.012  # furniture hovers or sinks by up to 8 mm in motion capture
MAX_WITHIN = 96  # body points asked whether they are within an object; evenly spread over those in its box
BLOCK_HEIGHTS = 65_536  # numbers at a time
STANDING_MARGIN_M = 0.01  # how far inside its feet the centre of a standing object lies


@dataclass(frozen=True, kw_only=True)
class BodyPoints:
    """Points on one person at one moment.

    points  float64 [P, 3], world
    part    uint8 [P], index into part_names
    """

    name: str
    points: np.ndarray
    part: np.ndarray
    part_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Contact:
    """The least distance from a body to an object."""

    distance_m: float  # inf beyond REACH_M; 0 where the body is within the object, however deep
    part: str  # "" beyond REACH_M
    inside: bool = False  # the part is within the object, not at its surface

    @property
    def distance_mm(self) -> float | None:
        """None beyond REACH_M."""
        return self.distance_m * 1000 if np.isfinite(self.distance_m) else None


def body_contact(
    people: tuple[BodyPoints, ...], pose: np.ndarray, vertices: np.ndarray, faces: np.ndarray, reach_m: float = REACH_M
) -> Contact:
    """Nearest point of any person to an object at `pose` [7]."""
    if reach_m > CLOSE_M:  # most questions are answered near the surface, at a hundredth of the work
        close = body_contact(people, pose, vertices, faces, CLOSE_M)
        if close.part:
            return close
    best = Contact(distance_m=float("inf"), part="")
    object_from_world = inverse_pose(pose)
    for person in people:
        if not len(person.points):
            continue
        points = apply_pose(object_from_world, person.points)
        distances = distances_to_mesh(points, vertices, faces, reach_m)
        nearest = int(distances.argmin())
        if distances[nearest] < best.distance_m:
            best = Contact(distance_m=float(distances[nearest]), part=person.part_names[int(person.part[nearest])])
        if best.distance_m > CLOSE_M and (within := _part_within(person, points, vertices, faces)):
            return Contact(distance_m=0.0, part=within, inside=True)
    return best


def _part_within(person: BodyPoints, points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> str:
    """The body part most of whose points [P, 3], object frame, lie within an object; "" for none."""
    boxed = np.flatnonzero(np.all((points > vertices.min(axis=0)) & (points < vertices.max(axis=0)), axis=1))
    if not len(boxed):
        return ""
    asked = boxed[np.unique(np.linspace(0, len(boxed) - 1, MAX_WITHIN).astype(int))]
    counts = np.bincount(person.part[asked[within_mesh(points[asked], vertices, faces)]], minlength=1)
    return person.part_names[int(counts.argmax())] if counts.any() else ""


def stands_on_floor(vertices: np.ndarray, faces: np.ndarray) -> bool:
    """Whether a mesh in its world pose has its centre over its feet on the floor, so that it stands by itself."""
    feet = vertices[np.abs(vertices[:, 2]) < FLOOR_CONTACT_M, :2]
    if len(feet) < 3:
        return False
    try:
        hull = ConvexHull(feet)
    except (QhullError, ValueError):
        return False
    inside = hull.equations[:, :2] @ surface_centre(vertices, faces)[:2] + hull.equations[:, 2]
    return bool(inside.max() < -STANDING_MARGIN_M)


def surface_centre(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Centre [3] of a mesh's surface, whatever way its faces look."""
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return np.asarray(np.average(corners.mean(axis=1), axis=0, weights=np.maximum(area, 1e-12)))


def upright_axis(poses: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """The axis of an object's own frame, [3], that points up when the object stands as people use it.

    It is the signed axis nearest to the vertical in the stillest of the frames in which the object is lowest.
    """
    low = _lowest(poses, vertices)
    step = np.abs(np.diff(poses, axis=0, append=poses[-1:])).max(axis=1)
    lowest = np.flatnonzero(low <= low.min() + FLOOR_CONTACT_M)
    frame = int(lowest[np.argmin(step[lowest])])
    up = Rotation.from_quat(poses[frame, 3:], scalar_first=True).inv().apply([0.0, 0.0, 1.0])
    axis = int(np.abs(up).argmax())
    return np.asarray(np.sign(up[axis]) * np.eye(3)[axis])


def _lowest(poses: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Height [num_frames] of the lowest vertex, in blocks of frames so that a big mesh in a long clip fits in cache."""
    rows = Rotation.from_quat(poses[:, 3:], scalar_first=True).as_matrix()[:, 2]
    block = max(1, BLOCK_HEIGHTS // len(vertices))
    parts = [(rows[start : start + block] @ vertices.T).min(axis=1) for start in range(0, len(poses), block)]
    return np.concatenate(parts) + poses[:, 2]


def tilts_deg(poses: np.ndarray, upright: np.ndarray) -> np.ndarray:
    """Angles between an object's upright axis [3] and the vertical, float64 [N], for poses [N, 7]."""
    up = Rotation.from_quat(poses[:, 3:], scalar_first=True).apply(upright)
    return np.asarray(np.degrees(np.arccos(np.clip(up[:, 2], -1.0, 1.0))))
