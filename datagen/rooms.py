"""Walls of a room, and the boxes of what stands at them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from datagen.placement import Piece, Room


@dataclass(frozen=True, kw_only=True)
class Wall:
    """A wall seen from inside: it runs from `start` along `along`, and faces `inward`; arrays [3], length [m]."""

    start: np.ndarray
    along: np.ndarray
    inward: np.ndarray
    length: float

    def at(self, along_m: float, depth_m: float, height_m: float) -> np.ndarray:
        """World position [3] of a point so far along the wall, away from it and above the floor."""
        return np.asarray(self.start + along_m * self.along + depth_m * self.inward + np.array([0.0, 0.0, height_m]))


@cache  # every piece that is tried asks again
def walls_of(room: Room) -> tuple[Wall, ...]:
    """The four walls, counter-clockwise seen from above, from the one at y_min."""
    corners = [(room.x_min, room.y_min), (room.x_max, room.y_min), (room.x_max, room.y_max), (room.x_min, room.y_max)]
    result = []
    for index, (x, y) in enumerate(corners):
        start = np.array([x, y, 0.0])
        end = np.array([*corners[(index + 1) % 4], 0.0])
        along = (end - start) / np.linalg.norm(end - start)
        inward = np.array([-along[1], along[0], 0.0])
        result.append(Wall(start=start, along=along, inward=inward, length=float(np.linalg.norm(end - start))))
    return tuple(result)


def box_of(piece: Piece, room: Room) -> np.ndarray:
    """Lower and upper corner of a piece in the world, float64 [2, 3]; its sides follow the axes, as walls do."""
    wall = walls_of(room)[piece.wall]
    half = piece.width_m / 2
    near = wall.at(piece.along_m - half, 0.0, piece.bottom_m)
    far = wall.at(piece.along_m + half, piece.depth_m, piece.bottom_m + piece.height_m)
    return np.stack([np.minimum(near, far), np.maximum(near, far)])
