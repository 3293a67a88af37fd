"""Procedural materials: surfaces of the room by kind, objects by what they are.

Room surfaces are laid out in metres by their UV map; objects in metres by their own frame, so that a pattern moves with
them.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import bpy
import numpy as np

from blender_scripts.nodes import Color, Graph, new_material, scaled
from datagen.errors import SpecError, did_you_mean
from datagen.looks import linear_from_srgb
from datagen.seeding import generator_for
from datagen.spec import ObjectSpec, SurfaceWish

PLANK_LENGTH_M = 1.4
OAK = linear_from_srgb((0.66, 0.47, 0.30))
WALNUT = linear_from_srgb((0.42, 0.28, 0.19))
STEEL: Color = (0.58, 0.58, 0.57)

# first match wins; words of HUMOTO's and of common assets' names
CATEGORY_KINDS = (
    ("glass", ("wine_glass", "goblet", "glass", "jar")),
    ("ceramic", ("mug", "plate", "bowl", "vase", "cup", "saucer", "dish", "teapot")),
    ("metal", ("flask", "pan", "knife", "fork", "spoon", "kettle", "pot", "lamp", "scissors", "spatula", "ladle")),
    ("plastic", ("working_chair", "cart", "bin", "bottle", "basket", "bucket", "organizer", "tray", "toy")),
    ("fabric", ("sofa", "pillow", "cushion", "towel", "bag", "armchair", "bed")),
    ("wood", ("table", "chair", "shelf", "stool", "drawer", "desk", "cabinet", "bench", "board", "rack", "box")),
)
DARK = 0.09  # authored colours darker than this are feet, grips and wheels


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


def kind_of(category: str) -> str:
    """What an object of a category is made of; plastic when nothing is known."""
    name = category.lower()
    return next((kind for kind, words in CATEGORY_KINDS if any(word in name for word in words)), "plastic")


def dress_object(thing: bpy.types.Object, spec: ObjectSpec, seed: int) -> None:
    """Give an object its materials: textures stay; else the largest slot gets the category's, others keep colours."""
    if not thing.material_slots:
        thing.data.materials.append(None)
    if any(slot.material is not None and has_texture(slot.material) for slot in thing.material_slots):
        return
    rng = generator_for(seed, "material", spec.name)
    areas = np.zeros(len(thing.material_slots))
    for polygon in thing.data.polygons:
        areas[polygon.material_index] += polygon.area
    main = int(areas.argmax())
    for index, slot in enumerate(thing.material_slots):
        authored = base_color(slot.material)
        if index == main:
            slot.material = object_material(kind_of(spec.category), f"{spec.name} {index}", rng, authored)
        else:
            slot.material = part_material(f"{spec.name} {index}", authored)


def has_texture(material: bpy.types.Material) -> bool:
    """Whether a material shows a picture that is there."""
    nodes = material.node_tree.nodes if material.use_nodes else ()
    return any(node.type == "TEX_IMAGE" and node.image is not None and node.image.size[0] > 0 for node in nodes)


def base_color(material: bpy.types.Material | None) -> Color:
    """The colour that the file gives, or a mid grey."""
    nodes = material.node_tree.nodes if material is not None and material.use_nodes else ()
    for node in nodes:
        if node.type == "BSDF_PRINCIPLED":
            red, green, blue, _ = node.inputs["Base Color"].default_value
            return float(red), float(green), float(blue)
    return 0.3, 0.3, 0.3


def part_material(name: str, authored: Color) -> bpy.types.Material:
    """Feet, grips, wheels and seats of furniture, in the colour of the file."""
    material, graph = new_material(name)
    graph.surface(graph.principled(authored, 0.6 if max(authored) < DARK else 0.45))
    return material


def object_material(kind: str, name: str, rng: np.random.Generator, authored: Color) -> bpy.types.Material:
    """A material of "ceramic", "metal", "wood", "plastic", "fabric" or "glass", coloured by `rng`."""
    material, graph = new_material(name)
    graph.surface(OBJECT_SHADERS[kind](graph, rng, authored))
    return material


def _ceramic(graph: Graph, rng: np.random.Generator, authored: Color) -> bpy.types.NodeSocket:
    glaze = draw_color(rng, (0.0, 1.0), (0.25, 0.62), (0.42, 0.78))
    if rng.random() < 0.3:
        glaze = draw_color(rng, (0.08, 0.14), (0.04, 0.14), (0.82, 0.9))
    return graph.principled(glaze, float(rng.uniform(0.18, 0.35)), Coat_Weight=0.3, Coat_Roughness=0.12)


def _metal(graph: Graph, rng: np.random.Generator, authored: Color) -> bpy.types.NodeSocket:
    if rng.random() < 0.5:
        lacquer = draw_color(rng, (0.0, 1.0), (0.35, 0.7), (0.3, 0.6))
        return graph.principled(lacquer, float(rng.uniform(0.3, 0.45)), 0.25)
    return graph.principled(STEEL, float(rng.uniform(0.35, 0.5)), 0.85)


def _wood(graph: Graph, rng: np.random.Generator, authored: Color) -> bpy.types.NodeSocket:
    share = float(rng.uniform(0, 1))
    red, green, blue = (first + share * (second - first) for first, second in zip(OAK, WALNUT, strict=True))
    place = graph.add("ShaderNodeTexCoord").outputs["Object"]
    offset = tuple(float(value) for value in rng.uniform(-20, 20, size=3))
    grain = graph.noise(graph.mapped(place, (2.0, 30.0, 30.0), (offset[0], offset[1], offset[2])), 1.0, 4.0)
    tint = graph.remap(grain, 0.3, 0.7, 0.7, 1.2)
    color = graph.mix(1.0, (red, green, blue), tint, "MULTIPLY")
    return graph.principled(color, float(rng.uniform(0.35, 0.55)))


def _plastic(graph: Graph, rng: np.random.Generator, authored: Color) -> bpy.types.NodeSocket:
    colored = max(authored) - min(authored) > 0.2 or min(authored) > 0.6
    color = authored if colored else draw_color(rng, (0.0, 1.0), (0.2, 0.6), (0.45, 0.8))
    return graph.principled(color, float(rng.uniform(0.35, 0.5)))


def _fabric(graph: Graph, rng: np.random.Generator, authored: Color) -> bpy.types.NodeSocket:
    color = draw_color(rng, (0.0, 1.0), (0.1, 0.4), (0.35, 0.65))
    place = graph.add("ShaderNodeTexCoord").outputs["Object"]
    weave = graph.remap(graph.noise(place, 180.0, 1.0), 0.3, 0.7, 0.8, 1.15)
    return graph.principled(graph.mix(1.0, color, weave, "MULTIPLY"), 0.95, Specular_IOR_Level=0.15)


def _glass(graph: Graph, rng: np.random.Generator, authored: Color) -> bpy.types.NodeSocket:
    """Thin tinted glass: clear with reflections at its rim; refraction would cost bounces and gain no realism here."""
    tint = draw_color(rng, (0.3, 0.6), (0.03, 0.12), (0.9, 0.97))
    clear = graph.add("ShaderNodeBsdfTransparent", {"Color": tint}).outputs[0]
    shine = graph.principled(scaled(tint, 0.5), 0.05)
    rim = graph.remap(graph.add("ShaderNodeLayerWeight", {"Blend": 0.25}).outputs["Facing"], 0.0, 1.0, 0.15, 0.75)
    return graph.add("ShaderNodeMixShader", {0: rim, 1: clear, 2: shine}).outputs[0]


OBJECT_SHADERS: dict[str, Callable[[Graph, np.random.Generator, Color], bpy.types.NodeSocket]] = {
    "ceramic": _ceramic,
    "metal": _metal,
    "wood": _wood,
    "plastic": _plastic,
    "fabric": _fabric,
    "glass": _glass,
}


def draw_color(
    rng: np.random.Generator, hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]
) -> Color:
    """A linear RGB colour from ranges of display HSV."""
    return linear_from_srgb(
        colorsys.hsv_to_rgb(float(rng.uniform(*hue)), float(rng.uniform(*saturation)), float(rng.uniform(*value)))
    )
