"""What an object does, in metres and seconds: of the truth by its poses, of a prediction by its track.

A track has no depth. Its pixels are laid on the vertical plane that the object moves in in the truth (the plane across
the view where it has no direction); for falls and rest, which is what is judged, that is exact as far as the
prediction stays in that plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datagen.spec import World
from inference.metrics.api import Case
from inference.metrics.courses import Known, courses_of, known_objects
from inference.metrics.derived import per_case
from inference.metrics.geometry import Plane, box_corners, centres, on_plane, plane_of_motion, poses_of, project

FREE_FALL_TOLERANCE = 0.15  # of gravity: frames of the truth that count as free flight
MIN_AIRBORNE = 4  # frames that a parabola is fitted to


@dataclass(frozen=True, kw_only=True)
class Motion:
    """An object's course in the truth and in a prediction, in the world; heights are above the floor.

    `truth` is seen through the same plane as the prediction, so that both have the plane's error.
    """

    known: Known
    poses: np.ndarray  # float64 [num_frames, 3], centre of its bounding box by physics [m]
    truth: np.ndarray  # float64 [num_frames, 3], its centroid on the plane [m]; nan where it is not seen
    prediction: np.ndarray  # float64 [num_frames, 3], likewise; nan where it is not found
    prediction_px: np.ndarray  # float64 [num_frames, 2]
    start: np.ndarray  # [3], on the plane, where it is known to start [m]
    airborne: np.ndarray  # bool [num_frames], free flight in the truth
    contact_frame: int | None  # first frame of the truth in which it touches something after free flight
    lowest_m: float  # least height that its centre can have: half its thinnest extent
    px_per_m: np.ndarray  # [num_frames]


@dataclass(frozen=True, kw_only=True)
class _Course:
    """What of a `Motion` does not depend on the prediction."""

    plane: Plane
    poses: np.ndarray
    truth: np.ndarray
    airborne: np.ndarray
    contact_frame: int | None
    lowest_m: float
    px_per_m: np.ndarray


def motions(case: Case, prediction: np.ndarray) -> tuple[Motion, ...]:
    """The motion of every affected object that the truth shows."""
    parts = zip(known_objects(case), _courses(case), courses_of(case, prediction), strict=True)
    return tuple(
        Motion(
            known=known,
            poses=fixed.poses,
            truth=fixed.truth,
            prediction=on_plane(case, course.centroids, fixed.plane),
            prediction_px=course.centroids,
            start=on_plane(case, np.tile(known.start, (case.entry.num_frames, 1)), fixed.plane)[0],
            airborne=fixed.airborne,
            contact_frame=fixed.contact_frame,
            lowest_m=fixed.lowest_m,
            px_per_m=fixed.px_per_m,
        )
        for known, fixed, course in parts
    )


@per_case
def _courses(case: Case) -> tuple[_Course, ...]:
    return tuple(_course(case, known) for known in known_objects(case))


def _course(case: Case, known: Known) -> _Course:
    poses = poses_of(case, known.name, World.COUNTERFACTUAL)
    assert poses is not None  # a known object is in the counterfactual
    middle = centres(case, known.name, poses)
    plane = plane_of_motion(case, middle)
    airborne = free_flight(middle[:, 2], case.entry.fps, gravity(case))
    _, depth = project(case, middle)
    extent = box_corners(case, known.name)
    return _Course(
        plane=plane,
        poses=middle,
        truth=on_plane(case, known.truth_px, plane),
        airborne=airborne,
        contact_frame=first_contact(case, known.name, airborne),
        lowest_m=float(np.ptp(extent, axis=0).min() / 2),
        px_per_m=case.physics["camera_matrix"][0, 0] / np.maximum(depth, 1e-3),
    )


def gravity(case: Case) -> float:
    """What the scene falls with [m/s^2]."""
    return case.metadata.spec.physics.gravity_m_s2


def free_flight(height_m: np.ndarray, fps: float, gravity_m_s2: float) -> np.ndarray:
    """Frames of the longest stretch of free flight, bool [num_frames], of heights [num_frames] [m].

    A frame flies whose second difference with its neighbours is that of gravity; the stretch takes in both neighbours.
    """
    result = np.zeros(len(height_m), dtype=bool)
    if len(height_m) < 3:
        return result
    acceleration = np.diff(height_m, n=2) * fps**2
    flies = np.abs(acceleration + gravity_m_s2) < FREE_FALL_TOLERANCE * gravity_m_s2
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flies.astype(int), [0]])))
    stretches = list(zip(edges[::2], edges[1::2], strict=True))
    if stretches:
        first, last = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
        result[first : last + 2] = True
    return result


def first_contact(case: Case, name: str, airborne: np.ndarray) -> int | None:
    """First frame of the truth after free flight in which an object touches something; None without either.

    Where no contacts are stored, the frame in which the flight ends.
    """
    if not airborne.any():
        return None
    if "contacts_pair_first" not in case.physics:
        end = int(np.flatnonzero(airborne)[-1])
        return end if end < len(airborne) - 1 else None
    first, second = case.physics["contacts_pair_first"], case.physics["contacts_pair_second"]
    mine = (first == name) | (second == name)
    touching = case.physics["contacts_touching"][:, mine].any(axis=1)
    start = int(np.flatnonzero(airborne)[0]) + 1
    after = np.flatnonzero(touching[start:])
    return start + int(after[0]) if len(after) else None
