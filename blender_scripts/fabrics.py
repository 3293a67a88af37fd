"""What clothes are made of: patterns laid around the body and along it, in metres, as if cut from cloth.

A fabric is a colour and a height of folds, so that all clothes of a body share one shader. To add one: a function
here, its name in `FABRICS`, and a place in the garments of `datagen.people` that are made of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blender_scripts.nodes import Color, Graph, Socket, scaled
from datagen.seeding import generator_for
from datagen.wishes import Garment

FINE_PER_M = 330.0  # threads that can still be seen from near


@dataclass(frozen=True, kw_only=True)
class Cloth:
    """Coordinates on a garment [m]: around the limb or trunk from its front, and along it; `flat` holds both."""

    around: Socket
    along: Socket
    flat: Socket


def cloth_of(graph: Graph, attribute: str, seed: int) -> Cloth:
    """Coordinates from an attribute that holds, for each vertex, its offset from the limb's axis and the way along it.

    The angle is taken where the picture is, not at vertices, so that the seam at the back is a line.
    """
    left, ahead, along = graph.components(graph.vector(attribute))
    angle = graph.math("ARCTAN2", left, ahead)
    around = graph.math("MULTIPLY", angle, graph.attribute(f"{attribute}_radius"))
    shift = float(generator_for(seed, "cut").uniform(0.0, 1.0))
    moved = graph.math("ADD", along, shift)
    flat = graph.add("ShaderNodeCombineXYZ", {0: around, 1: moved, 2: shift}).outputs[0]
    return Cloth(around=around, along=moved, flat=flat)


def fabric(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    """Colour of a garment."""
    return FABRICS[garment.fabric](graph, cloth, garment)


def folds(graph: Graph, cloth: Cloth) -> Socket:
    """Height of wrinkles, longer along the limb than around it."""
    return graph.noise(graph.mapped(cloth.flat, (15.0, 7.0, 1.0)), 1.0, 1.5)


def _plain(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    return _woven(graph, cloth, garment.color, 0.1)


def _heather(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    return _woven(graph, cloth, garment.color, 0.45)


def _woven(graph: Graph, cloth: Cloth, color: Socket | Color, contrast: float) -> Socket:
    threads = graph.noise(graph.mapped(cloth.flat, (FINE_PER_M, 0.35 * FINE_PER_M, 1.0)), 1.0, 1.0)
    return graph.mix(1.0, color, graph.remap(threads, 0.3, 0.7, 1.0 - contrast, 1.0 + contrast), "MULTIPLY")


def _knit(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    rib = graph.math("ABSOLUTE", graph.math("SINE", graph.math("MULTIPLY", cloth.around, 420.0)))
    dark = graph.remap(rib, 0.0, 0.6, 0.72, 1.0)
    return _woven(graph, cloth, graph.mix(1.0, garment.color, dark, "MULTIPLY"), 0.2)


def _denim(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    front = graph.remap(graph.math("ABSOLUTE", cloth.around), 0.02, 0.09, 1.0, 0.0)
    worn = graph.math("MULTIPLY", front, graph.remap(graph.noise(cloth.flat, 5.0, 3.0), 0.35, 0.65, 0.1, 0.75))
    return _woven(graph, cloth, graph.mix(worn, garment.color, scaled(garment.color, 1.9)), 0.28)


def _stripes(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    share = _bars(graph, cloth.along, garment.scale_m, 0.5)
    return _woven(graph, cloth, graph.mix(share, garment.color, garment.accent), 0.1)


def _pinstripes(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    share = _bars(graph, cloth.around, garment.scale_m, 0.2)
    return _woven(graph, cloth, graph.mix(share, garment.color, garment.accent), 0.08)


def _check(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    bars = [_bars(graph, way, garment.scale_m, 0.45) for way in (cloth.around, cloth.along)]
    share = graph.math("MULTIPLY", graph.math("ADD", *bars), 0.42)
    return _woven(graph, cloth, graph.mix(share, garment.color, garment.accent), 0.15)


def _dots(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    squares = []
    for way in (cloth.around, cloth.along):
        offset = graph.math("SUBTRACT", graph.math("FRACT", graph.math("DIVIDE", way, garment.scale_m)), 0.5)
        squares.append(graph.math("MULTIPLY", offset, offset))
    inside = graph.math("LESS_THAN", graph.math("ADD", *squares), 0.045)
    return _woven(graph, cloth, graph.mix(inside, garment.color, garment.accent), 0.08)


def _leather(graph: Graph, cloth: Cloth, garment: Garment) -> Socket:
    grain = graph.remap(graph.noise(cloth.flat, 60.0, 3.0), 0.3, 0.7, 0.8, 1.15)
    return graph.mix(1.0, garment.color, grain, "MULTIPLY")


def _bars(graph: Graph, way: Socket, pitch_m: float, share: float) -> Socket:
    """1 on bars that cover a share of each pitch, else 0."""
    return graph.math("LESS_THAN", graph.math("FRACT", graph.math("DIVIDE", way, pitch_m)), share)


FABRICS: dict[str, Callable[[Graph, Cloth, Garment], Socket]] = {
    "plain": _plain,
    "heather": _heather,
    "knit": _knit,
    "denim": _denim,
    "stripes": _stripes,
    "pinstripes": _pinstripes,
    "check": _check,
    "dots": _dots,
    "leather": _leather,
}
