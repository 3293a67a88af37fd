"""Pinhole cameras: where points of the world fall in the picture.

A camera looks along its -Z with +Y up; pixels are (right, down) from the upper left corner, and the centre of the first
pixel is (0.5, 0.5). The sensor's width spans the picture's width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from datagen.placement import Staging
from datagen.rotations import matrix_of, unit
from datagen.spec import SceneSpec
from datagen.trajectory import matrices_from_poses


@dataclass(frozen=True, kw_only=True)
class Lens:
    """What turns directions into pixels."""

    focal_length_mm: float
    sensor_width_mm: float
    width: int
    height: int

    @property
    def focal_px(self) -> float:
        """Pixels from the picture's centre to a point at 45 degrees."""
        return self.focal_length_mm / self.sensor_width_mm * self.width


def lens_of(spec: SceneSpec, staging: Staging) -> Lens:
    """The lens that a scene is rendered with."""
    return Lens(
        focal_length_mm=staging.focal_length_mm,
        sensor_width_mm=staging.sensor_width_mm,
        width=spec.render.width,
        height=spec.render.height,
    )


def to_camera(points: np.ndarray, world_from_camera: np.ndarray) -> np.ndarray:
    """World points [..., 3] in the axes of a camera whose pose is [7]."""
    rotation = matrix_of(unit(world_from_camera[3:]))
    return np.asarray((points - world_from_camera[:3]) @ rotation)


def in_camera(points: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Points [num_frames, M, 3] in the axes of the camera of each frame, poses [num_frames, 7]."""
    matrices = matrices_from_poses(poses)
    return np.asarray((points - matrices[:, None, :3, 3]) @ matrices[:, :3, :3])


def project(points: np.ndarray, world_from_camera: np.ndarray, lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """Pixels float64 [..., 2] and depths along the view axis [...] [m] of world points [..., 3].

    Points behind the camera have a depth <= 0 and pixels that mean nothing.
    """
    return to_pixels(to_camera(points, world_from_camera), lens)


def to_pixels(local: np.ndarray, lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """What `project` returns, of points [..., 3] in the camera's own axes."""
    depth = -local[..., 2]
    away = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    centre = np.array([lens.width / 2, lens.height / 2])
    pixels = centre + lens.focal_px * local[..., :2] * np.array([1.0, -1.0]) / away[..., None]
    return pixels, depth


def look_at(position: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Pose float64 [7] of an upright camera at `position` [3] that looks at `target` [3]."""
    return poses_of(position, upright_axes(position - target))


def upright_axes(backward: np.ndarray) -> np.ndarray:
    """World from camera, rotations float64 [..., 3, 3], of upright cameras that look against `backward` [..., 3]."""
    back = backward / np.linalg.norm(backward, axis=-1, keepdims=True)
    x, y, z = back[..., 0], back[..., 1], back[..., 2]
    flat = np.hypot(x, y)
    right = np.stack([-y, x, np.zeros_like(x)], axis=-1) / flat[..., None]  # up x backward
    up = np.stack([-z * x / flat, -z * y / flat, flat], axis=-1)  # backward x right
    return np.stack([right, up, back], axis=-1)


def poses_of(positions: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Poses [..., 7] of cameras at `positions` [..., 3] with rotations [..., 3, 3]."""
    rotations = scipy.spatial.transform.Rotation.from_matrix(axes)
    return np.concatenate([positions, rotations.as_quat(scalar_first=True)], axis=-1)


def ray_through(pixel: np.ndarray, world_from_camera: np.ndarray, lens: Lens) -> np.ndarray:
    """Unit direction [3] in the world of the ray through a pixel [2]."""
    right = (pixel[0] - lens.width / 2) / lens.focal_px
    up = (lens.height / 2 - pixel[1]) / lens.focal_px
    direction = matrix_of(unit(world_from_camera[3:])) @ np.array([right, up, -1.0])
    return np.asarray(direction / np.linalg.norm(direction))
