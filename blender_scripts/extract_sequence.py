"""Read a sequence file once with Blender, so that planning and physics need none.

`python -m blender_scripts.extract_sequence JOB.json OUT` fills OUT with the folder that `datagen.sequence` describes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from blender_scripts.import_sequence import ImportedSequence, open_sequence
from datagen.codec import read_record
from datagen.entry import serve
from datagen.errors import DataError
from datagen.jobs import ExtractJob
from datagen.seeding import generator_for
from datagen.sequence import FORMAT_VERSION, BodyTrack, ObjectTrack, Sequence, SequenceInfo, fill_sequence

RIG_PREFIX = re.compile(r"^mixamorig\d*:")
FINGER = re.compile(r"^(Left|Right)Hand(Thumb|Index|Middle|Ring|Pinky)\d?.*$")
HAND_DENSITY = 36.0  # points per area relative to the rest: 5 mm apart on hands, which hold thin handles and bars
NO_PART = "Body"  # points that no bone moves, e.g. of a mesh that is carried whole


@dataclass(frozen=True, kw_only=True)
class SurfacePoints:
    """Points fixed to the triangles of one body mesh.

    corners  int32 [P, 3], vertex indices of each point's triangle
    weights  float64 [P, 3], barycentric
    part     [P], names of body parts
    """

    mesh: bpy.types.Object
    corners: np.ndarray
    weights: np.ndarray
    part: list[str]


def extract(path: Path, sha256: str, body_points: int) -> Sequence:
    """Everything of a sequence that planning and physics need."""
    sequence = open_sequence(path)
    objects = tuple(
        ObjectTrack(name=mesh.name, vertices=vertices, faces=faces, poses=sequence.poses[mesh.name])
        for mesh in sequence.objects
        for vertices, faces in (mesh_arrays(mesh.data),)
    )
    for track in objects:
        if not len(track.faces):
            raise DataError(f"{path}: object '{track.name}' has no faces; expected a surface; remove it from the file")
    info = SequenceInfo(
        format_version=FORMAT_VERSION,
        name=path.stem,
        file=str(path),
        sha256=sha256,
        num_frames=sequence.num_frames,
        first_frame=sequence.first_frame,
        objects=tuple(track.name for track in objects),
        people=tuple(armature.name for armature in sequence.armatures),
        versions={"blender": bpy.app.version_string},
    )
    return Sequence(info=info, objects=objects, people=_bodies(sequence, body_points))


def mesh_arrays(mesh: bpy.types.Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Vertices float64 [V, 3] and triangles int32 [F, 3] of a mesh, in its own frame."""
    mesh.calc_loop_triangles()
    faces = np.empty(len(mesh.loop_triangles) * 3, dtype=np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces)
    return vertex_positions(mesh), faces.reshape(-1, 3)


def vertex_positions(mesh: bpy.types.Mesh) -> np.ndarray:
    """Vertices float64 [V, 3] of a mesh, in its own frame."""
    flat = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def _bodies(sequence: ImportedSequence, body_points: int) -> tuple[BodyTrack, ...]:
    """Points on every person, in every frame."""
    with _only_armature_modifiers(sequence):
        bpy.context.scene.frame_set(sequence.first_frame)
        surfaces = {name: _sample(name, meshes, body_points) for name, meshes in sequence.bodies.items()}
        frames: dict[str, list[np.ndarray]] = {name: [] for name in surfaces}
        for frame in range(sequence.first_frame, sequence.last_frame + 1):
            bpy.context.scene.frame_set(frame)
            for name, pieces in surfaces.items():
                frames[name].append(np.concatenate([np.empty((0, 3)), *map(_posed_points, pieces)]))
    return tuple(_track(name, surfaces[name], np.stack(points)) for name, points in frames.items())


def _track(name: str, pieces: list[SurfacePoints], points: np.ndarray) -> BodyTrack:
    labels = [label for piece in pieces for label in piece.part]
    part_names = tuple(sorted(set(labels)))
    part = np.array([part_names.index(label) for label in labels], dtype=np.uint8)
    return BodyTrack(name=name, points=points.astype(np.float32), part=part, part_names=part_names)


@contextmanager
def _only_armature_modifiers(sequence: ImportedSequence) -> Iterator[None]:
    """Keep vertex numbers: subdivision and the like are off while bodies are read."""
    others = [
        item
        for meshes in sequence.bodies.values()
        for mesh in meshes
        for item in mesh.modifiers
        if item.type != "ARMATURE" and item.show_viewport
    ]
    for item in others:
        item.show_viewport = False
    yield
    for item in others:
        item.show_viewport = True


def _posed_vertices(mesh: bpy.types.Object) -> np.ndarray:
    """World positions float64 [V, 3] of a deformed mesh at the scene's frame."""
    posed = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    world = np.array(posed.matrix_world, dtype=np.float64)
    return np.asarray(vertex_positions(posed.data) @ world[:3, :3].T + world[:3, 3])


def _posed_points(piece: SurfacePoints) -> np.ndarray:
    """World positions float64 [P, 3] of a piece's points at the scene's frame."""
    return np.einsum("pc,pcx->px", piece.weights, _posed_vertices(piece.mesh)[piece.corners])


def _sample(person: str, meshes: tuple[bpy.types.Object, ...], body_points: int) -> list[SurfacePoints]:
    """Spread points over the area of all meshes of a person, denser on hands, as posed in the scene's frame."""
    with_faces = [(mesh, mesh_arrays(mesh.data)[1]) for mesh in meshes if len(mesh.data.polygons)]
    if not with_faces:
        return []
    parts = [np.array(_parts_of_vertices(mesh)) for mesh, _ in with_faces]
    areas = [
        _triangle_areas(_posed_vertices(mesh)[faces]) * _density(names[faces[:, 0]])
        for (mesh, faces), names in zip(with_faces, parts, strict=True)
    ]
    total = np.cumsum(np.concatenate(areas))
    generator = generator_for("body points", person)
    marks = (np.arange(body_points) + generator.random(body_points)) / body_points * total[-1]
    chosen = np.minimum(np.searchsorted(total, marks), len(total) - 1)
    first, second = np.sqrt(generator.random(body_points)), generator.random(body_points)
    weights = np.stack([1 - first, first * (1 - second), first * second], axis=1)
    starts = np.cumsum([0, *(len(faces) for _, faces in with_faces)])
    pieces = []
    for (mesh, faces), names, low, high in zip(with_faces, parts, starts[:-1], starts[1:], strict=True):
        here = (chosen >= low) & (chosen < high)
        corners = faces[chosen[here] - low]
        nearest = corners[np.arange(len(corners)), weights[here].argmax(axis=1)]
        pieces.append(SurfacePoints(mesh=mesh, corners=corners, weights=weights[here], part=names[nearest].tolist()))
    return pieces


def _density(parts: np.ndarray) -> np.ndarray:
    """How many points a body part gets for its area, relative to the rest."""
    return np.where(np.char.endswith(parts, "Hand"), HAND_DENSITY, 1.0)


def _triangle_areas(corners: np.ndarray) -> np.ndarray:
    """Areas [F] of triangles [F, 3, 3]."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(np.linalg.norm(normal, axis=1) / 2)


def _parts_of_vertices(mesh: bpy.types.Object) -> list[str]:
    """Body part of each vertex: the bone with the greatest weight; fingers count as their hand."""
    names = [part_of_bone(group.name) for group in mesh.vertex_groups]
    result = []
    for vertex in mesh.data.vertices:
        heaviest = max(vertex.groups, key=lambda group: group.weight, default=None)
        result.append(names[heaviest.group] if heaviest is not None and heaviest.weight > 0 else NO_PART)
    return result


def part_of_bone(bone: str) -> str:
    """`mixamorig:RightHandIndex2` is part of the `RightHand`."""
    name = RIG_PREFIX.sub("", bone)
    finger = FINGER.match(name)
    return f"{finger.group(1)}Hand" if finger else name


def main(job_path: Path, out: Path) -> None:
    """Serve one `ExtractJob`."""
    job = read_record(ExtractJob, job_path)
    fill_sequence(out, extract(Path(job.file), job.sha256, job.body_points))


if __name__ == "__main__":
    serve(main)
