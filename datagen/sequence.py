"""A motion-capture sequence without its engine: object meshes, their poses, and points on the body.

`blender_scripts.extract_sequence` writes this folder once per file; planning and physics read it and need no Blender.

    sequence.json   the record below
    objects.npz     for object i: vertices_i float64 [V, 3] (object frame, metres), faces_i int32 [F, 3],
                    poses_i float64 [num_frames, 7]
    people.npz      for person i: origin_i float32 [num_frames, 3], offsets_i float16 [num_frames, P, 3] (metres from
                    the origin, so that half precision is finer than 1 mm), part_i uint8 [P], part_names_i
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.codec import atomic_folder, read_npz, read_record, write_json, write_npz

FORMAT_VERSION = 2  # 2: more body points, most of them on hands


@dataclass(frozen=True, kw_only=True)
class SequenceInfo:
    """What a file holds, in words and numbers."""

    format_version: int
    name: str
    file: str
    sha256: str
    num_frames: int  # of the mocap, first to last key
    first_frame: int  # Blender's frame number of the first key
    objects: tuple[str, ...]
    people: tuple[str, ...]  # names of the armatures
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class ObjectTrack:
    """A rigid object: mesh in its own frame, and its pose in every mocap frame."""

    name: str
    vertices: np.ndarray  # float64 [V, 3]
    faces: np.ndarray  # int32 [F, 3]
    poses: np.ndarray  # float64 [num_frames, 7]


@dataclass(frozen=True, kw_only=True)
class BodyTrack:
    """Points on a posed body."""

    name: str
    points: np.ndarray  # float32 [num_frames, P, 3], world
    part: np.ndarray  # uint8 [P], index into part_names
    part_names: tuple[str, ...]  # e.g. "RightHand"


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """One sequence, ready for planning and physics."""

    info: SequenceInfo
    objects: tuple[ObjectTrack, ...]
    people: tuple[BodyTrack, ...]


def write_sequence(folder: Path, sequence: Sequence) -> None:
    """Write a sequence's folder, whole or not at all."""
    with atomic_folder(folder) as partial:
        fill_sequence(partial, sequence)


def fill_sequence(folder: Path, sequence: Sequence) -> None:
    """Write a sequence's files into an existing folder."""
    objects: dict[str, np.ndarray] = {}
    for index, track in enumerate(sequence.objects):
        objects[f"vertices_{index}"] = track.vertices
        objects[f"faces_{index}"] = track.faces
        objects[f"poses_{index}"] = track.poses
    people: dict[str, np.ndarray] = {}
    for index, body in enumerate(sequence.people):
        origin = body.points.mean(axis=1, dtype=np.float64).astype(np.float32)
        people[f"origin_{index}"] = origin
        people[f"offsets_{index}"] = (body.points - origin[:, None]).astype(np.float16)
        people[f"part_{index}"] = body.part
        people[f"part_names_{index}"] = np.array(body.part_names, dtype=np.str_)
    write_npz(folder / "objects.npz", objects)
    write_npz(folder / "people.npz", people)
    write_json(folder / "sequence.json", sequence.info)


def read_sequence(folder: Path) -> Sequence:
    """Read a sequence's folder."""
    info = read_record(SequenceInfo, folder / "sequence.json")
    objects, people = read_npz(folder / "objects.npz"), read_npz(folder / "people.npz")
    return Sequence(
        info=info,
        objects=tuple(
            ObjectTrack(
                name=name,
                vertices=objects[f"vertices_{index}"],
                faces=objects[f"faces_{index}"],
                poses=objects[f"poses_{index}"],
            )
            for index, name in enumerate(info.objects)
        ),
        people=tuple(
            BodyTrack(
                name=name,
                points=people[f"origin_{index}"][:, None] + people[f"offsets_{index}"].astype(np.float32),
                part=people[f"part_{index}"],
                part_names=tuple(str(part) for part in people[f"part_names_{index}"]),
            )
            for index, name in enumerate(info.people)
        ),
    )
