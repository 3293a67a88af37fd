"""Where a piece of furniture is built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_scripts.finishes import Finishes
from blender_scripts.solid_parts import Parts

WALL_GAP_M = 0.02  # behind what stands on the floor: the skirting is there


@dataclass(frozen=True, kw_only=True)
class Site:
    """A piece's size [m], its parts so far, its materials and its own generator.

    Its box spans x from `left` to `right` along the wall, y from 0 at the wall to `depth`, z from 0 to `height`.
    """

    width: float
    depth: float
    height: float
    parts: Parts
    finish: Finishes
    rng: np.random.Generator

    @property
    def left(self) -> float:
        """Start of the box along the wall."""
        return -self.width / 2

    @property
    def right(self) -> float:
        """End of the box along the wall."""
        return self.width / 2
