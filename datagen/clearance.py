"""Decoration may never touch, hide or stand in the way: the rule, and its check over whole trajectories."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from datagen.errors import DecorationInTheWay
from datagen.placement import Room
from datagen.rooms import box_of

REACH_M = 0.22  # kept free around everything that moves or stands, at every frame: a hand does 2.6 m/s at 12 frames/s
CAMERA_M = 0.3  # kept free around the camera, its tripod included
SIGHT_M = 0.04  # kept free beside the region between camera and action
FLAT_M = 0.16  # what is as flat hides nothing of a light that falls along its wall


@dataclass(frozen=True, kw_only=True)
class Occupied:
    """What decoration has to keep clear of.

    reach    float64 [N, 2, 3], boxes of every object and person at every frame of both worlds
    cameras  float64 [K, 3], all positions of the camera
    shown    float64 [M, 2], seen from above: what the picture must show
    sight    float64 [V, 2], convex outline on the floor of all ways from a camera to what is shown
    light    float64 [V, 2], likewise from the key light
    """

    reach: np.ndarray
    cameras: np.ndarray
    shown: np.ndarray
    sight: np.ndarray
    light: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        """Of the action, seen from above [2]."""
        return np.asarray(0.5 * (self.shown.min(axis=0) + self.shown.max(axis=0)))

    def lit_from(self, key: np.ndarray) -> Occupied:
        """The same with the key light elsewhere [3]."""
        return replace(self, light=outline(np.concatenate([self.shown, key[None, :2]])))


def occupied_by(reach: np.ndarray, shown: np.ndarray, cameras: np.ndarray, key: np.ndarray) -> Occupied:
    """From boxes [N, 2, 3] of all there is, points [M, 3] that the picture must show, camera positions, key light."""
    flat = shown[:, :2]
    return Occupied(
        reach=reach,
        cameras=np.unique(cameras, axis=0),
        shown=flat,
        sight=outline(np.concatenate([flat, cameras[:, :2]])),
        light=flat,
    ).lit_from(key)


def outline(points: np.ndarray) -> np.ndarray:
    """Corners [V, 2] of the convex hull of points [N, 2], in order; the points themselves where they lie on a line."""
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


def is_clear(box: np.ndarray, occupied: Occupied) -> bool:
    """Whether a thing in `box` [2, 3] touches nothing, stands before no camera and takes no key light away."""
    return not obstacles(box, occupied) and (_is_flat(box) or not crosses(box, occupied.light, 0.0))


def obstacles(box: np.ndarray, occupied: Occupied) -> list[str]:
    """What a thing in `box` [2, 3] is in the way of, in words; empty when it is out of the way."""
    found = []
    low, high = box[0] - REACH_M, box[1] + REACH_M
    if bool(((low < occupied.reach[:, 1]) & (high > occupied.reach[:, 0])).all(axis=1).any()):
        found.append(f"within {REACH_M} m of what moves or stands there")
    outside = np.maximum(0.0, np.maximum(box[0] - occupied.cameras, occupied.cameras - box[1]))
    if float(np.linalg.norm(outside[:, :2], axis=1).min()) < CAMERA_M:
        found.append(f"within {CAMERA_M} m of the camera")
    if crosses(box, occupied.sight, SIGHT_M):
        found.append("between camera and action")
    return found


def crosses(box: np.ndarray, polygon: np.ndarray, margin_m: float) -> bool:
    """Whether a box [2, 3], seen from above and grown by a margin, meets a convex polygon [V, 2].

    Separating axis theorem: two convex shapes are apart if and only if a normal of one of their edges parts them.
    """
    (x0, y0), (x1, y1) = box[0, :2] - margin_m, box[1, :2] + margin_m
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    edges = np.roll(polygon, -1, axis=0) - polygon
    axes = np.concatenate([np.eye(2), np.stack([-edges[:, 1], edges[:, 0]], axis=-1)])
    ours, theirs = corners @ axes.T, polygon @ axes.T
    apart = (ours.max(axis=0) <= theirs.min(axis=0)) | (theirs.max(axis=0) <= ours.min(axis=0))
    return not bool(apart.any())


def _is_flat(box: np.ndarray) -> bool:
    return bool((box[1] - box[0])[:2].min() < FLAT_M)


def check_room(key: str, room: Room, occupied: Occupied) -> None:
    """Raise `DecorationInTheWay` when anything of a scene's room, its walls included, is in the way."""
    inside = np.array([[room.x_min, room.y_min], [room.x_max, room.y_max]])
    for name, low, high in (
        ("camera", occupied.cameras.min(axis=0), occupied.cameras.max(axis=0)),
        ("action", occupied.reach[:, 0].min(axis=0), occupied.reach[:, 1].max(axis=0)),
    ):
        if bool((low[:2] < inside[0]).any() or (high[:2] > inside[1]).any()):
            raise DecorationInTheWay(f"{key}: a wall cuts the way of the {name}", part="wall", obstacle=name)
    for index, piece in enumerate(room.pieces):
        if found := obstacles(box_of(piece, room), occupied):
            raise DecorationInTheWay(
                f"{key}: the {piece.kind.replace('_', ' ')} at wall {piece.wall} stands {' and '.join(found)}; nothing "
                "of the room may be in the way of what happens in it",
                part=piece.kind,
                index=index,
                obstacle=found,
            )
