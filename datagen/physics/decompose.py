"""Convex parts of a mesh (CoACD), cached on disk, and the mass properties that follow from them.

CoACD: Wei et al., "Approximate Convex Decomposition for 3D Meshes with Collision-Aware Concavity and Tree Search",
SIGGRAPH 2022. Mass properties come from the parts because the meshes themselves may be open or inside out.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy
from filelock import FileLock

from datagen.codec import read_npz, sha256_arrays, sha256_record, write_npz
from datagen.errors import SceneFailed
from datagen.physics.bodies import ConvexParts
from datagen.physics.orient import outward_faces

MIN_PART_VOLUME_M3 = 1e-9
CACHE_VERSION = 4
CONVEX_SHARE = 0.95  # of its hull that a closed piece fills to be one part; a box with worn edges fills 0.99
LEAST_HULLS = 4  # for a piece that is not convex, however many pieces there are
MAX_FACES = 200_000  # 80 000 take 2 s; HUMOTO's largest mesh has 12 540
MAX_PIECES = 100  # 60 take 4 s, 300 more than a minute; HUMOTO's carts have 19


@dataclass(frozen=True, kw_only=True)
class DecomposeSettings:
    """CoACD's settings. Preprocessing would inflate thin objects two- to threefold, so it is off."""

    threshold: float = 0.1
    max_hulls: int = 24
    seed: int = 0
    version: int = CACHE_VERSION


def convex_parts(
    name: str,
    vertices: np.ndarray,
    faces: np.ndarray,
    cache: Path,
    settings: DecomposeSettings = DecomposeSettings(),
) -> ConvexParts:
    """Parts of a mesh, from the cache or made now; processes that want the same mesh wait for one another.

    Raises `SceneFailed` for a mesh that encloses no volume, or that is too large or in too many pieces to take apart.
    """
    _check_mesh(name, vertices, faces)
    digest = f"{sha256_arrays(vertices, faces)[:32]}-{sha256_record(asdict(settings))[:8]}"
    file = cache / f"{digest}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{digest}.lock"):
            if not file.exists():
                write_hulls(file, _decompose(name, vertices, faces, settings))
    return parts_from_hulls(name, read_hulls(file))


def parts_from_hulls(name: str, hulls: tuple[np.ndarray, ...]) -> ConvexParts:
    """Mass properties of the sum of the parts; parts without volume are dropped."""
    solid = [(hull, *_moments(hull)) for hull in hulls]
    solid = [entry for entry in solid if entry[1] > MIN_PART_VOLUME_M3]
    if not solid:
        raise SceneFailed(
            f"object '{name}' encloses no volume, so it has no mass; expected a closed surface at least 1 mm thick; "
            "give its mesh some thickness",
            object=name,
        )
    volume = sum(entry[1] for entry in solid)
    centre = np.sum([entry[1] * entry[2] for entry in solid], axis=0) / volume
    second = np.sum([entry[3] for entry in solid], axis=0) - volume * np.outer(centre, centre)
    inertia = np.eye(3) * np.trace(second) - second
    return ConvexParts(hulls=tuple(entry[0] for entry in solid), volume=float(volume), centre=centre, inertia=inertia)


def write_hulls(file: Path, hulls: tuple[np.ndarray, ...]) -> None:
    """Write parts to the cache."""
    unique = file.with_name(f"{file.stem}.{os.getpid()}.npz")
    write_npz(unique, {f"hull_{index:03d}": hull for index, hull in enumerate(hulls)})
    unique.replace(file)


def read_hulls(file: Path) -> tuple[np.ndarray, ...]:
    """Read parts from the cache."""
    arrays = read_npz(file)
    return tuple(arrays[name] for name in sorted(arrays))


def check_size(name: str, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Raise `SceneFailed` for a mesh that no simulation can use in reasonable time, whether it moves or not."""
    if not np.isfinite(vertices).all():
        raise SceneFailed(f"object '{name}' has vertices that are no numbers; expected a finite mesh", object=name)
    if len(faces) > MAX_FACES:
        raise SceneFailed(
            f"object '{name}' has {len(faces)} triangles; expected at most {MAX_FACES}; simplify its mesh, e.g. with "
            "Blender's modifier Decimate",
            object=name,
            triangles=len(faces),
        )


def _check_mesh(name: str, vertices: np.ndarray, faces: np.ndarray) -> None:
    check_size(name, vertices, faces)
    if len(faces) < 4:
        raise SceneFailed(
            f"object '{name}' has {len(faces)} triangles, {len(vertices)} vertices; expected a closed mesh",
            object=name,
        )


def split_pieces(vertices: np.ndarray, faces: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Vertices and faces of each piece that shares no corner with another; corners at one place are one."""
    places, corners, label = _labels(vertices, faces)
    pieces = []
    for number in np.unique(label):
        used, renumbered = np.unique(corners[label == number], return_inverse=True)
        pieces.append((places[used], renumbered.reshape(-1, 3).astype(np.int32)))
    return pieces


def count_pieces(vertices: np.ndarray, faces: np.ndarray) -> int:
    """How many pieces `split_pieces` finds."""
    return len(np.unique(_labels(vertices, faces)[2]))


def _labels(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places [P, 3] of corners, each triangle's corners [F, 3] among them, and the piece of each triangle [F]."""
    _, first, same = np.unique(vertices.round(6), axis=0, return_index=True, return_inverse=True)
    corners = same.reshape(-1)[faces]
    links = (np.ones(2 * len(faces)), (np.repeat(corners[:, 0], 2), corners[:, 1:].ravel()))
    _, label = scipy.sparse.csgraph.connected_components(
        scipy.sparse.coo_array(links, shape=(len(first), len(first))), directed=False
    )
    return vertices[first].astype(np.float64), corners, label[corners[:, 0]]


def _check_pieces(name: str, vertices: np.ndarray, faces: np.ndarray) -> None:
    pieces = count_pieces(vertices, faces)
    if pieces > MAX_PIECES:
        raise SceneFailed(
            f"object '{name}' is in {pieces} loose pieces; expected one body of at most {MAX_PIECES}; join or remove "
            "pieces of its mesh",
            object=name,
            pieces=pieces,
        )


def _decompose(
    name: str, vertices: np.ndarray, faces: np.ndarray, settings: DecomposeSettings
) -> tuple[np.ndarray, ...]:
    """Parts of each closed piece alone, and of all open ones together; one hull of everything where there are none.

    A part that spans two pieces fills the gap between them: the space between a cart's trays, where its load stands.
    Open pieces may enclose something only together (a shell's inside and outside), so they are not taken apart singly.
    """
    _check_pieces(name, vertices, faces)
    pieces = [(vertices, faces)] if _has_cavity(vertices, faces) else split_pieces(vertices, faces)
    hulls, concave, loose = [], [], []
    for piece in pieces:
        hull = hull_of(piece[0])
        if len(pieces) > 1 and not _is_closed(piece[1]):
            loose.append(piece)
        elif hull is not None and _is_closed(piece[1]) and _fills(piece, hull):
            hulls.append(hull)
        else:
            concave.append(piece)
    if loose:
        concave.append(_joined(loose))
    if len(concave) == 1 and not hulls:
        concave = [(vertices, faces)]
    budget = max(LEAST_HULLS, (settings.max_hulls - len(hulls)) // max(len(concave), 1))
    for piece in concave:
        hulls += _coacd(*piece, settings, budget)
    whole = hull_of(vertices)
    if not hulls and whole is None:
        raise SceneFailed(
            f"object '{name}' is flat (size {np.ptp(vertices, axis=0).round(4).tolist()} m); expected a solid; "
            "give its mesh some thickness",
            object=name,
        )
    return tuple(hulls) if hulls or whole is None else (whole,)


def _is_closed(faces: np.ndarray) -> bool:
    """Whether every edge belongs to two triangles."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return bool((np.unique(edges, axis=0, return_counts=True)[1] == 2).all())


def _has_cavity(vertices: np.ndarray, faces: np.ndarray) -> bool:
    """Whether one piece is the void inside another, which only makes sense together with it."""
    places, corners, label = _labels(vertices, faces)
    wound = (places - places.mean(axis=0))[outward_faces(places, corners)]
    volume = np.bincount(np.unique(label, return_inverse=True)[1], np.linalg.det(wound) / 6)
    return bool((volume < -MIN_PART_VOLUME_M3).any())


def _fills(piece: tuple[np.ndarray, np.ndarray], hull: np.ndarray) -> bool:
    """Whether a closed piece is nearly its own hull."""
    vertices, faces = piece
    corners = (vertices - vertices.mean(axis=0))[outward_faces(vertices, faces)]
    return bool(abs(np.linalg.det(corners).sum()) / 6 > CONVEX_SHARE * scipy.spatial.ConvexHull(hull).volume)


def _joined(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """One mesh of several."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in pieces[:-1])])
    faces = [faces + start for (_, faces), start in zip(pieces, starts, strict=True)]
    return np.concatenate([vertices for vertices, _ in pieces]), np.concatenate(faces).astype(np.int32)


def _coacd(vertices: np.ndarray, faces: np.ndarray, settings: DecomposeSettings, budget: int) -> list[np.ndarray]:
    """CoACD's parts of a mesh; one hull where it finds none, and nothing for what is flat."""
    import coacd

    coacd.set_log_level("error")
    try:
        parts = coacd.run_coacd(
            coacd.Mesh(vertices.astype(np.float64), outward_faces(vertices, faces)),
            threshold=settings.threshold,
            max_convex_hull=budget,
            preprocess_mode="off",
            seed=settings.seed,
        )
    except RuntimeError:
        parts = []
    hulls = [hull for points, _ in parts for hull in (hull_of(np.asarray(points)),) if hull is not None]
    whole = hull_of(vertices)
    return hulls if hulls or whole is None else [whole]


def hull_of(points: np.ndarray) -> np.ndarray | None:
    """Corners [V, 3] of the convex hull, or None for points in a plane."""
    try:
        return np.ascontiguousarray(points[np.sort(scipy.spatial.ConvexHull(points).vertices)])
    except (scipy.spatial.QhullError, ValueError):
        return None


def _moments(hull: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume, centre [3] and second moments [3, 3] about the origin of a convex hull, by signed tetrahedra."""
    try:
        shape = scipy.spatial.ConvexHull(hull)
    except (scipy.spatial.QhullError, ValueError):
        return 0.0, np.zeros(3), np.zeros((3, 3))
    inside = hull.mean(axis=0)
    corners = hull[shape.simplices] - inside
    volume = np.abs(np.linalg.det(corners)) / 6
    total = float(volume.sum())
    if total <= 0:
        return 0.0, inside, np.zeros((3, 3))
    sums = corners.sum(axis=1)
    centre = (volume[:, None] * sums).sum(axis=0) / 4 / total
    local = np.einsum("n,nij,nik->jk", volume, corners, corners) + np.einsum("n,nj,nk->jk", volume, sums, sums)
    second = local / 20
    shift = np.outer(centre, inside)
    return total, centre + inside, second + total * (shift + shift.T + np.outer(inside, inside))
