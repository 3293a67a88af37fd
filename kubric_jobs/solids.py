"""What is known about an asset's shape: convex parts, mass properties and outline, at any scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from scipy.spatial import ConvexHull, QhullError

from datagen.assets import COLLISION_FILE, URDF_FILE, VISUAL_FILE
from datagen.codec import atomic_folder, read_npz, sha256_arrays, sha256_file, write_npz
from datagen.errors import DataError
from datagen.meshes import ObjMesh, read_obj, write_obj

CACHE_VERSION = 5
SOLID_FILE = "solid.npz"
MARGIN_M = 0.001  # that Bullet keeps around convex shapes
MIN_PART_M3 = 1e-9
MAX_CORNERS = 96


def urdf(name: str) -> str:
    """A rigid body; mass and inertia are set by the simulator."""
    return (
        f'<robot name="{name}"><link name="base">'
        '<inertial><origin xyz="0 0 0"/><mass value="1"/>'
        '<inertia ixx="0.01" ixy="0" ixz="0" iyy="0.01" iyz="0" izz="0.01"/></inertial>'
        f'<collision><origin xyz="0 0 0"/><geometry><mesh filename="{COLLISION_FILE}"/></geometry></collision>'
        "</link></robot>\n"
    )


@dataclass(frozen=True, kw_only=True)
class Solid:
    """An asset's shape at scale 1, in its own frame.

    outline  float64 [V, 3], corners of the convex hull of what is drawn
    low, high  float64 [3], bounds of what is drawn [m]
    volume   of the convex parts [m3]
    centre   float64 [3], of mass [m]; Kubric's assets have it at the origin
    inertia  float64 [3], about the asset's axes through its centre of mass, for density 1 [m5]
    visual_sha256  of the drawn mesh's file
    urdf     of the shape that collides, in the cache
    """

    outline: np.ndarray
    low: np.ndarray
    high: np.ndarray
    volume: float
    centre: np.ndarray
    inertia: np.ndarray
    visual_sha256: str
    urdf: Path

    @property
    def size(self) -> np.ndarray:
        """Edges of the bounding box [3], m."""
        return np.asarray(self.high - self.low)

    @property
    def fullness(self) -> float:
        """Share of the bounding box that is solid: 1 for a box, 0.5 for a ball, little for a bowl."""
        return self.volume / float(np.prod(self.size))


def solid_of(folder: Path, cache: Path) -> Solid:
    """The shape of an unpacked asset; measured once, and kept in `cache` by the hash of its meshes."""
    visual, collision = folder / VISUAL_FILE, folder / COLLISION_FILE
    digest = sha256_file(visual)
    both = f"{digest}{sha256_file(collision)}".encode()
    kept = cache / f"solids-v{CACHE_VERSION}" / sha256_arrays(np.frombuffer(both, dtype=np.uint8))[:32]
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(kept.with_name(kept.name + ".lock")):
            if not kept.is_dir():
                with atomic_folder(kept) as partial:
                    prepare(folder, partial)
    arrays = read_npz(kept / SOLID_FILE)
    return Solid(
        outline=arrays["outline"],
        low=arrays["bounds"][0],
        high=arrays["bounds"][1],
        volume=float(arrays["volume"]),
        centre=arrays["centre"],
        inertia=arrays["inertia"],
        visual_sha256=digest,
        urdf=kept / URDF_FILE,
    )


def prepare(folder: Path, kept: Path) -> None:
    """Measure an asset, and write the shape that collides.

    Convex parts reach a few millimetres beyond what is drawn, and Bullet adds a margin: things would hover. Their
    corners are drawn in to the bounds of the visible mesh, less that margin.
    """
    drawn, collision = read_obj(folder / VISUAL_FILE), read_obj(folder / COLLISION_FILE)
    used = drawn.vertices[np.unique(drawn.faces)]
    bounds = used.min(axis=0), used.max(axis=0)
    write_npz(kept / SOLID_FILE, measure(folder, used, drawn_in(collision, *bounds)))
    parts = [thinned(part) for part in drawn_in(collision, bounds[0] + MARGIN_M, bounds[1] - MARGIN_M)]
    write_obj(kept / COLLISION_FILE, [(part, fan(len(part))) for part in parts])
    (kept / URDF_FILE).write_text(urdf("asset"), encoding="utf-8")


def drawn_in(mesh: ObjMesh, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    """Corners of each of a mesh's convex parts, none of them outside of a box."""
    hulls = [hull_corners(np.clip(mesh.vertices[group], low, high)) for group in mesh.groups]
    return [hull for hull in hulls if moments(hull)[0] > MIN_PART_M3]


def thinned(part: np.ndarray) -> np.ndarray:
    """At most `MAX_CORNERS` of a convex part's corners: the farthest ones in evenly spread directions.

    Bullet looks at every corner for every contact; scans have hundreds of them within a millimetre of each other.
    """
    if len(part) <= MAX_CORNERS:
        return part
    index = np.arange(MAX_CORNERS) + 0.5
    height, angle = 1 - 2 * index / MAX_CORNERS, np.pi * (1 + 5**0.5) * index  # a Fibonacci sphere
    ring = np.sqrt(1 - height**2)
    directions = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1) / np.ptp(part, axis=0)
    return np.asarray(part[np.unique(np.argmax(part @ directions.T, axis=0))])


def fan(count: int) -> np.ndarray:
    """Triangles that mention every one of `count` corners; Bullet takes only the corners."""
    return np.array([[0, index, index + 1] for index in range(1, count - 1)])


def measure(folder: Path, used: np.ndarray, parts: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of a `Solid`, from the drawn vertices [V, 3] and the convex parts."""
    volume, centre, second = 0.0, np.zeros(3), np.zeros((3, 3))
    for part in parts:
        part_volume, first, part_second = moments(part)
        volume, centre, second = volume + part_volume, centre + first, second + part_second
    if volume <= 0:
        raise DataError(f"{folder / COLLISION_FILE}: encloses no volume; expected closed convex parts")
    centre = centre / volume
    second = second - volume * np.outer(centre, centre)
    return {
        "outline": hull_corners(used),
        "bounds": np.stack([used.min(axis=0), used.max(axis=0)]),
        "volume": np.float64(volume),
        "centre": centre,
        "inertia": np.trace(second) - np.diag(second),
    }


def hull_corners(points: np.ndarray) -> np.ndarray:
    """Corners of the convex hull [V, 3]; all points where they lie in a plane."""
    try:
        return np.asarray(points[np.sort(ConvexHull(points).vertices)])
    except QhullError:
        return points


def moments(points: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume, first moments [3] and second moments [3, 3] about the origin of a convex hull, by signed tetrahedra."""
    try:
        hull = ConvexHull(points)
    except QhullError:
        return 0.0, np.zeros(3), np.zeros((3, 3))
    inside = points.mean(axis=0)
    corners = points[hull.simplices] - inside
    volume = np.abs(np.linalg.det(corners)) / 6
    sums = corners.sum(axis=1)
    first = (volume[:, None] * sums).sum(axis=0) / 4
    local = np.einsum("n,nij,nik->jk", volume, corners, corners) + np.einsum("n,nj,nk->jk", volume, sums, sums)
    total = float(volume.sum())
    shift = np.outer(first, inside)
    return total, first + total * inside, local / 20 + shift + shift.T + total * np.outer(inside, inside)
