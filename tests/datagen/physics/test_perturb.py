"""Starts within measurement noise: seeded, within bounds, never sunk in, and their spread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datagen.physics.materials import floor_material
from datagen.physics.perturb import (
    CUT_OFF,
    DEEPER_M,
    SIGMA_ANGULAR_RAD_S,
    SIGMA_LINEAR_M_S,
    SIGMA_POSITION_M,
    SIGMA_ROTATION_RAD,
    Jitter,
    draw_jitter,
    jitter_generator,
    jittered_pose,
    read_perturbed,
    spread_of,
    write_perturbed,
)
from datagen.physics.reruns import jittered_starts
from datagen.physics.world import overlap_probe, run_poses, run_world
from datagen.trajectory import apply_pose, rotation_angle
from tests.datagen.physics.scenes import box_body, pose

WOOD = floor_material("wood")
TIMING = {"num_frames": 10, "fps": 12.0, "substep_hz": 480, "gravity_m_s2": 9.81}
BOX = (0.1, 0.2, 0.06)


def test_draws_have_their_deviations_and_are_cut_off() -> None:
    rng = jitter_generator(3, 0)
    draws = [draw_jitter(rng) for _ in range(2000)]
    sigmas = {
        "offset": SIGMA_POSITION_M,
        "turn": SIGMA_ROTATION_RAD,
        "linear": SIGMA_LINEAR_M_S,
        "angular": SIGMA_ANGULAR_RAD_S,
    }
    for name, sigma in sigmas.items():
        values = np.array([getattr(draw, name) for draw in draws])
        assert np.abs(values).max() <= CUT_OFF * sigma
        assert values.std() == pytest.approx(0.96 * sigma, rel=0.05)  # cut off at two deviations


def test_a_turn_is_about_the_pivot() -> None:
    pivot = np.array([0.5, 0.0, 0.0])
    jitter = Jitter(offset=np.zeros(3), turn=np.array([0, 0, 0.01]), linear=np.zeros(3), angular=np.zeros(3))
    start = pose(1, 2, 3)
    moved = jittered_pose(start, pivot, jitter)
    assert np.allclose(apply_pose(moved, pivot[None]), apply_pose(start, pivot[None]))
    assert rotation_angle(start, moved) == pytest.approx(0.01, rel=1e-4)


def test_poses_alone_are_those_of_the_whole_run_bit_by_bit() -> None:
    bodies = (box_body("box", BOX, pose(0, 0, 0.3)), box_body("table", (1, 1, 0.1), pose(0.4, 0, 0.05), dynamic=False))
    assert run_poses(bodies, WOOD, **TIMING).tobytes() == run_world(bodies, WOOD, **TIMING).poses.tobytes()


def test_starts_are_seeded_leave_furniture_and_do_not_sink_in() -> None:
    table = box_body("table", (1, 1, 0.1), pose(0, 0, 0.05), dynamic=False)
    bodies = (box_body("box", BOX, pose(0, 0, 0.13)), table)  # lies on the table
    first, second = (list(jittered_starts(bodies, WOOD, 5, 4)) for _ in range(2))
    assert len(first) == 4
    for one, other in zip(first, second, strict=True):
        assert one[1] is table
        assert (one[0].pose == other[0].pose).all() and (one[0].linear == other[0].linear).all()
        assert 0 < np.linalg.norm(one[0].pose[:3] - bodies[0].pose[:3]) < 2 * CUT_OFF * SIGMA_POSITION_M
    assert len({start[0].pose.tobytes() for start in first}) == 4
    with overlap_probe(bodies, WOOD) as probe:
        measured = max(0.0, probe(bodies[0])["table"])
        assert all(probe(start[0]).get("table", 0.0) <= measured + DEEPER_M for start in first)


def test_spread_is_the_farthest_corner(tmp_path: Path) -> None:
    poses = np.repeat(pose(0, 0, 1)[None, None], 3, axis=0)
    moved = np.stack([poses, poses])
    moved[0, 1, 0, 0] += 0.02
    moved[1, 1, 0, 1] -= 0.03
    corners = {"box": np.array([[0.0, 0, 0], [0.1, 0, 0]])}
    assert np.allclose(spread_of(moved, poses, corners, ("box",))[:, 0], [0, 0.03, 0])
    write_perturbed(tmp_path, ("box",), moved, poses, corners)
    arrays = read_perturbed(tmp_path)
    assert arrays["perturbed_poses"].shape == (2, 3, 1, 7) and arrays["perturbed_poses"].dtype == np.float32
    assert arrays["spread_m"].shape == (3, 1) and arrays["spread_m"].dtype == np.float32
    assert read_perturbed(tmp_path / "none") == {}
