"""A scene in Blender: things of a spec, their motion in both worlds, room, lights and camera."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from blender_scripts.body_paint import dress_person
from blender_scripts.import_sequence import open_sequence, set_frame
from blender_scripts.lights import add_environment, add_key_light
from blender_scripts.object_materials import dress_object
from blender_scripts.object_states import mark, place, release, set_hidden
from blender_scripts.room import build_room
from datagen.codec import sha256_file
from datagen.entry import silenced
from datagen.errors import DataError, SpecError, did_you_mean
from datagen.placement import Staging
from datagen.spec import GeometryRef, SceneSpec, World, names_of
from datagen.trajectory import Trajectory, interpolate

SEQUENCE_SUFFIXES = (".fbx", ".glb")
STILL_M = 2e-5  # an object that moves less than this since the last picture has not moved
STILL_QUATERNION = 2e-5


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person in Blender."""

    armature: bpy.types.Object
    meshes: tuple[bpy.types.Object, ...]
    first_frame: int
    last_frame: int


@dataclass(frozen=True, kw_only=True)
class SceneState:
    """What a picture shows: poses float64 [n, 7] of the objects that are there, and the mocap frame of each person.

    swept: with motion blur, float64 [2, n + 1, 7], objects and camera when the shutter opens and closes.
    """

    names: tuple[str, ...]
    poses: np.ndarray
    mocap_frames: tuple[tuple[str, float], ...]
    frame: int  # of the video
    camera: np.ndarray  # float64 [7]
    swept: np.ndarray | None = None

    def looks_like(self, other: SceneState | None) -> bool:
        """Whether a picture of the other state would be the same."""
        if other is None or self.names != other.names or self.mocap_frames != other.mocap_frames:
            return False
        mine, others = (one.all_poses() for one in (self, other))
        apart = np.abs(mine - others)
        return bool(apart[:, :3].max(initial=0) < STILL_M and apart[:, 3:].max(initial=0) < STILL_QUATERNION)

    def all_poses(self) -> np.ndarray:
        """Every pose that a picture depends on, [m, 7]."""
        swept = np.zeros((0, 7)) if self.swept is None else self.swept.reshape(-1, 7)
        return np.concatenate([self.poses, self.camera[None], swept])


@dataclass(frozen=True, kw_only=True)
class BuiltScene:
    """A scene that is ready to be shown in any world at any frame."""

    spec: SceneSpec
    staging: Staging
    worlds: Mapping[World, Trajectory]
    objects: Mapping[str, bpy.types.Object]
    people: Mapping[str, Person]
    camera: bpy.types.Object
    environment: bpy.types.World
    room: tuple[bpy.types.Object, ...] = ()  # what never moves and is never hidden
    notes: tuple[str, ...] = ()  # what had to be left out, in words

    def state(self, world: World, hidden: tuple[str, ...], frame: int) -> SceneState:
        """What there is to see in a world at a frame of the video, with some things hidden."""
        return self.state_of(self.worlds[world], hidden, frame)

    def state_of(self, trajectory: Trajectory, hidden: tuple[str, ...], frame: int) -> SceneState:
        """Likewise, with objects that move in some other way."""
        names = tuple(name for name in self.objects if name in trajectory.names and name not in hidden)
        poses = np.array([trajectory.of(name)[frame] for name in names]).reshape(-1, 7)
        people = tuple((name, self.mocap_frame(name, frame)) for name in self.people if name not in hidden)
        camera = np.array(self.staging.world_from_camera[frame])
        swept = self.sweep(trajectory, names, frame) if self.spec.camera.shutter else None
        return SceneState(names=names, poses=poses, mocap_frames=people, frame=frame, camera=camera, swept=swept)

    def sweep(self, trajectory: Trajectory, names: tuple[str, ...], frame: int) -> np.ndarray:
        """Poses of objects and camera when the shutter opens and closes, [2, n + 1, 7]; not beyond the clip's ends."""
        tracks = [*(trajectory.of(name) for name in names), np.array(self.staging.world_from_camera)]
        half = self.spec.camera.shutter / 2
        times = np.clip([frame - half, frame + half], 0, trajectory.num_frames - 1)
        return interpolate(np.stack(tracks, axis=1), 1.0, times)

    def mocap_frame(self, person: str, frame: int) -> float:
        """Blender's frame at which a person's action shows a frame of the video."""
        spec = next(one for one in self.spec.people if one.name == person)
        at = self.people[person]
        result = at.first_frame + (self.spec.clip.start_s + frame / self.spec.clip.fps) * spec.mocap_fps
        if result > at.last_frame + 1e-6:
            raise SpecError(
                f"{self.spec.key}: frame {frame} needs mocap frame {result:.1f} of '{person}', whose last is "
                f"{at.last_frame}; take a shorter clip or an earlier start"
            )
        return result

    def show(self, state: SceneState, *, evaluate: bool = True) -> None:
        """Bring Blender's scene into a state; evaluate: for whoever asks where things are. A render does so itself.

        What is as it was is not set again: Blender would build its dependency graph anew, and Cycles take the object
        for a moved one, at a tenth of the price of a small picture.
        """
        there = dict(zip(state.names, state.poses, strict=True))
        for name, thing in self.objects.items():
            set_hidden(thing, name not in there)
            if name in there:
                place(thing, there[name])
        place(self.camera, state.camera)
        shown = dict(state.mocap_frames)
        for name, person in self.people.items():
            for mesh in person.meshes:
                set_hidden(mesh, name not in shown)
        if shown:
            set_frame(next(iter(shown.values())), evaluate=evaluate)
        elif evaluate:
            bpy.context.view_layer.update()


def build_scene(
    spec: SceneSpec, staging: Staging, worlds: Mapping[World, Trajectory], base: Path = Path()
) -> BuiltScene:
    """Import the things of a spec into an empty Blender, and build room, lights and camera around them.

    base: the folder of the spec, where relative paths of geometry start.
    """
    objects, people = import_things(anchored(spec, base))
    for one in spec.objects:
        release(objects[one.name])
        dress_object(objects[one.name], one, spec.seed)
    notes = [
        note
        for one in spec.people
        for note in dress_person(people[one.name].armature, people[one.name].meshes, one, spec.seed)
    ]
    room = build_room(spec, staging.room)
    add_key_light(spec, staging)
    ids = spec.ids()
    for name, thing in objects.items():
        mark(thing, ids[name], name in spec.removed)
    for name, person in people.items():
        for mesh in person.meshes:
            mark(mesh, ids[name], name in spec.removed)
    return BuiltScene(
        spec=spec,
        staging=staging,
        worlds=worlds,
        objects=objects,
        people=people,
        camera=add_camera(staging),
        environment=add_environment(spec),
        room=room,
        notes=tuple(notes),
    )


def add_camera(staging: Staging) -> bpy.types.Object:
    """The camera, at its first pose."""
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = staging.sensor_width_mm
    data.lens = staging.focal_length_mm
    data.clip_start, data.clip_end = 0.05, 100.0
    thing = bpy.data.objects.new("camera", data)
    thing.rotation_mode = "QUATERNION"
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.scene.camera = thing
    return thing


def geometries(spec: SceneSpec) -> dict[str, GeometryRef]:
    """Where the mesh of each object and person is."""
    return {thing.name: thing.geometry for thing in spec.objects} | {one.name: one.geometry for one in spec.people}


def anchored(spec: SceneSpec, base: Path) -> SceneSpec:
    """The spec with absolute paths of geometry."""

    def absolute(geometry: GeometryRef) -> GeometryRef:
        return replace(geometry, file=str(base / geometry.file))

    return replace(
        spec,
        objects=tuple(replace(one, geometry=absolute(one.geometry)) for one in spec.objects),
        people=tuple(replace(one, geometry=absolute(one.geometry)) for one in spec.people),
    )


def import_things(spec: SceneSpec) -> tuple[dict[str, bpy.types.Object], dict[str, Person]]:
    """Objects and people of a spec, by name; Blender's scene holds nothing else."""
    for geometry in geometries(spec).values():
        check_unchanged(geometry)
    files = {geometry.file for geometry in geometries(spec).values()}
    if len(files) == 1 and Path(next(iter(files))).suffix.lower() in SEQUENCE_SUFFIXES:
        return _import_sequence(spec, Path(files.pop()))
    if spec.people:
        raise SpecError(f"{spec.key}: a scene with people comes from one FBX or GLB; found {sorted(files)}")
    with _quiet():
        bpy.ops.wm.read_factory_settings(use_empty=True)
        return {
            thing.name: _import_asset(Path(thing.geometry.file), thing.name, thing.scale) for thing in spec.objects
        }, {}


@cache
def check_unchanged(geometry: GeometryRef) -> None:
    """Raise `DataError` unless a file is still the one that physics saw."""
    path = Path(geometry.file)
    if not path.is_file():
        raise DataError(f"{path}: no such file; the scene was planned from it: put it back, or plan another run")
    if sha256_file(path) != geometry.sha256:
        raise DataError(f"{path}: has changed since the scene was planned from it; plan another run")


def _import_sequence(spec: SceneSpec, path: Path) -> tuple[dict[str, bpy.types.Object], dict[str, Person]]:
    sequence = open_sequence(path)
    nodes = {thing.name: thing for thing in (*sequence.objects, *sequence.armatures)}
    wanted = {name: geometry.node for name, geometry in geometries(spec).items()}
    for name, node in wanted.items():
        if node not in nodes:
            raise DataError(f"{path}: no object '{node}', which the scene knows as '{name}'{did_you_mean(node, nodes)}")
    objects = {name: nodes[wanted[name]] for name in names_of(spec.objects)}
    people = {
        name: Person(
            armature=nodes[wanted[name]],
            meshes=sequence.bodies[wanted[name]],
            first_frame=sequence.first_frame,
            last_frame=sequence.last_frame,
        )
        for name in names_of(spec.people)
    }
    kept = {*objects.values(), *(thing for one in people.values() for thing in (one.armature, *one.meshes))}
    for thing in list(bpy.context.scene.objects):
        if thing not in kept and thing.type in ("MESH", "LIGHT", "CAMERA"):
            bpy.data.objects.remove(thing)
    return objects, people


def _import_asset(path: Path, name: str, scale: float) -> bpy.types.Object:
    """One mesh of an OBJ in metres, Z up, scaled; its textures lie beside it."""
    if not path.is_file() or path.suffix.lower() != ".obj":
        raise DataError(f"{path}: expected the OBJ of '{name}'")
    before = set(bpy.data.objects)
    bpy.ops.wm.obj_import(filepath=str(path), forward_axis="Y", up_axis="Z")
    meshes = [thing for thing in bpy.data.objects if thing not in before and thing.type == "MESH"]
    if len(meshes) != 1:
        raise DataError(f"{path}: expected one mesh for '{name}', found {len(meshes)}")
    (thing,) = meshes
    turned = thing.matrix_world  # the importer may turn the object instead of its vertices
    thing.data.transform(Matrix.Scale(scale, 4) @ turned)
    thing.matrix_world = Matrix.Identity(4)
    return thing


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with silenced(), contextlib.redirect_stdout(sys.stderr):
        yield
