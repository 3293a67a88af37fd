"""What holds what, and what stands by itself."""

from __future__ import annotations

import numpy as np
import pytest

from datagen.physics.materials import floor_material
from datagen.physics.settle import settle
from datagen.physics.support import BodyPoints, body_contact, stands_on_floor, tilts_deg, upright_axis
from datagen.settings import PhysicsSettings
from datagen.trajectory import apply_pose
from tests.datagen.physics.scenes import box_body, box_mesh, pose

SETTINGS = PhysicsSettings()
FLOOR = floor_material("wood")


def person(*points: tuple[float, float, float]) -> tuple[BodyPoints, ...]:
    parts = np.arange(len(points), dtype=np.uint8)
    names = ("RightHand", "LeftHand")[: len(points)]
    return (BodyPoints(name="Armature", points=np.array(points), part=parts, part_names=names),)


def test_contact_names_the_nearest_part() -> None:
    vertices, faces = box_mesh((0.2, 0.2, 0.2))
    contact = body_contact(person((0, 0, 1.13), (0.102, 0, 1.0)), pose(0, 0, 1), vertices, faces)
    assert contact.part == "LeftHand"
    assert contact.distance_mm == pytest.approx(2.0)


def test_no_contact_beyond_reach() -> None:
    vertices, faces = box_mesh((0.2, 0.2, 0.2))
    contact = body_contact(person((0, 0, 2.0)), pose(0, 0, 1), vertices, faces)
    assert contact.distance_mm is None
    assert contact.part == ""


def test_a_body_within_an_object_touches_it() -> None:
    vertices, faces = box_mesh((1.0, 1.0, 1.0))
    contact = body_contact(person((0, 0, 1.0), (0.1, 0.1, 1.1)), pose(0, 0, 1), vertices, faces)
    assert contact.inside
    assert contact.distance_mm == 0.0
    assert contact.part in ("RightHand", "LeftHand")


def test_legs_under_a_table_are_not_within_it() -> None:
    vertices, faces = box_mesh((1.0, 1.0, 1.0))
    open_below = faces[~(vertices[faces][..., 2] < 0).all(axis=1)]
    contact = body_contact(person((0, 0, 1.0)), pose(0, 0, 1), vertices, open_below)
    assert contact.distance_mm is None


@pytest.mark.parametrize(
    ("height", "angle_deg", "stands"), [(0.1, 0, True), (0.105, 0, True), (0.2, 0, False), (0.1, 30, False)]
)
def test_standing(height: float, angle_deg: float, stands: bool) -> None:
    vertices, faces = box_mesh((0.2, 0.2, 0.2))
    half = np.radians(angle_deg) / 2
    tilted = np.array([0, 0, height, np.cos(half), np.sin(half), 0, 0])
    assert stands_on_floor(apply_pose(tilted, vertices), faces) is stands


def test_a_held_box_falls_and_a_resting_one_stays() -> None:
    shelf = box_body("shelf", (1, 1, 0.02), pose(0, 0, 0.8), dynamic=False)
    held = settle(box_body("box", (0.1, 0.1, 0.1), pose(0, 0, 1.2)), (shelf,), FLOOR, SETTINGS)
    resting = settle(box_body("box", (0.1, 0.1, 0.1), pose(0, 0, 0.866)), (shelf,), FLOOR, SETTINGS)
    assert held.beyond(SETTINGS)
    assert not resting.beyond(SETTINGS), "6 mm above its shelf, as in motion capture"


def test_upright_is_how_it_stands_at_its_lowest() -> None:
    vertices, _ = box_mesh((0.1, 0.2, 0.1))
    lying = np.array([np.cos(np.pi / 4), np.sin(np.pi / 4), 0, 0])  # its y axis points up
    poses = np.stack([np.concatenate([[0, 0, 0.1 + 0.3 * (frame > 3)], lying]) for frame in range(8)])
    poses[6:, 3:] = (1, 0, 0, 0)
    axis = upright_axis(poses, vertices)
    assert np.allclose(axis, (0, 1, 0))
    assert tilts_deg(poses[[0, 7]], axis) == pytest.approx([0, 90], abs=1e-4)
