"""Every finish has a shader that Blender takes, varied by seed; an object's slots get what they are for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender

REPOSITORY = Path(__file__).resolve().parents[2]
PROBE = """
import json, sys
import bpy, numpy as np
from blender_scripts.finish_shaders import FINISH_SHADERS
from blender_scripts.object_materials import dress_object, object_material
from datagen.entry import silenced
from datagen.finishes import all_finishes
from datagen.spec import GeometryRef, ObjectSpec

def contents(material):
    return [
        [node.bl_idname, socket.name, np.atleast_1d(np.array(socket.default_value)).tolist()]
        for node in material.node_tree.nodes for socket in node.inputs
        if hasattr(socket, "default_value") and not isinstance(socket.default_value, str)
    ]

def ends(material):
    outputs = [node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial"]
    return len(outputs) == 1 and outputs[0].inputs["Surface"].is_linked

def cube(*colors):
    bpy.ops.mesh.primitive_cube_add()
    thing = bpy.context.object
    for index, color in enumerate(colors):
        material = bpy.data.materials.new(f"m{index}")
        material.use_nodes = True
        material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*color, 1)
        thing.data.materials.append(material)
    for face in thing.data.polygons:
        face.material_index = min(face.index, len(colors) - 1)
    return thing

with silenced():
    made = {}
    for kind in FINISH_SHADERS:
        one, again, other = (
            object_material(kind, "apple", np.random.default_rng(seed), (0.3, 0.2, 0.1)) for seed in (1, 1, 2)
        )
        made[kind] = [ends(one), contents(one) == contents(again), contents(one) != contents(other)]
    spec = ObjectSpec(name="shelf", category="shelf", geometry=GeometryRef(file="", sha256="", node=""))
    plain = cube((0.02, 0.02, 0.02), (0.5, 0.5, 0.5), (0.8, 0.5, 0.2))
    dress_object(plain, spec, 3)
    slots = [contents(slot.material) for slot in plain.material_slots]
    scanned = cube((0.8, 0.8, 0.8))
    image = bpy.data.images.new("scan", 4, 4)
    scanned.data.materials[0].node_tree.nodes.new("ShaderNodeTexImage").image = image
    before = scanned.data.materials[0].name
    dress_object(scanned, spec, 3)
answer = {
    "finishes": all_finishes(), "made": made, "textured stays": scanned.data.materials[0].name == before,
    "metallic": [max(v[0] for _, name, v in slot if name == "Metallic") for slot in slots],
}
print("\\n" + json.dumps(answer))
"""


def test_every_finish_has_a_shader_and_slots_get_their_own() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["made"]) == {*found["finishes"], "part"}
    for kind, (ends, same, differs) in found["made"].items():
        assert ends, f"{kind} ends in no surface"
        assert same, f"{kind} differs for one seed"
        assert differs, f"{kind} is alike for two seeds"
    assert found["textured stays"]
    assert found["metallic"] == [0, pytest.approx(0.92), 0]  # rubber, fittings, wood
