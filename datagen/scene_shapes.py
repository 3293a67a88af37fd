"""The shapes behind a finished sample: meshes of its objects and points on its people, as far as their files are there.

A sample holds poses and bounding boxes, no meshes: those stay in the files that it was made from (HUMOTO's FBX, objects
in Kubric's format, or a scene's own blocks beside its physics).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.cache import extracted_sequence
from datagen.codec import sha256_file
from datagen.errors import DataError, SceneFailed
from datagen.meshes import read_obj
from datagen.one_sample import FoundSample
from datagen.physics.handover import take_clip
from datagen.sequence import read_sequence
from datagen.spec import ObjectSpec, SceneSpec


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A triangle mesh in its object's frame [m]: vertices float [V, 3], faces int [F, 3]."""

    vertices: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True, kw_only=True)
class SceneShapes:
    """What is known of a scene's shapes."""

    objects: Mapping[str, Shape]
    people: Mapping[str, np.ndarray]  # float [num_frames, P, 3], points on the body in the world [m]
    left_out: tuple[str, ...]  # what is missing, and why


def shapes_of(found: FoundSample) -> SceneShapes:
    """Shapes of a sample's objects and people."""
    spec = found.info.metadata.spec
    return _recorded(spec) if spec.people else _scanned(spec, found.physics)


def _recorded(spec: SceneSpec) -> SceneShapes:
    """Shapes of a motion-capture scene, from its extracted sequence."""
    geometry = spec.people[0].geometry
    try:
        sequence = read_sequence(extracted_sequence(Path(geometry.file), geometry.sha256))
    except (DataError, SceneFailed) as error:
        return SceneShapes(objects={}, people={}, left_out=(f"meshes and body points: {error}",))
    handover = take_clip(spec, sequence, spec.people[0].mocap_fps)
    objects = {track.name: Shape(vertices=track.vertices, faces=track.faces) for track in handover.tracks}
    return SceneShapes(objects=objects, people=dict(handover.people), left_out=())


def _scanned(spec: SceneSpec, physics: Path | None) -> SceneShapes:
    """Shapes of a collision scene, from the objects' own files."""
    objects, missing = dict[str, Shape](), list[str]()
    for thing in spec.objects:
        try:
            objects[thing.name] = _mesh(thing, physics)
        except DataError as error:
            missing.append(f"mesh of {thing.name}: {error}")
    return SceneShapes(objects=objects, people={}, left_out=tuple(missing))


def _mesh(thing: ObjectSpec, physics: Path | None) -> Shape:
    """An object's mesh, of the size that it has in the scene."""
    file = Path(thing.geometry.file)
    if not file.is_absolute():
        if physics is None:
            raise DataError(f"{file} lies in the run that the sample was made in; name that run and the key to see it")
        file = physics / file
    if not file.is_file() or sha256_file(file) != thing.geometry.sha256:
        raise DataError(f"{file} is gone, or has changed since the sample was made")
    mesh = read_obj(file)
    return Shape(vertices=mesh.vertices * thing.scale, faces=mesh.faces)
