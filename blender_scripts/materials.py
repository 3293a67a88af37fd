"""Procedural materials of the room's surfaces, by kind; laid out in metres by their UV map."""

from __future__ import annotations

import math
from collections.abc import Callable

import bpy

from blender_scripts.nodes import Color, Graph, draw_color, new_material, scaled
from datagen.errors import SpecError, did_you_mean
from datagen.looks import PAINTS, linear_from_srgb
from datagen.seeding import generator_for
from datagen.wishes import SurfaceWish, TextureSet

PLANK_LENGTH_M = 1.4
STAVES = 5  # of a field of parquet
WAINSCOT_M = 1.05
TILED_M = 1.5
OFF_WHITE = linear_from_srgb((0.86, 0.85, 0.81))


def surface_material(wish: SurfaceWish, name: str) -> bpy.types.Material:
    """Material of a floor or wall."""
    if wish.kind not in SURFACE_SHADERS:
        raise SpecError(f"unknown kind of surface '{wish.kind}'{did_you_mean(wish.kind, SURFACE_SHADERS)}")
    material, graph = new_material(name)
    metres = graph.add("ShaderNodeUVMap").outputs[0]
    shift = generator_for(wish.seed, "shift").uniform(-50, 50, size=2)
    metres = graph.mapped(metres, (1.0, 1.0, 1.0), (float(shift[0]), float(shift[1]), 0.0))
    if wish.texture is not None:
        graph.surface(textured(graph, metres, wish, wish.texture))
    else:
        graph.surface(SURFACE_SHADERS[wish.kind](graph, metres, wish))
    return material


def _wood_floor(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    light, dark = scaled(wish.color, 1.2), scaled(wish.color, 0.78)
    planks = _bricks(graph, metres, (PLANK_LENGTH_M, wish.scale_m), 0.0012, light, dark, scaled(wish.color, 0.3), 0.37)
    grain = graph.noise(graph.mapped(metres, (1.6, 28.0, 1.0)), 1.0, 4.0)
    tint = graph.remap(grain, 0.3, 0.7, 0.72, 1.14)
    color = graph.mix(1.0, planks.outputs["Color"], tint, "MULTIPLY")
    roughness = graph.remap(grain, 0.3, 0.7, wish.roughness - 0.06, wish.roughness + 0.1)
    worn = graph.remap(graph.noise(metres, 1.3, 2.0), 0.35, 0.65, 0.0, 0.14)
    roughness = graph.math("ADD", roughness, worn)
    return graph.principled(color, roughness, Specular_IOR_Level=0.35, Normal=_grooves(graph, planks, 0.0015))


def _parquet(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    """Basket weave: square fields of five staves, each turned against its neighbours."""
    field_m = STAVES * wish.scale_m
    axes = graph.add("ShaderNodeSeparateXYZ", {0: metres}).outputs
    cells = [graph.math("FLOOR", graph.math("DIVIDE", axis, field_m)) for axis in (axes[0], axes[1])]
    odd = graph.math("MODULO", graph.math("ABSOLUTE", graph.math("ADD", *cells)), 2.0)
    turned = graph.add("ShaderNodeCombineXYZ", {0: axes[1], 1: axes[0]}).outputs[0]
    placed = graph.mix(odd, metres, turned)
    light, dark = scaled(wish.color, 1.22), scaled(wish.color, 0.74)
    staves = _bricks(graph, placed, (field_m, wish.scale_m), 0.0009, light, dark, scaled(wish.color, 0.35), 0.0)
    grain = graph.noise(graph.mapped(placed, (2.5, 40.0, 1.0)), 1.0, 3.0)
    color = graph.mix(1.0, staves.outputs["Color"], graph.remap(grain, 0.3, 0.7, 0.76, 1.12), "MULTIPLY")
    worn = graph.remap(graph.noise(metres, 1.1, 2.0), 0.35, 0.65, wish.roughness - 0.05, wish.roughness + 0.14)
    return graph.principled(color, worn, Specular_IOR_Level=0.4, Normal=_grooves(graph, staves, 0.001))


def _stone(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    light, dark = scaled(wish.color, 1.12), scaled(wish.color, 0.86)
    size_m = (wish.scale_m * 1.5, wish.scale_m)
    slabs = _bricks(graph, metres, size_m, 0.003, light, dark, scaled(wish.color, 0.5), 0.5)
    cloud = graph.remap(graph.noise(metres, 2.2, 6.0), 0.3, 0.7, 0.72, 1.18)
    veins = graph.math("ABSOLUTE", graph.math("SUBTRACT", graph.noise(metres, 1.6, 5.0), 0.5))
    color = graph.mix(1.0, slabs.outputs["Color"], cloud, "MULTIPLY")
    color = graph.mix(1.0, color, graph.remap(veins, 0.0, 0.02, 0.82, 1.0), "MULTIPLY")
    rough = graph.remap(graph.noise(metres, 0.9, 3.0), 0.3, 0.7, wish.roughness - 0.06, wish.roughness + 0.16)
    return graph.principled(color, rough, Normal=_grooves(graph, slabs, 0.002))


def _linoleum(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    flecks = graph.remap(graph.noise(graph.mapped(metres, (38.0, 14.0, 1.0)), 1.0, 3.0), 0.35, 0.65, 0.84, 1.14)
    worn = graph.remap(graph.noise(metres, 0.8, 3.0), 0.3, 0.7, 0.92, 1.05)
    color = graph.mix(1.0, graph.mix(1.0, wish.color, flecks, "MULTIPLY"), worn, "MULTIPLY")
    rough = graph.remap(graph.noise(metres, 1.7, 3.0), 0.3, 0.7, wish.roughness - 0.08, wish.roughness + 0.16)
    return graph.principled(color, rough, Specular_IOR_Level=0.4)


def _tiles(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    light, dark = scaled(wish.color, 1.06), scaled(wish.color, 0.94)
    tiles = _bricks(graph, metres, (wish.scale_m, wish.scale_m), 0.0025, light, dark, scaled(wish.color, 0.55), 0.0)
    cloud = graph.remap(graph.noise(metres, 3.0, 3.0), 0.3, 0.7, 0.9, 1.06)
    color = graph.mix(1.0, tiles.outputs["Color"], cloud, "MULTIPLY")
    rough = graph.remap(tiles.outputs["Fac"], 0.0, 1.0, wish.roughness, 0.9)
    return graph.principled(color, rough, Normal=_grooves(graph, tiles, 0.002))


def _carpet(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    pile = graph.remap(graph.noise(metres, 1.0 / wish.scale_m, 2.0), 0.3, 0.7, 0.72, 1.22)
    worn = graph.remap(graph.noise(metres, 1.1, 2.0), 0.3, 0.7, 0.93, 1.07)
    color = graph.mix(1.0, graph.mix(1.0, wish.color, pile, "MULTIPLY"), worn, "MULTIPLY")
    return graph.principled(color, wish.roughness, Specular_IOR_Level=0.1)


def _concrete(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    cloud = graph.remap(graph.noise(metres, 1.0 / wish.scale_m, 5.0), 0.3, 0.7, 0.78, 1.16)
    pores = graph.remap(graph.noise(metres, 55.0, 1.0), 0.28, 0.36, 0.8, 1.0)
    color = graph.mix(1.0, graph.mix(1.0, wish.color, cloud, "MULTIPLY"), pores, "MULTIPLY")
    rough = graph.remap(cloud, 0.78, 1.16, wish.roughness - 0.1, wish.roughness + 0.08)
    return graph.principled(color, rough)


def _plaster(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    cloud = graph.remap(graph.noise(metres, 1.0 / wish.scale_m, 4.0), 0.3, 0.7, 0.95, 1.04)
    roller = graph.remap(graph.noise(metres, 130.0, 1.0), 0.3, 0.7, 0.97, 1.03)
    color = graph.mix(1.0, graph.mix(1.0, wish.color, cloud, "MULTIPLY"), roller, "MULTIPLY")
    return graph.principled(color, wish.roughness, Specular_IOR_Level=0.2)


def _wallpaper(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    """Stripes or a small repeated figure, tone in tone."""
    rng = generator_for(wish.seed, "wallpaper")
    axes = graph.add("ShaderNodeSeparateXYZ", {0: metres}).outputs
    waves = [graph.math("SINE", graph.math("MULTIPLY", axis, 2 * math.pi / wish.scale_m)) for axis in axes[:2]]
    striped = bool(rng.random() < 0.5)
    wave = waves[0] if striped else graph.math("MULTIPLY", waves[0], waves[1])
    share = graph.remap(wave, 0.1 if striped else 0.3, 0.2 if striped else 0.42, 0.0, 1.0)
    color = graph.mix(share, wish.color, scaled(wish.color, float(rng.choice([0.8, 0.88, 1.12]))))
    faded = graph.remap(graph.noise(metres, 0.9, 3.0), 0.3, 0.7, 0.95, 1.04)
    return graph.principled(graph.mix(1.0, color, faded, "MULTIPLY"), wish.roughness, Specular_IOR_Level=0.2)


def _wainscot(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    """Painted boards up to the waist with a rail, plaster above."""
    rng = generator_for(wish.seed, "wainscot")
    paint = OFF_WHITE if rng.random() < 0.6 else draw_color(rng, (0.05, 0.6), (0.08, 0.3), (0.35, 0.6))
    height = graph.add("ShaderNodeSeparateXYZ", {0: graph.add("ShaderNodeUVMap").outputs[0]}).outputs[1]
    axis = graph.add("ShaderNodeSeparateXYZ", {0: metres}).outputs[0]
    place = graph.math("FRACT", graph.math("DIVIDE", axis, wish.scale_m))
    groove = graph.remap(graph.math("ABSOLUTE", graph.math("SUBTRACT", place, 0.5)), 0.0, 0.045, 0.0, 1.0)
    boards = graph.mix(graph.remap(groove, 0.0, 1.0, 0.55, 0.0), paint, scaled(paint, 0.45))
    rail = graph.remap(height, WAINSCOT_M - 0.07, WAINSCOT_M - 0.068, 0.0, 1.0)
    above = graph.remap(height, WAINSCOT_M, WAINSCOT_M + 0.002, 0.0, 1.0)
    cloud = graph.remap(graph.noise(metres, 1.2, 4.0), 0.3, 0.7, 0.95, 1.04)
    upper = graph.mix(1.0, wish.color, cloud, "MULTIPLY")
    color = graph.mix(above, graph.mix(rail, boards, scaled(paint, 0.94)), upper)
    relief = graph.math("MAXIMUM", graph.math("MAXIMUM", groove, rail), above)
    return graph.principled(color, graph.remap(above, 0.0, 1.0, 0.45, wish.roughness), Normal=graph.bump(relief, 0.004))


def _half_tiled(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    """A kitchen's wall: glazed tiles to above the worktop, paint over them."""
    rng = generator_for(wish.seed, "glaze")
    hue = PAINTS[int(rng.integers(len(PAINTS)))]
    glaze = draw_color(rng, hue, (0.02, 0.22), (0.66, 0.86))
    ratio = float(rng.choice([1.0, 2.0]))
    uv = graph.add("ShaderNodeUVMap").outputs[0]
    tiles = _bricks(
        graph, uv, (wish.scale_m * ratio, wish.scale_m), 0.003, glaze, scaled(glaze, 0.92), (0.5, 0.49, 0.46), ratio / 4
    )
    height = graph.add("ShaderNodeSeparateXYZ", {0: uv}).outputs[1]
    edge = TILED_M // wish.scale_m * wish.scale_m
    above = graph.remap(height, edge, edge + 0.002, 0.0, 1.0)
    cloud = graph.remap(graph.noise(metres, 1.4, 4.0), 0.3, 0.7, 0.95, 1.04)
    color = graph.mix(above, tiles.outputs["Color"], graph.mix(1.0, wish.color, cloud, "MULTIPLY"))
    matt = graph.math("MAXIMUM", above, tiles.outputs["Fac"])
    relief = graph.math("MAXIMUM", above, graph.math("SUBTRACT", 1.0, tiles.outputs["Fac"]))
    return graph.principled(color, graph.remap(matt, 0.0, 1.0, 0.2, wish.roughness), Normal=graph.bump(relief, 0.002))


def textured(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish, own: TextureSet) -> bpy.types.NodeSocket:
    """The user's pictures, `scale_m` wide; raises `DataError` for one that has changed since the scene was planned."""
    place = graph.mapped(metres, (1 / wish.scale_m,) * 3)
    color = graph.picture(place, own.color, "sRGB")
    rough = graph.picture(place, own.roughness, "Non-Color") if own.roughness else wish.roughness
    inputs = {}
    if own.normal:
        packed = graph.picture(place, own.normal, "Non-Color")
        inputs["Normal"] = graph.add("ShaderNodeNormalMap", {"Color": packed}).outputs[0]
    return graph.principled(color, rough, **inputs)


def _grooves(graph: Graph, bricks: bpy.types.Node, depth_m: float) -> bpy.types.NodeSocket:
    """Normal of a surface whose joints lie deeper."""
    return graph.bump(graph.math("SUBTRACT", 1.0, bricks.outputs["Fac"]), depth_m)


def _brick_wall(graph: Graph, metres: bpy.types.NodeSocket, wish: SurfaceWish) -> bpy.types.NodeSocket:
    light, dark = scaled(wish.color, 1.2), scaled(wish.color, 0.75)
    wall = _bricks(graph, metres, (wish.scale_m, wish.scale_m * 0.32), 0.006, light, dark, (0.42, 0.40, 0.37), 0.5)
    cloud = graph.remap(graph.noise(metres, 9.0, 4.0), 0.3, 0.7, 0.8, 1.15)
    color = graph.mix(1.0, wall.outputs["Color"], cloud, "MULTIPLY")
    return graph.principled(color, wish.roughness, Normal=_grooves(graph, wall, 0.006))


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
    "parquet": _parquet,
    "stone": _stone,
    "linoleum": _linoleum,
    "wallpaper": _wallpaper,
    "wainscot": _wainscot,
    "half tiled": _half_tiled,
    "tiles": _tiles,
    "carpet": _carpet,
    "concrete": _concrete,
    "plaster": _plaster,
    "bricks": _brick_wall,
}
