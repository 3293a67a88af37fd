"""Two engines agree about what falls until its first bounce; where one is wrong it is reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from datagen.physics.agreement import Agreement, Course, compare, course_of
from datagen.physics.bodies import FLOOR, Body
from datagen.physics.crosscheck import PRISM_M, run_mujoco, triangle_prisms
from datagen.physics.decompose import parts_from_hulls
from datagen.physics.materials import floor_material
from datagen.physics.verdict import box_corners
from datagen.physics.world import run_world
from tests.datagen.physics.scenes import box_body, box_mesh, pose

FPS, FRAMES, GRAVITY = 12.0, 12, 9.81
WOOD = floor_material("wood")
TABLE = box_body("table", (1.0, 1.0, 0.5), pose(0, 0, 0.25), dynamic=False)
RADIUS_M = 0.05


def agreements(*bodies: Body, gravity_mujoco: float = GRAVITY) -> dict[str, Agreement]:
    bullet = run_world(bodies, WOOD, num_frames=FRAMES, fps=FPS, substep_hz=480, gravity_m_s2=GRAVITY)
    mujoco = run_mujoco(bodies, WOOD, num_frames=FRAMES, fps=FPS, gravity_m_s2=gravity_mujoco)
    corners = {body.name: box_corners(body.vertices) for body in bodies}
    found = compare(course_of(bullet), mujoco, corners, fps=FPS, gravity_m_s2=GRAVITY)
    return {agreement.name: agreement for agreement in found}


def falling_box() -> Body:
    """Tumbles as it falls on the table, from 0.5 m above it."""
    box = box_body("box", (0.1, 0.16, 0.06), pose(0.1, 0, 1.05))
    return replace(box, linear=np.array([0.3, 0.1, 0.2]), angular=np.array([3.0, -1.0, 2.0]))


def rolling_ball() -> Body:
    """Rolls on the table, 3 cm from its edge."""
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=RADIUS_M)
    vertices = np.array(mesh.vertices)
    speed = 0.8
    return replace(
        box_body("ball", (0.1, 0.1, 0.1), pose(0.47, 0.3, 0.5 + RADIUS_M)),
        vertices=vertices,
        faces=np.array(mesh.faces, dtype=np.int32),
        parts=parts_from_hulls("ball", (vertices,)),
        linear=np.array([speed, 0.0, 0.0]),
        angular=np.array([0.0, speed / RADIUS_M, 0.0]),
    )


def test_a_box_falls_on_a_table_and_a_ball_rolls_off_it_in_both_engines() -> None:
    found = agreements(TABLE, falling_box(), rolling_ball())
    box, ball = found["box"], found["ball"]
    assert box.free and box.first_partner == ("table", "table")
    assert ball.begins_on == ("table",) and ball.first_partner == (FLOOR, FLOOR)
    for one in (box, ball):
        assert one.problems == ()
        assert one.fall_m_s2 == pytest.approx((GRAVITY, GRAVITY), rel=0.01)
        times = [time for time in one.first_contact_s if time is not None]
        assert len(times) == 2 and abs(times[0] - times[1]) < 1 / FPS
        assert one.apart_mm < 10
        assert one.same_support


def test_half_the_gravity_in_one_engine_is_reported_by_every_measure() -> None:
    problems = agreements(TABLE, falling_box(), gravity_mujoco=GRAVITY / 2)["box"].problems
    assert len(problems) == 3
    assert problems[0].startswith("first contact") and problems[1].startswith("mujoco falls at 4.90")
    assert problems[2].endswith("mm apart before the first bounce")


def test_the_ends_of_an_object_that_only_turns_too_fast_are_apart() -> None:
    bullet, mujoco = (_run_alone(replace(falling_box(), angular=np.array([spin, 0.0, 0.0]))) for spin in (3.0, 4.5))
    (found,) = compare(
        bullet[0], mujoco[1], {"box": box_corners(falling_box().vertices)}, fps=FPS, gravity_m_s2=GRAVITY
    )
    assert any("mm apart" in problem for problem in found.problems)


def test_what_tips_over_is_compared_until_it_lands() -> None:
    """It touches the floor all the while, so the first bounce is a blow."""
    board = box_body("board", (0.04, 0.2, 0.8), pose(0, 0, 0.4015))
    board = replace(board, linear=np.array([0.8, 0.0, 0.0]), angular=np.array([0.0, 2.0, 0.0]))
    bullet, mujoco = _run_alone(board)
    (found,) = compare(bullet, mujoco, {"board": box_corners(board.vertices)}, fps=FPS, gravity_m_s2=GRAVITY)
    assert found.begins_on == (FLOOR,) and found.first_partner == ("a blow", "a blow")
    assert 0.3 < min(time for time in found.first_contact_s if time is not None) < 0.9


def test_an_engine_that_lets_everything_sleep_at_once_can_be_compared() -> None:
    bullet, mujoco = _run_alone(box_body("box", (0.2, 0.2, 0.2), pose(0, 0, 0.1)))
    asleep = replace(
        bullet, times_s=np.zeros(1), centre=bullet.centre[:1], gap=bullet.gap[:1], flying=np.zeros((1, 1), dtype=bool)
    )
    corners = {"box": box_corners(box_mesh((0.2, 0.2, 0.2))[0])}
    (found,) = compare(asleep, mujoco, corners, fps=FPS, gravity_m_s2=GRAVITY)
    assert found.problems == () and found.first_contact_s == (None, None) and found.rest_apart_mm < 3


def test_mass_and_inertia_are_given_not_derived() -> None:
    """A push makes a lopsided body turn about its centre of mass as Bullet turns it."""
    hulls = tuple(box_mesh((0.1, 0.1, 0.1))[0] + [x, 0, 0] for x in (0.0, 0.2))
    body = replace(
        box_body("box", (0.1, 0.1, 0.1), pose(0, 0, 1.5)),
        vertices=np.concatenate(hulls),
        parts=parts_from_hulls("box", (hulls[0], hulls[1], hulls[1] + [0, 0, 0.05])),
        angular=np.array([1.0, 2.0, 4.0]),
    )
    bullet, mujoco = _run_alone(body)
    (found,) = compare(bullet, mujoco, {"box": box_corners(body.vertices)}, fps=FPS, gravity_m_s2=GRAVITY)
    assert found.problems == () and found.first_contact_s[0] is not None


def test_a_bowl_that_does_not_move_is_not_filled() -> None:
    outer, inner = trimesh.creation.box((0.6, 0.6, 0.3)), trimesh.creation.box((0.5, 0.5, 0.3))
    inner.apply_translation((0, 0, 0.05))
    crate = trimesh.util.concatenate([outer, trimesh.Trimesh(inner.vertices, inner.faces[:, ::-1])])
    keep = ~(np.isclose(crate.triangles_center[:, 2], 0.15) | np.isclose(crate.triangles_center[:, 2], 0.2))
    vertices, faces = np.array(crate.vertices), np.array(crate.faces[keep], dtype=np.int32)
    static = replace(TABLE, name="crate", vertices=vertices, faces=faces, pose=pose(0, 0, 0.15))
    box = agreements(static, box_body("box", (0.1, 0.1, 0.1), pose(0.05, 0, 0.6)))["box"]
    assert box.problems == () and box.first_partner == ("crate", "crate")
    assert box.first_contact_s[1] == pytest.approx(np.sqrt(2 * (0.6 - 0.05 - 0.05) / GRAVITY), abs=0.01)


def test_prisms_lie_under_their_faces() -> None:
    vertices, faces = box_mesh((1.0, 2.0, 0.4))
    prisms = triangle_prisms(vertices, faces)
    assert len(prisms) == 12
    assert all((np.abs(prism) <= np.array([0.5, 1.0, 0.2]) + 1e-9).all() for prism in prisms)
    assert all(np.allclose(np.linalg.norm(prism[:3] - prism[3:], axis=1), PRISM_M) for prism in prisms)
    above = triangle_prisms(vertices, faces, (np.array([-9, -9, 0.19]), np.array([9, 9, 9])))
    assert len(above) == 10  # all but the bottom


def _run_alone(body: Body) -> tuple[Course, Course]:
    bullet = run_world((body,), WOOD, num_frames=FRAMES, fps=FPS, substep_hz=480, gravity_m_s2=GRAVITY)
    return course_of(bullet), run_mujoco((body,), WOOD, num_frames=FRAMES, fps=FPS, gravity_m_s2=GRAVITY)


def test_castors_roll_in_both_engines() -> None:
    """A body on castors goes as far in MuJoCo as in Bullet, and farther than one that slides."""
    box = box_body("cart", (0.4, 0.6, 0.2), pose(0, 0, 0.1))
    sliding = replace(box, linear=np.array([0.8, 0.0, 0.0]))
    rolling = replace(sliding, wheels_up=np.array([0.0, 0.0, 1.0]))
    runs = [run_mujoco((one,), WOOD, num_frames=FRAMES, fps=FPS, gravity_m_s2=GRAVITY) for one in (sliding, rolling)]
    bullet = run_world((rolling,), WOOD, num_frames=FRAMES, fps=FPS, substep_hz=480, gravity_m_s2=GRAVITY)
    slid, rolled = (float(np.ptp(run.centre[:, 0, 0])) for run in runs)
    assert slid < 0.3 * rolled
    assert rolled == pytest.approx(float(np.ptp(course_of(bullet).centre[:, 0, 0])), rel=0.15)
