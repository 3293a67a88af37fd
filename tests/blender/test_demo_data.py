"""The demo data set, written and read back through Blender's FBX importer (in processes of their own)."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BODY = ROOT / "blender_scripts" / "assets" / "body.npz"
CARRY = "carry_mug_with_right_hand_and_set_down_on_table-001"
GESTURE = "stand_beside_table_and_gesture-004"
HELD, RELEASED = (1, 45, 100, 130), 205  # frames of CARRY

pytestmark = pytest.mark.blender


def run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    job = root / "job.json"
    job.write_text(json.dumps({"sequences": [CARRY, GESTURE], "seed": 3}))
    run("-m", "blender_scripts.demo_data", str(job), str(root / "data"))
    return root / "data"


@pytest.fixture(scope="module")
def read_back(folder: Path) -> dict[str, dict]:
    found = {}
    for name in (CARRY, GESTURE):
        report = folder.parent / f"{name}.json"
        run(str(Path(__file__)), str(folder / name / f"{name}.fbx"), str(report))
        found[name] = json.loads(report.read_text())
    return found


def test_body_asset_is_small() -> None:
    assert BODY.stat().st_size <= 2_000_000


def test_layout(folder: Path) -> None:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == sorted(f"{name}/{name}.{suffix}" for name in (CARRY, GESTURE) for suffix in ("fbx", "yaml"))
    assert "short_script: " in (folder / CARRY / f"{CARRY}.yaml").read_text()


def test_armature_is_humotos(read_back: dict[str, dict]) -> None:
    armature = read_back[CARRY]["armature"]
    assert armature["name"] == "Armature"
    assert len(armature["bones"]) == 65
    assert armature["bones"][0] == "mixamorig:Hips"
    assert all(bone.startswith("mixamorig:") for bone in armature["bones"])
    assert armature["scale"] == pytest.approx([0.01] * 3, rel=1e-5)


def test_every_object_is_keyed_on_every_frame(read_back: dict[str, dict]) -> None:
    for scene in read_back.values():
        assert scene["frames"][0] == 1
        assert scene["frames"][1] >= 150
        for prop in scene["objects"].values():
            assert prop["parent"] is None
            assert prop["keys"] == scene["frames"][1]
            assert np.allclose(prop["scale"], 1, atol=1e-5)


def test_authored_and_imported_poses_agree(read_back: dict[str, dict]) -> None:
    for scene in read_back.values():
        assert scene["largest_error"] < 0.0005


def test_clothes_survive_the_round_trip(read_back: dict[str, dict]) -> None:
    assert set(read_back[CARRY]["materials"]) >= {"skin", "shirt", "trousers", "shoes", "hair", "eyes"}
    assert read_back[CARRY]["materials"]["shirt"] != read_back[GESTURE]["materials"]["shirt"]


def test_mug_is_held_and_then_rests(read_back: dict[str, dict]) -> None:
    mug = read_back[CARRY]["objects"]["mug"]
    poses = np.array(mug["poses"])
    assert all(0 <= mug["skin"][str(frame)] <= 0.003 for frame in HELD)
    assert mug["skin"][str(RELEASED)] > 0.033
    assert np.ptp(poses[160:], axis=0).max() < 1e-5
    speed = np.linalg.norm(np.diff(poses[:, :3], axis=0), axis=1) * 30
    assert 0.3 < speed.max() < 2.0


def test_mug_rests_on_the_table(read_back: dict[str, dict]) -> None:
    objects = read_back[CARRY]["objects"]
    assert objects["mug"]["bottom"][str(RELEASED)] == pytest.approx(objects["table"]["top"], abs=0.001)
    assert objects["table"]["bottom"]["1"] == pytest.approx(0, abs=0.001)


def test_nothing_moves_where_nobody_touches(read_back: dict[str, dict]) -> None:
    for name, prop in read_back[GESTURE]["objects"].items():
        assert np.ptp(np.array(prop["poses"]), axis=0).max() < 1e-6, name
        assert min(prop["skin"].values()) > 0.033, name


def probe(fbx: Path, report: Path) -> None:
    """Import a sequence, compare it with what was authored, and measure it."""
    import bpy

    sys.path.insert(0, str(ROOT))
    from blender_scripts.demo_acts import make_take

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(fbx), anim_offset=0.0)
    take = make_take(fbx.stem, np.random.default_rng(0))
    scene, errors = bpy.context.scene, []
    armature = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    skins = [obj for obj in bpy.data.objects if obj.type == "MESH" and obj.parent == armature]
    objects = {obj.name: new_report(obj) for obj in bpy.data.objects if obj.type == "MESH" and obj.parent is None}
    for frame in range(1, take.num_frames + 1):
        scene.frame_set(frame)
        for prop in take.props:
            matrix = np.array(bpy.data.objects[prop.name].matrix_world)
            errors.append(np.abs(matrix - prop.poses[frame - 1]).max())
            objects[prop.name]["poses"].append([*matrix[:3, 3], *matrix[:3, :3].ravel()])
        if frame in (*HELD, RELEASED):
            body = np.concatenate([world_vertices(skin) for skin in sorted(skins, key=lambda skin: skin.name)])
            parts = [take.body.part(eyes=eyes) for eyes in (False, True)]
            authored = np.concatenate(
                [part.posed(take.rotations[frame - 1], take.positions[frame - 1]) for part in parts]
            )
            errors.append(np.abs(body - authored).max())
            for name, found in objects.items():
                obj = bpy.data.objects[name]
                found["skin"][frame] = nearest(obj, body)
                found["bottom"][frame] = float(world_vertices(obj)[:, 2].min())
                found["top"] = float(world_vertices(obj)[:, 2].max())
    materials = {
        m.name: list(m.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value)
        for m in bpy.data.materials
    }
    bones = {"name": armature.name, "scale": list(armature.scale), "bones": [bone.name for bone in armature.data.bones]}
    frames = [int(edge) for edge in armature.animation_data.action.frame_range]
    found = {
        "armature": bones,
        "frames": frames,
        "objects": objects,
        "materials": materials,
        "largest_error": float(max(errors)),
    }
    report.write_text(json.dumps(found))


def new_report(obj: "bpy.types.Object") -> dict:  # noqa: F821
    curve = obj.animation_data.action.fcurves[0]
    parent = obj.parent.name if obj.parent else None
    return {
        "parent": parent,
        "scale": list(obj.scale),
        "keys": len(curve.keyframe_points),
        "poses": [],
        "skin": {},
        "bottom": {},
    }


def world_vertices(obj: "bpy.types.Object") -> np.ndarray:  # noqa: F821
    import bpy

    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    flat = np.empty(len(mesh.vertices) * 3)
    mesh.vertices.foreach_get("co", flat)
    matrix = np.array(evaluated.matrix_world)
    return flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def nearest(obj: "bpy.types.Object", points: np.ndarray) -> float:  # noqa: F821
    """Distance from points to an object's surface [m]."""
    from mathutils import Vector
    from mathutils.bvhtree import BVHTree

    tree = BVHTree.FromPolygons(world_vertices(obj).tolist(), [list(face.vertices) for face in obj.data.polygons])
    return min(tree.find_nearest(Vector(point))[3] for point in points.tolist())


if __name__ == "__main__":
    probe(Path(sys.argv[1]), Path(sys.argv[2]))
