"""Bullet does what Newton says: falls, impulses at hand-over, rest, and the same again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from datagen.physics.bodies import FLOOR, Body, WorldRun
from datagen.physics.decompose import parts_from_hulls
from datagen.physics.materials import floor_material
from datagen.physics.world import run_world
from tests.datagen.physics.scenes import box_body, pose

FLOOR_MATERIAL = floor_material("wood")


def run(*bodies: Body, num_frames: int = 13, fps: float = 12.0, substep_hz: int = 480) -> WorldRun:
    return run_world(bodies, FLOOR_MATERIAL, num_frames=num_frames, fps=fps, substep_hz=substep_hz, gravity_m_s2=9.81)


def test_a_free_body_follows_a_parabola() -> None:
    body = replace(box_body("box", (0.1, 0.2, 0.3), pose(0, 0, 5)), linear=np.array([0.5, 0.0, 2.0]))
    result = run(body, num_frames=7)
    times = np.arange(7) / 12
    expected = np.stack([0.5 * times, 0 * times, 5 + 2 * times - 9.81 * times**2 / 2], axis=1)
    slack = 9.81 * times[-1] * result.substep_s  # symplectic Euler is a half step ahead
    assert np.allclose(result.poses[:, 0, :3], expected, atol=slack)
    assert np.allclose(result.linear_velocity[:, 0, 2], 2 - 9.81 * times, atol=1e-9)
    assert result.airborne.all()


def test_hand_over_turns_about_the_centre_of_mass() -> None:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    box.apply_translation((0.2, 0.0, 0.0))
    vertices = np.array(box.vertices)
    body = replace(
        box_body("box", (0.1, 0.1, 0.1), pose(0, 0, 5)),
        vertices=vertices,
        parts=parts_from_hulls("box", (vertices,)),
        angular=np.array([0.0, 0.0, 2.0]),
    )
    result = run(body, num_frames=4)
    # The origin moves at 0 in the first frame, so the centre, 0.2 m away, moves at 0.4 m/s and goes straight on.
    assert np.allclose(result.linear_velocity[0, 0], 0, atol=1e-9)
    assert result.centre[-1, 0, 1] == pytest.approx(0.4 * 3 / 12, abs=2e-3)
    assert result.centre[-1, 0, 0] == pytest.approx(0.2, abs=2e-3)


def test_a_dropped_box_comes_to_rest_on_the_floor() -> None:
    result = run(box_body("box", (0.2, 0.2, 0.1), pose(0, 0, 0.5)), num_frames=36)
    assert result.poses[-1, 0, 2] == pytest.approx(0.05, abs=0.003)
    assert np.allclose(result.poses[-1], result.poses[-2])
    assert ("box", FLOOR) in result.pairs
    assert np.nanmax(result.penetration) < 0.002


def test_a_dropped_box_lands_on_concave_furniture_not_in_its_hull() -> None:
    vertices, faces = _open_crate()
    crate = replace(box_body("crate", (1, 1, 1), pose(0, 0, 0), dynamic=False), vertices=vertices, faces=faces)
    result = run(crate, box_body("box", (0.2, 0.2, 0.1), pose(0, 0, 0.6)), num_frames=36)
    assert result.poses[-1, 1, 2] == pytest.approx(0.1 + 0.05, abs=0.004)


@pytest.mark.parametrize("substep_hz", [480, 4000])
@pytest.mark.parametrize("sunk_m", [0.001, 0.008])
def test_what_begins_within_the_floor_is_lifted_out_and_not_thrown(sunk_m: float, substep_hz: int) -> None:
    box = box_body("box", (0.3, 0.3, 0.3), pose(0, 0, 0.15 - sunk_m))
    result = run(box, num_frames=7, substep_hz=substep_hz)
    assert result.centre[:, 0, 2].max() < 0.15 + 0.0015  # the surface, and the margin that Bullet keeps
    assert result.speed.max() < 0.02
    assert result.poses[-1, 0, 2] == pytest.approx(0.151, abs=0.0005)


def test_a_stack_stands() -> None:
    stack = [box_body(f"box.{n}", (0.2, 0.2, 0.1), pose(0.01 * n, 0, 0.0505 + 0.1005 * n)) for n in range(5)]
    result = run(*stack, num_frames=48)
    assert np.abs(result.poses[-1, :, :2] - result.poses[0, :, :2]).max() < 0.001


def test_a_tumbling_body_keeps_its_angular_momentum() -> None:
    body = replace(box_body("box", (0.1, 0.2, 0.3), pose(0, 0, 8)), angular=np.array([0.3, 12.0, 0.2]))
    result = run(body)
    assert body.parts is not None
    turns = Rotation.from_quat(result.poses[:, 0, 3:], scalar_first=True)
    momentum = turns.apply(turns.inv().apply(result.angular_velocity[:, 0]) @ body.parts.inertia)
    assert np.allclose(momentum, momentum[0], atol=0.005 * np.linalg.norm(momentum[0]))


def test_equal_worlds_run_equally() -> None:
    first, second = (run(box_body("box", (0.2, 0.1, 0.1), pose(0, 0, 0.4)), num_frames=24) for _ in range(2))
    assert first.poses.tobytes() == second.poses.tobytes()
    assert first.impulse.tobytes() == second.impulse.tobytes()


def _open_crate() -> tuple[np.ndarray, np.ndarray]:
    """A crate of 0.4 m with a floor of 0.1 m and walls, open above."""
    pieces = [trimesh.creation.box((1, 1, 0.1), trimesh.transformations.translation_matrix((0, 0, 0.05)))]
    for x, y in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5)):
        size = (0.05, 1, 0.4) if x else (1, 0.05, 0.4)
        pieces.append(trimesh.creation.box(size, trimesh.transformations.translation_matrix((x, y, 0.2))))
    crate = trimesh.util.concatenate(pieces)
    return np.array(crate.vertices), np.array(crate.faces, dtype=np.int32)
