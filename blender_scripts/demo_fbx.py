"""Write a Take as an FBX in HUMOTO's manner: a centimetre armature of scale 0.01, skinned meshes, keyed objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
from io_scene_fbx import export_fbx_bin
from mathutils import Matrix, Vector

from blender_scripts.demo_body import Body, Skeleton
from blender_scripts.demo_take import Prop, Take
from datagen.entry import silenced

__all__ = ["write_fbx"]

CENTIMETRES = 100.0
TAGGED_FPS = 24  # what HUMOTO's files say; they are to be played at 30


def write_fbx(take: Take, path: Path) -> None:
    """Build the take in an empty scene and export it; frames are 1..num_frames."""
    with silenced(), stopped_clock():
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        scene.render.fps = TAGGED_FPS
        scene.frame_start, scene.frame_end = 1, take.num_frames
        armature = add_armature(take.body.skeleton)
        materials = add_materials(take)
        add_skin("mixamorig:Mesh_Eyes", take.body.part(eyes=True), armature, materials)
        add_skin("mixamorig:Mesh_Body", take.body.part(eyes=False), armature, materials)
        key_bones(armature, take)
        for prop in take.props:
            add_prop(prop)
        export(path)


@contextmanager
def stopped_clock() -> Iterator[None]:
    """The exporter writes the time of day into its files: equal takes shall give equal bytes."""
    clock = export_fbx_bin.datetime
    moment = datetime(2000, 1, 1)
    export_fbx_bin.datetime = SimpleNamespace(datetime=SimpleNamespace(now=lambda: moment))
    try:
        yield
    finally:
        export_fbx_bin.datetime = clock


def export(path: Path) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        object_types={"ARMATURE", "MESH"},
        use_mesh_modifiers=False,
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
        path_mode="STRIP",
    )


def add_materials(take: Take) -> dict[str, bpy.types.Material]:
    return {name: add_material(name, colour) for name, colour in take.outfit.colours().items()}


def add_material(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1.0)
    return material


def add_object(name: str, data: bpy.types.ID) -> bpy.types.Object:
    obj = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(obj)
    return obj


def add_armature(skeleton: Skeleton) -> bpy.types.Object:
    data = bpy.data.armatures.new("Armature")
    armature = add_object("Armature", data)
    armature.scale = (1 / CENTIMETRES,) * 3
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, parent, head, tail, z_axis in zip(
        skeleton.names, skeleton.parents, skeleton.heads, skeleton.tails, skeleton.z_axes, strict=True
    ):
        bone = data.edit_bones.new(name)
        bone.head, bone.tail = Vector(head * CENTIMETRES), Vector(tail * CENTIMETRES)
        bone.align_roll(Vector(z_axis))
        if parent >= 0:
            bone.parent = data.edit_bones[skeleton.names[parent]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def new_mesh(name: str, vertices: np.ndarray, faces: list[list[int]]) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces)
    return mesh


def add_skin(
    name: str, body: Body, armature: bpy.types.Object, materials: dict[str, bpy.types.Material]
) -> bpy.types.Object:
    mesh = new_mesh(name, body.vertices * CENTIMETRES, body.faces)
    slots = list(dict.fromkeys(body.slots))
    for slot in slots:
        mesh.materials.append(materials[slot])
    mesh.polygons.foreach_set("material_index", [slots.index(slot) for slot in body.slots])
    mesh.polygons.foreach_set("use_smooth", [True] * len(body.faces))
    skin = add_object(name, mesh)
    skin.parent = armature
    for bone, bone_name in enumerate(body.skeleton.names):
        rows, columns = np.nonzero((body.weight_bones == bone) & (body.weights > 0))
        if len(rows):
            group = skin.vertex_groups.new(name=bone_name)
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                group.add([row], float(body.weights[row, column]), "REPLACE")
    skin.modifiers.new("Armature", "ARMATURE").object = armature
    return skin


def add_action(owner: bpy.types.ID) -> bpy.types.Action:
    action = bpy.data.actions.new(owner.name)
    animation = owner.animation_data_create()
    animation.action = action
    animation.action_slot = action.slots.new(id_type="OBJECT", name=owner.name)
    return action


def key_channels(action: bpy.types.Action, group: str, path: str, values: np.ndarray) -> None:
    """Key every frame of a channel: values [num_frames, num_components], linear in between."""
    frames = np.arange(1, len(values) + 1, dtype=float)
    for component, column in enumerate(values.T):
        curve = action.fcurves.new(path, index=component, action_group=group)
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", np.column_stack([frames, column]).ravel())
        curve.keyframe_points.foreach_set("interpolation", [1] * len(frames))
        curve.update()


def key_bones(armature: bpy.types.Object, take: Take) -> None:
    skeleton, action = take.body.skeleton, add_action(armature)
    rest = np.array([np.array(bone.matrix_local) for bone in armature.data.bones])
    order = [armature.data.bones.find(name) for name in skeleton.names]
    rest = rest[order]
    pose = np.tile(np.eye(4), (take.num_frames, len(rest), 1, 1))
    pose[:, :, :3, :3] = take.rotations @ rest[:, :3, :3]
    pose[:, :, :3, 3] = take.positions * CENTIMETRES
    for index, name in enumerate(skeleton.names):
        parent = skeleton.parents[index]
        frame = pose[:, parent] @ np.linalg.inv(rest[parent]) @ rest[index] if parent >= 0 else rest[index]
        basis = np.linalg.inv(frame) @ pose[:, index]
        path = f'pose.bones["{name}"]'
        key_channels(action, name, f"{path}.location", basis[:, :3, 3])
        key_channels(action, name, f"{path}.rotation_quaternion", quaternions(basis))


def quaternions(matrices: np.ndarray) -> np.ndarray:
    """Unit quaternions (w, x, y, z) of [num_frames, 4, 4], without sign jumps."""
    out = np.array([Matrix(matrix[:3, :3].tolist()).to_quaternion() for matrix in matrices])
    flips = np.cumprod(np.where((out[1:] * out[:-1]).sum(1) < 0, -1.0, 1.0))
    out[1:] *= flips[:, None]
    return out


def add_prop(prop: Prop) -> None:
    mesh = new_mesh(prop.name, prop.mesh.vertices, prop.mesh.faces)
    mesh.materials.append(add_material(f"{prop.name}_material", prop.colour))
    mesh.polygons.foreach_set("use_smooth", [False] * len(prop.mesh.faces))
    obj = add_object(prop.name, mesh)
    obj.rotation_mode = "QUATERNION"
    action = add_action(obj)
    key_channels(action, "Object Transforms", "location", prop.poses[:, :3, 3])
    key_channels(action, "Object Transforms", "rotation_quaternion", quaternions(prop.poses))
