"""Interpolation, velocities and poses against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datagen.codec import sha256_file
from datagen.errors import SpecError
from datagen.spec import World
from datagen.trajectory import (
    Trajectory,
    apply_pose,
    compose_poses,
    interpolate,
    inverse_pose,
    matrices_from_poses,
    read_trajectories,
    rotation_angle,
    velocities,
    write_trajectories,
)


def turning(num_frames: int, fps: float, rate_rad_s: float) -> np.ndarray:
    """An object that moves along x at 2 m/s and turns about z."""
    times = np.arange(num_frames) / fps
    poses = np.zeros((num_frames, 1, 7))
    poses[:, 0, 0] = 2 * times
    rotvec = np.stack([np.zeros_like(times), np.zeros_like(times), rate_rad_s * times], axis=-1)
    poses[:, 0, 3:] = Rotation.from_rotvec(rotvec).as_quat(scalar_first=True)
    return poses


def test_interpolation_meets_the_motion_between_frames() -> None:
    poses = turning(31, 30.0, 3.0)
    times = np.array([0.0, 0.35, 0.41, 1.0])
    exact = turning(1, 1.0, 3.0)
    found = interpolate(poses, 30.0, times)
    assert np.allclose(found[:, 0, 0], 2 * times)
    for row, time in zip(found[:, 0], times, strict=True):
        exact[0, 0, 3:] = Rotation.from_rotvec([0, 0, 3.0 * time]).as_quat(scalar_first=True)
        assert rotation_angle(row, exact[0, 0]) < 1e-6


def test_interpolation_at_the_samples_is_exact() -> None:
    poses = turning(10, 30.0, 1.0)
    found = interpolate(poses, 30.0, np.arange(10) / 30.0)
    assert np.abs(found[:, 0, :3] - poses[:, 0, :3]).max() < 1e-12


def test_motion_is_never_extrapolated() -> None:
    with pytest.raises(SpecError, match="outside the motion"):
        interpolate(turning(10, 30.0, 1.0), 30.0, np.array([0.31]))


def test_velocities_of_a_uniform_motion() -> None:
    linear, angular = velocities(turning(10, 30.0, 3.0), 30.0)
    assert np.allclose(linear[:, 0], [2, 0, 0])
    assert np.allclose(angular[:, 0], [0, 0, 3.0])


def test_pose_algebra() -> None:
    rng = np.random.default_rng(1)
    a, b = (
        np.concatenate([rng.normal(size=3), Rotation.random(random_state=seed).as_quat(scalar_first=True)])
        for seed in (1, 2)
    )
    points = rng.normal(size=(5, 3))
    assert np.allclose(apply_pose(inverse_pose(a), apply_pose(a, points)), points)
    assert np.allclose(apply_pose(compose_poses(a, b), points), apply_pose(a, apply_pose(b, points)))
    homogeneous = np.concatenate([points, np.ones((5, 1))], axis=1)
    assert np.allclose((homogeneous @ matrices_from_poses(a).T)[:, :3], apply_pose(a, points))


def test_files_are_equal_for_equal_trajectories(tmp_path: Path) -> None:
    trajectory = Trajectory.from_poses(("box",), 12.0, turning(5, 12.0, 1.0))
    worlds = {World.FACTUAL: trajectory, World.COUNTERFACTUAL: trajectory}
    for name in ("a", "b"):
        write_trajectories(tmp_path / f"{name}.npz", worlds)
    assert sha256_file(tmp_path / "a.npz") == sha256_file(tmp_path / "b.npz")
    again = read_trajectories(tmp_path / "a.npz")[World.COUNTERFACTUAL]
    assert again.names == ("box",) and np.array_equal(again.poses, trajectory.poses)


def test_shapes_are_checked() -> None:
    with pytest.raises(SpecError, match="expected shape"):
        Trajectory(
            names=("a", "b"),
            fps=12,
            poses=np.zeros((3, 1, 7)),
            linear_velocity=np.zeros((3, 1, 3)),
            angular_velocity=np.zeros((3, 1, 3)),
        )
