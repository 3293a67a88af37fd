"""Materials that the furniture of one room shares, so that its pieces belong together and shaders stay few."""

from __future__ import annotations

from functools import cached_property

import bpy
import numpy as np

from blender_scripts.nodes import Color, Graph, draw_color, new_material, scaled
from datagen.looks import linear_from_srgb
from datagen.seeding import generator_for

WOODS = ((0.72, 0.55, 0.37), (0.62, 0.44, 0.28), (0.44, 0.29, 0.19), (0.80, 0.69, 0.54), (0.30, 0.20, 0.14))
FRONTS = ((0.88, 0.87, 0.84), (0.62, 0.68, 0.66), (0.36, 0.42, 0.45), (0.80, 0.76, 0.68), (0.45, 0.52, 0.44))
FABRICS = ((0.45, 0.46, 0.48), (0.30, 0.36, 0.42), (0.62, 0.54, 0.44), (0.48, 0.30, 0.24), (0.36, 0.42, 0.34))
STEELS = ((0.35, 0.40, 0.42), (0.55, 0.56, 0.55), (0.22, 0.30, 0.38), (0.30, 0.36, 0.30))
SPINES = (  # of books, boxes and prints
    *((0.82, 0.78, 0.68), (0.74, 0.72, 0.70), (0.15, 0.15, 0.17), (0.46, 0.16, 0.13), (0.34, 0.22, 0.16)),
    *((0.15, 0.22, 0.34), (0.70, 0.54, 0.25), (0.19, 0.30, 0.23), (0.67, 0.36, 0.20), (0.36, 0.42, 0.46)),
    *((0.27, 0.44, 0.47), (0.60, 0.48, 0.40)),
)
CUSHIONS = ((0.68, 0.53, 0.24), (0.58, 0.32, 0.22), (0.24, 0.36, 0.44), (0.76, 0.72, 0.62), (0.42, 0.47, 0.36))
NUM_BOOKS = 7
DAYLIGHT = 3.2  # radiance of the sky outside
DUSK = 0.12
LAMP_GLOW = 2.6


class Finishes:
    """Lazily made; the same seed gives the same room."""

    def __init__(self, seed: int, daylight: bool) -> None:
        self.seed, self.daylight = seed, daylight

    def rng(self, name: str) -> np.random.Generator:
        """What a material's choices are drawn from."""
        return generator_for(self.seed, "finish", name)

    @cached_property
    def wood(self) -> bpy.types.Material:
        """Of furniture."""
        return self._wooden("furniture wood")

    @cached_property
    def worktop(self) -> bpy.types.Material:
        """Of counters and benches: wood, or something dark or light and smooth."""
        rng = self.rng("worktop")
        if rng.random() < 0.5:
            return self._wooden("worktop")
        material, graph = new_material("worktop")
        color = draw_color(rng, (0.06, 0.14), (0.02, 0.1), (0.2, 0.75))
        specks = graph.remap(graph.noise(_place(graph), 60.0, 3.0), 0.35, 0.65, 0.8, 1.15)
        graph.surface(graph.principled(graph.mix(1.0, color, specks, "MULTIPLY"), float(rng.uniform(0.2, 0.45))))
        return material

    @cached_property
    def front(self) -> bpy.types.Material:
        """Painted doors and drawers."""
        return plain("front", self._one("front", FRONTS), 0.42)

    @cached_property
    def trim(self) -> bpy.types.Material:
        """Skirting, door and window frames."""
        rng = self.rng("trim")
        color = linear_from_srgb((0.86, 0.85, 0.82))
        if rng.random() < 0.25:
            color = draw_color(rng, (0.05, 0.09), (0.3, 0.5), (0.3, 0.5))
        return plain("trim", color, 0.45)

    @cached_property
    def white(self) -> bpy.types.Material:
        """Enamel, switches, whiteboards."""
        return plain("white", linear_from_srgb((0.88, 0.88, 0.87)), 0.3)

    @cached_property
    def dark(self) -> bpy.types.Material:
        """Handles, feet, screens."""
        return plain("dark", (0.018, 0.018, 0.02), 0.4)

    @cached_property
    def metal(self) -> bpy.types.Material:
        """Brushed."""
        return plain("metal", (0.55, 0.55, 0.54), 0.38, 0.9)

    @cached_property
    def steel(self) -> bpy.types.Material:
        """Lacquered sheet."""
        return plain("lacquered steel", self._one("steel", STEELS), 0.45, 0.1)

    @cached_property
    def fabric(self) -> bpy.types.Material:
        """Upholstery."""
        return self._woven("upholstery", self._one("fabric", FABRICS))

    @cached_property
    def accent(self) -> bpy.types.Material:
        """Of cushions and small things."""
        return self._woven("accent", self._one("accent", CUSHIONS))

    @cached_property
    def curtain(self) -> bpy.types.Material:
        """Light cloth."""
        return self._woven("curtain", draw_color(self.rng("curtain"), (0.02, 0.6), (0.04, 0.25), (0.55, 0.82)))

    @cached_property
    def card(self) -> bpy.types.Material:
        """Cardboard and raw boards."""
        return plain("card", linear_from_srgb((0.60, 0.47, 0.33)), 0.85)

    @cached_property
    def leaf(self) -> bpy.types.Material:
        """Of plants."""
        material, graph = new_material("leaf")
        color = draw_color(self.rng("leaf"), (0.24, 0.33), (0.4, 0.6), (0.25, 0.42))
        mottled = graph.remap(graph.noise(_place(graph), 9.0, 2.0), 0.3, 0.7, 0.7, 1.25)
        graph.surface(graph.principled(graph.mix(1.0, color, mottled, "MULTIPLY"), 0.45))
        return material

    @cached_property
    def pot(self) -> bpy.types.Material:
        """Fired clay or glazed."""
        rng = self.rng("pot")
        return plain("pot", draw_color(rng, (0.02, 0.12), (0.1, 0.55), (0.3, 0.8)), float(rng.uniform(0.3, 0.8)))

    @cached_property
    def soil(self) -> bpy.types.Material:
        """In pots."""
        return plain("soil", (0.03, 0.022, 0.016), 0.95)

    @cached_property
    def books(self) -> tuple[bpy.types.Material, ...]:
        """Spines and boxes of several colours."""
        rng = self.rng("books")
        drawn = rng.choice(len(SPINES), size=NUM_BOOKS, replace=False)
        colors = [scaled(linear_from_srgb(SPINES[int(place)]), float(rng.uniform(0.75, 1.2))) for place in drawn]
        return tuple(plain(f"book {index}", color, 0.6) for index, color in enumerate(colors))

    @cached_property
    def glow(self) -> bpy.types.Material:
        """A lit lampshade."""
        return emitting("lampshade", (1.0, 0.78, 0.52), LAMP_GLOW)

    @cached_property
    def outside(self) -> bpy.types.Material:
        """What is seen through a window, out of focus and too bright: a sky above trees and house fronts, or dusk."""
        material, graph = new_material("outside")
        place = _place(graph)
        height = graph.add("ShaderNodeSeparateXYZ", {0: place}).outputs[2]
        blurred = graph.noise(graph.mapped(place, (1.6, 1.6, 1.6)), 1.0, 1.0)
        horizon = graph.math("ADD", 0.45, graph.math("MULTIPLY", graph.math("SUBTRACT", blurred, 0.5), 0.9))
        sky = graph.remap(graph.math("SUBTRACT", height, horizon), -0.18, 0.18, 0.0, 1.0)
        below = graph.mix(graph.remap(blurred, 0.35, 0.65, 0.0, 1.0), (0.20, 0.24, 0.14), (0.34, 0.32, 0.28))
        color = graph.mix(sky, below, (0.82, 0.92, 1.0))
        strength = DAYLIGHT if self.daylight else DUSK
        graph.surface(graph.add("ShaderNodeEmission", {"Color": color, "Strength": strength}).outputs[0])
        material.cycles.emission_sampling = "NONE"  # the key light stands for it
        return material

    def _one(self, name: str, tones: tuple[Color, ...]) -> Color:
        rng = self.rng(name)
        color = linear_from_srgb(tones[int(rng.integers(len(tones)))])
        return scaled(color, float(rng.uniform(0.85, 1.12)))

    def _wooden(self, name: str) -> bpy.types.Material:
        rng = self.rng(name)
        material, graph = new_material(name)
        color = self._one(name + " tone", WOODS)
        along = (1.5, 22.0, 22.0) if rng.random() < 0.6 else (22.0, 22.0, 1.5)
        shift = tuple(float(value) for value in rng.uniform(-9, 9, size=3))
        grain = graph.noise(graph.mapped(_place(graph), along, (shift[0], shift[1], shift[2])), 1.0, 3.0)
        tint = graph.remap(grain, 0.3, 0.7, 0.74, 1.16)
        graph.surface(graph.principled(graph.mix(1.0, color, tint, "MULTIPLY"), float(rng.uniform(0.35, 0.6))))
        return material

    def _woven(self, name: str, color: Color) -> bpy.types.Material:
        material, graph = new_material(name)
        weave = graph.noise(_place(graph), 150.0, 1.0)
        shade = graph.remap(weave, 0.3, 0.7, 0.82, 1.14)
        cloth = graph.mix(1.0, color, shade, "MULTIPLY")
        graph.surface(graph.principled(cloth, 0.92, Specular_IOR_Level=0.15))
        return material


def plain(name: str, color: Color, roughness: float, metallic: float = 0.0) -> bpy.types.Material:
    """One colour."""
    material, graph = new_material(name)
    graph.surface(graph.principled(color, roughness, metallic))
    return material


def emitting(name: str, color: Color, strength: float) -> bpy.types.Material:
    """Glows, and is seen to, but is no lamp: sampling it would cost noise everywhere."""
    material, graph = new_material(name)
    graph.surface(graph.add("ShaderNodeEmission", {"Color": color, "Strength": strength}).outputs[0])
    material.cycles.emission_sampling = "NONE"
    return material


def _place(graph: Graph) -> bpy.types.NodeSocket:
    return graph.add("ShaderNodeTexCoord").outputs["Object"]
