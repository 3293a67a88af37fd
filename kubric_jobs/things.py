"""The objects of a collision scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from datagen.physics.materials import Material, mass_kg
from kubric_jobs.solids import Solid

UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An asset that is ready to be used: where it lies, what it is, and its shape."""

    asset_id: str
    category: str
    folder: Path
    entry: dict[str, Any]  # of Kubric's manifest
    solid: Solid
    material: Material
    made_here: bool = False  # furniture that this scene built for itself; its folder belongs to the scene

    def mass_kg(self, scale: float) -> float:
        """Mass at a scale: volume of the convex parts x the material's density."""
        return mass_kg(self.material, self.solid.volume * scale**3)


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A shape in a scene, at the start.

    pose     float64 [7], `world_from_object`
    linear, angular  float64 [3], world axes [m/s, rad/s]
    at_rest  lies or stands still until something comes; else it flies, rolls or falls from the first frame on
    ghost    is no part of this world: it lies where it would be until something is about to touch it, then it is gone
    """

    name: str
    shape: Shape
    scale: float
    pose: np.ndarray
    linear: np.ndarray
    angular: np.ndarray
    static: bool = False
    at_rest: bool = True
    ghost: bool = False
    role: str = ""  # in words: "launched", "stands in its way", ...

    @property
    def size(self) -> np.ndarray:
        """Edges of the bounding box in its own frame [3], m."""
        return np.asarray(self.shape.solid.size * self.scale)

    @property
    def outline(self) -> np.ndarray:
        """Corners of the convex hull [V, 3], own frame [m]."""
        return np.asarray(self.shape.solid.outline * self.scale)

    @property
    def mass(self) -> float:
        """[kg]; 0 for what never moves."""
        return 0.0 if self.static else self.shape.mass_kg(self.scale)

    @property
    def inertia(self) -> np.ndarray:
        """[kg m2], float64 [3], about its own axes."""
        solid = self.shape.solid
        return np.asarray(solid.inertia * self.scale**2 * (self.mass / solid.volume))

    def at(self, pose: np.ndarray) -> Thing:
        """The same thing elsewhere, rounded to what Kubric can hold (float32)."""
        return replace(self, pose=np.asarray(pose, dtype=np.float32).astype(np.float64))
