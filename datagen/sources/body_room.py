"""How much room there is around a recorded body: how far a rendered one may lie outside of it.

Physics knows the recorded body. Where the person touches something, or something is about to be near, the body that is
rendered has to be the recorded one: else it would reach into objects, or let go of them.
"""

from __future__ import annotations

import re

import numpy as np

from datagen.physics.distance import distances_to_mesh
from datagen.sequence import BodyTrack, Sequence
from datagen.trajectory import apply_pose

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
SEEN_M = 0.045  # more than any shape needs
STRIDE = 3  # mocap frames: a body part moves some centimetres a frame at most, an object that it holds moves along
OWN_HAND_M = 0.010  # so far a person's own hand may sink into loose clothes
MAX_POINTS = 300  # of a region: they lie about 3 cm apart, and an object's surface is continuous


def room_around(sequence: Sequence, person: int, frames: range) -> dict[str, float]:
    """Least distance [m] of each region of a body to an object, or to the body's own hands, over mocap frames.

    Own hands count as `OWN_HAND_M` farther away than they are. `inf` where there is nothing within `SEEN_M`; a region
    without points has no entry.
    """
    body = sequence.people[person]
    regions = {name: points_of(body, pattern) for name, pattern in REGIONS}
    hands = points_of(body, OWN_HANDS)
    result = {name: np.inf for name, rows in regions.items() if len(rows)}
    last = min(frames.stop, len(body.points)) - 1
    for frame in sorted({*range(max(frames.start, 0), last + 1, STRIDE), last}):
        posed = [(apply_pose(track.poses[frame], track.vertices), track.faces) for track in sequence.objects]
        for name in result:
            points = body.points[frame, regions[name]].astype(np.float64)
            gaps = [distances_to_mesh(points, vertices, faces, SEEN_M).min(initial=np.inf) for vertices, faces in posed]
            if name not in ("upper_arms", "feet"):
                gaps.append(gap_between(points, body.points[frame, hands].astype(np.float64)) + OWN_HAND_M)
            result[name] = min(result[name], *gaps)
    return {name: float(gap) for name, gap in result.items()}


def points_of(body: BodyTrack, parts: re.Pattern[str]) -> np.ndarray:
    """Indices of a body's points on some parts, at most `MAX_POINTS` of them."""
    wanted = [index for index, name in enumerate(body.part_names) if parts.fullmatch(name)]
    rows = np.flatnonzero(np.isin(body.part, wanted))
    return rows[:: max(1, -(-len(rows) // MAX_POINTS))]


def gap_between(first: np.ndarray, second: np.ndarray) -> float:
    """Least distance [m] between two sets of points [N, 3]; `inf` beyond `SEEN_M`."""
    from scipy.spatial import cKDTree

    if not len(first) or not len(second):
        return np.inf
    gaps, _ = cKDTree(second).query(first, distance_upper_bound=SEEN_M)
    return float(gaps.min())
