"""The embedded set of assets: meshes that PyBullet ships, in Kubric's format. Made on first use, kept in a cache.

`python -m kubric_jobs.default_assets JOB.json OUT` fills OUT with a manifest.json and a folder for each asset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datagen.assets import (
    COLLISION_FILE,
    DATA_FILE,
    DEFAULT_SET_VERSION,
    MANIFEST_FILE,
    URDF_FILE,
    VISUAL_FILE,
    check_unpacked,
)
from datagen.codec import read_record, write_json
from datagen.entry import serve, silenced
from datagen.jobs import DefaultAssetsJob
from datagen.meshes import ObjMesh, read_obj, write_obj
from kubric_jobs.furniture import outward_faces
from kubric_jobs.solids import hull_corners, moments, urdf

SET_NAME = "default"
LICENCE = "zlib (PyBullet's pybullet_data)"
Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
TEXTURE_FILE = "texture.png"
MATERIAL = "surface"
NUM_SHAPES = 8  # of PyBullet's thousand random shapes
# a short search: half a minute instead of six for the whole set
COACD: dict[str, Any] = {
    "threshold": 0.08,
    "max_convex_hull": 20,
    "preprocess_mode": "off",
    "mcts_iterations": 60,
    "mcts_nodes": 10,
    "mcts_max_depth": 2,
    "seed": 0,
}
COLORS = ((0.55, 0.12, 0.08), (0.10, 0.28, 0.50), (0.70, 0.45, 0.08), (0.12, 0.36, 0.16), (0.42, 0.12, 0.34))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an asset is made of a file."""

    name: str
    file: str  # within pybullet_data
    longest_m: float
    y_up: bool = False
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of the file's axes, before all else
    parts: str = "hull"  # "hull" of all, "groups" of the file, or "coacd"
    texture: str = ""


NAMED: tuple[Recipe, ...] = (
    Recipe(name="rubber_duck", file="duck.obj", longest_m=0.24, y_up=True, parts="coacd", texture="duckCM.png"),
    Recipe(name="soccer_ball", file="soccerball.obj", longest_m=0.22, texture="colors16.png"),
    Recipe(name="teddy_bear", file="teddy2_VHACD_CHs.obj", longest_m=0.28, y_up=True, parts="groups"),
    Recipe(name="mug", file="objects/mug.obj", longest_m=0.13, parts="coacd"),
    Recipe(name="toy_brick", file="lego/lego.obj", longest_m=0.16, y_up=True),
    Recipe(name="domino", file="domino/domino.obj", longest_m=0.18, texture="domino/domino.jpg"),
    Recipe(
        name="wooden_plank",
        file="jenga/jenga.obj",
        longest_m=0.24,
        stretch=(0.15, 0.05, 0.03),
        texture="jenga/jenga.png",
    ),
    Recipe(name="toy_cube", file="cube.obj", longest_m=0.13, texture="cube.png"),
    Recipe(name="carton", file="cube.obj", longest_m=0.24, stretch=(0.8, 0.55, 1.0), texture="table/table.png"),
    Recipe(name="tray", file="tray/tray_textured.obj", longest_m=0.30, parts="groups", texture="tray/tray.jpg"),
    Recipe(
        name="rubber_ring",
        file="torus/torus_textured.obj",
        longest_m=0.24,
        y_up=True,
        parts="coacd",
        texture="cube.png",
    ),
    Recipe(name="toy_bunny", file="bunny.obj", longest_m=0.22, parts="coacd"),
    Recipe(name="toy_block", file="toys/cube.obj", longest_m=0.12),
    Recipe(name="toy_cylinder", file="toys/cylinder.obj", longest_m=0.14),
    Recipe(name="toy_prism", file="toys/prism.obj", longest_m=0.15),
    Recipe(name="checkered_ball", file="textured_sphere_smooth.obj", longest_m=0.18, texture="checker_huge.gif"),
    Recipe(name="ball", file="sphere_smooth.obj", longest_m=0.13),
    Recipe(name="stone_slab", file="stone.obj", longest_m=0.24),
)


def recipes() -> tuple[Recipe, ...]:
    """All assets of the set."""
    shapes = tuple(
        Recipe(
            name=f"plastic_shape_{index:03d}",
            file=f"random_urdfs/{index:03d}/{index:03d}.obj",
            longest_m=0.20,
            parts="groups",
        )
        for index in range(NUM_SHAPES)
    )
    return NAMED + shapes


def main(job_path: Path, out: Path) -> None:
    """Serve one `DefaultAssetsJob`."""
    read_record(DefaultAssetsJob, job_path)
    build_set(out)


def build_set(folder: Path) -> None:
    """Make all assets and their manifest."""
    entries = {}
    for index, recipe in enumerate(recipes()):
        asset_id = f"bullet_{recipe.name}"
        entries[asset_id] = build_asset(folder / asset_id, recipe, COLORS[index % len(COLORS)])
        check_unpacked(asset_id, folder / asset_id)
    head = {"name": SET_NAME, "data_dir": ".", "version": str(DEFAULT_SET_VERSION)}
    write_json(folder / MANIFEST_FILE, {**head, "assets": entries})


def build_asset(folder: Path, recipe: Recipe, color: tuple[float, float, float]) -> dict[str, Any]:
    """Write an asset's folder; its entry for the manifest."""
    import pybullet_data  # type: ignore[import-untyped]

    source = Path(pybullet_data.getDataPath())
    folder.mkdir(parents=True)
    drawn = read_obj(source / recipe.file)
    used = drawn.vertices[np.unique(drawn.faces)]
    axes = (Y_UP if recipe.y_up else np.eye(3)) * np.array(recipe.stretch)
    matrix = axes * (recipe.longest_m / np.ptp(used @ axes.T, axis=0).max())
    parts = convex_parts(recipe, drawn, matrix)
    sums = [moments(part) for part in parts]
    volume = sum(one[0] for one in sums)
    centre = sum((one[1] for one in sums), np.zeros(3)) / volume
    write_obj(folder / COLLISION_FILE, [(part - centre, outward_faces(part)) for part in parts])
    (folder / VISUAL_FILE).write_text(moved_obj((source / recipe.file).read_text(errors="replace"), matrix, centre))
    (folder / "visual_geometry.mtl").write_text(_material(color, bool(recipe.texture)))
    if recipe.texture:
        with Image.open(source / recipe.texture) as picture:
            picture.convert("RGB").save(folder / TEXTURE_FILE)
    (folder / URDF_FILE).write_text(urdf(folder.name))
    outline = used @ matrix.T - centre
    entry: dict[str, Any] = {
        "asset_type": "FileBasedObject",
        "license": LICENCE,
        "kwargs": {
            "bounds": [outline.min(axis=0).tolist(), outline.max(axis=0).tolist()],
            "mass": float(volume),
            "render_filename": "{asset_dir}/" + VISUAL_FILE,
            "simulation_filename": "{asset_dir}/" + URDF_FILE,
        },
        "metadata": {"category": re.sub(r"_\d+$", "", recipe.name), "source": f"pybullet_data/{recipe.file}"},
    }
    write_json(folder / DATA_FILE, {"id": folder.name, **entry})
    return entry


def convex_parts(recipe: Recipe, drawn: ObjMesh, matrix: np.ndarray) -> list[np.ndarray]:
    """Corners [V, 3] of each convex part, in metres."""
    points = drawn.vertices @ matrix.T
    if recipe.parts == "groups":
        return [hull_corners(points[group]) for group in drawn.groups]
    if recipe.parts == "hull":
        return [hull_corners(points[np.unique(drawn.faces)])]
    import coacd

    coacd.set_log_level("error")
    with silenced():
        found = coacd.run_coacd(coacd.Mesh(*_welded(points, drawn.faces)), **COACD)
    return [hull_corners(np.asarray(corners)) for corners, _ in found]


def _welded(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh without doubled corners, which textures leave along their seams."""
    corners, index = np.unique(points.round(7), axis=0, return_inverse=True)
    joined = index.reshape(-1)[faces]
    whole = (joined[:, 0] != joined[:, 1]) & (joined[:, 1] != joined[:, 2]) & (joined[:, 2] != joined[:, 0])
    return corners, joined[whole].astype(np.int32)


def moved_obj(text: str, matrix: np.ndarray, centre: np.ndarray) -> str:
    """An OBJ's text with its vertices in metres, as one object of one material; texture coordinates stay.

    Normals are left out where the matrix is no rotation: renderers make them from the faces.
    """
    lines = ["mtllib visual_geometry.mtl", f"o {MATERIAL}", f"usemtl {MATERIAL}"]
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind == "v":
            x, y, z = matrix @ np.array(rest.split()[:3], dtype=float) - centre
            lines.append(f"v {x:.7g} {y:.7g} {z:.7g}")
        elif kind == "vt":
            lines.append(line.strip())
        elif kind == "f":
            lines.append("f " + " ".join(_without_normal(corner) for corner in rest.split()))
        elif kind == "s":
            lines.append(line.strip())
    return "\n".join(lines) + "\n"


def _without_normal(corner: str) -> str:
    """`v/vt/vn` as `v/vt`, `v//vn` as `v`."""
    vertex, _, rest = corner.partition("/")
    texture = rest.partition("/")[0]
    return f"{vertex}/{texture}" if texture else vertex


def _material(color: tuple[float, float, float], textured: bool) -> str:
    red, green, blue = (1.0, 1.0, 1.0) if textured else color
    picture = f"map_Kd {TEXTURE_FILE}\n" if textured else ""
    return f"newmtl {MATERIAL}\nKd {red} {green} {blue}\nKs 0.2 0.2 0.2\nNs 60\n{picture}"


if __name__ == "__main__":
    serve(main)
