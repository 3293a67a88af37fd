"""Poses over time.

Poses are float64 [..., 7]: position (x, y, z) [m] and quaternion (w, x, y, z), `world_from_object`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

from datagen.codec import read_npz, write_npz
from datagen.errors import SpecError
from datagen.rotations import inverse, matrices_of, matrix_of, product, unit
from datagen.spec import World


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Motion of named objects over a clip.

    poses            float64 [num_frames, num_objects, 7]
    linear_velocity  float64 [num_frames, num_objects, 3], of the object's origin [m/s]
    angular_velocity float64 [num_frames, num_objects, 3], world axes [rad/s]
    """

    names: tuple[str, ...]
    fps: float
    poses: np.ndarray
    linear_velocity: np.ndarray
    angular_velocity: np.ndarray

    def __post_init__(self) -> None:
        expected = (self.poses.shape[0], len(self.names))
        for array, width in ((self.poses, 7), (self.linear_velocity, 3), (self.angular_velocity, 3)):
            if array.shape != (*expected, width):
                raise SpecError(f"trajectory of {self.names}: expected shape {(*expected, width)}, found {array.shape}")

    @property
    def num_frames(self) -> int:
        return int(self.poses.shape[0])

    def of(self, name: str) -> np.ndarray:
        """Poses of one object, float64 [num_frames, 7]."""
        return self.poses[:, self.index(name)]

    def index(self, name: str) -> int:
        """Column of an object."""
        try:
            return self.names.index(name)
        except ValueError:
            raise SpecError(f"no trajectory of '{name}'; there are {sorted(self.names)}") from None

    @staticmethod
    def from_poses(names: tuple[str, ...], fps: float, poses: np.ndarray) -> Trajectory:
        """A trajectory whose velocities are finite differences of its poses."""
        linear, angular = velocities(poses, fps)
        return Trajectory(names=names, fps=fps, poses=poses, linear_velocity=linear, angular_velocity=angular)


def interpolate(poses: np.ndarray, fps: float, times_s: np.ndarray) -> np.ndarray:
    """Poses [num_frames, ..., 7] sampled at `fps`, at other times [s]: linear in position, slerp in rotation.

    Times outside the samples raise `SpecError`: motion is never extrapolated.
    """
    last_s = (len(poses) - 1) / fps
    times = np.asarray(times_s, dtype=np.float64)
    if times.size and (times.min() < -1e-9 or times.max() > last_s + 1e-9):
        raise SpecError(
            f"times {times.min():.3f}..{times.max():.3f} s lie outside the motion's 0..{last_s:.3f} s; "
            "take a shorter clip or an earlier start"
        )
    if len(poses) == 1:
        return np.repeat(poses, len(times), axis=0)
    at = np.clip(times * fps, 0, len(poses) - 1)
    flat = poses.reshape(len(poses), -1, 7)
    result = np.empty((len(times), flat.shape[1], 7))
    knots = np.arange(len(poses))
    low = np.minimum(at.astype(int), len(poses) - 2)
    share = (at - low)[:, None]
    for index in range(flat.shape[1]):
        position = flat[:, index, :3]
        result[:, index, :3] = position[low] * (1 - share) + position[low + 1] * share
        rotation = scipy.spatial.transform.Rotation.from_quat(flat[:, index, 3:], scalar_first=True)
        result[:, index, 3:] = scipy.spatial.transform.Slerp(knots, rotation)(at).as_quat(scalar_first=True)
    return continuous_signs(result).reshape(len(times), *poses.shape[1:])


def velocities(poses: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Linear [m/s] and angular [rad/s, world axes] velocity, float64 [num_frames, ..., 3], by central differences."""
    if len(poses) < 2:
        zeros = np.zeros((*poses.shape[:-1], 3))
        return zeros, zeros.copy()
    linear = np.gradient(poses[..., :3], 1 / fps, axis=0)
    matrices = matrices_of(poses[..., 3:])
    before = np.maximum(np.arange(len(poses)) - 1, 0)
    after = np.minimum(np.arange(len(poses)) + 1, len(poses) - 1)
    turn = matrices[after] @ np.swapaxes(matrices[before], -1, -2)
    turns = scipy.spatial.transform.Rotation.from_matrix(turn.reshape(-1, 3, 3))
    vector = turns.as_rotvec().reshape(*poses.shape[:-1], 3)
    span_s = ((after - before) / fps).reshape(-1, *([1] * (vector.ndim - 1)))
    return linear, vector / span_s


def matrices_from_poses(poses: np.ndarray) -> np.ndarray:
    """Homogeneous matrices float64 [..., 4, 4] of poses [..., 7]."""
    result = np.zeros((*poses.shape[:-1], 4, 4))
    result[..., :3, :3] = matrices_of(poses[..., 3:])
    result[..., :3, 3] = poses[..., :3]
    result[..., 3, 3] = 1.0
    return result


def apply_pose(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [P, 3] of the object's frame, or one [3], in the world; `pose` is [7]."""
    return np.asarray(points @ matrix_of(unit(pose[3:])).T + pose[:3])


def place(poses: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [P, 3] of an object's frame, in the world at poses [num_frames, 7]: float64 [num_frames, P, 3]."""
    matrices = matrices_from_poses(poses)
    return np.asarray(points @ matrices[:, :3, :3].swapaxes(1, 2) + matrices[:, None, :3, 3])


def inverse_pose(pose: np.ndarray) -> np.ndarray:
    """`object_from_world` of a pose [7]."""
    rotation = inverse(unit(pose[3:]))
    return np.concatenate([matrix_of(rotation) @ -pose[:3], rotation])


def compose_poses(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`a_from_c` of `a_from_b` [7] and `b_from_c` [7]."""
    rotation = unit(first[3:])
    position = matrix_of(rotation) @ second[:3] + first[:3]
    return np.concatenate([position, product(rotation, unit(second[3:]))])


def rotation_angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle [rad] between the rotations of two pose arrays [..., 7]."""
    dot = np.abs(np.sum(first[..., 3:] * second[..., 3:], axis=-1))
    return 2 * np.arccos(np.clip(dot, 0.0, 1.0))


def continuous_signs(poses: np.ndarray) -> np.ndarray:
    """The same rotations [num_frames, n, 7] with w >= 0 in frame 0 and signs that do not jump from frame to frame.

    Equal rotations at the start of two trajectories then have equal numbers.
    """
    if not len(poses):
        return poses
    first = np.where(poses[:1, :, 3] < 0, -1.0, 1.0)
    jumps = np.where(np.sum(poses[1:, :, 3:] * poses[:-1, :, 3:], axis=-1) < 0, -1.0, 1.0)
    signs = np.cumprod(np.concatenate([first, jumps]), axis=0)
    return np.concatenate([poses[..., :3], poses[..., 3:] * signs[..., None]], axis=-1)


def write_trajectories(path: Path, worlds: Mapping[World, Trajectory]) -> None:
    """Both worlds in one .npz; equal trajectories give equal bytes."""
    arrays: dict[str, np.ndarray] = {}
    for world, trajectory in worlds.items():
        arrays[f"{world}_names"] = np.array(trajectory.names, dtype=np.str_)
        arrays[f"{world}_fps"] = np.array(trajectory.fps, dtype=np.float64)
        arrays[f"{world}_poses"] = trajectory.poses
        arrays[f"{world}_linear_velocity"] = trajectory.linear_velocity
        arrays[f"{world}_angular_velocity"] = trajectory.angular_velocity
    write_npz(path, arrays)


def read_trajectories(path: Path) -> dict[World, Trajectory]:
    """What `write_trajectories` wrote."""
    arrays = read_npz(path)
    return {
        world: Trajectory(
            names=tuple(str(name) for name in arrays[f"{world}_names"]),
            fps=float(arrays[f"{world}_fps"]),
            poses=arrays[f"{world}_poses"],
            linear_velocity=arrays[f"{world}_linear_velocity"],
            angular_velocity=arrays[f"{world}_angular_velocity"],
        )
        for world in World
    }
