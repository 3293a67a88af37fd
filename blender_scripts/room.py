"""A furnished-looking room: floor, four walls, skirting, a door and a picture. Its floor lies at z = 0."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import bpy
import numpy as np

from blender_scripts.materials import surface_material
from blender_scripts.nodes import Color, draw_color, new_material
from blender_scripts.object_materials import object_material
from datagen.looks import linear_from_srgb
from datagen.seeding import generator_for
from datagen.spec import Room, SceneSpec

SKIRTING_M = (0.085, 0.016)  # height, depth
DOOR_M = (0.86, 2.02)
FRAME_M = (0.07, 0.02)  # of a door: width, depth
GAP_M = 0.5  # from a corner to what hangs on a wall
WHITE = linear_from_srgb((0.86, 0.85, 0.82))
BOX_FACES = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))


@dataclass(frozen=True, kw_only=True)
class Wall:
    """A wall seen from inside: it runs from `start` along `along`, and faces `inward`; arrays [3], length [m]."""

    start: np.ndarray
    along: np.ndarray
    inward: np.ndarray
    length: float


def walls_of(room: Room) -> tuple[Wall, ...]:
    """The four walls, counter-clockwise seen from above."""
    corners = [(room.x_min, room.y_min), (room.x_max, room.y_min), (room.x_max, room.y_max), (room.x_min, room.y_max)]
    result = []
    for index, (x, y) in enumerate(corners):
        start = np.array([x, y, 0.0])
        end = np.array([*corners[(index + 1) % 4], 0.0])
        along = (end - start) / np.linalg.norm(end - start)
        inward = np.array([-along[1], along[0], 0.0])
        result.append(Wall(start=start, along=along, inward=inward, length=float(np.linalg.norm(end - start))))
    return tuple(result)


def build_room(spec: SceneSpec, room: Room) -> tuple[bpy.types.Object, ...]:
    """All objects of the room; none of them moves."""
    rng = generator_for(spec.seed, "room details")
    width, depth = room.x_max - room.x_min, room.y_max - room.y_min
    corner, east = np.array([room.x_min, room.y_min, 0.0]), np.array([1.0, 0.0, 0.0])
    floor = Wall(start=corner, along=east, inward=np.zeros(3), length=width)
    turn = bool(rng.integers(2))
    parts = [add_quad("floor", floor, np.array([0.0, depth, 0.0]), surface_material(spec.floor, "floor"), turn)]
    wall_material = surface_material(spec.wall, "wall")
    trim = plain("trim", WHITE if rng.random() < 0.7 else draw_color(rng, (0.05, 0.1), (0.3, 0.5), (0.35, 0.5)), 0.45)
    walls = walls_of(room)
    up = np.array([0.0, 0.0, room.height])
    for index, wall in enumerate(walls):
        parts.append(add_quad(f"wall {index}", wall, up, wall_material, False))
        run = (0.0, wall.length)
        parts.append(add_box(f"skirting {index}", wall, run, (0.0, SKIRTING_M[0]), (0.0, SKIRTING_M[1]), trim))
    parts += add_door(walls[int(rng.integers(4))], rng, trim)
    for index, wall in enumerate(walls):
        if rng.random() < 0.75:
            parts += add_picture(index, wall, rng)
    return tuple(parts)


def add_door(wall: Wall, rng: np.random.Generator, trim: bpy.types.Material) -> list[bpy.types.Object]:
    """A closed door near one end of a wall."""
    width, height = DOOR_M
    if wall.length < width + 2 * GAP_M:
        return []
    left = GAP_M if rng.random() < 0.5 else wall.length - GAP_M - width
    right = left + width
    edge, depth = FRAME_M
    color = WHITE if rng.random() < 0.6 else draw_color(rng, (0.05, 0.09), (0.35, 0.55), (0.35, 0.6))
    leaf = plain("door", color, 0.4)
    handle = plain("handle", (0.5, 0.5, 0.49), 0.35, metallic=0.9)
    panel_middle = 0.95
    return [
        add_box("door", wall, (left, right), (0.0, height), (0.0, 0.008 + SKIRTING_M[1]), leaf),
        add_box("door frame left", wall, (left - edge, left), (0.0, height + edge), (0.0, depth + 0.02), trim),
        add_box("door frame right", wall, (right, right + edge), (0.0, height + edge), (0.0, depth + 0.02), trim),
        add_box("door frame top", wall, (left, right), (height, height + edge), (0.0, depth + 0.02), trim),
        add_box("door panel low", wall, (left + 0.13, right - 0.13), (0.2, panel_middle - 0.06), (0.0, 0.034), leaf),
        add_box("door panel high", wall, (left + 0.13, right - 0.13), (panel_middle + 0.06, 1.85), (0.0, 0.034), leaf),
        add_box("handle", wall, (left + 0.04, left + 0.17), (1.03, 1.055), (0.05, 0.07), handle),
        add_box("handle neck", wall, (left + 0.04, left + 0.065), (1.03, 1.055), (0.02, 0.07), handle),
    ]


def add_picture(index: int, wall: Wall, rng: np.random.Generator) -> list[bpy.types.Object]:
    """A framed picture of a few fields of colour."""
    width, height = float(rng.uniform(0.45, 0.9)), float(rng.uniform(0.45, 0.8))
    centre, middle = wall.length * float(rng.uniform(0.38, 0.62)), float(rng.uniform(1.5, 1.65))
    low, high = middle - height / 2, middle + height / 2
    left, right = centre - width / 2, centre + width / 2
    frame = object_material("wood", f"frame {index}", rng, (0.2, 0.2, 0.2))
    mount = plain(f"mount {index}", WHITE, 0.8)
    inner = ((left + 0.025, right - 0.025), (low + 0.025, high - 0.025))
    parts = [
        add_box(f"picture frame {index}", wall, (left, right), (low, high), (0.0, 0.022), frame),
        add_box(f"picture mount {index}", wall, inner[0], inner[1], (0.0, 0.024), mount),
    ]
    hue = float(rng.uniform(0, 1))
    border = 0.09
    bottom, top = low + border, high - border
    cuts = np.concatenate([[bottom], np.sort(rng.uniform(bottom + 0.05, top - 0.05, size=2)), [top]])
    for field, (start, end) in enumerate(pairwise(cuts.tolist())):
        color = draw_color(rng, (hue, hue + 0.15), (0.2, 0.5), (0.3, 0.75))
        paint = plain(f"paint {index} {field}", color, 0.7)
        side = (left + border, right - border)
        parts.append(add_box(f"picture field {index} {field}", wall, side, (start, end), (0.0, 0.0255), paint))
    return parts


def plain(name: str, color: Color, roughness: float, metallic: float = 0.0) -> bpy.types.Material:
    """One colour."""
    material, graph = new_material(name)
    graph.surface(graph.principled(color, roughness, metallic))
    return material


def add_quad(name: str, wall: Wall, side: np.ndarray, material: bpy.types.Material, turn: bool) -> bpy.types.Object:
    """A rectangle from a wall's line along `side` [3]; its UV map is in metres, swapped by `turn`."""
    run = wall.along * wall.length
    corners = [wall.start, wall.start + run, wall.start + run + side, wall.start + side]
    rise = float(np.linalg.norm(side))
    flat = [(0.0, 0.0), (wall.length, 0.0), (wall.length, rise), (0.0, rise)]
    return _mesh_object(name, corners, [(0, 1, 2, 3)], [(v, u) if turn else (u, v) for u, v in flat], material)


def add_box(
    name: str,
    wall: Wall,
    along_m: tuple[float, float],
    height_m: tuple[float, float],
    depth_m: tuple[float, float],
    material: bpy.types.Material,
) -> bpy.types.Object:
    """A box on a wall: ranges along it, in height, and into the room."""
    up = np.array([0.0, 0.0, 1.0])
    corners = [
        wall.start + wall.along * u + up * v + wall.inward * w for u in along_m for v in height_m for w in depth_m
    ]
    return _mesh_object(name, corners, list(BOX_FACES), None, material)


def _mesh_object(
    name: str,
    corners: list[np.ndarray],
    faces: list[tuple[int, ...]],
    uv: list[tuple[float, float]] | None,
    material: bpy.types.Material,
) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([corner.tolist() for corner in corners], [], faces)
    if uv is not None:
        layer = mesh.uv_layers.new(name="metres")
        layer.data.foreach_set("uv", np.array([uv[loop.vertex_index] for loop in mesh.loops], dtype=np.float32).ravel())
    mesh.materials.append(material)
    thing = bpy.data.objects.new(f"room {name}", mesh)
    thing.color = (0.0, 0.0, 0.0, 1.0)  # nothing of the room is ever removed
    bpy.context.scene.collection.objects.link(thing)
    return thing
