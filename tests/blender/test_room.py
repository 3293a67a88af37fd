"""Furniture stays inside the boxes that physics' clearance was measured with, and walls are open where windows are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen.furnishing import KINDS
from datagen.look_inputs import check_map

pytestmark = pytest.mark.blender

SLACK_M = 1e-4
OUTSIDE_M = 0.2  # a window's panes and what is seen through them lie behind the wall
BUILD_ALL = """
import hashlib, json, sys
import bpy
import numpy as np
from blender_scripts.finishes import Finishes
from blender_scripts.furniture import build_piece
from datagen.furnishing import KINDS, Furnisher
from datagen.clearance import occupied_by
from datagen.rooms import box_of
from datagen.placement import Room

room = Room(x_min=-5, x_max=5, y_min=-4, y_max=4, height=2.8)
points = np.zeros((1, 3))
nothing = occupied_by(np.zeros((1, 2, 3)), points, points, points[0])
rows = []
for seed in range(4):
    furnisher = Furnisher(room, nothing, np.random.default_rng(seed), seed)
    for wall, kind in enumerate(KINDS):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        piece = furnisher.draw(kind, wall % 4)
        thing = build_piece(piece, room, 0, Finishes(seed, daylight=True))
        bpy.context.view_layer.update()
        world = np.array(thing.matrix_world)
        at = np.array([vertex.co for vertex in thing.data.vertices]) @ world[:3, :3].T + world[:3, 3]
        faces = [(tuple(face.vertices), face.material_index) for face in thing.data.polygons]
        rows.append({"kind": kind, "low": at.min(0).tolist(), "high": at.max(0).tolist(),
                     "box": box_of(piece, room).tolist(), "wall": piece.wall, "polygons": len(thing.data.polygons),
                     "materials": len(thing.data.materials),
                     "mesh": hashlib.sha256(repr(faces).encode() + at.tobytes()).hexdigest()})
json.dump(rows, open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """Every kind of furniture, several times, on every wall."""
    out = tmp_path_factory.mktemp("room") / "pieces.json"
    subprocess.run([sys.executable, "-c", BUILD_ALL, str(out)], check=True, capture_output=True)
    rows: list[dict[str, object]] = json.loads(Path(out).read_text())
    return rows


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_piece_stays_in_its_box(built: list[dict[str, object]], kind: str) -> None:
    for row in (row for row in built if row["kind"] == kind):
        low, high = np.array(row["box"])
        if kind == "window":
            axis, sign = ((1, -1), (0, 1), (1, 1), (0, -1))[int(str(row["wall"]))]
            bound = high if sign > 0 else low
            bound[axis] += sign * OUTSIDE_M
        assert (np.array(row["low"]) >= low - SLACK_M).all(), row
        assert (np.array(row["high"]) <= high + SLACK_M).all(), row


def test_another_process_builds_the_same_meshes(built: list[dict[str, object]], tmp_path: Path) -> None:
    again = tmp_path / "pieces.json"
    subprocess.run([sys.executable, "-c", BUILD_ALL, str(again)], check=True, capture_output=True)
    assert json.loads(again.read_text()) == built


def test_pieces_are_cheap_and_no_plain_boxes(built: list[dict[str, object]]) -> None:
    for row in built:
        polygons = int(str(row["polygons"]))
        assert polygons < 30_000
        assert polygons > 30 and (row["kind"] == "switch" or int(str(row["materials"])) >= 1)


MAPS = """
import sys
import bpy
import numpy as np
from pathlib import Path
from blender_scripts.lights import read_map

image = bpy.data.images.new("map", 64, 32, float_buffer=True)
pixels = np.ones((32, 64, 4), dtype=np.float32)
pixels[16:, :, :3] = 4.0  # Blender's first row is the lowest: the upper half is bright
image.pixels.foreach_set(pixels.ravel())
image.file_format = "HDR"
image.filepath_raw = sys.argv[1]
image.save()
radiance = read_map(Path(sys.argv[1]))
assert radiance.shape == (32, 64, 3), radiance.shape
assert np.allclose(radiance[:16], 4.0, rtol=0.02) and np.allclose(radiance[16:], 1.0, rtol=0.02), radiance[[0, -1], 0]
"""


def test_radiance_maps_are_read_with_the_sky_on_top(tmp_path: Path) -> None:
    path = tmp_path / "hall.hdr"
    done = subprocess.run([sys.executable, "-c", MAPS, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    check_map(path)


TEXTURED = """
import sys
import bpy
from dataclasses import replace
from pathlib import Path
from blender_scripts.materials import surface_material
from datagen.errors import DataError
from datagen.look_inputs import read_textures
from datagen.looks import draw_surface

(texture,) = read_textures(sys.argv[1], "all", "humoto.split").usable
wish = replace(draw_surface(1, "floor"), texture=texture)
material = surface_material(wish, "floor")
images = sorted(node.image.colorspace_settings.name for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
assert images == ["Non-Color", "Non-Color", "sRGB"], images
Path(texture.color.path).write_bytes(b"another")
try:
    surface_material(wish, "floor")
except DataError as error:
    assert "has changed since the scene was planned" in str(error)
else:
    raise AssertionError("a changed picture was taken")
"""


def test_textures_are_laid_out_and_must_not_change(tmp_path: Path) -> None:
    for name in ("oak_color.png", "oak_roughness.png", "oak_normal_gl.png"):
        Image.new("RGB", (8, 8), (120, 100, 200)).save(tmp_path / name)
    done = subprocess.run([sys.executable, "-c", TEXTURED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
