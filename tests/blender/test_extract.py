"""Reading sequences with Blender: real ones, exported again as GLB, and files that are none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datagen.codec import sha256_file
from datagen.sequence import Sequence, read_sequence

pytestmark = pytest.mark.blender

MAKE = """
import sys
import bpy
kind, path = sys.argv[1], sys.argv[2]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.frame_end = 1 if kind == "one frame" else 20
if kind != "no armature":
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    for frame in ((1,) if kind == "one frame" else (1, 20)):
        rig.location.x = frame / 20
        rig.keyframe_insert("location", frame=frame)
    bpy.ops.mesh.primitive_cube_add(size=0.3)
    body = bpy.context.object
    body.name = "Clothes"
    body.modifiers.new("rig", "ARMATURE").object = rig
    body.vertex_groups.new(name="Bone").add(range(8), 1.0, "REPLACE")
    body.parent = rig
if kind != "no objects":
    bpy.ops.mesh.primitive_cube_add(size=1)
    box = bpy.context.object
    box.name = "box"
    box.scale = (0.2, 0.1, 0.3)
    for frame in ((1,) if kind == "one frame" else (1, 20)):
        box.location.z = frame / 10
        box.keyframe_insert("location", frame=frame)
        if kind == "animated scale":
            box.scale.x = frame / 10
            box.keyframe_insert("scale", frame=frame)
if kind == "unkeyed":
    bpy.ops.mesh.primitive_cube_add(size=0.4, location=(1, 2, 0.2))
    bpy.context.object.name = "crate"
if path.endswith(".glb"):
    bpy.ops.export_scene.gltf(filepath=path)
else:
    bpy.ops.export_scene.fbx(filepath=path, bake_anim=True, bake_anim_use_nla_strips=False,
                             bake_anim_use_all_actions=False, add_leaf_bones=False)
"""


def make(kind: str, path: Path) -> Path:
    """A tiny sequence, or one that lacks something, written by Blender."""
    subprocess.run([sys.executable, "-c", MAKE, kind, str(path)], check=True, capture_output=True)
    return path


def extract(file: Path, out: Path, body_points: int = 200) -> Sequence | str:
    """The extracted sequence, or the message of the expected failure."""
    digest = sha256_file(file) if file.exists() else "0" * 64
    job = out.with_suffix(".json")
    job.write_text(json.dumps({"file": str(file), "sha256": digest, "body_points": body_points}))
    command = [sys.executable, "-m", "blender_scripts.extract_sequence", str(job), str(out)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode == 0:
        assert process.stdout == "", "Blender's prints belong into the log"
        return read_sequence(out)
    assert process.returncode == 3, process.stderr
    error = json.loads((out / "error.json").read_text())
    assert error["type"] == "DataError"
    assert "\n" not in error["message"]
    return str(error["message"])


def test_scale_goes_into_the_mesh(tmp_path: Path) -> None:
    sequence = extract(make("good", tmp_path / "good.fbx"), tmp_path / "out")
    assert isinstance(sequence, Sequence)
    (box,) = sequence.objects
    assert np.allclose(np.ptp(box.vertices, axis=0), (0.2, 0.1, 0.3), atol=1e-5)
    assert np.allclose(np.linalg.norm(box.poses[:, 3:], axis=1), 1)
    assert np.allclose(box.poses[[0, -1], 2], (0.1, 2.0), atol=1e-5)
    assert (sequence.info.first_frame, sequence.info.num_frames) == (1, 20)
    assert sequence.people[0].points.shape == (20, 200, 3)
    assert sequence.people[0].part_names == ("Bone",)


def test_an_object_without_keys_stands_where_it_is(tmp_path: Path) -> None:
    sequence = extract(make("unkeyed", tmp_path / "unkeyed.fbx"), tmp_path / "out")
    assert isinstance(sequence, Sequence) and sorted(sequence.info.objects) == ["box", "crate"]
    (crate,) = (track for track in sequence.objects if track.name == "crate")
    assert np.allclose(crate.poses[:, :3], (1, 2, 0.2), atol=1e-5) and len(crate.poses) == 20
    assert np.allclose(crate.poses, crate.poses[0], atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("no armature", "no armature"),
        ("no objects", "no objects"),
        ("one frame", "single frame"),
        ("animated scale", "scale of object 'box' is animated"),
    ],
)
def test_an_incomplete_sequence_says_what_is_missing(tmp_path: Path, kind: str, expected: str) -> None:
    message = extract(make(kind, tmp_path / "bad.fbx"), tmp_path / "out")
    assert expected in message
    assert "bad.fbx" in message


def test_files_that_are_no_sequences(tmp_path: Path, shared_data: Path) -> None:
    real = next((shared_data / "humoto").glob("drinking*.fbx")).read_bytes()
    (tmp_path / "text.fbx").write_text("hello")
    (tmp_path / "cut.fbx").write_bytes(real[: len(real) // 2])
    assert "not a binary FBX" in extract(tmp_path / "text.fbx", tmp_path / "a")
    assert "truncated" in extract(tmp_path / "cut.fbx", tmp_path / "b")
    assert "no such file" in extract(tmp_path / "gone.fbx", tmp_path / "c")


def test_glb_objects_move(tmp_path: Path) -> None:
    sequence = extract(make("good", tmp_path / "good.glb"), tmp_path / "out")
    assert isinstance(sequence, Sequence)
    assert sequence.info.objects == ("box",)
    assert len(sequence.objects[0].vertices) == 8, "split vertices are welded"
    assert np.ptp(sequence.objects[0].poses[:, 2]) == pytest.approx(1.9, abs=1e-3)


def test_a_real_sequence(tmp_path: Path, shared_data: Path) -> None:
    file = next((shared_data / "humoto").glob("drinking*.fbx"))
    sequence = extract(file, tmp_path / "one", body_points=2500)
    assert isinstance(sequence, Sequence)
    assert sequence.info.num_frames == 230
    assert sequence.info.objects == ("mug",)
    body = sequence.people[0]
    assert body.points.shape == (230, 2500, 3)
    assert "RightHand" in body.part_names
    assert not any(name.startswith("mixamorig") or "Index" in name for name in body.part_names)
    assert -0.03 < body.points[..., 2].min() < 0.03
    assert 1.4 < body.points[0, :, 2].max() < 1.7
    extract(file, tmp_path / "two", body_points=2500)
    for name in ("objects.npz", "people.npz", "sequence.json"):
        assert sha256_file(tmp_path / "one" / name) == sha256_file(tmp_path / "two" / name)
