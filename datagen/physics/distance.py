"""Exact distances from points to a triangle mesh, for points that are near it.

Closest point of a triangle after Ericson, Real-Time Collision Detection (2005), section 5.1.5.
"""

from __future__ import annotations

import numpy as np

PAIRS_AT_ONCE = 2_000_000


def distances_to_mesh(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, margin: float) -> np.ndarray:
    """Unsigned distance [m] of each point [P, 3] to a surface; `inf` where it is more than `margin` away."""
    result = np.full(len(points), np.inf)
    low, high = vertices.min(axis=0) - margin, vertices.max(axis=0) + margin
    near = np.flatnonzero(np.all((points >= low) & (points <= high), axis=1))
    if not len(near) or not len(faces):
        return result
    corners = vertices[faces]
    box_low, box_high = corners.min(axis=1) - margin, corners.max(axis=1) + margin
    for some in np.array_split(near, -(-len(near) * len(faces) // PAIRS_AT_ONCE)):
        inside = np.ones((len(some), len(faces)), dtype=bool)
        for axis in range(3):
            value = points[some, axis, None]
            inside &= (value >= box_low[None, :, axis]) & (value <= box_high[None, :, axis])
        which, triangle = np.nonzero(inside)
        asked = points[some[which]]
        distance = np.linalg.norm(asked - closest_on_triangles(asked, corners[triangle]), axis=1)
        np.minimum.at(result, some[which], distance)
    result[result > margin] = np.inf
    return result


def closest_on_triangles(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Nearest point of triangle i [N, 3, 3] to point i [N, 3]."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    ab, ac = b - a, c - a
    normal = np.cross(ab, ac)
    area = np.einsum("ij,ij->i", normal, normal)
    solid = area > 1e-20
    inverse = np.where(solid, 1 / np.where(solid, area, 1.0), 0.0)
    ap = points - a
    share_c = np.einsum("ij,ij->i", np.cross(ab, ap), normal) * inverse
    share_b = np.einsum("ij,ij->i", np.cross(ap, ac), normal) * inverse
    inside = solid & (share_b >= 0) & (share_c >= 0) & (share_b + share_c <= 1)
    best = a + share_b[:, None] * ab + share_c[:, None] * ac
    squared = np.where(inside, np.sum((points - best) ** 2, axis=1), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        candidate = _closest_on_segments(points, start, end)
        distance = np.sum((points - candidate) ** 2, axis=1)
        better = distance < squared
        best[better], squared[better] = candidate[better], distance[better]
    return best


def _closest_on_segments(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    along = end - start
    length = np.einsum("ij,ij->i", along, along)
    share = np.einsum("ij,ij->i", points - start, along) / np.where(length > 0, length, 1.0)
    return np.asarray(start + np.clip(share, 0.0, 1.0)[:, None] * along)
