"""Decoration keeps out of reach, out of sight lines and out of itself; the check finds what does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from datagen.clearance import Occupied, check_room, crosses, obstacles, occupied_by
from datagen.errors import DecorationInTheWay
from datagen.furnishing import FURNITURE, KINDS, SINGLE, furnish, window_light
from datagen.placement import Piece, Room
from datagen.rooms import box_of, walls_of
from datagen.wishes import RoomKind

ROOM = Room(x_min=-4.0, x_max=3.0, y_min=-3.0, y_max=4.0, height=2.8)
KEY = np.array([2.0, 2.0, 2.6])
CAMERAS = np.array([[-3.2, -2.2, 1.5], [-3.0, -2.3, 1.5]])


def occupied() -> Occupied:
    """A person that walks across the middle, seen from a corner."""
    steps = np.linspace(-1.0, 1.0, 20)
    reach = np.stack([[[x - 0.3, -0.3, 0.0], [x + 0.3, 0.3, 1.8]] for x in steps])
    return occupied_by(reach, reach.reshape(-1, 3), CAMERAS, KEY)


def test_walls_face_inwards_and_close() -> None:
    walls = walls_of(ROOM)
    middle = np.array([-0.5, 0.5, 0.0])
    for wall, following in zip(walls, (*walls[1:], walls[0]), strict=True):
        assert wall.inward @ (middle - wall.start) > 0
        assert wall.at(wall.length, 0.0, 0.0) == pytest.approx(following.start)


@pytest.mark.parametrize("kind", list(RoomKind))
def test_rooms_are_furnished_and_clear(kind: RoomKind) -> None:
    for seed in range(6):
        room = furnish(ROOM, kind, seed, occupied(), 0.3)
        check_room("scene", room, occupied())
        assert len(room.pieces) >= 6
        boxes = [box_of(piece, room) for piece in room.pieces]
        for index, (low, high) in enumerate(boxes):
            assert (low >= [ROOM.x_min - 1e-9, ROOM.y_min - 1e-9, -1e-9]).all()
            assert (high <= [ROOM.x_max + 1e-9, ROOM.y_max + 1e-9, ROOM.height]).all()
            for other_low, other_high in boxes[index + 1 :]:
                assert not ((low < other_high) & (high > other_low)).all()


@pytest.mark.parametrize("kind", list(RoomKind))
def test_a_room_has_one_of_what_one_is_enough_of(kind: RoomKind) -> None:
    for seed in range(30):
        kinds = Counter(piece.kind for piece in furnish(ROOM, kind, seed, occupied(), 0.3).pieces)
        assert all(kinds[name] <= 1 for name in SINGLE if name != "radiator"), kinds
        assert kinds["radiator"] <= max(1, kinds["window"]), kinds


def test_same_seed_same_room() -> None:
    assert furnish(ROOM, RoomKind.OFFICE, 5, occupied(), None) == furnish(ROOM, RoomKind.OFFICE, 5, occupied(), None)
    assert furnish(ROOM, RoomKind.OFFICE, 5, occupied(), None) != furnish(ROOM, RoomKind.OFFICE, 6, occupied(), None)


def test_the_key_window_stands_where_the_light_comes_from() -> None:
    room = furnish(ROOM, RoomKind.LIVING_ROOM, 2, occupied(), 0.0)
    assert room.key_window == 0 and room.pieces[0].kind == "window" and room.pieces[0].wall == 1
    light = window_light(room, room.pieces[0])
    assert ROOM.x_max - 0.3 < light[0] < ROOM.x_max and 0.9 < light[2] < 2.2


def test_every_kind_that_a_room_holds_has_a_size() -> None:
    for holds in FURNITURE.values():
        assert {*holds.first, *holds.floor, *holds.hung} <= set(KINDS)


def piece(wall: int, along_m: float, depth_m: float, kind: str = "sofa") -> Piece:
    return Piece(
        kind=kind, wall=wall, along_m=along_m, bottom_m=0.0, width_m=1.0, depth_m=depth_m, height_m=1.0, seed=0
    )


@pytest.mark.parametrize(
    ("planted", "reason"),
    [
        (piece(0, 4.0, 2.6), "sofa at wall 0 stands within 0.22 m of what moves"),
        (piece(0, 0.8, 0.6), "sofa at wall 0 stands within 0.3 m of the camera"),
        (piece(3, 5.4, 1.9), "between camera and action"),
    ],
)
def test_what_is_in_the_way_is_found(planted: Piece, reason: str) -> None:
    with pytest.raises(DecorationInTheWay, match=reason):
        check_room("scene", replace(ROOM, pieces=(planted,)), occupied())


def test_walls_keep_out_of_the_way_too() -> None:
    with pytest.raises(DecorationInTheWay, match="a wall cuts the way of the camera"):
        check_room("scene", replace(ROOM, x_min=-3.1), occupied())
    with pytest.raises(DecorationInTheWay, match="a wall cuts the way of the action"):
        check_room("scene", replace(ROOM, x_max=1.0), occupied())


def test_every_pose_of_a_moving_camera_counts() -> None:
    still = occupied_by(occupied().reach, occupied().reach.reshape(-1, 3), CAMERAS[:1], KEY)
    moving = occupied_by(still.reach, still.reach.reshape(-1, 3), np.array([[-3.2, -2.2, 1.5], [2.4, -2.2, 1.5]]), KEY)
    box = np.array([[2.0, -3.0, 0.0], [2.9, -2.4, 1.0]])
    assert not obstacles(box, still)
    assert obstacles(box, moving)


def test_crossing() -> None:
    triangle = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    assert crosses(np.array([[0.5, 0.5, 0], [0.6, 0.6, 1]]), triangle, 0.0)
    assert not crosses(np.array([[1.3, 1.3, 0], [2.0, 2.0, 1]]), triangle, 0.0)
    assert crosses(np.array([[1.05, 1.05, 0], [2.0, 2.0, 1]]), triangle, 0.1)
