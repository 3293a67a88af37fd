"""Samples only where they are wanted: a black card before the lens, cut out at some pixels.

Cycles renders rectangles. What is worth many samples is a thin band along a shadow's contour; a camera ray that meets
the card ends there, at a small part of the price of a path through the room. Nothing but the camera sees the card, and
rays that pass it are traced as they are without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from blender_scripts.build_scene import BuiltScene
from blender_scripts.nodes import new_material
from datagen.camera import Lens, lens_of
from datagen.regions import any_in_cells, rectangles

DISTANCE_M = 0.055  # a little beyond where the camera begins to see
FILTER_REACH_PX = 1  # of the picture's filter: a pixel this near to the card is darkened by it
MARGIN_PX = 3  # beyond the picture's border, where filters reach
GPU_CELL_PX = 4  # there a card of few rectangles matters more than rays beside what is wanted


class Stencil:
    """A card that moves with the camera; it has a surface while `cut` lasts."""

    def __init__(self, scene: BuiltScene, cell_px: int) -> None:
        self.lens, self.cell_px = lens_of(scene.spec, scene.staging), cell_px
        self.card = bpy.data.objects.new("stencil", bpy.data.meshes.new("stencil"))
        self.card.data.materials.append(black())
        self.card.parent = scene.camera
        self.card.visible_diffuse = self.card.visible_glossy = self.card.visible_transmission = False
        self.card.visible_shadow = self.card.visible_volume_scatter = False
        bpy.context.scene.collection.objects.link(self.card)

    @contextmanager
    def cut(self, wanted: np.ndarray) -> Iterator[None]:
        """Let through what is wanted, bool [height, width] of the picture, and what shares a cell with it; no more."""
        mesh = self.card.data
        corners = card_corners(wanted, self.lens, self.cell_px)
        mesh.clear_geometry()
        mesh.from_pydata(corners.reshape(-1, 3), [], np.arange(4 * len(corners)).reshape(-1, 4).tolist())
        mesh.update()
        try:
            yield
        finally:
            mesh.clear_geometry()  # to hide it would have Blender build its dependency graph anew


def card_corners(wanted: np.ndarray, lens: Lens, cell_px: int = 1) -> np.ndarray:
    """Rectangles that hide all square cells without a pixel that is wanted, float64 [n, 4, 3], camera's axes [m].

    wanted: bool [height, width] of the picture, or of one that shows the same in another size.
    """
    height, width = wanted.shape
    margin = -(-MARGIN_PX // cell_px)
    hidden = rectangles(np.pad(~any_in_cells(wanted, cell_px), margin, mode="edge"))
    sides = np.array([(box.left, box.top, box.right, box.bottom) for box in hidden], dtype=np.float64).reshape(-1, 4)
    left, top, right, bottom = (sides.T - margin) * cell_px
    pixels = np.stack([left, bottom, right, bottom, right, top, left, top], axis=-1).reshape(-1, 4, 2)
    scale = DISTANCE_M / lens.focal_px * lens.width / width
    x, y = (pixels[..., 0] - width / 2) * scale, (height / 2 - pixels[..., 1]) * scale
    return np.stack([x, y, np.full_like(x, -DISTANCE_M)], axis=-1)


def black() -> bpy.types.Material:
    """Where a path ends, with nothing."""
    material, graph = new_material("stencil")
    graph.surface(graph.add("ShaderNodeEmission", {"Strength": 0.0}).outputs[0])
    material.cycles.emission_sampling = "NONE"
    return material
