"""Run in a process of its own, because Blender is one: dresses a person, and says what became of them as JSON.

`python tests/blender/probe_people.py COMMAND ARGUMENTS`
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from blender_scripts.body_paint import dress_person
from blender_scripts.demo_body import Outfit, load_body
from blender_scripts.demo_fbx import add_armature, add_material, add_skin
from blender_scripts.import_sequence import open_sequence
from blender_scripts.rest_pose import BoneWeights, rest_vertices
from datagen.entry import silenced
from datagen.people import draw_look, within_room
from datagen.physics.distance import distances_to_mesh, within_mesh
from datagen.sequence import read_sequence
from datagen.sources.body_room import BodyRoom
from datagen.spec import GeometryRef, PersonSpec
from datagen.trajectory import apply_pose
from datagen.wishes import BodyShape

WIDEST = BodyShape(
    chest_m=0.025, belly_m=0.025, upper_arms_m=0.025, thighs_m=0.025, calves_m=0.025, hair_m=0.02, feet=1.0
)
FRAMES = range(100, 175)


def person_spec(name: str, seed: int, **changes: object) -> PersonSpec:
    """A person drawn by seed, with some of the look replaced."""
    look = replace(draw_look(seed, name), **changes)
    return PersonSpec(name=name, geometry=GeometryRef(file="", sha256="", node=name), mocap_fps=30, look=look)


def demo_person() -> tuple[bpy.types.Object, bpy.types.Object]:
    """The demo's body as one mesh of one material, as HUMOTO's is."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with np.load(Path(load_body.__code__.co_filename).parent / "assets" / "body.npz") as data:
        name = data["people"].tolist()[0]
    body = load_body(name, Outfit())
    body = body.only(body.faces, ["skin"] * len(body.faces))
    armature = add_armature(body.skeleton)
    mesh = add_skin("mixamorig:Mesh_Body", body, armature, {"skin": add_material("Material", (0.5, 0.5, 0.5))})
    bpy.context.view_layer.update()
    return armature, mesh


def regions() -> dict[str, object]:
    """What lies where on a body of one piece."""
    armature, mesh = demo_person()
    look = draw_look(3, armature.name)
    top, bottom = replace(look.top, kind="t-shirt"), replace(look.bottom, kind="trousers")
    bare = replace(look.feet, kind="bare", fabric="skin")
    weights, before = BoneWeights(mesh), rest_vertices(mesh)
    spec = person_spec(armature.name, 3, top=top, bottom=bottom, feet=bare, hair_style="short", shape=WIDEST)
    dress_person(armature, (mesh,), spec, 3)
    moved = np.linalg.norm(rest_vertices(mesh) - before, axis=1)
    parts = {
        "hands": ("LeftHand", "RightHand", "LeftHandIndex1", "RightHandIndex1"),
        "forearms": ("LeftForeArm", "RightForeArm"),
        "belly": ("Spine",),
        "thighs": ("LeftUpLeg", "RightUpLeg"),
        "toes": ("LeftToeBase", "RightToeBase"),
        "head": ("Head",),
    }
    rows = {
        name: np.flatnonzero(weights.of(*bones) > (0.99 if name in ("hands", "forearms") else 0.7))
        for name, bones in parts.items()
    }
    return {
        "moved": {name: float(moved[at].max()) for name, at in rows.items()},
        **{
            border: {name: float(np.mean(read(mesh, f"border_{border}")[at] > 0)) for name, at in rows.items()}
            for border in ("top", "bottom", "feet")
        },
    }


def read(mesh: bpy.types.Object, name: str) -> np.ndarray:
    """A scalar attribute of the vertices."""
    values = np.empty(len(mesh.data.vertices), dtype=np.float32)
    mesh.data.attributes[name].data.foreach_get("value", values)
    return values


def digest(*seeds: str) -> dict[str, list[str]]:
    """All that the materials of a person hold, by seed."""
    result = {}
    for seed in seeds:
        armature, mesh = demo_person()
        dress_person(armature, (mesh,), person_spec(armature.name, int(seed)), int(seed))
        result[seed] = [
            f"{node.bl_idname} {socket.name} {values(socket)}"
            for slot in mesh.material_slots
            for node in slot.material.node_tree.nodes
            for socket in node.inputs
            if hasattr(socket, "default_value")
        ]
        result[seed].append(repr(rest_vertices(mesh).sum(axis=0).tolist()))
    return result


def values(socket: bpy.types.NodeSocket) -> list[float] | str:
    """A socket's value."""
    value = socket.default_value
    return value if isinstance(value, str) else np.atleast_1d(np.array(value)).tolist()


def textured(fbx: str, picture: str) -> dict[str, object]:
    """Write the demo's body with a picture beside it, then dress what comes out of the file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature, mesh = demo_person()
    armature.keyframe_insert("location", frame=1)
    armature.keyframe_insert("location", frame=5)
    image = bpy.data.images.new("cloth", 8, 8)
    image.filepath_raw, image.file_format = picture, "PNG"
    image.save()
    tree = mesh.material_slots[0].material.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    tree.links.new(node.outputs[0], tree.nodes["Principled BSDF"].inputs["Base Color"])
    mesh.data.uv_layers.new()
    bpy.ops.mesh.primitive_cube_add(size=0.2)
    bpy.ops.export_scene.fbx(filepath=fbx, add_leaf_bones=False, path_mode="RELATIVE")
    there = dressed(fbx)
    Path(picture).unlink()
    return {"there": there, "gone": dressed(fbx)}


def dressed(fbx: str) -> dict[str, object]:
    """What a person of a file wears."""
    sequence = open_sequence(Path(fbx))
    armature = sequence.armatures[0]
    meshes = sequence.bodies[armature.name]
    before = rest_vertices(meshes[0])
    notes = dress_person(armature, meshes, person_spec(armature.name, 1, shape=WIDEST), 1)
    kinds = [node.type for slot in meshes[0].material_slots for node in slot.material.node_tree.nodes]
    return {
        "pictures": kinds.count("TEX_IMAGE"),
        "attributes": kinds.count("ATTRIBUTE"),
        "notes": notes,
        "moved": float(np.abs(rest_vertices(meshes[0]) - before).max()),
    }


def contact(fbx: str, extracted: str) -> dict[str, object]:
    """How deep the widest body that there is room for reaches into objects, and the recorded one."""
    recorded = read_sequence(Path(extracted))
    shape = within_room(WIDEST, BodyRoom(recorded, 0).over(FRAMES))
    sequence = open_sequence(Path(fbx))
    armature = sequence.armatures[0]
    meshes = sequence.bodies[armature.name]
    result: dict[str, object] = {}
    for name in ("recorded", "shaped"):
        counts, deepest = 0, 0.0
        for frame in FRAMES[::8]:
            bpy.context.scene.frame_set(sequence.first_frame + frame)
            points = np.concatenate([posed(mesh) for mesh in meshes])
            for track in recorded.objects:
                vertices = apply_pose(track.poses[frame], track.vertices)
                inside = points[within_mesh(points, vertices, track.faces)]
                counts += len(inside)
                deepest = max(deepest, distances_to_mesh(inside, vertices, track.faces, 0.1).max(initial=0.0))
        result[name] = {"inside": counts, "deepest_m": float(deepest)}
        dress_person(armature, meshes, person_spec(armature.name, 1, hair_style="short", shape=shape), 1)
    return {**result, "shape": repr(shape)}


def posed(mesh: bpy.types.Object) -> np.ndarray:
    """World positions of a mesh's vertices at the scene's frame."""
    seen = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(len(seen.data.vertices) * 3, dtype=np.float32)
    seen.data.vertices.foreach_get("co", flat)
    world = np.array(seen.matrix_world)
    return flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


if __name__ == "__main__":
    with silenced():
        answer = globals()[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
