"""Shaders of objects' finishes, one function each: colour, roughness, wear and grain drawn by seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from blender_scripts.nodes import Color, Graph, Socket, draw_color, scaled
from datagen.looks import linear_from_srgb

WOODS = tuple(
    linear_from_srgb(color)
    for color in (
        (0.80, 0.66, 0.47),  # birch
        (0.66, 0.47, 0.30),  # oak
        (0.56, 0.35, 0.21),  # cherry
        (0.42, 0.28, 0.19),  # walnut
        (0.24, 0.17, 0.13),  # wenge
    )
)
METALS: tuple[Color, ...] = ((0.58, 0.58, 0.57), (0.48, 0.48, 0.50), (0.80, 0.79, 0.76), (0.62, 0.47, 0.22))
CARDBOARD, TAPE = linear_from_srgb((0.66, 0.52, 0.37)), linear_from_srgb((0.60, 0.45, 0.28))
STRAW = (linear_from_srgb((0.72, 0.56, 0.36)), linear_from_srgb((0.45, 0.30, 0.18)))
BLACK = linear_from_srgb((0.11, 0.11, 0.115))
HUES = ((0.0, 0.05), (0.06, 0.13), (0.25, 0.42), (0.48, 0.56), (0.56, 0.66), (0.56, 0.66), (0.0, 1.0))
FOODS = (
    (("apple", "tomato"), (0.62, 0.10, 0.08)),
    (("orange", "mango", "pancake"), (0.80, 0.44, 0.10)),
    (("banana", "lemon"), (0.85, 0.70, 0.16)),
    (("egg", "soap"), (0.86, 0.78, 0.68)),
    (("sponge",), (0.80, 0.66, 0.20)),
    (("bread", "potato"), (0.62, 0.43, 0.24)),
)


@dataclass(frozen=True, kw_only=True)
class Finish:
    """What a shader is drawn from; authored: the file's colour (linear RGB); words: the object's name."""

    rng: np.random.Generator
    authored: Color
    words: str = ""

    def between(self, low: float, high: float) -> float:
        """A number of that range."""
        return float(self.rng.uniform(low, high))

    def one_of(self, colors: tuple[Color, ...]) -> Color:
        """One of some colours."""
        return colors[int(self.rng.integers(len(colors)))]

    def tint(self, saturation: tuple[float, float] = (0.2, 0.55), value: tuple[float, float] = (0.3, 0.8)) -> Color:
        """A colour that things at home have: two in five are white, grey, cream or black, most others muted."""
        kind = self.rng.random()
        if kind < 0.28:
            return draw_color(self.rng, (0.06, 0.16), (0.01, 0.12), (0.74, 0.88))
        if kind < 0.42:
            return draw_color(self.rng, (0.0, 1.0), (0.0, 0.08), (0.12, 0.5))
        hues = HUES[int(self.rng.integers(len(HUES)))]
        return draw_color(self.rng, hues, saturation, value)

    def shift(self) -> Color:
        """Where in its noise a thing is cut out."""
        x, y, z = (float(value) for value in self.rng.uniform(-20, 20, size=3))
        return x, y, z


def place(graph: Graph, finish: Finish, scale: Color = (1.0, 1.0, 1.0)) -> Socket:
    """Metres in the object's frame, times a scale."""
    return graph.mapped(graph.add("ShaderNodeTexCoord").outputs["Object"], scale, finish.shift())


def worn(graph: Graph, finish: Finish, roughness: float) -> Socket:
    """Roughness with smears and hands' traces."""
    smears = graph.noise(place(graph, finish), finish.between(6.0, 14.0), 3.0)
    return graph.remap(smears, 0.35, 0.65, roughness - 0.05, roughness + 0.1)


def _ceramic(graph: Graph, finish: Finish) -> Socket:
    glaze = finish.tint()
    return graph.principled(glaze, finish.between(0.15, 0.32), Coat_Weight=0.3, Coat_Roughness=0.1)


def _stoneware(graph: Graph, finish: Finish) -> Socket:
    """Matt, speckled, glazed unevenly."""
    clay = finish.tint((0.06, 0.28), (0.32, 0.74))
    specks = graph.noise(place(graph, finish), finish.between(240.0, 420.0), 1.0)
    cloud = graph.remap(graph.noise(place(graph, finish), 18.0, 2.0), 0.35, 0.65, 0.86, 1.1)
    color = graph.mix(graph.remap(specks, 0.62, 0.68, 0.0, 0.75), clay, scaled(clay, 0.35))
    return graph.principled(graph.mix(1.0, color, cloud, "MULTIPLY"), finish.between(0.4, 0.6))


def _glass(graph: Graph, finish: Finish) -> Socket:
    """Thin tinted glass: clear with reflections at its rim; refraction would cost bounces and gain no realism here."""
    tint = draw_color(finish.rng, (0.3, 0.6), (0.03, 0.12), (0.9, 0.97))
    clear = graph.add("ShaderNodeBsdfTransparent", {"Color": tint}).outputs[0]
    shine = graph.principled(scaled(tint, 0.5), 0.05)
    rim = graph.remap(graph.add("ShaderNodeLayerWeight", {"Blend": 0.25}).outputs["Facing"], 0.0, 1.0, 0.15, 0.75)
    return graph.add("ShaderNodeMixShader", {0: rim, 1: clear, 2: shine}).outputs[0]


def _wood(graph: Graph, finish: Finish) -> Socket:
    color = scaled(finish.one_of(WOODS), finish.between(0.8, 1.15))
    fibres = graph.noise(place(graph, finish, (2.5, 45.0, 45.0)), 1.0, 3.0)
    rings = graph.noise(place(graph, finish, (0.7, 6.0, 6.0)), 1.0, 1.0)
    tint = graph.math("ADD", graph.remap(fibres, 0.3, 0.7, 0.42, 0.6), graph.remap(rings, 0.3, 0.7, 0.38, 0.56))
    roughness = graph.remap(fibres, 0.3, 0.7, finish.between(0.32, 0.42), finish.between(0.45, 0.6))
    return graph.principled(graph.mix(1.0, color, tint, "MULTIPLY"), roughness)


def _painted_wood(graph: Graph, finish: Finish) -> Socket:
    """Brushed on, with the grain showing through as light and shade."""
    paint = finish.tint((0.05, 0.35), (0.25, 0.8))
    strokes = graph.noise(place(graph, finish, (4.0, 60.0, 60.0)), 1.0, 2.0)
    color = graph.mix(1.0, paint, graph.remap(strokes, 0.3, 0.7, 0.9, 1.06), "MULTIPLY")
    return graph.principled(color, worn(graph, finish, finish.between(0.4, 0.6)))


def _brushed_metal(graph: Graph, finish: Finish) -> Socket:
    lines = graph.noise(place(graph, finish, (5.0, 5.0, 420.0)), 1.0, 1.0)
    rough = finish.between(0.3, 0.42)
    return graph.principled(finish.one_of(METALS), graph.remap(lines, 0.3, 0.7, rough - 0.06, rough + 0.14), 0.92)


def _chrome(graph: Graph, finish: Finish) -> Socket:
    return graph.principled(
        scaled(METALS[0], finish.between(1.05, 1.3)), worn(graph, finish, finish.between(0.13, 0.22)), 1.0
    )


def _painted_metal(graph: Graph, finish: Finish) -> Socket:
    """Powder coating or lacquer."""
    paint = finish.tint((0.15, 0.55), (0.25, 0.75))
    return graph.principled(paint, worn(graph, finish, finish.between(0.28, 0.5)), Coat_Weight=0.15, Coat_Roughness=0.2)


def _black_metal(graph: Graph, finish: Finish) -> Socket:
    """Cast iron, or a coated pan."""
    return graph.principled(
        scaled(BLACK, finish.between(0.8, 1.6)), worn(graph, finish, finish.between(0.4, 0.55)), 0.3
    )


def _plastic(graph: Graph, finish: Finish) -> Socket:
    authored = finish.authored
    chosen = max(authored) - min(authored) > 0.2 or min(authored) > 0.6
    color = authored if chosen else finish.tint((0.2, 0.7), (0.25, 0.82))
    return graph.principled(color, worn(graph, finish, finish.between(0.25, 0.48)))


def _rubber(graph: Graph, finish: Finish) -> Socket:
    dark = max(finish.authored) < 0.09
    color = (
        scaled(BLACK, finish.between(0.6, 1.3)) if dark else draw_color(finish.rng, (0.0, 1.0), (0.4, 0.75), (0.3, 0.7))
    )
    return graph.principled(color, worn(graph, finish, finish.between(0.6, 0.78)), Specular_IOR_Level=0.3)


def _cardboard(graph: Graph, finish: Finish) -> Socket:
    """Corrugated board, with a strip of tape over its middle."""
    board = scaled(CARDBOARD, finish.between(0.85, 1.1))
    flutes = graph.noise(place(graph, finish, (160.0, 3.0, 3.0)), 1.0, 1.0)
    blotches = graph.noise(place(graph, finish), 7.0, 3.0)
    color = graph.mix(1.0, board, graph.remap(flutes, 0.3, 0.7, 0.93, 1.04), "MULTIPLY")
    color = graph.mix(1.0, color, graph.remap(blotches, 0.3, 0.7, 0.9, 1.06), "MULTIPLY")
    across = graph.components(graph.add("ShaderNodeTexCoord").outputs["Object"])[0]
    taped = graph.math("LESS_THAN", graph.math("ABSOLUTE", across), 0.024)
    roughness = graph.remap(taped, 0.0, 1.0, 0.85, 0.3)
    return graph.principled(graph.mix(taped, color, TAPE), roughness, Specular_IOR_Level=0.3)


def _paper(graph: Graph, finish: Finish) -> Socket:
    """A printed cover: one colour, and bands of a second one."""
    cover = draw_color(finish.rng, (0.0, 1.0), (0.05, 0.7), (0.35, 0.9))
    band = draw_color(finish.rng, (0.0, 1.0), (0.02, 0.5), (0.5, 0.92))
    ahead = graph.components(place(graph, finish))[1]
    bands = graph.math("LESS_THAN", graph.math("FRACT", graph.math("MULTIPLY", ahead, finish.between(7.0, 14.0))), 0.3)
    return graph.principled(graph.mix(bands, cover, band), finish.between(0.5, 0.8), Specular_IOR_Level=0.3)


def _fabric(graph: Graph, finish: Finish) -> Socket:
    color = finish.tint((0.06, 0.5), (0.25, 0.75))
    weave = graph.noise(place(graph, finish), finish.between(150.0, 320.0), 1.0)
    nap = graph.remap(graph.noise(place(graph, finish), 9.0, 2.0), 0.3, 0.7, 0.9, 1.1)
    color_socket = graph.mix(1.0, color, graph.remap(weave, 0.3, 0.7, 0.78, 1.16), "MULTIPLY")
    return graph.principled(graph.mix(1.0, color_socket, nap, "MULTIPLY"), 0.95, Specular_IOR_Level=0.15)


def _plush(graph: Graph, finish: Finish) -> Socket:
    fur = draw_color(finish.rng, (0.04, 0.12), (0.2, 0.6), (0.35, 0.8))
    tufts = graph.noise(place(graph, finish), 95.0, 3.0)
    normal = graph.bump(tufts, 0.006)
    color = graph.mix(1.0, fur, graph.remap(tufts, 0.3, 0.7, 0.62, 1.2), "MULTIPLY")
    return graph.principled(color, 1.0, Specular_IOR_Level=0.1, Sheen_Weight=0.4, Normal=normal)


def _leather(graph: Graph, finish: Finish) -> Socket:
    hide = draw_color(finish.rng, (0.02, 0.09), (0.15, 0.6), (0.12, 0.5))
    cells = graph.add(
        "ShaderNodeTexVoronoi", {"Vector": place(graph, finish), "Scale": finish.between(170, 260)}
    ).outputs[0]
    creases = graph.remap(graph.noise(place(graph, finish), 14.0, 3.0), 0.35, 0.65, 0.78, 1.12)
    normal = graph.bump(cells, 0.0015)
    color = graph.mix(1.0, hide, creases, "MULTIPLY")
    return graph.principled(color, worn(graph, finish, finish.between(0.36, 0.5)), Normal=normal)


def _wicker(graph: Graph, finish: Finish) -> Socket:
    """Straw woven over and under."""
    share = finish.between(0.0, 1.0)
    straw = tuple(first + share * (second - first) for first, second in zip(*STRAW, strict=True))
    pitch = finish.between(420.0, 560.0)
    x, y, z = graph.components(place(graph, finish))
    ways = [graph.math("SINE", graph.math("MULTIPLY", way, pitch)) for way in (graph.math("ADD", x, y), z)]
    weave = graph.math("ABSOLUTE", graph.math("MULTIPLY", *ways))
    tint = graph.remap(weave, 0.0, 0.6, 0.35, 1.1)
    return graph.principled(graph.mix(1.0, straw, tint, "MULTIPLY"), 0.7, Normal=graph.bump(weave, 0.004))


def _stone(graph: Graph, finish: Finish) -> Socket:
    """Granite or slate: grains, and veins in some."""
    stone = draw_color(finish.rng, (0.05, 0.6), (0.01, 0.12), (0.25, 0.75))
    grains = graph.remap(graph.noise(place(graph, finish), 130.0, 3.0), 0.3, 0.7, 0.72, 1.2)
    veins = graph.remap(graph.noise(place(graph, finish), 5.0, 5.0), 0.47, 0.5, 0.75, 1.0)
    color = graph.mix(1.0, graph.mix(1.0, stone, grains, "MULTIPLY"), veins, "MULTIPLY")
    return graph.principled(color, finish.between(0.3, 0.7))


def _food(graph: Graph, finish: Finish) -> Socket:
    """In the colour of what it is, where the name tells."""
    known = next((color for names, color in FOODS if any(name in finish.words for name in names)), (0.7, 0.5, 0.3))
    spots = graph.remap(graph.noise(place(graph, finish), 45.0, 3.0), 0.3, 0.7, 0.85, 1.1)
    color = scaled(linear_from_srgb(known), finish.between(0.85, 1.1))
    return graph.principled(graph.mix(1.0, color, spots, "MULTIPLY"), finish.between(0.35, 0.55))


def _part(graph: Graph, finish: Finish) -> Socket:
    """A smaller part of an object, in the colour of the file."""
    return graph.principled(finish.authored, worn(graph, finish, finish.between(0.35, 0.5)))


FINISH_SHADERS: dict[str, Callable[[Graph, Finish], Socket]] = {
    "ceramic": _ceramic,
    "stoneware": _stoneware,
    "glass": _glass,
    "wood": _wood,
    "painted wood": _painted_wood,
    "brushed metal": _brushed_metal,
    "chrome": _chrome,
    "painted metal": _painted_metal,
    "black metal": _black_metal,
    "plastic": _plastic,
    "rubber": _rubber,
    "cardboard": _cardboard,
    "paper": _paper,
    "fabric": _fabric,
    "plush": _plush,
    "leather": _leather,
    "wicker": _wicker,
    "stone": _stone,
    "food": _food,
    "part": _part,
}
