"""Hair, brows, lips, beard and eyes on a bare head, placed by its eyes.

Lengths are in metres on a head as long as `rest_pose.HEAD_M`; (left, ahead, up) from between the eyes.
"""

from __future__ import annotations

import bpy
import numpy as np

from blender_scripts.nodes import Color, Graph, Socket, scaled
from blender_scripts.rest_pose import Rest
from datagen.looks import linear_from_srgb
from datagen.wishes import PersonLook

# how far ahead of the eyes: how high the hair begins
HAIRLINE = np.array(
    [
        (-0.185, -0.075),
        (-0.130, -0.060),
        (-0.112, -0.030),
        (-0.078, -0.028),
        (-0.062, -0.012),
        (-0.050, 0.024),
        (-0.030, 0.044),
        (0.000, 0.057),
        (0.045, 0.066),
    ]
)
LONG_HAIRLINE = np.array([(-0.185, -0.135), (-0.105, -0.130), (-0.066, -0.100), (-0.052, 0.0), *HAIRLINE[-3:]])
BEANIE_EDGE = np.array([(-0.185, -0.030), (-0.10, 0.004), (-0.05, 0.024), (0.045, 0.042)])
EAR_LEFT, EAR_AHEAD, EAR_UP = 0.0795, (-0.128, -0.058), (-0.060, 0.036)
NOWHERE = -1.0
FRAY_M, SOFT_M = 0.010, 0.0015  # how ragged and how soft the edge of hair is
SCLERA = linear_from_srgb((0.84, 0.82, 0.80))
PUPIL: Color = (0.004, 0.004, 0.004)
IRIS_M, PUPIL_M = 0.0060, 0.0024
BROW_UP, BROW_LEFT = 0.0205, (0.012, 0.047)
MOUTH_UP, MOUTH_LEFT, LIP_M = -0.0665, 0.024, 0.0085


def hair_edge(style: str) -> tuple[np.ndarray, bool]:
    """Where hair or hat of a style ends, knots [N, 2] of (ahead, up), and whether it covers the ears."""
    edges = {"long": (LONG_HAIRLINE, True), "beanie": (BEANIE_EDGE, True)}
    return edges.get(style, (HAIRLINE, False))


def hair_distance(points: np.ndarray, head: np.ndarray, rest: Rest, edge: np.ndarray, over_ears: bool) -> np.ndarray:
    """Distance [m] of each vertex inside the edge of hair or a hat: float [V], `NOWHERE` off the head.

    head: share that head and neck have in each vertex.
    """
    left, ahead, up = rest.from_eyes(points).T
    inside = up - np.interp(ahead, edge[:, 0], edge[:, 1])
    if not over_ears:
        ear = np.minimum.reduce(
            [np.abs(left) - EAR_LEFT, ahead - EAR_AHEAD[0], EAR_AHEAD[1] - ahead, up - EAR_UP[0], EAR_UP[1] - up]
        )
        inside = np.minimum(inside, -ear)
    return np.where(head > 0.5, inside * rest.head_scale, NOWHERE)


def hair_share(graph: Graph, rest: Rest, edge: np.ndarray, over_ears: bool) -> Socket:
    """Likewise where the picture is, 1 inside and 0 outside, with an edge finer than the mesh and a little frayed."""
    aside, ahead, up = face_place(graph, rest)
    frayed = graph.math("MULTIPLY", graph.math("SUBTRACT", graph.noise(graph.vector("rest"), 170.0, 1.0), 0.5), FRAY_M)
    inside = graph.math("SUBTRACT", graph.math("ADD", up, frayed), graph.curve(ahead, edge.tolist()))
    if not over_ears:
        sides = (
            graph.math("SUBTRACT", aside, EAR_LEFT),
            graph.math("SUBTRACT", ahead, EAR_AHEAD[0]),
            graph.math("SUBTRACT", EAR_AHEAD[1], ahead),
            graph.math("SUBTRACT", up, EAR_UP[0]),
            graph.math("SUBTRACT", EAR_UP[1], up),
        )
        ear = sides[0]
        for side in sides[1:]:
            ear = graph.math("MINIMUM", ear, side)
        inside = graph.math("MINIMUM", inside, graph.math("MULTIPLY", ear, -1.0))
    on_head = graph.math("GREATER_THAN", graph.attribute("head"), 0.5)
    return graph.math("MULTIPLY", graph.remap(inside, -SOFT_M, SOFT_M, 0.0, 1.0), on_head)


def face_place(graph: Graph, rest: Rest) -> tuple[Socket, Socket, Socket]:
    """Where a shaded point lies from between the eyes: to either side (no sign), ahead, up."""
    left, ahead, height = graph.components(graph.vector("rest"))
    aside = graph.math("DIVIDE", graph.math("ABSOLUTE", left), rest.head_scale)
    up = graph.math("DIVIDE", graph.math("SUBTRACT", height, float(rest.eyes[2])), rest.head_scale)
    return aside, graph.math("DIVIDE", ahead, rest.head_scale), up


def with_face(graph: Graph, skin: Socket, rest: Rest, look: PersonLook) -> Socket:
    """Skin with lips, a beard and brows."""
    aside, ahead, up = face_place(graph, rest)
    front = graph.math("GREATER_THAN", ahead, -0.022)
    color = graph.mix(lips_share(graph, aside, up, front), skin, lip_color(look.skin))
    if look.beard > 0:
        color = graph.mix(beard_share(graph, aside, ahead, up, look.beard), color, look.hair)
    if look.hair_style != "bald" or look.beard > 0:
        color = graph.mix(brow_share(graph, aside, up, front), color, scaled(look.hair, 0.8))
    return color


def lip_color(skin: Color) -> Color:
    """Redder and darker than the skin."""
    red, green, blue = skin
    return 0.82 * red, 0.58 * green, 0.60 * blue


def lips_share(graph: Graph, aside: Socket, up: Socket, front: Socket) -> Socket:
    across = graph.math("DIVIDE", aside, MOUTH_LEFT)
    over = graph.math("DIVIDE", graph.math("SUBTRACT", up, MOUTH_UP), LIP_M)
    radius = graph.math("ADD", graph.math("MULTIPLY", across, across), graph.math("MULTIPLY", over, over))
    return graph.math("MULTIPLY", graph.remap(radius, 0.6, 1.1, 0.8, 0.0), front)


def brow_share(graph: Graph, aside: Socket, up: Socket, front: Socket) -> Socket:
    """An arch over each eye, thinner outwards."""
    arch = graph.remap(aside, BROW_LEFT[0], 0.034, 0.0, 0.004)
    off = graph.math("ABSOLUTE", graph.math("SUBTRACT", graph.math("SUBTRACT", up, BROW_UP), arch))
    thick = graph.remap(aside, BROW_LEFT[0], BROW_LEFT[1], 0.0046, 0.0018)
    share = graph.remap(graph.math("DIVIDE", off, thick), 0.6, 1.2, 0.85, 0.0)
    for edge in BROW_LEFT:
        share = graph.math(
            "MULTIPLY", share, graph.math("GREATER_THAN" if edge == BROW_LEFT[0] else "LESS_THAN", aside, edge)
        )
    return graph.math("MULTIPLY", share, front)


def beard_share(graph: Graph, aside: Socket, ahead: Socket, up: Socket, dark: float) -> Socket:
    """Jaw, chin and upper lip, softly ended, patchy."""
    below = graph.remap(up, -0.056, -0.036, 1.0, 0.0)
    cheek = graph.remap(graph.math("SUBTRACT", aside, graph.math("MULTIPLY", up, -0.55)), -0.012, 0.006, 0.0, 1.0)
    chin = graph.remap(up, -0.086, -0.078, 1.0, 0.0)
    lip = graph.math("MULTIPLY", graph.remap(up, -0.062, -0.058, 0.0, 1.0), graph.math("LESS_THAN", aside, 0.03))
    where = graph.math("MAXIMUM", graph.math("MAXIMUM", cheek, chin), lip)
    throat = graph.math(
        "MULTIPLY", graph.remap(up, -0.135, -0.118, 0.0, 1.0), graph.remap(ahead, -0.085, -0.07, 0.0, 1.0)
    )
    patch = graph.remap(graph.noise(graph.vector("rest"), 260.0, 1.0), 0.3, 0.7, 0.6, 1.0)
    share = graph.math("MULTIPLY", graph.math("MULTIPLY", below, where), graph.math("MULTIPLY", throat, patch))
    return graph.math("MULTIPLY", share, 0.85 * dark)


def hair_color(graph: Graph, look: PersonLook) -> Socket:
    """Strands, lighter and darker."""
    return graph.mix(1.0, look.hair, graph.remap(strands(graph), 0.3, 0.7, 0.55, 1.45), "MULTIPLY")


def strands(graph: Graph) -> Socket:
    """Noise that runs from the crown downwards."""
    return graph.noise(graph.mapped(graph.vector("rest"), (210.0, 210.0, 26.0)), 1.0, 2.0)


def eye_material(graph: Graph, look: PersonLook) -> None:
    """A white eye; iris and pupil where `store_iris` says."""
    off = graph.attribute("off_pupil")
    color = graph.mix(graph.remap(off, 0.9 * IRIS_M, 1.05 * IRIS_M, 1.0, 0.0), SCLERA, look.eyes)
    color = graph.mix(graph.math("LESS_THAN", off, PUPIL_M), color, PUPIL)
    graph.surface(graph.principled(color, 0.12))


def store_iris(mesh: bpy.types.Object, points: np.ndarray, rest: Rest) -> None:
    """Distance of each vertex of the eyes from the line of sight [m], behind the eye's middle far away."""
    left, ahead, up = rest.from_body(points).T
    off = np.full(len(points), 1.0)
    for side in (left > 0, left <= 0):
        if side.any():
            middle = [0.5 * (axis[side].min() + axis[side].max()) for axis in (left, ahead, up)]
            radius = np.hypot(left[side] - middle[0], up[side] - middle[2])
            off[side] = np.where(ahead[side] > middle[1], radius, 1.0)
    mesh.data.attributes.new("off_pupil", "FLOAT", "POINT").data.foreach_set("value", off.astype(np.float32))
