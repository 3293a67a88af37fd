"""Between poses in the world and pixels of the picture, by the stored camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from datagen.spec import World
from inference.metrics.api import Case

UP = np.array([0.0, 0.0, 1.0])
EDGE_ON = 0.25  # sine of the least angle between a view ray and a plane that it is cut with
STILL_M = 0.05  # below it an object has no direction of travel


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A vertical plane in the world that an object moves in."""

    point: np.ndarray  # [3] [m]
    normal: np.ndarray  # [3], unit, horizontal


def centres(case: Case, name: str, poses: np.ndarray) -> np.ndarray:
    """Centre of an object's bounding box in the world, float64 [..., 3] [m], of its poses [..., 7]."""
    middle = box_corners(case, name).mean(axis=0)
    rotation = Rotation.from_quat(poses[..., 3:].reshape(-1, 4), scalar_first=True)
    return np.asarray(rotation.apply(middle).reshape(*poses.shape[:-1], 3) + poses[..., :3])


def box_corners(case: Case, name: str) -> np.ndarray:
    """Corners of an object's bounding box in its own frame, float64 [8, 3] [m]."""
    for body in case.metadata.certificate.bodies:
        if body.name == name:
            return np.array(body.corners)
    return np.zeros((8, 3))


def poses_of(case: Case, name: str, world: World) -> np.ndarray | None:
    """Poses of an object in a world, float64 [num_frames, 7]; None where it is not in it."""
    found = np.flatnonzero(case.physics[f"{world}_names"] == name)
    return np.asarray(case.physics[f"{world}_poses"][:, found[0]]) if len(found) else None


def perturbed_poses(case: Case, name: str) -> np.ndarray:
    """Poses of an object in all perturbed outcomes, float64 [K, num_frames, 7]; K is 0 where there are none."""
    found = np.flatnonzero(case.physics[f"{World.COUNTERFACTUAL}_names"] == name)
    if "perturbed_poses" not in case.physics or not len(found):
        return np.zeros((0, case.entry.num_frames, 7))
    return np.asarray(case.physics["perturbed_poses"][:, :, found[0]], dtype=np.float64)


def project(case: Case, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels float64 [..., num_frames, 2] and depths [..., num_frames] [m] of world points [..., num_frames, 3].

    A point behind the camera has nan for its pixels.
    """
    camera, matrix = case.physics["world_from_camera"], case.physics["camera_matrix"]
    rotation = Rotation.from_quat(camera[:, 3:], scalar_first=True).as_matrix()
    local = np.einsum("...tj,tjk->...tk", points - camera[:, :3], rotation)
    depth = -local[..., 2]
    away = np.where(depth > 1e-6, depth, np.nan)
    x = matrix[0, 2] + matrix[0, 0] * local[..., 0] / away
    y = matrix[1, 2] - matrix[1, 1] * local[..., 1] / away
    return np.stack([x, y], axis=-1), depth


def rays(case: Case, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start [num_frames, 3] [m] and direction [num_frames, 3] of the view rays through pixels [num_frames, 2].

    Directions have a length of 1 along the view axis.
    """
    camera, matrix = case.physics["world_from_camera"], case.physics["camera_matrix"]
    x = (pixels[:, 0] - matrix[0, 2]) / matrix[0, 0]
    y = (matrix[1, 2] - pixels[:, 1]) / matrix[1, 1]
    local = np.stack([x, y, -np.ones_like(x)], axis=-1)
    rotation = Rotation.from_quat(camera[:, 3:], scalar_first=True).as_matrix()
    return camera[:, :3], np.einsum("tjk,tk->tj", rotation, local)


def plane_of_motion(case: Case, course: np.ndarray) -> Plane:
    """The vertical plane that holds a course [num_frames, 3] best; across the view where it has no direction."""
    view = _view_direction(case)
    flat = (course - course.mean(axis=0)) * np.array([1.0, 1.0, 0.0])
    _, lengths, axes = np.linalg.svd(flat, full_matrices=False)
    if lengths[0] / np.sqrt(len(course)) > STILL_M:
        normal = np.cross(axes[0], UP)
        normal /= np.linalg.norm(normal)
        if abs(normal @ view) >= EDGE_ON:
            return Plane(point=course.mean(axis=0), normal=normal)
    return Plane(point=course.mean(axis=0), normal=view)


def _view_direction(case: Case) -> np.ndarray:
    """Mean direction in which the camera looks, made horizontal, unit [3]."""
    rotation = Rotation.from_quat(case.physics["world_from_camera"][:, 3:], scalar_first=True)
    mean = rotation.apply([0.0, 0.0, -1.0]).mean(axis=0) * np.array([1.0, 1.0, 0.0])
    length = np.linalg.norm(mean)
    return np.asarray(mean / length) if length > 1e-6 else np.array([0.0, 1.0, 0.0])


def on_plane(case: Case, pixels: np.ndarray, plane: Plane) -> np.ndarray:
    """World points float64 [num_frames, 3] [m] where the view rays through pixels [num_frames, 2] meet a plane.

    nan where there is no pixel, or where the ray runs along the plane or away from it.
    """
    start, direction = rays(case, pixels)
    slope = direction @ plane.normal
    steep = np.abs(slope) > 1e-6
    along = np.where(steep, ((plane.point - start) @ plane.normal) / np.where(steep, slope, 1.0), np.nan)
    return np.where((along > 0)[:, None], start + along[:, None] * direction, np.nan)
