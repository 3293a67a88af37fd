"""Ramps, boxes and blocks of convex slabs, as assets in Kubric's format: what is drawn is exactly what collides."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import ConvexHull

from datagen.assets import COLLISION_FILE, DATA_FILE, URDF_FILE, VISUAL_FILE
from datagen.codec import write_json
from datagen.meshes import write_obj
from datagen.physics.materials import WOOD, material_of
from kubric_jobs.solids import moments, solid_of, urdf
from kubric_jobs.things import Shape

Part = np.ndarray  # corners [V, 3] of a convex part


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Part:
    """Corners [8, 3] of a box."""
    return np.array(list(itertools.product(*zip(low, high, strict=True))))


def ramp_parts(length_m: float, width_m: float, slope_rad: float) -> tuple[Part, ...]:
    """A wedge that rises along -x; its toe is at x = length / 2."""
    x, y, rise = length_m / 2, width_m / 2, length_m * math.tan(slope_rad)
    lip = 0.004  # a toe of no thickness would be a blade
    corners = [(-x, 0.0), (-x, rise + lip), (x, lip), (x, 0.0)]
    return (np.array([(px, side, pz) for px, pz in corners for side in (-y, y)]),)


def bin_parts(length_m: float, width_m: float, height_m: float, wall_m: float) -> tuple[Part, ...]:
    """An open box: a bottom and four walls that meet without overlap."""
    x, y = length_m / 2, width_m / 2
    return (
        box((-x, -y, 0.0), (x, y, wall_m)),
        box((-x, -y, wall_m), (-x + wall_m, y, height_m)),
        box((x - wall_m, -y, wall_m), (x, y, height_m)),
        box((-x + wall_m, -y, wall_m), (x - wall_m, -y + wall_m, height_m)),
        box((-x + wall_m, y - wall_m, wall_m), (x - wall_m, y, height_m)),
    )


def block_parts(size_m: tuple[float, float, float]) -> tuple[Part, ...]:
    """A solid block."""
    x, y, z = (edge / 2 for edge in size_m)
    return (box((-x, -y, -z), (x, y, z)),)


def build(folder: Path, category: str, parts: tuple[Part, ...], cache: Path) -> Shape:
    """Write an asset made of convex parts into `folder`, its centre of mass at the origin."""
    sums = [moments(part) for part in parts]
    centre = sum((first for _, first, _ in sums), np.zeros(3)) / sum(volume for volume, _, _ in sums)
    centred = [part - centre for part in parts]
    return write_asset(folder, category, centred, cache)


def write_asset(folder: Path, category: str, parts: list[Part], cache: Path) -> Shape:
    """An asset of convex parts [V, 3] that lie in its own frame already."""
    folder.mkdir(parents=True)
    groups = [(part, outward_faces(part)) for part in parts]
    # one mesh with flat faces: corners are not shared, so that a renderer does not smooth the edges away
    write_obj(folder / VISUAL_FILE, [_joined(groups)])
    write_obj(folder / COLLISION_FILE, groups)
    (folder / URDF_FILE).write_text(urdf(folder.name), encoding="utf-8")
    entry: dict[str, Any] = {
        "asset_type": "FileBasedObject",
        "license": "CC0-1.0",
        "kwargs": {
            "render_filename": "{asset_dir}/" + VISUAL_FILE,
            "simulation_filename": "{asset_dir}/" + URDF_FILE,
        },
        "metadata": {"category": category},
    }
    write_json(folder / DATA_FILE, entry)
    return Shape(
        asset_id=folder.name,
        category=category,
        folder=folder,
        entry=entry,
        solid=solid_of(folder, cache),
        material=WOOD if "wooden" in category else material_of(category),
        made_here=True,
    )


def _joined(groups: list[tuple[Part, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """All faces as one mesh without shared corners."""
    corners = np.concatenate([part[faces].reshape(-1, 3) for part, faces in groups])
    return corners, np.arange(len(corners)).reshape(-1, 3)


def outward_faces(points: np.ndarray) -> np.ndarray:
    """Triangles [F, 3] of a convex hull, counter-clockwise from outside."""
    hull = ConvexHull(points)
    faces: np.ndarray = hull.simplices.copy()
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.sum(normals * hull.equations[:, :3], axis=1) < 0
    faces[inward] = faces[inward][:, ::-1]
    return faces
