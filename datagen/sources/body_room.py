"""How much room there is around a recorded body: how far a rendered one may lie outside of it.

Physics knows the recorded body. Where the person touches something, or something is about to be near, the body that is
rendered has to be the recorded one: else it would reach into objects, or let go of them.
"""

from __future__ import annotations

import re

import numpy as np

from datagen.physics.boxes import within_box
from datagen.physics.distance import distances_to_mesh
from datagen.sequence import BodyTrack, ObjectTrack, Sequence
from datagen.trajectory import apply_pose, inverse_pose

# regions of `spec.BodyShape` by body part
REGIONS = (
    ("chest", re.compile(r"Spine[12]|(Left|Right)Shoulder")),
    ("belly", re.compile(r"Hips|Spine1?")),
    ("upper_arms", re.compile(r"(Left|Right)Arm")),
    ("thighs", re.compile(r"(Left|Right)UpLeg")),
    ("calves", re.compile(r"(Left|Right)Leg")),
    ("hair", re.compile(r"Head.*|Neck")),
    ("feet", re.compile(r"(Left|Right)(Foot|Toe.*)")),
)
OWN_HANDS = re.compile(r"(Left|Right)(Hand|ForeArm)")
FREE_OF_HANDS = ("upper_arms", "feet")  # regions that own hands do not limit
SEEN_M = 0.045  # more than any shape needs
STRIDE = 3  # mocap frames: a body part moves some centimetres a frame at most, an object that it holds moves along
OWN_HAND_M = 0.010  # so far a person's own hand may sink into loose clothes
MAX_POINTS = 300  # of a region: they lie about 3 cm apart, and an object's surface is continuous
ROUNDING_M = 1e-6  # far more than positions in two frames of reference differ by


class BodyRoom:
    """Room around one person of a sequence. A mocap frame is measured once, for all the clips that show it."""

    def __init__(self, sequence: Sequence, person: int) -> None:
        self._body = sequence.people[person]
        self._objects = tuple(_Obstacle(track) for track in sequence.objects)
        regions = {name: points_of(self._body, pattern) for name, pattern in REGIONS}
        self._regions = {name: rows for name, rows in regions.items() if len(rows)}
        self._hands = points_of(self._body, OWN_HANDS)
        self._gaps: dict[int, np.ndarray] = {}  # by frame, float64 [num_regions]

    def over(self, frames: range) -> dict[str, float]:
        """Least distance [m] of each region of a body to an object, or to the body's own hands, over mocap frames.

        Own hands count as `OWN_HAND_M` farther away than they are. `inf` where there is nothing within `SEEN_M`; a
        region without points has no entry.
        """
        if not self._regions:
            return {}
        last = min(frames.stop, len(self._body.points)) - 1
        asked = sorted({*range(max(frames.start, 0), last + 1, STRIDE), last})
        for frame in asked:
            if frame not in self._gaps:
                self._gaps[frame] = self._gaps_in(frame)
        least = np.min([self._gaps[frame] for frame in asked], axis=0)
        return dict(zip(self._regions, least.tolist(), strict=True))

    def _gaps_in(self, frame: int) -> np.ndarray:
        """Least distance [m] of each region in one frame, float64 [num_regions]."""
        sizes = [len(rows) for rows in self._regions.values()]
        points = self._points(frame, np.concatenate(list(self._regions.values())))  # of all regions, one after another
        to_hands = distances_to_points(points, self._points(frame, self._hands)) + OWN_HAND_M
        to_hands[np.repeat([name in FREE_OF_HANDS for name in self._regions], sizes)] = np.inf
        nearest = np.minimum.reduce([to_hands, *(one.distances(points, frame) for one in self._objects)])
        starts = np.cumsum([0, *sizes[:-1]])
        return np.asarray(np.minimum.reduceat(nearest, starts))

    def _points(self, frame: int, rows: np.ndarray) -> np.ndarray:
        """Some of the body's points in a frame, float64 [P, 3], world."""
        return np.asarray(self._body.points[frame, rows], dtype=np.float64)


class _Obstacle:
    """An object that a body may come near."""

    def __init__(self, track: ObjectTrack) -> None:
        self.track = track
        self.low = track.vertices.min(axis=0, initial=np.inf) - SEEN_M - ROUNDING_M  # of all that is near, object frame
        self.high = track.vertices.max(axis=0, initial=-np.inf) + SEEN_M + ROUNDING_M

    def distances(self, points: np.ndarray, frame: int) -> np.ndarray:
        """Distance [m] of each point [P, 3], world, to the object in a mocap frame; `inf` beyond `SEEN_M`.

        Only points in the object's own box, of which there are few, are measured against its surface.
        """
        result = np.full(len(points), np.inf)
        pose = self.track.poses[frame]
        near = np.flatnonzero(within_box(apply_pose(inverse_pose(pose), points), self.low, self.high))
        if len(near):
            posed = apply_pose(pose, self.track.vertices)
            result[near] = distances_to_mesh(points[near], posed, self.track.faces, SEEN_M)
        return result


def points_of(body: BodyTrack, parts: re.Pattern[str]) -> np.ndarray:
    """Indices of a body's points on some parts, at most `MAX_POINTS` of them."""
    wanted = [index for index, name in enumerate(body.part_names) if parts.fullmatch(name)]
    rows = np.flatnonzero(np.isin(body.part, wanted))
    return rows[:: max(1, -(-len(rows) // MAX_POINTS))]


def distances_to_points(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance [m] of each point [P, 3] to the nearest of some others [N, 3]; `inf` beyond `SEEN_M`."""
    from scipy.spatial import cKDTree

    if not len(others):
        return np.full(len(points), np.inf)
    return np.asarray(cKDTree(others).query(points, distance_upper_bound=SEEN_M)[0])
