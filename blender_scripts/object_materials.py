"""Objects in the finish that was drawn for them: which slot of a file gets what.

Textures that a file brings stay. Patterns are laid out in metres by the object's own frame, so that they move with it.
"""

from __future__ import annotations

import bpy
import numpy as np

from blender_scripts.finish_shaders import FINISH_SHADERS, Finish
from blender_scripts.nodes import Color, new_material
from datagen.finishes import draw_finish
from datagen.seeding import generator_for
from datagen.spec import ObjectSpec

DARK = 0.09  # authored colours darker than this are feet, grips and wheels
GREY = 0.06  # channels that differ by less are a metal's or a plain plastic's


def dress_object(thing: bpy.types.Object, spec: ObjectSpec, seed: int) -> None:
    """Give an object its materials: textures stay; else the largest slot gets the object's finish, others a part's."""
    if not thing.material_slots:
        thing.data.materials.append(None)
    if any(slot.material is not None and has_texture(slot.material) for slot in thing.material_slots):
        return
    areas = np.zeros(len(thing.material_slots))
    for polygon in thing.data.polygons:
        areas[polygon.material_index] += polygon.area
    main, finish = int(areas.argmax()), draw_finish(spec.category, seed, spec.name)
    for index, slot in enumerate(thing.material_slots):
        authored = base_color(slot.material)
        rng = generator_for(seed, "material", spec.name, index)
        kind = finish if index == main else part_finish(authored)
        slot.material = object_material(kind, f"{spec.name} {index}", rng, authored)


def part_finish(authored: Color) -> str:
    """Finish of a smaller part, by the colour that the file gives: feet and grips, fittings, or the rest."""
    if max(authored) < DARK:
        return "rubber"
    return "brushed metal" if max(authored) - min(authored) < GREY else "part"


def object_material(kind: str, name: str, rng: np.random.Generator, authored: Color) -> bpy.types.Material:
    """A material of one of `finish_shaders.FINISH_SHADERS`, varied by `rng`; authored: the colour of the file."""
    material, graph = new_material(name)
    graph.surface(FINISH_SHADERS[kind](graph, Finish(rng=rng, authored=authored, words=name)))
    return material


def has_texture(material: bpy.types.Material) -> bool:
    """Whether a material shows a picture that is there."""
    nodes = material.node_tree.nodes if material.use_nodes else ()
    return any(node.type == "TEX_IMAGE" and node.image is not None and node.image.size[0] > 0 for node in nodes)


def missing_textures(thing: bpy.types.Object) -> list[str]:
    """Files of pictures that an object's materials want and that are not there."""
    lost = set()
    for slot in thing.material_slots:
        for node in slot.material.node_tree.nodes if slot.material is not None and slot.material.use_nodes else ():
            if node.type == "TEX_IMAGE" and node.image is not None and not node.image.size[0]:
                lost.add(bpy.path.basename(node.image.filepath) or node.image.name)
    return sorted(lost)


def base_color(material: bpy.types.Material | None) -> Color:
    """The colour that the file gives, or a mid grey."""
    nodes = material.node_tree.nodes if material is not None and material.use_nodes else ()
    for node in nodes:
        if node.type == "BSDF_PRINCIPLED":
            red, green, blue, _ = node.inputs["Base Color"].default_value
            return float(red), float(green), float(blue)
    return 0.3, 0.3, 0.3
