"""Furniture and wall things of a room: each a few dozen parts inside the box of its `Piece`."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from blender_scripts import furniture_kitchen, furniture_seats, furniture_storage, furniture_wall, furniture_work
from blender_scripts.finishes import Finishes
from blender_scripts.site import Site
from blender_scripts.solid_parts import Parts
from datagen.errors import SpecError, did_you_mean
from datagen.placement import Piece, Room
from datagen.rooms import walls_of
from datagen.seeding import generator_for

BUILDERS: dict[str, Callable[[Site], None]] = {
    **furniture_kitchen.BUILDERS,
    **furniture_seats.BUILDERS,
    **furniture_storage.BUILDERS,
    **furniture_wall.BUILDERS,
    **furniture_work.BUILDERS,
}


def build_piece(piece: Piece, room: Room, index: int, finish: Finishes) -> bpy.types.Object:
    """One piece, at its place."""
    if piece.kind not in BUILDERS:
        raise SpecError(f"unknown kind of furniture '{piece.kind}'{did_you_mean(piece.kind, BUILDERS)}")
    site = Site(
        width=piece.width_m,
        depth=piece.depth_m,
        height=piece.height_m,
        parts=Parts(),
        finish=finish,
        rng=generator_for(piece.seed, "shape"),
    )
    BUILDERS[piece.kind](site)
    wall = walls_of(room)[piece.wall]
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = wall.along, wall.inward, (0.0, 0.0, 1.0)
    matrix[:3, 3] = wall.at(piece.along_m, 0.0, piece.bottom_m)
    return site.parts.done(f"room {piece.kind} {index}", matrix)
