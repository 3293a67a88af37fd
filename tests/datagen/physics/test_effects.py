"""What people expect of the world once somebody lets go: contents stay in, carts roll on, chairs fall back or over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from datagen.physics.bodies import FLOOR, Body, WorldRun
from datagen.physics.decompose import parts_from_hulls
from datagen.physics.handover import take_clip
from datagen.physics.materials import floor_material
from datagen.physics.simulate import simulate_without
from datagen.physics.wheels import ROLLING_SHARE, has_wheels
from datagen.physics.world import run_world
from datagen.trajectory import apply_pose
from tests.datagen.physics.scenes import MOCAP_FPS, box_body, pose, sequence_of, spec_of

WOOD = floor_material("wood")
FRAMES = 90
UP = np.array([0.0, 0.0, 1.0])


def run(*bodies: Body, num_frames: int = 25) -> WorldRun:
    return run_world(bodies, WOOD, num_frames=num_frames, fps=12.0, substep_hz=480, gravity_m_s2=9.81)


def made_of(name: str, boxes: list[tuple[tuple[float, float, float], tuple[float, float, float]]]) -> Body:
    """A solid of boxes: (size, middle)."""
    meshes = [trimesh.creation.box(size, trimesh.transformations.translation_matrix(at)) for size, at in boxes]
    whole = trimesh.util.concatenate(meshes)
    return replace(
        box_body(name, (1, 1, 1), pose(0, 0, 0)),
        vertices=np.array(whole.vertices),
        faces=np.array(whole.faces, dtype=np.int32),
        parts=parts_from_hulls(name, tuple(np.array(mesh.vertices) for mesh in meshes)),
    )


def bowl() -> Body:
    """An open box, 0.3 m wide and 0.12 m high."""
    walls = [((0.02, 0.3, 0.12), (side * 0.15, 0, 0.06)) for side in (-1, 1)]
    walls += [((0.3, 0.02, 0.12), (0, side * 0.15, 0.06)) for side in (-1, 1)]
    return made_of("serving_bowl", [((0.3, 0.3, 0.02), (0, 0, 0.01)), *walls])


def chair() -> Body:
    """A seat on four legs with a back at -x."""
    legs = [((0.04, 0.04, 0.44), (x * 0.2, y * 0.2, 0.22)) for x in (-1, 1) for y in (-1, 1)]
    return made_of("dining_chair", [((0.44, 0.44, 0.04), (0, 0, 0.46)), ((0.04, 0.44, 0.4), (-0.2, 0, 0.68)), *legs])


def tipped_back(body: Body, angle_deg: float) -> Body:
    """A body turned about its hind legs."""
    half = np.radians(angle_deg) / 2
    turned = np.array([0, 0, 0, np.cos(half), 0, -np.sin(half), 0])
    lowest = apply_pose(turned, body.vertices)[:, 2].min()
    return replace(body, pose=turned - np.array([0, 0, lowest, 0, 0, 0, 0]))


def presses(result: WorldRun, name: str, on: str) -> np.ndarray:
    """Whether a thing presses on another, bool [num_frames]."""
    columns = [column for column, pair in enumerate(result.pairs) if set(pair) == {name, on}]
    return np.asarray((result.impulse[:, columns] > 0).any(axis=1))


def up_at_end(result: WorldRun) -> float:
    """Cosine of the first body's tilt at the end."""
    return float((apply_pose(result.poses[-1, 0], UP[None]) - result.poses[-1, 0, :3])[0, 2])


def test_a_container_keeps_what_is_in_it_until_it_tips() -> None:
    block = replace(box_body("apple", (0.06, 0.06, 0.06), pose(0, 0, 0.851)), linear=np.array([0.4, 0, 0]))
    level = replace(bowl(), pose=pose(0, 0, 0.8), linear=np.array([0.4, 0, 0]))
    result = run(level, block)
    inside = np.abs(result.poses[:, 1, :3] - result.poses[:, 0, :3])
    assert result.poses[-1, 0, 0] > 0.1, "it was carried along"
    assert inside[:, :2].max() < 0.15
    assert not presses(result, "apple", FLOOR).any()
    tumbling = run(replace(level, angular=np.array([0.0, 6.0, 0.0])), block)
    assert presses(tumbling, "apple", FLOOR)[-1], "it was spilt, and lies on the floor"


def test_a_cart_rolls_on_with_its_load_and_stops_and_a_table_does_not() -> None:
    speed = np.array([0.6, 0.0, 0.0])
    cart = replace(box_body("utility_cart", (0.8, 0.5, 0.2), pose(0, 0, 0.1)), linear=speed, wheels_up=UP)
    load = replace(box_body("box", (0.3, 0.3, 0.3), pose(0, 0, 0.351)), linear=speed)
    rolled = run(cart, load, num_frames=49)
    friction = cart.material.friction * ROLLING_SHARE
    assert rolled.poses[-1, 0, 0] == pytest.approx(0.36 / (2 * friction * 9.81), rel=0.1)
    assert rolled.speed[-1, 0] < 0.01
    assert np.abs(rolled.poses[:, 1, 0] - rolled.poses[:, 0, 0]).max() < 0.01, "the load does not slide on the cart"
    dragged = run(replace(cart, wheels_up=None), num_frames=49)
    assert dragged.poses[-1, 0, 0] < 0.1


def test_a_cart_on_its_side_slides_like_anything_else() -> None:
    half = np.sqrt(0.5)
    lying = np.array([0, 0, 0.25, half, half, 0, 0])
    cart = box_body("utility_cart", (0.8, 0.5, 0.2), lying)
    slid = run(replace(cart, linear=np.array([0.6, 0.0, 0.0]), wheels_up=UP), num_frames=25)
    assert slid.poses[-1, 0, 0] < 0.1


@pytest.mark.parametrize(
    ("name", "wheels"),
    [
        ("utility_cart", True),
        ("office_chair.001", True),
        ("working_chair", False),
        ("carton", False),
        ("rolling_pin", False),
    ],
)
def test_which_things_have_wheels(name: str, wheels: bool) -> None:
    assert has_wheels(name) is wheels


def test_a_tilted_chair_falls_back_or_over() -> None:
    assert up_at_end(run(tipped_back(chair(), 8))) > 0.99
    assert up_at_end(run(tipped_back(chair(), 45))) < 0.3


def test_a_load_gets_the_velocity_of_what_carries_it(tmp_path: Path) -> None:
    tray = np.repeat(pose(0, 0, 1.0)[None], FRAMES, axis=0)
    tray[:, 0] = 0.6 * np.arange(FRAMES) / MOCAP_FPS
    jitter = np.zeros((FRAMES, 7))
    jitter[::2, 1] = 0.0005
    load = tray + np.array([0, 0, 0.051, 0, 0, 0, 0]) + jitter
    load[:, 0] += 0.002 * np.arange(FRAMES) / MOCAP_FPS
    sequence = sequence_of(
        {"tray": ((0.4, 0.4, 0.02), tray), "box": ((0.08, 0.08, 0.08), load)}, tray[:, :3] + (0, 0.19, -0.011)
    )
    spec = spec_of(sequence)
    outcome = simulate_without(spec, take_clip(spec, sequence, MOCAP_FPS), tmp_path)
    assert outcome.standings["box"].dynamic
    assert "lies in or on tray" in outcome.standings["box"].why
    start = outcome.trajectory.linear_velocity[0]
    assert np.allclose(start[outcome.trajectory.index("box")], start[outcome.trajectory.index("tray")])
