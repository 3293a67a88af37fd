"""Single rotations: bit for bit what scipy says."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datagen.rotations import inverse, matrices_of, matrix_of, of_matrix, product, unit
from datagen.trajectory import apply_pose, compose_poses, inverse_pose

RNG = np.random.default_rng(7)
SPECIAL = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, -1], [0.5, 0.5, 0.5, 0.5], [-2, 0, 1e-9, 0], [1e-8, 0, 1, 1]]
QUATERNIONS = np.concatenate([SPECIAL, RNG.normal(size=(200, 4))])


def assert_same(found: object, expected: np.ndarray) -> None:
    """The same bits, where scipy is compiled like Python: elsewhere its compiler may fuse products and sums."""
    atol = 0.0 if platform.machine() == "x86_64" else 1e-15
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("quaternion", QUATERNIONS)
def test_one_rotation(quaternion: np.ndarray) -> None:
    rotation, theirs = unit(quaternion), Rotation.from_quat(quaternion, scalar_first=True)
    assert_same(rotation, theirs.as_quat(scalar_first=True))
    assert_same(matrix_of(rotation), theirs.as_matrix())
    assert_same(inverse(rotation), theirs.inv().as_quat(scalar_first=True))
    matrix = theirs.as_matrix()
    assert_same(of_matrix(matrix), Rotation.from_matrix(matrix).as_quat(scalar_first=True))


def test_many_rotations_and_their_products() -> None:
    theirs = Rotation.from_quat(QUATERNIONS, scalar_first=True)
    assert_same(matrices_of(QUATERNIONS), theirs.as_matrix())
    assert_same(matrices_of(QUATERNIONS[:200].reshape(4, 50, 4)), theirs.as_matrix()[:200].reshape(4, 50, 3, 3))
    products = [
        product(unit(first), unit(second)) for first, second in zip(QUATERNIONS, QUATERNIONS[::-1], strict=True)
    ]
    assert_same(products, (theirs * theirs[::-1]).as_quat(scalar_first=True))


@pytest.mark.parametrize("count", [1, 2, 8, 1000])
def test_poses(count: int) -> None:
    for quaternion in QUATERNIONS[:50]:
        pose, other = np.array([0.3, -2.0, 1.1, *quaternion]), RNG.normal(size=7)
        theirs, second = (Rotation.from_quat(one[3:], scalar_first=True) for one in (pose, other))
        points = RNG.normal(size=(count, 3))
        assert_same(apply_pose(pose, points), theirs.apply(points) + pose[:3])
        back = theirs.inv()
        assert_same(inverse_pose(pose), np.concatenate([back.apply(-pose[:3]), back.as_quat(scalar_first=True)]))
        both = np.concatenate([theirs.apply(other[:3]) + pose[:3], (theirs * second).as_quat(scalar_first=True)])
        assert_same(compose_poses(pose, other), both)


def test_a_world_is_run_again_without_importing_scipy_s_rotations() -> None:
    code = "import sys, datagen.elsewhere, datagen.physics.world; print('scipy.spatial' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split()[-1] == "False"
