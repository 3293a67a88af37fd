"""Clothes, skin, shoes and hair for bodies that come without textures.

Every border between two regions is the zero line of a signed distance that is stored on the vertices in the rest pose,
so that hems are sharp whatever the mesh's resolution.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import bpy
import numpy as np

from blender_scripts.nodes import Color, Graph, draw_color, new_material
from blender_scripts.object_materials import has_texture
from datagen.looks import linear_from_srgb
from datagen.seeding import generator_for

# display RGB
SKINS = ((0.91, 0.75, 0.66), (0.86, 0.67, 0.55), (0.72, 0.53, 0.41), (0.52, 0.36, 0.27), (0.38, 0.26, 0.20))
HAIRS = ((0.10, 0.08, 0.07), (0.20, 0.13, 0.09), (0.34, 0.22, 0.13), (0.45, 0.42, 0.40))
SHOES = ((0.12, 0.12, 0.13), (0.42, 0.42, 0.44), (0.33, 0.21, 0.14), (0.20, 0.24, 0.33))
TROUSERS = ((0.17, 0.22, 0.33), (0.20, 0.20, 0.22), (0.52, 0.46, 0.36), (0.30, 0.33, 0.30))
SCLERA = linear_from_srgb((0.88, 0.87, 0.85))
IRIS = linear_from_srgb((0.17, 0.11, 0.08))
MESH_WORDS = (
    ("eyes", ("eyelash", "eye")),
    ("hair", ("hair", "brow", "lash")),
    ("shoes", ("shoe", "boot", "sneaker")),
    ("trousers", ("bottom", "pants", "trouser", "short", "skirt", "jeans")),
    ("shirt", ("top", "shirt", "sweater", "jacket", "cloth", "hoodie", "dress")),
)
SLEEVES = (0.45, 0.93)  # along upper arm and forearm: a T-shirt's, a sweater's
ARMS = re.compile(r"(Left|Right)(Arm|ForeArm|Hand)")


@dataclass(frozen=True, kw_only=True)
class Outfit:
    """Colours (linear RGB) of a person."""

    skin: Color
    hair: Color
    shirt: Color
    trousers: Color
    shoes: Color
    sleeve: float  # end of the sleeve as a share of the arm


@dataclass(frozen=True, kw_only=True)
class Rest:
    """A rest pose: joints by bone name without prefix, and the directions of the body."""

    joints: dict[str, np.ndarray]
    forward: np.ndarray

    def height(self, name: str, fallback: float) -> float:
        """Height of a joint [m]."""
        return float(self.joints[name][2]) if name in self.joints else fallback


def draw_outfit(seed: int, person: str) -> Outfit:
    """Clothes of a person."""
    rng = generator_for(seed, "outfit", person)
    shirt = draw_color(rng, (0.0, 1.0), (0.25, 0.6), (0.45, 0.8))
    return Outfit(
        skin=choose(rng, SKINS),
        hair=choose(rng, HAIRS),
        shirt=shirt,
        trousers=choose(rng, TROUSERS),
        shoes=choose(rng, SHOES),
        sleeve=float(rng.choice(SLEEVES)),
    )


def choose(rng: np.random.Generator, tones: tuple[Color, ...]) -> Color:
    """One of some display colours, in linear RGB."""
    return linear_from_srgb(tones[int(rng.integers(len(tones)))])


def dress_person(armature: bpy.types.Object, meshes: tuple[bpy.types.Object, ...], seed: int) -> None:
    """Paint a person's meshes; meshes with textures or several named materials keep their own."""
    outfit = draw_outfit(seed, armature.name)
    rest = rest_of(armature)
    for mesh in meshes:
        if keeps_own(mesh):
            continue
        kind = part_of_mesh(mesh.name)
        mesh.data.materials.clear()
        if kind == "eyes":
            mesh.data.materials.append(eye_material(mesh, rest))
        elif kind == "body":
            store_borders(mesh, rest, outfit)
            mesh.data.materials.append(body_material(outfit))
        else:
            material, graph = new_material(f"{kind} of {armature.name}")
            graph.surface(cloth(graph, getattr(outfit, kind)))
            mesh.data.materials.append(material)


def keeps_own(mesh: bpy.types.Object) -> bool:
    """Whether a mesh is dressed already."""
    materials = [slot.material for slot in mesh.material_slots if slot.material is not None]
    return len({material.name for material in materials}) > 1 or any(map(has_texture, materials))


def part_of_mesh(name: str) -> str:
    """What a body mesh is, by its name: "eyes", "hair", "shoes", "trousers", "shirt" or "body"."""
    lowered = name.lower().split(":")[-1]
    return next((kind for kind, words in MESH_WORDS if any(word in lowered for word in words)), "body")


def rest_of(armature: bpy.types.Object) -> Rest:
    """Joints of an armature's rest pose, in the world."""
    joints = {
        bone.name.split(":")[-1]: np.array(armature.matrix_world @ bone.head_local) for bone in armature.data.bones
    }
    forward = np.zeros(3)
    for side in ("Left", "Right"):
        if f"{side}ToeBase" in joints and f"{side}Foot" in joints:
            forward += joints[f"{side}ToeBase"] - joints[f"{side}Foot"]
    forward[2] = 0.0
    length = float(np.linalg.norm(forward))
    return Rest(joints=joints, forward=forward / length if length > 1e-6 else np.array([0.0, -1.0, 0.0]))


def rest_vertices(mesh: bpy.types.Object) -> np.ndarray:
    """Undeformed vertices float64 [V, 3], in the world."""
    flat = np.empty(len(mesh.data.vertices) * 3, dtype=np.float32)
    mesh.data.vertices.foreach_get("co", flat)
    world = np.array(mesh.matrix_world, dtype=np.float64)
    return np.asarray(flat.reshape(-1, 3).astype(np.float64) @ world[:3, :3].T + world[:3, 3])


def dominant_bones(mesh: bpy.types.Object) -> np.ndarray:
    """Name of the bone that moves each vertex most, without prefix: str [V]."""
    names = [group.name.split(":")[-1] for group in mesh.vertex_groups]
    result = []
    for vertex in mesh.data.vertices:
        heaviest = max(vertex.groups, key=lambda group: group.weight, default=None)
        result.append(names[heaviest.group] if heaviest is not None else "")
    return np.array(result)


def store_borders(mesh: bpy.types.Object, rest: Rest, outfit: Outfit) -> None:
    """Signed distances [m] to the borders of hair, shirt, trousers and shoes, positive inside, as vertex attributes."""
    points, bones = rest_vertices(mesh), dominant_bones(mesh)
    arms = np.array([ARMS.match(bone) is not None for bone in bones])
    height = points[:, 2]
    top = float(height.max())
    hem = rest.height("Hips", 0.55 * top) - 0.005 * top
    shoulder, neck = rest.height("LeftArm", 0.8 * top), rest.height("Neck", 0.82 * top)
    collar = neck + 0.03 * top - 0.6 * np.maximum(0.0, points @ rest.forward - _at(rest, "Neck") @ rest.forward)
    torso = np.minimum(height - hem, np.where(np.abs(points[:, 0]) < 0.09 * top, collar, shoulder + 0.2 * top) - height)
    shirt = np.where(arms, sleeve_distance(points, rest, outfit.sleeve), torso)
    ankle = rest.height("LeftFoot", 0.05 * top)
    trousers = np.where(arms, -1.0, np.minimum(hem + 0.02 * top - height, height - ankle * 0.85))
    shoes = np.where(arms, -1.0, ankle * 0.85 + 0.012 - height)
    for name, values in (
        ("hair", hair_distance(points, bones, rest, top)),
        ("shirt", shirt),
        ("trousers", trousers),
        ("shoes", shoes),
    ):
        attribute = mesh.data.attributes.new(f"border_{name}", "FLOAT", "POINT")
        attribute.data.foreach_set("value", values.astype(np.float32))


def sleeve_distance(points: np.ndarray, rest: Rest, share: float) -> np.ndarray:
    """How far up the arm from the sleeve's end a vertex lies [m]: float [V]."""
    along = np.full(len(points), np.inf)
    for side in ("Left", "Right"):
        if f"{side}Arm" in rest.joints and f"{side}Hand" in rest.joints:
            start, end = rest.joints[f"{side}Arm"], rest.joints[f"{side}Hand"]
            length = float(np.linalg.norm(end - start))
            travelled = (points - start) @ (end - start) / length
            same_side = np.sign(points[:, 0]) == np.sign(end[0])
            along = np.where(same_side, share * length - travelled, along)
    return along


def hair_distance(points: np.ndarray, bones: np.ndarray, rest: Rest, top: float) -> np.ndarray:
    """Distance [m] behind and above a tilted plane through the head: float [V], -1 below the neck."""
    base = _at(rest, "Head") if "Head" in rest.joints else np.array([0.0, 0.0, 0.87 * top])
    middle = np.array([base[0], base[1], 0.5 * (base[2] + top)]) + 0.012 * rest.forward
    normal = np.array([0.0, 0.0, 0.62]) - 0.78 * rest.forward
    inside = (points - middle) @ (normal / np.linalg.norm(normal)) - 0.015
    nape = points[:, 2] - (base[2] + 0.012)
    return np.where(np.isin(bones, ["Head", "HeadTop_End"]), np.minimum(inside, nape), -1.0)


def body_material(outfit: Outfit) -> bpy.types.Material:
    """Skin, and over it whatever a vertex is inside of."""
    material, graph = new_material("body")
    color: bpy.types.NodeSocket | Color = outfit.skin
    for name in ("hair", "trousers", "shirt", "shoes"):
        inside = graph.math("GREATER_THAN", graph.attribute(f"border_{name}"), 0.0)
        color = graph.mix(inside, color, getattr(outfit, name))
    bare = graph.math("MAXIMUM", graph.attribute("border_trousers"), graph.attribute("border_shirt"))
    roughness = graph.remap(graph.math("GREATER_THAN", bare, 0.0), 0.0, 1.0, 0.5, 0.9)
    graph.surface(graph.principled(color, roughness, Specular_IOR_Level=0.3))
    return material


def cloth(graph: Graph, color: Color) -> bpy.types.NodeSocket:
    """Matt and even."""
    return graph.principled(color, 0.85, Specular_IOR_Level=0.2)


def eye_material(mesh: bpy.types.Object, rest: Rest) -> bpy.types.Material:
    """White eyes with a dark iris on the foremost part."""
    points = rest_vertices(mesh)
    ahead = points @ rest.forward
    attribute = mesh.data.attributes.new("border_iris", "FLOAT", "POINT")
    values = np.zeros(len(points))
    for side in (points[:, 0] > 0, points[:, 0] <= 0):
        if side.any():
            middle = 0.5 * (points[side].min(axis=0) + points[side].max(axis=0))
            offset = points[side] - middle
            aside = offset - np.outer(offset @ rest.forward, rest.forward)
            iris = 0.0062 - np.linalg.norm(aside, axis=1)
            values[side] = np.where(ahead[side] > middle @ rest.forward, iris, -1.0)
    attribute.data.foreach_set("value", values.astype(np.float32))
    material, graph = new_material("eyes")
    share = graph.math("GREATER_THAN", graph.attribute("border_iris"), 0.0)
    graph.surface(graph.principled(graph.mix(share, SCLERA, IRIS), 0.15))
    return material


def _at(rest: Rest, name: str) -> np.ndarray:
    return rest.joints.get(name, np.zeros(3))
