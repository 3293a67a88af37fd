"""What is known about an asset's shape: convex parts, mass properties and outline, at any scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from scipy.spatial import ConvexHull, QhullError

from datagen.assets import COLLISION_FILE, VISUAL_FILE
from datagen.codec import read_npz, sha256_arrays, sha256_file, write_npz
from datagen.errors import DataError
from datagen.meshes import read_obj

CACHE_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Solid:
    """An asset's shape at scale 1, in its own frame.

    outline  float64 [V, 3], corners of the convex hull of what is drawn
    low, high  float64 [3], bounds of what is drawn [m]
    volume   of the convex parts [m3]
    centre   float64 [3], of mass [m]; Kubric's assets have it at the origin
    inertia  float64 [3], about the asset's axes through its centre of mass, for density 1 [m5]
    visual_sha256  of the drawn mesh's file
    """

    outline: np.ndarray
    low: np.ndarray
    high: np.ndarray
    volume: float
    centre: np.ndarray
    inertia: np.ndarray
    visual_sha256: str

    @property
    def size(self) -> np.ndarray:
        """Edges of the bounding box [3], m."""
        return np.asarray(self.high - self.low)

    @property
    def fullness(self) -> float:
        """Share of the bounding box that is solid: 1 for a box, 0.5 for a ball, little for a bowl."""
        return self.volume / float(np.prod(self.size))


def solid_of(folder: Path, cache: Path) -> Solid:
    """The shape of an unpacked asset, kept in `cache` by the hash of its meshes."""
    visual, collision = folder / VISUAL_FILE, folder / COLLISION_FILE
    digest = sha256_file(visual)
    both = f"{digest}{sha256_file(collision)}".encode()
    file = cache / f"solids-v{CACHE_VERSION}" / f"{sha256_arrays(np.frombuffer(both, dtype=np.uint8))[:32]}.npz"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")):
            if not file.is_file():
                write_npz(file, measure(folder))
    arrays = read_npz(file)
    return Solid(
        outline=arrays["outline"],
        low=arrays["bounds"][0],
        high=arrays["bounds"][1],
        volume=float(arrays["volume"]),
        centre=arrays["centre"],
        inertia=arrays["inertia"],
        visual_sha256=digest,
    )


def measure(folder: Path) -> dict[str, np.ndarray]:
    """Arrays of a `Solid`, from the files."""
    drawn = read_obj(folder / VISUAL_FILE)
    volume, centre, second = 0.0, np.zeros(3), np.zeros((3, 3))
    collision = read_obj(folder / COLLISION_FILE)
    for group in collision.groups:
        part_volume, first, part_second = moments(collision.vertices[group])
        volume, centre, second = volume + part_volume, centre + first, second + part_second
    if volume <= 0:
        raise DataError(f"{folder / COLLISION_FILE}: encloses no volume; expected closed convex parts")
    centre = centre / volume
    second = second - volume * np.outer(centre, centre)
    used = drawn.vertices[np.unique(drawn.faces)]
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
