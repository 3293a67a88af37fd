"""Dress people that come without textures: each mesh, or each named material of a mesh, by what it is.

A body of one piece is painted by region. Every border between two regions is the zero line of a signed distance that
is stored on the vertices in the rest pose, so that hems are sharp whatever the mesh's resolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy

from blender_scripts import head_paint
from blender_scripts.body_shape import shape_mesh
from blender_scripts.fabrics import cloth_of, fabric, folds
from blender_scripts.nodes import Graph, Socket, new_material
from blender_scripts.object_materials import has_texture, missing_textures
from blender_scripts.outfit import Borders, store_cloth
from blender_scripts.rest_pose import BoneWeights, Rest, rest_of, rest_vertices
from datagen.people import draw_look
from datagen.spec import PersonSpec
from datagen.wishes import Garment, PersonLook

PART_WORDS = (
    ("iris", ("iris", "pupil")),
    ("lashes", ("eyelash", "lash")),
    ("eyes", ("eye",)),
    ("hair", ("hair", "brow", "beard")),
    ("shoes", ("shoe", "boot", "sneaker")),
    ("trousers", ("bottom", "pants", "trouser", "short", "skirt", "jeans")),
    ("shirt", ("top", "shirt", "sweater", "jacket", "cloth", "hoodie", "dress")),
    ("lips", ("lips",)),
    ("skin", ("skin",)),
)
EYE_PARTS = ("eyes", "iris", "lashes")
FOLDS_M, STRANDS_M = 0.012, 0.005  # height of folds and of hair
MATT, SKIN_ROUGHNESS, HAIR_ROUGHNESS, LEATHER_ROUGHNESS = 0.9, 0.46, 0.55, 0.38
SOLE_M = 0.02
SEAM_M = (0.012, 0.0145)  # from a hem: where it is stitched


def dress_person(
    armature: bpy.types.Object, meshes: tuple[bpy.types.Object, ...], person: PersonSpec, seed: int
) -> list[str]:
    """Shape a person's meshes and paint those that show no texture of their own; returns what had to be left out."""
    look = person.look or draw_look(seed, person.name)
    eyes = tuple(mesh for mesh in meshes if part_of(mesh.name) == "eyes")
    bodies = tuple(mesh for mesh in meshes if mesh not in eyes) or meshes
    rest = rest_of(armature, bodies, eyes)
    notes = []
    for mesh in meshes:
        paint, lost = not keeps_own(mesh), missing_textures(mesh)
        if lost:
            instead = "it is painted instead" if paint else "what is left of its textures is shown"
            notes.append(f"'{mesh.name}' of '{person.name}' wants {', '.join(lost)}, which the file lacks: {instead}")
        Dresser(mesh, rest, look).dress(paint)
    return notes


def keeps_own(mesh: bpy.types.Object) -> bool:
    """Whether a mesh comes with textures that are there."""
    return any(slot.material is not None and has_texture(slot.material) for slot in mesh.material_slots)


def part_of(name: str) -> str:
    """What a mesh or material is, by its name: one of `PART_WORDS`, or "body"."""
    lowered = name.lower().split(":")[-1]
    return next((part for part, words in PART_WORDS if any(word in lowered for word in words)), "body")


@dataclass(frozen=True)
class Dresser:
    """One mesh of a person."""

    mesh: bpy.types.Object
    rest: Rest
    look: PersonLook

    def dress(self, paint: bool) -> None:
        """Move its vertices and, unless it keeps its own materials, paint it."""
        parts = self.parts()
        if not set(parts) <= set(EYE_PARTS):
            weights, points = BoneWeights(self.mesh), rest_vertices(self.mesh)
            borders = Borders.of(points, weights, self.rest, self.look)
            whole = parts == ["body"] and paint
            if paint:
                borders.store(self.mesh)
                store_cloth(self.mesh, points, weights, self.rest)
            shape_mesh(self.mesh, weights, self.rest, self.look.shape, borders.raised if whole else None)
        elif paint:
            head_paint.store_iris(self.mesh, rest_vertices(self.mesh), self.rest)
        if paint:
            self.paint(parts)

    def parts(self) -> list[str]:
        """What each material slot shows: by the material's name where several have names that tell, else the mesh's."""
        own = part_of(self.mesh.name)
        names = [slot.material.name if slot.material else "" for slot in self.mesh.material_slots]
        if len(set(names)) < 2:
            return [own] * max(len(names), 1)
        return [own if (part := part_of(name)) == "body" else part for name in names]

    def paint(self, parts: list[str]) -> None:
        """A material of its own for every slot."""
        if not self.mesh.material_slots:
            self.mesh.data.materials.append(None)
        for slot, part in zip(self.mesh.material_slots, parts, strict=True):
            slot.material, graph = new_material(f"{part} of {self.mesh.name}")
            self.shade(graph, part, alone=len(set(parts)) == 1)

    def shade(self, graph: Graph, part: str, alone: bool) -> None:
        """The surface of a part; alone: whether it is all of the mesh."""
        garments = {"shirt": self.look.top, "trousers": self.look.bottom, "shoes": self.look.feet}
        if part in garments:
            self.clothe(graph, garments[part], part)
        elif part == "eyes" and alone:
            head_paint.eye_material(graph, self.look)
        elif part == "body":
            self.shade_whole(graph)
        else:
            flat = {
                "eyes": (head_paint.SCLERA, 0.12),
                "iris": (self.look.eyes, 0.1),
                "lashes": (head_paint.PUPIL, 0.8),
                "lips": (head_paint.lip_color(self.look.skin), 0.4),
                "skin": (self.skin(graph), SKIN_ROUGHNESS),
                "hair": (head_paint.hair_color(graph, self.look), HAIR_ROUGHNESS),
            }
            color, roughness = flat[part]
            graph.surface(graph.principled(color, roughness, Specular_IOR_Level=0.35))

    def clothe(self, graph: Graph, garment: Garment, part: str) -> None:
        """A mesh that is a piece of clothing; what the file models as a shoe stays one."""
        if garment.fabric == "skin":
            graph.surface(graph.principled(garment.color, LEATHER_ROUGHNESS))
            return
        cloth = cloth_of(graph, "trunk" if part == "shirt" else "legs", garment.seed)
        color, normal = fabric(graph, cloth, garment), graph.bump(folds(graph, cloth), FOLDS_M)
        graph.surface(graph.principled(color, roughness_of(garment), Specular_IOR_Level=0.2, Normal=normal))

    def shade_whole(self, graph: Graph) -> None:
        """A body of one piece: skin and face, and over it whatever a point is inside of."""
        look = self.look
        color = head_paint.with_face(graph, self.skin(graph), self.rest, look)
        roughness: Socket | float = SKIN_ROUGHNESS
        covers = list(self.hair(graph))
        trunk, legs = cloth_of(graph, "trunk", look.top.seed), cloth_of(graph, "legs", look.bottom.seed)
        if look.feet.kind != "bare":
            covers.append((worn(graph, "feet"), self.footwear(graph), roughness_of(look.feet)))
        covers.append((worn(graph, "bottom"), self.stitched(graph, "bottom", fabric(graph, legs, look.bottom)), MATT))
        covers.append((worn(graph, "top"), self.stitched(graph, "top", fabric(graph, trunk, look.top)), MATT))
        for inside, cover, rough in covers:
            color = graph.mix(inside, color, cover)
            roughness = graph.add("ShaderNodeMix", {0: inside, 2: roughness, 3: rough}).outputs[0]
        normal = graph.bump(self.relief(graph, folds(graph, trunk), covers[0][0]), 1.0)
        graph.surface(graph.principled(color, roughness, Specular_IOR_Level=0.3, Normal=normal))

    def relief(self, graph: Graph, wrinkles: Socket, hair: Socket) -> Socket:
        """Height [m] of folds where something is worn, and of strands where hair is."""
        dressed = graph.math("MAXIMUM", worn(graph, "top"), worn(graph, "bottom"))
        height = graph.math("MULTIPLY", graph.math("MULTIPLY", wrinkles, FOLDS_M), dressed)
        if self.look.hair_style in ("bald", "beanie"):
            return height
        strands = graph.math("MULTIPLY", graph.math("MULTIPLY", head_paint.strands(graph), STRANDS_M), hair)
        return graph.math("ADD", height, strands)

    def skin(self, graph: Graph) -> Socket:
        """Mottled a little."""
        mottled = graph.remap(graph.noise(graph.vector("rest"), 28.0, 3.0), 0.3, 0.7, 0.93, 1.06)
        return graph.mix(1.0, self.look.skin, mottled, "MULTIPLY")

    def hair(self, graph: Graph) -> Iterator[tuple[Socket, Socket, float]]:
        """Hair, and a hat over it: where it is, its colour, its roughness."""
        style = self.look.hair_style
        if style != "bald":
            edge, over_ears = head_paint.hair_edge("short" if style == "beanie" else style)
            share = head_paint.hair_share(graph, self.rest, edge, over_ears)
            yield share, head_paint.hair_color(graph, self.look), HAIR_ROUGHNESS
        if style == "beanie":
            yield head_paint.hair_share(graph, self.rest, *head_paint.hair_edge(style)), self.beanie(graph), MATT

    def beanie(self, graph: Graph) -> Socket:
        """Knitted, in the colour that goes with the top."""
        ribs = graph.noise(graph.mapped(graph.vector("rest"), (240.0, 240.0, 30.0)), 1.0, 0.0)
        return graph.mix(1.0, self.look.top.accent, graph.remap(ribs, 0.35, 0.65, 0.7, 1.1), "MULTIPLY")

    def footwear(self, graph: Graph) -> Socket:
        """Socks, or shoes on a sole."""
        garment = self.look.feet
        color = fabric(graph, cloth_of(graph, "legs", garment.seed), garment)
        if garment.kind == "shoes":
            height = graph.components(graph.vector("rest"))[2]
            color = graph.mix(graph.math("LESS_THAN", height, SOLE_M), color, garment.accent)
        return color

    def stitched(self, graph: Graph, name: str, color: Socket) -> Socket:
        """A garment with the line along its hems."""
        edge = graph.attribute(f"border_{name}")
        line = graph.math(
            "MULTIPLY", graph.math("GREATER_THAN", edge, SEAM_M[0]), graph.math("LESS_THAN", edge, SEAM_M[1])
        )
        return graph.mix(line, color, graph.mix(1.0, color, (0.6, 0.6, 0.6), "MULTIPLY"))


def worn(graph: Graph, name: str) -> Socket:
    """1 inside a border of `outfit.Borders`, else 0."""
    return graph.math("GREATER_THAN", graph.attribute(f"border_{name}"), 0.0)


def roughness_of(garment: Garment) -> float:
    """Of a fabric."""
    return LEATHER_ROUGHNESS if garment.fabric == "leather" else MATT
