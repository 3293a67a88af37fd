"""Open a HUMOTO sequence in Blender: people as armatures with their body meshes, and rigid objects.

After `open_sequence` the scene holds only that sequence. Every rigid object is unparented, has scale 1, rotates by
quaternion and is keyed on every frame, so that its `matrix_world` is a rigid `world_from_object`, its mesh in metres.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from datagen.entry import silenced
from datagen.errors import DataError
from datagen.trajectory import interpolate

FBX_MAGIC = b"Kaydara FBX Binary"
GLB_MAGIC = b"glTF"
MAX_SCALE_CHANGE = 1e-3  # relative, over the sequence; HUMOTO's files have 1e-6
MAX_SHEAR = 1e-3  # largest cosine between two axes of a rigid object
WELD_M = 1e-5  # glTF splits vertices at sharp edges and texture seams
JUNK = re.compile(r"Icosphere(\.\d{3})?")  # what glTF files carry along as a bone's shape


@dataclass(frozen=True, kw_only=True)
class ImportedSequence:
    """What lies in Blender's scene after an import; frames are Blender's, inclusive."""

    file: Path
    armatures: tuple[bpy.types.Object, ...]
    bodies: dict[str, tuple[bpy.types.Object, ...]]  # meshes that an armature deforms or carries, by armature name
    objects: tuple[bpy.types.Object, ...]
    first_frame: int
    last_frame: int
    poses: dict[str, np.ndarray]  # of each rigid object, float64 [num_frames, 7], `world_from_object`

    @property
    def num_frames(self) -> int:
        return self.last_frame - self.first_frame + 1


def open_sequence(path: Path) -> ImportedSequence:
    """Empty Blender's scene and import an FBX or GLB sequence into it.

    Raises `DataError` with one line: missing file, not an FBX or GLB, truncated, no armature, no objects, a single
    frame, or an object whose scale is animated or sheared.
    """
    importer = _importer(path)
    with _quiet():
        bpy.ops.wm.read_factory_settings(use_empty=True)
        _import_or_explain(path, importer)
        _drop_junk()
        _assign_inactive_animations()
        armatures = tuple(_of_type("ARMATURE"))
        if not armatures:
            raise DataError(
                f"{path}: holds no armature, so there is no person to remove; expected a HUMOTO sequence, found "
                f"{_found()}; export the file with its person, or remove it from the folder"
            )
        bodies = {armature.name: _bodies_of(armature) for armature in armatures}
        deformed = {mesh.name for meshes in bodies.values() for mesh in meshes}
        objects = tuple(mesh for mesh in _of_type("MESH") if mesh.name not in deformed)
        if not objects:
            raise DataError(
                f"{path}: holds no objects beside the person; expected meshes that no armature deforms, found "
                f"{_found()}; export the file with the objects that the person handles, or remove it from the folder"
            )
        first, last = _frame_range(path)
        poses = _make_rigid(path, objects, bodies, first, last)
        if path.suffix.lower() == ".glb":
            _weld(objects)
    return ImportedSequence(
        file=path, armatures=armatures, bodies=bodies, objects=objects, first_frame=first, last_frame=last, poses=poses
    )


def pose_at(sequence: ImportedSequence, name: str, frame: float) -> np.ndarray:
    """Pose [7] of a rigid object at a Blender frame, which may be fractional (slerp between mocap frames)."""
    time = np.array([frame - sequence.first_frame])
    return interpolate(sequence.poses[name], 1.0, time)[0]


def set_frame(frame: float, *, evaluate: bool = True) -> None:
    """Move the scene to a frame, which may be fractional; evaluate: and what is animated to where it is then."""
    scene, whole = bpy.context.scene, int(np.floor(frame))
    if evaluate:
        scene.frame_set(whole, subframe=float(frame - whole))
    else:
        scene.frame_current, scene.frame_subframe = whole, float(frame - whole)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What Blender and its add-ons print goes to the log."""
    with silenced(), contextlib.redirect_stdout(sys.stderr):
        yield


def _importer(path: Path) -> Callable[[], object]:
    """The import to run for a file, chosen by name and checked by its first bytes."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a sequence as .fbx (or .glb)")
    with path.open("rb") as stream:
        head = stream.read(32)
    if path.suffix.lower() == ".fbx":
        if head.startswith(FBX_MAGIC):
            return lambda: bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0, colors_type="SRGB")
        kind = "an ASCII FBX: convert it to binary FBX" if head.lstrip().startswith(b"; FBX") else f"{head[:18]!r}"
        raise DataError(
            f"{path}: not a binary FBX; expected it to begin with {FBX_MAGIC!r}, found {kind}; get the file again"
        )
    if path.suffix.lower() == ".glb":
        if head.startswith(GLB_MAGIC):
            return lambda: bpy.ops.import_scene.gltf(filepath=str(path), disable_bone_shape=True)
        raise DataError(
            f"{path}: not a GLB; expected it to begin with {GLB_MAGIC!r}, found {head[:4]!r}; get the file again"
        )
    raise DataError(f"{path}: expected a file that ends in .fbx or .glb, found '{path.suffix}'")


def _import_or_explain(path: Path, importer: Callable[[], object]) -> None:
    """Run Blender's importer; it answers a damaged file with a `RuntimeError` that holds a traceback."""
    try:
        importer()
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip() and "Location:" not in line]
        reason = re.sub(r"^.*Couldn't open file '[^']*' ", "", lines[-1]).strip("()") if lines else "no reason given"
        raise DataError(
            f"{path}: Blender cannot read this file of {path.stat().st_size} bytes ({reason}); it is probably "
            "truncated or damaged: copy or download it again"
        ) from None


def _of_type(kind: str) -> list[bpy.types.Object]:
    """Objects of a type, by name."""
    return sorted((thing for thing in bpy.context.scene.objects if thing.type == kind), key=lambda thing: thing.name)


def _found() -> str:
    """What the file holds, for a message."""
    names = [f"{thing.type.lower()} '{thing.name}'" for thing in bpy.context.scene.objects]
    return ", ".join(sorted(names)[:8]) or "nothing"


def _drop_junk() -> None:
    """Remove what no sequence means: shapes of bones, and still Icospheres that glTF exports carry along."""
    shapes = {bone.custom_shape for rig in _of_type("ARMATURE") for bone in rig.pose.bones if bone.custom_shape}
    for mesh in [*_of_type("MESH"), *shapes]:
        still = mesh.animation_data is None
        if mesh in shapes or (JUNK.fullmatch(mesh.name) and still and not mesh.modifiers):
            bpy.data.objects.remove(mesh)


def _assign_inactive_animations() -> None:
    """Play what the glTF importer parks in muted NLA tracks; without it the objects stand still."""
    for thing in bpy.context.scene.objects:
        data = thing.animation_data
        if data is None or data.action is not None:
            continue
        strips = [strip for track in data.nla_tracks for strip in track.strips if strip.action]
        if not strips:
            continue
        action, slot = strips[0].action, strips[0].action_slot
        for track in list(data.nla_tracks):
            data.nla_tracks.remove(track)
        data.action = action
        data.action_slot = slot


def _bodies_of(armature: bpy.types.Object) -> tuple[bpy.types.Object, ...]:
    """Meshes that an armature deforms or carries, whatever their name."""

    def belongs(mesh: bpy.types.Object) -> bool:
        deforms = any(item.type == "ARMATURE" and item.object == armature for item in mesh.modifiers)
        return deforms or mesh in armature.children_recursive

    return tuple(mesh for mesh in _of_type("MESH") if belongs(mesh))


def _frame_range(path: Path) -> tuple[int, int]:
    """First and last keyed frame over everything in the scene; the scene's range is set to it."""
    actions = [thing.animation_data.action for thing in bpy.context.scene.objects if thing.animation_data]
    ranges = [action.frame_range for action in actions if action is not None and len(action.fcurves)]
    if not ranges:
        raise DataError(
            f"{path}: nothing is animated; expected keys on every mocap frame; export the file with its animation"
        )
    first, last = round(min(low for low, _ in ranges)), round(max(high for _, high in ranges))
    if last <= first:
        raise DataError(
            f"{path}: holds a single frame ({first}); expected a motion of at least two; export the whole sequence"
        )
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = first, last
    return first, last


def _make_rigid(
    path: Path,
    objects: tuple[bpy.types.Object, ...],
    bodies: dict[str, tuple[bpy.types.Object, ...]],
    first: int,
    last: int,
) -> dict[str, np.ndarray]:
    """Bring each object to unparented, unit-scale, quaternion-keyed form; returns its poses."""
    matrices = _sample_matrices(objects, bodies, first, last)
    result = {}
    for mesh in objects:
        rotation, scale = _split_scale(path, mesh.name, matrices[mesh.name][:, :3, :3])
        poses = np.concatenate([matrices[mesh.name][:, :3, 3], _quaternions(rotation)], axis=1)
        _bake_scale(mesh, scale)
        _key_poses(mesh, poses, first)
        result[mesh.name] = poses
    bpy.context.scene.frame_set(first)
    return result


def _sample_matrices(
    objects: tuple[bpy.types.Object, ...], bodies: dict[str, tuple[bpy.types.Object, ...]], first: int, last: int
) -> dict[str, np.ndarray]:
    """`matrix_world` of each object in every frame, float64 [num_frames, 4, 4]; bodies are not deformed meanwhile."""
    deformers = [item for meshes in bodies.values() for mesh in meshes for item in mesh.modifiers if item.show_viewport]
    for item in deformers:
        item.show_viewport = False
    samples: dict[str, list[np.ndarray]] = {mesh.name: [] for mesh in objects}
    for frame in range(first, last + 1):
        bpy.context.scene.frame_set(frame)
        for mesh in objects:
            samples[mesh.name].append(np.array(mesh.matrix_world, dtype=np.float64))
    for item in deformers:
        item.show_viewport = True
    return {name: np.stack(values) for name, values in samples.items()}


def _split_scale(path: Path, name: str, linear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations [num_frames, 3, 3] and the constant scale [3] of `rotation @ diag(scale)`."""
    lengths = np.linalg.norm(linear, axis=1)
    scale = lengths.mean(axis=0)
    if scale.min() < 1e-9:
        raise DataError(f"{path}: object '{name}' has scale {scale.round(6).tolist()}; expected a size above zero")
    change = np.abs(lengths / scale - 1)
    if change.max() > MAX_SCALE_CHANGE:
        frame = int(change.max(axis=1).argmax())
        raise DataError(
            f"{path}: the scale of object '{name}' is animated ({lengths[frame].round(4).tolist()} in its frame "
            f"{frame}, {scale.round(4).tolist()} on average); expected a rigid object: remove the keys of its scale"
        )
    axes = linear / lengths[:, None, :]
    cosines = np.abs(np.einsum("nij,nik->njk", axes, axes) - np.eye(3)).max()
    if cosines > MAX_SHEAR:
        raise DataError(
            f"{path}: object '{name}' is sheared (two of its axes meet at cosine {cosines:.4f}); expected a rigid "
            "object: apply its parent's scale in Blender (Ctrl+A) and export it again"
        )
    mirrored = np.linalg.det(axes[0]) < 0
    return (-axes, -scale) if mirrored else (axes, scale)


def _quaternions(rotation: np.ndarray) -> np.ndarray:
    """Quaternions float64 [num_frames, 4] (w first) with signs that do not jump."""
    from scipy.spatial.transform import Rotation

    result = np.asarray(Rotation.from_matrix(rotation).as_quat(scalar_first=True))
    signs = np.sign(np.sum(result[1:] * result[:-1], axis=1))
    result[1:] *= np.cumprod(np.where(signs < 0, -1.0, 1.0))[:, None]
    return result


def _bake_scale(mesh: bpy.types.Object, scale: np.ndarray) -> None:
    """Move a scale from the object into its vertices."""
    if mesh.data.users > 1:
        mesh.data = mesh.data.copy()
    if np.abs(scale - 1).max() > 1e-5:
        mesh.data.transform(Matrix.Diagonal((*scale.tolist(), 1.0)))
    if np.prod(scale) < 0:
        mesh.data.flip_normals()
    mesh.data.update()


def _key_poses(mesh: bpy.types.Object, poses: np.ndarray, first: int) -> None:
    """Replace an object's animation, parent and constraints by one key a frame."""
    mesh.animation_data_clear()
    mesh.constraints.clear()
    mesh.parent = None
    mesh.matrix_parent_inverse.identity()
    mesh.rotation_mode = "QUATERNION"
    mesh.scale = (1.0, 1.0, 1.0)
    mesh.delta_scale = (1.0, 1.0, 1.0)
    mesh.delta_location = (0.0, 0.0, 0.0)
    mesh.delta_rotation_quaternion = (1.0, 0.0, 0.0, 0.0)
    mesh.location, mesh.rotation_quaternion = poses[0, :3], poses[0, 3:]
    action = bpy.data.actions.new(f"{mesh.name}|rigid")
    data = mesh.animation_data_create()
    data.action = action
    data.action_slot = action.slots.new("OBJECT", mesh.name)
    bag = action.layers.new("poses").strips.new(type="KEYFRAME").channelbag(data.action_slot, ensure=True)
    frames = np.arange(first, first + len(poses), dtype=np.float64)
    for path, columns in (("location", (0, 1, 2)), ("rotation_quaternion", (3, 4, 5, 6))):
        for index, column in enumerate(columns):
            curve = bag.fcurves.new(path, index=index)
            curve.keyframe_points.add(len(poses))
            curve.keyframe_points.foreach_set("co", np.stack([frames, poses[:, column]], axis=1).ravel())
            curve.keyframe_points.foreach_set("interpolation", np.ones(len(poses), dtype=np.int32))  # linear
            curve.update()


def _weld(objects: tuple[bpy.types.Object, ...]) -> None:
    """Merge the vertices that glTF split, so that an object is closed again."""
    import bmesh

    for mesh in objects:
        work = bmesh.new()
        work.from_mesh(mesh.data)
        bmesh.ops.remove_doubles(work, verts=work.verts, dist=WELD_M)
        work.to_mesh(mesh.data)
        work.free()
        mesh.data.update()
