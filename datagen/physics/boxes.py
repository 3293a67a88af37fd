"""Boxes along the axes, which decide most questions of nearness before a surface is looked at.

Numpy's reductions over rows of three cost five to ten times as much as going over the three columns, as is done here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

PAIRS_AT_ONCE = 2_000_000


def bounds_of(points: np.ndarray) -> np.ndarray:
    """Lower and upper corner [..., 2, K] of the box around points [..., P, K]; there has to be one."""
    columns = [points[..., axis] for axis in range(points.shape[-1])]
    return np.stack([np.stack([one.min(axis=-1), one.max(axis=-1)], axis=-1) for one in columns], axis=-1)


def triangle_bounds(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates, two [F, 3], of triangles [F, 3, 3]."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)


def within_box(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether each point [P, 3] lies in a box from `low` [3] to `high` [3], or on its sides; bool [P]."""
    inside = np.ones(len(points), dtype=bool)
    for axis in range(3):
        inside &= (points[:, axis] >= low[axis]) & (points[:, axis] <= high[axis])
    return inside


def points_in_boxes(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which points [P, 3] lie in which boxes [F, 3], sides included: indices of both, int [N].

    They come in parts, for each of which about `PAIRS_AT_ONCE` pairs were tried. Along the axis on which the points
    spread farthest, those that may lie in a box follow one another (sort and sweep: Ericson, Real-Time Collision
    Detection (2005), section 7.5).
    """
    least, most = bounds_of(points)
    overlaps = np.ones(len(low), dtype=bool)
    for axis in range(3):
        overlaps &= (low[:, axis] <= most[axis]) & (high[:, axis] >= least[axis])
    boxes = np.flatnonzero(overlaps)
    longest = int((most - least).argmax())
    order = np.argsort(points[:, longest])
    along = points[order, longest]
    first = np.searchsorted(along, low[boxes, longest], side="left")
    count = np.searchsorted(along, high[boxes, longest], side="right") - first
    part = np.cumsum(count) // PAIRS_AT_ONCE
    for some in np.split(np.arange(len(boxes)), np.flatnonzero(np.diff(part)) + 1):
        column = np.repeat(boxes[some], count[some])
        before = np.cumsum(count[some]) - count[some]
        which = order[np.arange(len(column)) + np.repeat(first[some] - before, count[some])]
        for axis in {0, 1, 2} - {longest}:
            value = points[which, axis]
            inside = (value >= low[column, axis]) & (value <= high[column, axis])
            which, column = which[inside], column[inside]
        yield which, column
