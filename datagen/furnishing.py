"""Furniture and wall things at the edges of a room, clear of everything that happens in it.

What a kind of room holds is drawn by seed; where it stands is tried until it is out of reach of every trajectory of
both worlds and of every person, does not stand before the camera or hide the action from it, and does not keep the
window's light from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from datagen.clearance import Occupied, is_clear
from datagen.placement import Piece, Room
from datagen.rooms import box_of, walls_of
from datagen.seeding import generator_for, seed_for
from datagen.wishes import RoomKind

Span = tuple[float, float]

TRIES = 14  # places for a piece, before it is left out
SECOND_SHARE = 0.35  # of a kind's weight that is left each time it was drawn
# one in a room is enough; radiators under windows come on top
SINGLE = ("clock", "coat_rack", "fridge", "radiator", "switch", "whiteboard")
CORNER_M = 0.04  # from a corner of the room
BETWEEN_M = 0.05  # between two pieces
WALL_PER_PIECE_M = 1.7  # floor pieces a room gets: one for so much wall
WINDOW_SHIFTS_M = (0.0, 0.4, -0.4, 0.8, -0.8)  # along its wall, from where the key light should come
GLOW_M = 0.03  # from a window's box to the light that stands for the sky behind it


@dataclass(frozen=True, kw_only=True)
class Size:
    """Ranges of a piece's box [m]."""

    width: Span
    depth: Span
    height: Span
    bottom: Span = (0.0, 0.0)


KINDS: Mapping[str, Size] = {
    "door": Size(width=(0.98, 1.06), depth=(0.09, 0.09), height=(2.08, 2.14)),
    "window": Size(width=(1.1, 1.9), depth=(0.15, 0.15), height=(1.25, 1.55), bottom=(0.82, 0.95)),
    "counter": Size(width=(1.8, 3.6), depth=(0.62, 0.64), height=(1.15, 1.2)),
    "wall_cupboard": Size(width=(1.2, 2.4), depth=(0.33, 0.36), height=(0.62, 0.75), bottom=(1.45, 1.5)),
    "fridge": Size(width=(0.6, 0.7), depth=(0.66, 0.7), height=(1.5, 1.95)),
    "sofa": Size(width=(1.6, 2.3), depth=(0.85, 0.95), height=(0.74, 0.86)),
    "armchair": Size(width=(0.8, 0.95), depth=(0.8, 0.9), height=(0.78, 0.9)),
    "bookshelf": Size(width=(0.8, 1.6), depth=(0.28, 0.34), height=(1.2, 2.1)),
    "sideboard": Size(width=(1.2, 1.9), depth=(0.4, 0.48), height=(0.95, 1.1)),
    "floor_lamp": Size(width=(0.42, 0.5), depth=(0.42, 0.5), height=(1.45, 1.7)),
    "plant": Size(width=(0.55, 0.8), depth=(0.55, 0.8), height=(0.9, 1.6)),
    "desk": Size(width=(1.3, 1.7), depth=(0.68, 0.8), height=(1.2, 1.3)),
    "filing_cabinet": Size(width=(0.42, 0.9), depth=(0.5, 0.6), height=(0.72, 1.3)),
    "workbench": Size(width=(1.6, 2.4), depth=(0.62, 0.72), height=(1.1, 1.2)),
    "metal_shelf": Size(width=(0.9, 1.5), depth=(0.4, 0.5), height=(1.7, 2.0)),
    "crates": Size(width=(0.7, 1.1), depth=(0.5, 0.6), height=(0.6, 1.1)),
    "bench": Size(width=(1.2, 1.8), depth=(0.36, 0.42), height=(0.44, 0.48)),
    "radiator": Size(width=(0.7, 1.4), depth=(0.13, 0.15), height=(0.62, 0.68)),
    "picture": Size(width=(0.45, 1.1), depth=(0.035, 0.035), height=(0.45, 0.8), bottom=(1.2, 1.35)),
    "clock": Size(width=(0.3, 0.36), depth=(0.05, 0.05), height=(0.36, 0.36), bottom=(1.75, 1.85)),
    "whiteboard": Size(width=(1.2, 1.9), depth=(0.09, 0.09), height=(0.9, 1.1), bottom=(0.95, 1.05)),
    "pegboard": Size(width=(1.2, 2.0), depth=(0.08, 0.08), height=(0.7, 0.9), bottom=(1.25, 1.35)),
    "wall_shelf": Size(width=(0.8, 1.4), depth=(0.22, 0.25), height=(0.4, 0.45), bottom=(1.35, 1.55)),
    "coat_rack": Size(width=(0.7, 1.2), depth=(0.24, 0.26), height=(1.0, 1.1), bottom=(0.75, 0.85)),
    "switch": Size(width=(0.085, 0.085), depth=(0.014, 0.014), height=(0.085, 0.17), bottom=(1.05, 1.08)),
}


@dataclass(frozen=True, kw_only=True)
class Furniture:
    """What a kind of room holds: one of `first`, then of `floor` and `hung`, each with its weight."""

    first: tuple[str, ...]
    floor: Mapping[str, float]
    hung: Mapping[str, float]


FURNITURE: Mapping[RoomKind, Furniture] = {
    RoomKind.KITCHEN: Furniture(
        first=("counter", "fridge", "counter"),
        floor={"counter": 2.0, "fridge": 0.4, "sideboard": 0.8, "radiator": 0.8, "plant": 0.5, "bench": 0.4},
        hung={"wall_cupboard": 2.0, "wall_shelf": 1.0, "clock": 0.7, "picture": 0.6, "switch": 0.8},
    ),
    RoomKind.LIVING_ROOM: Furniture(
        first=("sofa", "bookshelf", "floor_lamp"),
        floor={"bookshelf": 1.0, "sideboard": 1.2, "armchair": 0.8, "plant": 1.2, "radiator": 0.8, "floor_lamp": 0.7},
        hung={"picture": 3.0, "wall_shelf": 0.8, "clock": 0.3, "switch": 0.6},
    ),
    RoomKind.OFFICE: Furniture(
        first=("desk", "bookshelf", "filing_cabinet"),
        floor={"desk": 1.0, "filing_cabinet": 1.4, "bookshelf": 1.0, "plant": 1.0, "radiator": 0.9},
        hung={"whiteboard": 1.4, "picture": 1.2, "clock": 0.6, "wall_shelf": 0.6, "switch": 0.8},
    ),
    RoomKind.WORKSHOP: Furniture(
        first=("workbench", "metal_shelf", "crates"),
        floor={"workbench": 1.0, "metal_shelf": 1.4, "crates": 1.4, "filing_cabinet": 0.7, "radiator": 0.3},
        hung={"pegboard": 2.0, "wall_shelf": 1.2, "clock": 0.5, "switch": 0.8},
    ),
    RoomKind.HALL: Furniture(
        first=("bench", "sideboard", "plant"),
        floor={"bench": 1.0, "sideboard": 1.0, "plant": 1.2, "radiator": 1.2, "armchair": 0.6},
        hung={"picture": 2.4, "coat_rack": 1.0, "clock": 0.4, "switch": 0.8},
    ),
}


class Furnisher:
    """Puts one piece after another into a room."""

    def __init__(self, room: Room, occupied: Occupied, rng: np.random.Generator, seed: int) -> None:
        self.room, self.occupied, self.rng, self.seed = room, occupied, rng, seed
        self.walls = walls_of(room)
        self.pieces: list[Piece] = []
        self.boxes: list[np.ndarray] = []

    def draw(self, kind: str, wall: int, along_m: float | None = None, bottom_m: float | None = None) -> Piece | None:
        """A piece of a kind on a wall, of drawn size; anywhere along it unless told. None where it is too long."""
        size = KINDS[kind]
        width, depth, height, bottom = (
            float(self.rng.uniform(*span)) for span in (size.width, size.depth, size.height, size.bottom)
        )
        low, high = CORNER_M + width / 2, self.walls[wall].length - CORNER_M - width / 2
        if low > high:
            return None
        return Piece(
            kind=kind,
            wall=wall,
            along_m=float(self.rng.uniform(low, high)) if along_m is None else min(max(along_m, low), high),
            bottom_m=bottom if bottom_m is None else bottom_m,
            width_m=width,
            depth_m=depth,
            height_m=height,
            seed=seed_for(self.seed, "piece", len(self.pieces)),
        )

    def fits(self, piece: Piece) -> bool:
        """Whether a piece overlaps no other, reaches no higher than the room, and is clear of the action."""
        box = box_of(piece, self.room)
        if box[1, 2] > self.room.height - CORNER_M:
            return False
        spread = box + np.array([[-BETWEEN_M], [BETWEEN_M]])
        meets = any(bool((spread[0] < other[1]).all() and (spread[1] > other[0]).all()) for other in self.boxes)
        return not meets and is_clear(box, self.occupied)

    def put(self, piece: Piece | None) -> bool:
        """Keep a piece if it fits."""
        if piece is None or not self.fits(piece):
            return False
        self.pieces.append(piece)
        self.boxes.append(box_of(piece, self.room))
        return True

    def place(self, kind: str, walls: tuple[int, ...] = (0, 1, 2, 3)) -> bool:
        """Try a piece of a kind at several places."""
        return any(self.put(self.draw(kind, int(self.rng.choice(walls)))) for _ in range(TRIES))


def furnish(room: Room, kind: RoomKind, seed: int, occupied: Occupied, window_towards_rad: float | None) -> Room:
    """The room with its pieces.

    window_towards_rad: direction from the action to a window that the key light comes through, if there is one; the
    room's `key_window` says which it became, None where no wall has a place for it.
    """
    rng = generator_for(seed, "furnishing")
    furnisher = Furnisher(room, occupied, rng, seed)
    key_window = 0 if window_towards_rad is not None and _put_key_window(furnisher, window_towards_rad) else None
    if key_window is not None:
        furnisher.occupied = occupied.lit_from(window_light(room, furnisher.pieces[0]))
    furnisher.place("door")
    for _ in range(int(rng.integers(1, 3))):
        furnisher.place("window")
    _put_radiators(furnisher)
    holds = FURNITURE[kind]
    perimeter = sum(wall.length for wall in furnisher.walls)
    count = max(len(holds.first), round(perimeter / WALL_PER_PIECE_M))
    standing = [*holds.first, *(piece.kind for piece in furnisher.pieces)]
    for name in (*holds.first, *_drawn(rng, holds.floor, count - len(holds.first), standing)):
        if furnisher.place(name) and name == "counter":
            _put_above(furnisher, "wall_cupboard")
    for name in _drawn(rng, holds.hung, count, ()):
        furnisher.place(name)
    return replace(room, pieces=tuple(furnisher.pieces), key_window=key_window)


def window_light(room: Room, window: Piece) -> np.ndarray:
    """Centre [3] of the light that comes through a window: just inside of it."""
    wall = walls_of(room)[window.wall]
    return wall.at(window.along_m, window.depth_m + GLOW_M, window.bottom_m + window.height_m / 2)


def _put_key_window(furnisher: Furnisher, towards_rad: float) -> bool:
    """A window where the direction from the middle of the action meets a wall, or beside that place."""
    middle = furnisher.occupied.middle
    ray = np.array([math.cos(towards_rad), math.sin(towards_rad)])
    reached = []
    for index, wall in enumerate(furnisher.walls):
        closing = -float(wall.inward[:2] @ ray)
        if closing > 1e-6:
            distance = float(wall.inward[:2] @ (middle - wall.start[:2])) / closing
            reached.append((distance, index))
    distance, index = min(reached)
    wall = furnisher.walls[index]
    aim = float(wall.along[:2] @ (middle + distance * ray - wall.start[:2]))
    return any(furnisher.put(furnisher.draw("window", index, aim + shift)) for shift in WINDOW_SHIFTS_M)


def _put_radiators(furnisher: Furnisher) -> None:
    """Radiators under some windows."""
    for piece in [one for one in furnisher.pieces if one.kind == "window"]:
        if furnisher.rng.random() < 0.6:
            furnisher.put(furnisher.draw("radiator", piece.wall, piece.along_m, bottom_m=0.1))


def _put_above(furnisher: Furnisher, kind: str) -> None:
    """A wall piece over the one that was put last, as wide at most."""
    below = furnisher.pieces[-1]
    drawn = furnisher.draw(kind, below.wall, below.along_m)
    if drawn is not None:
        furnisher.put(replace(drawn, width_m=min(below.width_m, drawn.width_m + 0.6), along_m=below.along_m))


def _drawn(rng: np.random.Generator, weights: Mapping[str, float], count: int, standing: Sequence[str]) -> list[str]:
    """So many kinds, each less likely the more often it was drawn or stands already."""
    shares = {name: share * _left(name, standing.count(name)) for name, share in weights.items()}
    result: list[str] = []
    for _ in range(count):
        total = sum(shares.values())
        name = str(rng.choice(list(shares), p=[share / total for share in shares.values()]))
        shares[name] *= _left(name, 1)
        result.append(name)
    return result


def _left(name: str, times: int) -> float:
    """What is left of a kind's weight once it stands so many times."""
    if name in SINGLE:
        return 0.0 if times else 1.0
    return float(SECOND_SHARE**times)
