"""The spread of the true outcome: the same physics from starts that a measurement could not tell apart.

What is known about a start is known only so well. Optical motion capture places markers within about a millimetre and
soft gloves slip on what they hold, so an object's pose is good to millimetres and half a degree; its velocity is a
difference of such poses. Every free body's start is jittered independently by a normal distribution, cut off at two
standard deviations. Needs no engine: both sources draw their jitter here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

from datagen.codec import read_npz, write_npz
from datagen.rotations import matrices_of
from datagen.seeding import generator_for
from datagen.trajectory import apply_pose, compose_poses

PERTURBED_FILE = "perturbed.npz"
SIGMA_POSITION_M = 0.002
SIGMA_ROTATION_RAD = float(np.radians(0.5))
SIGMA_LINEAR_M_S = 0.02
SIGMA_ANGULAR_RAD_S = 0.1
CUT_OFF = 2.0  # standard deviations
TRIES = 12  # draws of one body's pose; after that it keeps the measured one
DEEPER_M = 0.0005  # a jittered body may overlap others by this much more than the measured one does


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """What is added to a body's start; float64 [3] each, world axes."""

    offset: np.ndarray  # [m]
    turn: np.ndarray  # rotation vector [rad]
    linear: np.ndarray  # [m/s]
    angular: np.ndarray  # [rad/s]


def jitter_generator(seed: int, number: int) -> np.random.Generator:
    """The dice of one perturbed simulation of a scene."""
    return generator_for(seed, "perturb", number)


def draw_jitter(rng: np.random.Generator) -> Jitter:
    """One draw."""
    offset, turn, linear, angular = (
        sigma * np.clip(rng.standard_normal(3), -CUT_OFF, CUT_OFF)
        for sigma in (SIGMA_POSITION_M, SIGMA_ROTATION_RAD, SIGMA_LINEAR_M_S, SIGMA_ANGULAR_RAD_S)
    )
    return Jitter(offset=offset, turn=turn, linear=linear, angular=angular)


def jittered_pose(pose: np.ndarray, pivot: np.ndarray, jitter: Jitter) -> np.ndarray:
    """A pose [7], shifted, and turned about a point [3] of the object's own frame."""
    centre = apply_pose(pose, pivot)
    turn = scipy.spatial.transform.Rotation.from_rotvec(jitter.turn)
    moved = np.concatenate([centre + jitter.offset, turn.as_quat(scalar_first=True)])
    return compose_poses(moved, np.concatenate([pose[:3] - centre, pose[3:]]))


def spread_of(
    perturbed: np.ndarray, poses: np.ndarray, corners: Mapping[str, np.ndarray], names: tuple[str, ...]
) -> np.ndarray:
    """Greatest distance [m] of an object's corners from where the unperturbed simulation has them, float32 [F, N].

    perturbed [K, F, N, 7], poses [F, N, 7], corners by name [C, 3].
    """
    result = np.zeros(poses.shape[:2], dtype=np.float32)
    for column, name in enumerate(names):
        reference = _placed(poses[:, column], corners[name])
        for one in perturbed[:, :, column]:
            gap = np.linalg.norm(_placed(one, corners[name]) - reference, axis=-1).max(axis=1)
            result[:, column] = np.maximum(result[:, column], gap)
    return result


def _placed(poses: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Corners in the world [F, C, 3]."""
    return np.asarray(np.einsum("fij,cj->fci", matrices_of(poses[:, 3:]), corners) + poses[:, None, :3])


def write_perturbed(
    folder: Path, names: tuple[str, ...], perturbed: np.ndarray, poses: np.ndarray, corners: Mapping[str, np.ndarray]
) -> None:
    """names [N] as in the counterfactual, poses float32 [K, num_frames, N, 7], spread_m float32 [num_frames, N]."""
    arrays = {
        "names": np.array(names, dtype=np.str_),
        "poses": perturbed.reshape(-1, *poses.shape).astype(np.float32),
        "spread_m": spread_of(perturbed.reshape(-1, *poses.shape), poses, corners, names),
    }
    write_npz(folder / PERTURBED_FILE, arrays)


def read_perturbed(folder: Path) -> dict[str, np.ndarray]:
    """Arrays for a sample's physics.npz, `perturbed_poses` and `spread_m`; none where nothing was perturbed."""
    path = folder / PERTURBED_FILE
    if not path.is_file():
        return {}
    arrays = read_npz(path)
    return {"perturbed_poses": arrays["poses"], "spread_m": arrays["spread_m"]}
