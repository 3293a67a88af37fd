"""What objects are made of to the eye: a material by what the object is, coloured by seed.

Patterns are laid out in metres by the object's own frame, so that they move with it.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from blender_scripts.nodes import Color, Graph, draw_color, new_material, scaled
from datagen.looks import linear_from_srgb
from datagen.seeding import generator_for
from datagen.spec import ObjectSpec

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


def missing_textures(thing: bpy.types.Object) -> list[str]:
    """Names of pictures that an object's materials want and that are not there."""
    lost = set()
    for slot in thing.material_slots:
        for node in slot.material.node_tree.nodes if slot.material is not None and slot.material.use_nodes else ():
            if node.type == "TEX_IMAGE" and node.image is not None and not node.image.size[0]:
                lost.add(node.image.name)
    return sorted(lost)


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
