"""Exact distances from points to a triangle mesh, for points that are near it, and whether points lie within it.

Closest point of a triangle after Ericson, Real-Time Collision Detection (2005), section 5.1.5.
"""

from __future__ import annotations

import numpy as np

from datagen.physics.boxes import PAIRS_AT_ONCE, bounds_of, points_in_boxes, triangle_bounds, within_box

MIN_AREA = 1e-14  # [m2] twice the area of a projected triangle; smaller is seen edge-on
ASIDE_M = np.array([1.7e-6, 2.3e-6, 3.1e-6])  # keeps rays off the edges that modellers place in the middle of things


def distances_to_mesh(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, margin: float) -> np.ndarray:
    """Unsigned distance [m] of each point [P, 3] to a surface; `inf` where it is more than `margin` away.

    A mesh without faces is infinitely far from everything.
    """
    result = np.full(len(points), np.inf)
    if not len(faces) or not len(points):
        return result
    low, high = bounds_of(vertices)
    near = np.flatnonzero(within_box(points, low - margin, high + margin))
    if not len(near):
        return result
    corners = vertices.take(faces, axis=0)
    box_low, box_high = triangle_bounds(corners)
    for place, column in points_in_boxes(points[near], box_low - margin, box_high + margin):
        which = near[place]
        asked = points[which]
        distance = np.linalg.norm(asked - closest_on_triangles(asked, corners[column]), axis=1)
        np.minimum.at(result, which, distance)
    result[result > margin] = np.inf
    return result


def within_mesh(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Whether each point [P, 3] is enclosed by a surface, whatever way its faces look; bool [P].

    A point is within when rays along all six half axes cross the surface an odd number of times; a hole in the mesh
    lets one of them out, so that legs under a table are not within the table.
    """
    result = np.zeros(len(points), dtype=bool)
    if not len(faces):
        return result
    corners = vertices[faces]
    boxed = np.all((points > corners.min(axis=(0, 1))) & (points < corners.max(axis=(0, 1))), axis=1)
    near = np.flatnonzero(boxed)
    for some in np.array_split(near, max(1, -(-len(near) * len(faces) // PAIRS_AT_ONCE))):
        enclosed = np.ones(len(some), dtype=bool)
        for axis in range(3):
            ahead, behind = _crossings(points[some], corners, axis)
            enclosed &= (ahead % 2 == 1) & (behind % 2 == 1)
        result[some] = enclosed
    return result


def _crossings(points: np.ndarray, corners: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """How often rays from points [P, 3] along +axis and -axis meet triangles [F, 3, 3]; two int [P]."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    a, b, c = (corners[:, index][:, [first, second]] for index in range(3))
    area = _cross(b - a, c - a)
    solid = np.abs(area) > MIN_AREA
    a, b, c, area, height = a[solid], b[solid], c[solid], area[solid], corners[solid][..., axis]
    aside = points + ASIDE_M
    flat = aside[:, None, [first, second]]
    weights = np.stack([_cross(c - b, flat - b), _cross(a - c, flat - c), _cross(b - a, flat - a)]) / area
    hit = (weights >= 0).all(axis=0)
    level = np.einsum("kpf,fk->pf", weights, height)
    above = level > aside[:, axis, None]
    return (hit & above).sum(axis=1), (hit & ~above).sum(axis=1)


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cross product of vectors [..., 2]."""
    return np.asarray(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])


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
