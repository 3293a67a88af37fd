"""Framing and blur by projection, against figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datagen.camera import Lens, look_at
from datagen.framing import (
    MARGIN,
    NEAREST_M,
    Surroundings,
    between,
    blur_extents,
    defocus_px,
    distance_to_boxes,
    framed,
    leaving,
    room_points,
    thrown,
)
from datagen.looks import draw_camera
from datagen.placement import Room

LENS = Lens(focal_length_mm=36.0, sensor_width_mm=36.0, width=200, height=100)  # 200 px a metre at 1 m
ROOM = Room(x_min=-3, x_max=3, y_min=-4, y_max=4, height=2.5)
CAMERA = look_at(np.array([0.0, -3.0, 1.0]), np.array([0.0, 0.0, 1.0]))
KEY = np.array([2.0, 0.0, 2.0])
WISH = draw_camera(1)


def test_a_point_is_framed_inside_the_margin_and_beyond_the_nearest_distance() -> None:
    poses = np.repeat(CAMERA[None], 4, axis=0)
    edge_m = (LENS.width / 2 - MARGIN * LENS.height) * 3 / LENS.focal_px
    points = np.array(
        [[edge_m - 0.01, 0, 1], [edge_m + 0.01, 0, 1], [0, NEAREST_M - 3.01, 1], [0, NEAREST_M - 2.99, 1]]
    )
    assert framed(points[:, None], poses, LENS).tolist() == [True, False, False, True]


def test_distance_to_a_turned_box() -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-0.5, 0.5) for z in (-0.5, 0.5)], dtype=np.float64)
    turned = np.array([[0, 0, 0, np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)]])  # its long side lies along Y
    positions = np.array([[[2.0, 0.0, 0.0]], [[0.0, 2.0, 0.0]], [[0.1, 0.2, 0.0]]])
    assert distance_to_boxes([(turned, corners)], positions) == pytest.approx([1.5, 1.0, 0.0])
    assert np.isinf(distance_to_boxes([], positions)).all()


def test_defocus_of_a_thin_lens() -> None:
    """f = 36 mm at f/2 has an aperture of 18 mm; focused at 2 m, a point at 4 m makes a disc of 0.165 mm: 0.92 px."""
    diameter_mm = 18 * (2 / 4) * 36 / (2000 - 36)
    found = defocus_px(np.array([4.0, 2.0]), 2.0, LENS, 2.0)
    assert found == pytest.approx([0.5 * diameter_mm / 36 * 200, 0.0])
    assert not defocus_px(np.array([4.0]), 2.0, LENS, 0.0).any()


def test_shadows_fall_on_floor_and_walls_and_never_leave_the_room() -> None:
    points = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.9], [2.0, 1.0, 2.2]])
    assert thrown(points[0], KEY, ROOM) == pytest.approx([0.0, 0.0, 0.0])
    assert thrown(points[1], KEY, ROOM) == pytest.approx([-3.0, 0.0, 1.75])  # a head at the lamp's height: on the wall
    assert thrown(points[2], KEY, ROOM) == pytest.approx([2.0, 2.5, 2.5])  # and above it, on the ceiling


def test_rays_leave_the_room_at_its_walls() -> None:
    start = np.array([0.0, 0.0, 1.0])
    assert leaving(start, np.array([[1.0, 0, 0], [0, -2.0, 0], [0, 0, -1.0]]), ROOM) == pytest.approx([3, 2, 1])
    seen = room_points(CAMERA, LENS, ROOM)
    low, high = np.array([-3, -4, 0]), np.array([3, 4, 2.5])
    assert (np.isclose(seen, low) | np.isclose(seen, high)).any(axis=1).all()


def test_points_between_frames_are_on_the_line_between_them() -> None:
    points = np.array([[[0.0, 0, 0]], [[1.0, 0, 0]], [[1.0, 2.0, 0]]])
    assert between(points, 0.25) == pytest.approx(np.array([[0.25, 0, 0]]))
    assert between(points, 2.0) == pytest.approx(points[2])
    assert between(points[:1], 0.0) == pytest.approx(points[0])


def test_motion_blur_is_of_what_moves() -> None:
    """0.12 m a frame, across the view at 5 m, seen for half of the time: 1.2 px to either side, times the safety."""
    poses, focus = np.repeat(CAMERA[None], 3, axis=0), np.full(3, 3.0)
    moves = np.array([[[0.12 * frame, 2.0, 0.3]] for frame in range(3)])
    still = np.repeat(moves[:1], 3, axis=0)
    around = Surroundings(shown=moves, moved=still, still=np.zeros((0, 3)), room=ROOM, key=KEY)
    (_, middle, _) = blur_extents(replace(WISH, shutter=0.5), LENS, poses, focus, around)
    assert middle.removed == pytest.approx(1.5 * 1.2) and middle.moved == 0 and middle.light > 0
    panned = np.stack([look_at(CAMERA[:3], np.array([0.05 * frame, 0.0, 1.0])) for frame in range(3)])
    (_, middle, _) = blur_extents(replace(WISH, shutter=0.5), LENS, panned, focus, around)
    assert middle.moved > 1.5 * 0.25 * 0.05 / 3 * LENS.focal_px * 0.9  # all is blurred by a camera that turns
