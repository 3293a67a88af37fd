"""A room: floor, four walls with openings for its windows, skirting, and its furniture. Its floor lies at z = 0."""

from __future__ import annotations

import bpy
import numpy as np

from blender_scripts.finishes import Finishes
from blender_scripts.furniture import build_piece
from blender_scripts.furniture_wall import OPENING, opening_of
from blender_scripts.materials import surface_material
from blender_scripts.solid_parts import Parts
from datagen.placement import Piece, Room
from datagen.rooms import Wall, walls_of
from datagen.seeding import generator_for
from datagen.spec import SceneSpec
from datagen.wishes import LightKind

SKIRTING_M = (0.08, 0.015)  # height, depth

Rectangle = tuple[tuple[float, float], tuple[float, float]]


def build_room(spec: SceneSpec, room: Room) -> tuple[bpy.types.Object, ...]:
    """All objects of the room; none of them moves."""
    finish = Finishes(spec.room.seed, daylight=spec.light.kind is not LightKind.LAMP)
    turned = bool(generator_for(spec.room.seed, "floor").integers(2))
    parts = [floor_of(room, surface_material(spec.floor, "floor"), turned)]
    wall_material = surface_material(spec.wall, "wall")
    for index, wall in enumerate(walls_of(room)):
        own = [piece for piece in room.pieces if piece.wall == index]
        parts.append(wall_with_openings(index, wall, room.height, openings(own), wall_material))
        parts.append(skirting(index, wall, [piece for piece in own if piece.kind == "door"], finish))
    parts += [build_piece(piece, room, index, finish) for index, piece in enumerate(room.pieces)]
    return tuple(parts)


def openings(pieces: list[Piece]) -> list[Rectangle]:
    """Where a wall is open, along it and in height [m]."""
    found = []
    for piece in pieces:
        if piece.kind == OPENING:
            (left, right), (low, high) = opening_of(piece.width_m, piece.height_m)
            rise = piece.bottom_m
            found.append(((piece.along_m + left, piece.along_m + right), (rise + low, rise + high)))
    return found


def floor_of(room: Room, material: bpy.types.Material, turned: bool) -> bpy.types.Object:
    """The floor; its UV map is in metres, swapped when `turned`."""
    corners = [(room.x_min, room.y_min), (room.x_max, room.y_min), (room.x_max, room.y_max), (room.x_min, room.y_max)]
    uv = [(y, x) if turned else (x, y) for x, y in corners]
    return surface_object("floor", [(x, y, 0.0) for x, y in corners], [(0, 1, 2, 3)], uv, material)


def wall_with_openings(
    index: int, wall: Wall, height: float, holes: list[Rectangle], material: bpy.types.Material
) -> bpy.types.Object:
    """A wall as a grid of rectangles, without those that lie in a hole; its UV map is in metres."""
    along = sorted({0.0, wall.length, *(x for hole, _ in holes for x in hole)})
    rise = sorted({0.0, height, *(z for _, hole in holes for z in hole)})
    flat = [(x, z) for z in rise for x in along]
    wide = len(along)
    faces = [
        (row * wide + place, row * wide + place + 1, (row + 1) * wide + place + 1, (row + 1) * wide + place)
        for row in range(len(rise) - 1)
        for place in range(wide - 1)
        if not any(
            x[0] <= 0.5 * (along[place] + along[place + 1]) <= x[1]
            and z[0] <= 0.5 * (rise[row] + rise[row + 1]) <= z[1]
            for x, z in holes
        )
    ]
    corners = [tuple(wall.at(x, 0.0, z).tolist()) for x, z in flat]
    return surface_object(f"wall {index}", corners, faces, flat, material)


def skirting(index: int, wall: Wall, doors: list[Piece], finish: Finishes) -> bpy.types.Object:
    """Boards along the foot of a wall, between its doors."""
    parts = Parts()
    at = 0.0
    stops = sorted((door.along_m - door.width_m / 2, door.along_m + door.width_m / 2) for door in doors)
    for start, end in (*stops, (wall.length, wall.length)):
        if start - at > 0.02:
            parts.box((at, start), (0.0, SKIRTING_M[1]), (0.0, SKIRTING_M[0]), finish.trim, 0.003)
        at = end
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 3] = wall.along, wall.inward, wall.start
    return parts.done(f"room skirting {index}", matrix)


def surface_object(
    name: str,
    corners: list[tuple[float, float, float]],
    faces: list[tuple[int, int, int, int]],
    uv: list[tuple[float, float]],
    material: bpy.types.Material,
) -> bpy.types.Object:
    """A mesh with one UV position a corner."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    layer = mesh.uv_layers.new(name="metres")
    layer.data.foreach_set("uv", np.array([uv[loop.vertex_index] for loop in mesh.loops], dtype=np.float32).ravel())
    mesh.materials.append(material)
    thing = bpy.data.objects.new(f"room {name}", mesh)
    thing.color = (0.0, 0.0, 0.0, 1.0)  # nothing of the room is ever removed
    bpy.context.scene.collection.objects.link(thing)
    return thing
