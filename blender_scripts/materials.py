"""Procedural materials of the room's surfaces, by kind; laid out in metres by their UV map."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from blender_scripts.nodes import Color, Graph, new_material, scaled
from datagen.errors import SpecError, did_you_mean
from datagen.seeding import generator_for
from datagen.spec import SurfaceWish

PLANK_LENGTH_M = 1.4


def surface_material(wish: SurfaceWish, name: str) -> bpy.types.Material:
    """Material of a floor or wall."""
    if wish.kind not in SURFACE_SHADERS:
        raise SpecError(f"unknown kind of surface '{wish.kind}'{did_you_mean(wish.kind, SURFACE_SHADERS)}")
    material, graph = new_material(name)
    metres = graph.add("ShaderNodeUVMap").outputs[0]
    shift = generator_for(wish.seed, "shift").uniform(-50, 50, size=2)
    metres = graph.mapped(metres, (1.0, 1.0, 1.0), (float(shift[0]), float(shift[1]), 0.0))
    graph.surface(SURFACE_SHADERS[wish.kind](graph, metres, wish))
    return material


def _wood_floor(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    light, dark = scaled(wish.color, 1.2), scaled(wish.color, 0.78)
    planks = _bricks(graph, metres, (PLANK_LENGTH_M, wish.scale_m), 0.0012, light, dark, scaled(wish.color, 0.3), 0.37)
    grain = graph.noise(graph.mapped(metres, (1.6, 28.0, 1.0)), 1.0, 4.0)
    tint = graph.remap(grain, 0.3, 0.7, 0.72, 1.14)
    color = graph.mix(1.0, planks.outputs["Color"], tint, "MULTIPLY")
    roughness = graph.remap(grain, 0.3, 0.7, wish.roughness - 0.06, wish.roughness + 0.1)
    return graph.principled(color, roughness, Specular_IOR_Level=0.35)


def _tiles(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    light, dark = scaled(wish.color, 1.06), scaled(wish.color, 0.94)
    tiles = _bricks(graph, metres, (wish.scale_m, wish.scale_m), 0.0025, light, dark, scaled(wish.color, 0.55), 0.0)
    cloud = graph.remap(graph.noise(metres, 3.0, 3.0), 0.3, 0.7, 0.9, 1.06)
    color = graph.mix(1.0, tiles.outputs["Color"], cloud, "MULTIPLY")
    return graph.principled(color, graph.remap(tiles.outputs["Fac"], 0.0, 1.0, wish.roughness, 0.9))


def _carpet(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    pile = graph.remap(graph.noise(metres, 1.0 / wish.scale_m, 2.0), 0.3, 0.7, 0.72, 1.22)
    worn = graph.remap(graph.noise(metres, 1.1, 2.0), 0.3, 0.7, 0.93, 1.07)
    color = graph.mix(1.0, graph.mix(1.0, wish.color, pile, "MULTIPLY"), worn, "MULTIPLY")
    return graph.principled(color, wish.roughness, Specular_IOR_Level=0.1)


def _concrete(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    cloud = graph.remap(graph.noise(metres, 1.0 / wish.scale_m, 5.0), 0.3, 0.7, 0.78, 1.16)
    pores = graph.remap(graph.noise(metres, 55.0, 1.0), 0.28, 0.36, 0.8, 1.0)
    color = graph.mix(1.0, graph.mix(1.0, wish.color, cloud, "MULTIPLY"), pores, "MULTIPLY")
    return graph.principled(color, wish.roughness)


def _plaster(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    cloud = graph.remap(graph.noise(metres, 1.0 / wish.scale_m, 4.0), 0.3, 0.7, 0.95, 1.04)
    roller = graph.remap(graph.noise(metres, 130.0, 1.0), 0.3, 0.7, 0.97, 1.03)
    color = graph.mix(1.0, graph.mix(1.0, wish.color, cloud, "MULTIPLY"), roller, "MULTIPLY")
    return graph.principled(color, wish.roughness, Specular_IOR_Level=0.2)


def _brick_wall(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    light, dark = scaled(wish.color, 1.2), scaled(wish.color, 0.75)
    wall = _bricks(graph, metres, (wish.scale_m, wish.scale_m * 0.32), 0.006, light, dark, (0.42, 0.40, 0.37), 0.5)
    cloud = graph.remap(graph.noise(metres, 9.0, 4.0), 0.3, 0.7, 0.8, 1.15)
    return graph.principled(graph.mix(1.0, wall.outputs["Color"], cloud, "MULTIPLY"), wish.roughness)


def _bricks(
    graph: Graph,
    metres: bpy.types.NodeSocket,
    size_m: tuple[float, float],
    joint_m: float,
    light: Color,
    dark: Color,
    joint: Color,
    offset: float,
) -> bpy.types.Node:
    """Rows of rectangles with joints; outputs "Color", and "Fac" that is 1 in the joints."""
    inputs = {
        "Vector": metres,
        "Color1": light,
        "Color2": dark,
        "Mortar": joint,
        "Scale": 1.0,
        "Mortar Size": joint_m,
        "Mortar Smooth": 0.1,
        "Brick Width": size_m[0],
        "Row Height": size_m[1],
    }
    return graph.add("ShaderNodeTexBrick", inputs, offset=offset, offset_frequency=2)


SURFACE_SHADERS: dict[str, Callable[[Graph, bpy.types.NodeSocket, SurfaceWish], bpy.types.NodeSocket]] = {
    "wood": _wood_floor,
    "tiles": _tiles,
    "carpet": _carpet,
    "concrete": _concrete,
    "plaster": _plaster,
    "bricks": _brick_wall,
}
