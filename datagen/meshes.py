"""Wavefront OBJ without an engine: what a checker and a simulator need of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.errors import DataError


@dataclass(frozen=True, kw_only=True)
class ObjMesh:
    """A mesh file.

    vertices  float64 [V, 3]
    faces     int64 [F, 3], triangles; polygons are fanned
    groups    for each `o` or `g` that holds faces: the indices of its vertices, sorted
    """

    vertices: np.ndarray
    faces: np.ndarray
    groups: tuple[np.ndarray, ...]


def read_obj(path: Path) -> ObjMesh:
    """Read an OBJ; raises `DataError` for one that is missing, unreadable, without faces, or not finite."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected an OBJ mesh") from None
    try:
        vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], dtype=np.float64)
        faces, groups = _faces(lines)
    except ValueError as error:
        raise DataError(f"{path}: not a readable OBJ ({error})") from None
    if not len(faces):
        raise DataError(f"{path}: a mesh with no faces ({len(vertices)} vertices); export it again with its triangles")
    if vertices.ndim != 2 or not np.isfinite(vertices).all():
        raise DataError(f"{path}: vertices that are no finite numbers; expected three for each 'v'")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise DataError(f"{path}: faces name vertex {faces.max() + 1}; the file has {len(vertices)}")
    return ObjMesh(vertices=vertices, faces=faces, groups=tuple(np.unique(group) for group in groups))


def _faces(lines: list[str]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Triangles of the file, and of each of its groups; OBJ counts vertices from 1, or back from the last one."""
    parts: list[list[tuple[int, ...]]] = [[]]
    seen = 0
    for line in lines:
        kind = line[:2]
        if kind == "v ":
            seen += 1
        elif kind == "f ":
            corners = [int(corner.split("/", 1)[0]) for corner in line.split()[1:]]
            index = [corner - 1 if corner > 0 else seen + corner for corner in corners]
            parts[-1] += [(index[0], index[at], index[at + 1]) for at in range(1, len(index) - 1)]
        elif kind in ("o ", "g ") and parts[-1]:
            parts.append([])
    groups = [np.array(part, dtype=np.int64) for part in parts if part]
    return (np.concatenate(groups) if groups else np.zeros((0, 3), dtype=np.int64)), groups


def write_obj(path: Path, groups: list[tuple[np.ndarray, np.ndarray]], material: str = "") -> None:
    """Write (vertices [V, 3], faces [F, 3]) as one group each; Bullet makes a convex hull of each group."""
    lines, offset = ([f"usemtl {material}"] if material else []), 1
    for number, (vertices, faces) in enumerate(groups):
        lines.append(f"o part{number}")
        lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices]
        lines += [f"f {a + offset} {b + offset} {c + offset}" for a, b, c in faces]
        offset += len(vertices)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
