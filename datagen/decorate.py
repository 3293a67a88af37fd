"""The room around a scene, furnished once physics is done and the camera stands."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from datagen.clearance import check_room, occupied_by
from datagen.furnishing import furnish, window_light
from datagen.physics.boxes import bounds_of
from datagen.placement import Room
from datagen.spec import SceneSpec, World
from datagen.trajectory import Trajectory, place
from datagen.wishes import LightKind


def decorate(
    spec: SceneSpec,
    room: Room,
    worlds: Mapping[World, Trajectory],
    corners: Mapping[str, np.ndarray],
    people: Mapping[str, np.ndarray],
    shown: np.ndarray,
    cameras: np.ndarray,
    key: np.ndarray,
) -> tuple[Room, np.ndarray]:
    """An empty room with its furniture, and the key light [3], which moves into a window if it is to be one.

    corners, people: as of `staging.stage_scene`; shown: points [M, 3] that the picture must show; cameras: all poses
    [K, 7]. Raises `DecorationInTheWay` when something of the room is in the way after all.
    """
    reach = swept_boxes(worlds, corners, people)
    occupied = occupied_by(reach, shown, cameras[:, :3], key)
    towards = key[:2] - occupied.middle
    direction = math.atan2(towards[1], towards[0]) if spec.light.kind is LightKind.WINDOW else None
    furnished = furnish(room, spec.room.kind, spec.room.seed, occupied, direction)
    check_room(spec.key, furnished, occupied)
    if furnished.key_window is not None:
        key = window_light(furnished, furnished.pieces[furnished.key_window])
    return furnished, key


def swept_boxes(
    worlds: Mapping[World, Trajectory], corners: Mapping[str, np.ndarray], people: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Lower and upper corners float64 [N, 2, 3] of every object and person at every frame of every world."""
    tracks = [place(path.of(name), corners[name]) for path in worlds.values() for name in path.names]
    tracks += [points for points in people.values() if points.size]
    return np.concatenate([bounds_of(points) for points in tracks])
