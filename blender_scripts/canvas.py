"""Parts of pictures, drawn where they are wanted.

Cycles renders rectangles, and what is wanted has the shape of a person and a slanting shadow. Where rectangles would be
half empty, a stencil ends the rays that nobody asked for.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_scripts.build_scene import SceneState
from blender_scripts.renderer import Renderer
from blender_scripts.stencil import FILTER_REACH_PX
from datagen.frames import read_rgb
from datagen.layers import PICTURE, Layer
from datagen.pixels import whole_pixels
from datagen.regions import BOX_COST, MARGIN_PX, Box, grown

SCRATCH = f"scratch{PICTURE}"
STENCIL_BOX_COST = 0.25  # of a full picture, where a stencil hides the rest of a box: that costs little


@dataclass(frozen=True, kw_only=True)
class Part:
    """A rendered box of a picture: pixels uint8 [rows, columns, 3], and which of them are as in the full picture, bool
    [rows, columns]."""

    box: Box
    pixels: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Rendered parts of a picture."""

    parts: tuple[Part, ...]

    def over(self, picture: np.ndarray) -> np.ndarray:
        """The picture, uint8 [height, width, 3], with the parts in it."""
        result = picture.copy()
        for part in self.parts:
            np.copyto(whole_pixels(result[part.box.slices]), whole_pixels(part.pixels), where=part.shown)
        return result

    def known(self, shape: tuple[int, ...]) -> np.ndarray:
        """Which pixels were rendered, bool [height, width]."""
        result = np.zeros(shape[:2], dtype=bool)
        for part in self.parts:
            result[part.box.slices] |= part.shown
        return result


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to render: boxes, None for the whole picture; and all that a stencil lets through, bool [height, width]."""

    boxes: tuple[Box | None, ...]
    through: np.ndarray | None = None


class Canvas:
    """Draws parts of pictures, and counts what that takes."""

    def __init__(self, renderer: Renderer, layer: Layer, out: Path) -> None:
        self.renderer, self.layer, self.path = renderer, layer, out / SCRATCH
        self.whole = Box(left=0, top=0, right=layer.width, bottom=layer.height)
        self.rendered_px = self.num_renders = 0

    def draw(self, state: SceneState, region: np.ndarray) -> Drawn:
        """Render what holds a region bool [height, width]."""
        plan, parts = self.plan(region), []
        shown = np.ones_like(region) if plan.through is None else grown(region, MARGIN_PX - FILTER_REACH_PX)
        with nullcontext() if plan.through is None else self.renderer.stencil.cut(plan.through):
            for box in plan.boxes:
                self.renderer.picture(state, self.path, box)
                at = box or self.whole
                parts.append(Part(box=at, pixels=read_rgb(self.path), shown=shown[at.slices]))
        self.path.unlink(missing_ok=True)
        self.rendered_px += sum(int(part.shown.sum()) for part in parts)
        self.num_renders += len(parts)
        return Drawn(parts=tuple(parts))

    def plan(self, region: np.ndarray) -> Plan:
        """The cheaper way to a region and a margin around it: boxes, or fewer ones behind a stencil."""
        if self.renderer.can_cut:
            through, boxes = grown(region, MARGIN_PX), self.renderer.boxes(region, box_cost=STENCIL_BOX_COST)
            hidden = sum(int((~through[box.slices]).sum()) for box in boxes if box)
            if hidden > self.renderer.least_hidden * region.size:
                return Plan(boxes=boxes, through=through)
        return Plan(boxes=self.renderer.boxes(region, box_cost=BOX_COST))
