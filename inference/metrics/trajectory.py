"""Where the objects that move differently go, against where they should.

Each is followed through the prediction from its known appearance and its place in the first frame (`tracker`); figures
are means over the affected objects that the truth shows, and over the frames in which it shows them well. A frame in
which the prediction lacks an object counts as one in which it stayed where it was last seen, and as off by its own size
at least. `tracker_floor_px` is what the tracker itself gets wrong on the truth.

PISA (Li et al., "PISA experiments", 2025, arXiv 2503.09595) compares masks of a dropped object; its code takes the
root of each squared coordinate by itself, so that its "L2" is the mean of absolute differences, over sqrt(2) and the
picture's size. Ours is Euclidean; its variant is there to compare with published figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from datagen.spec import World
from inference.metrics.api import Case, Direction, Measured, Metric, Track
from inference.metrics.courses import (
    Known,
    courses_of,
    held_places,
    known_objects,
    nothing_to_follow,
    truth_courses,
)
from inference.metrics.derived import per_case
from inference.metrics.geometry import centres, poses_of
from inference.metrics.tracker import Course

REST_SPEED_M_S = 0.05
REST_FRAMES = 3  # at the end
ELONGATED = 1.3  # ratio of a mask's axes from which its direction means something
VANISHED = 0.5  # share of frames in which it is missing
GONE_AT_THE_END = 0.2  # last share of the clip: missing throughout
DUPLICATED = 0.3  # share of frames with a second copy
FROZEN = 0.15  # of the truth's way
MOVES_SIZES = 0.5  # sizes that the truth must move for "frozen" to mean something

PISA = "PISA, Li et al. 2025 (arXiv 2503.09595)"


def _metric(
    name: str,
    title: str,
    unit: str,
    definition: str,
    source: str = "",
    direction: Direction = Direction.LOWER,
    high: float = float("inf"),
) -> Metric:
    return Metric(
        name=name,
        group="trajectory",
        title=title,
        unit=unit,
        direction=direction,
        low=0.0,
        high=high,
        definition=definition,
        source=source,
    )


METRICS: tuple[Metric, ...] = (
    _metric("traj_centroid_px", "centroid error", "px", "mean Euclidean distance of the centroids of visible pixels"),
    _metric(
        "traj_centroid_pisa",
        "centroid error (PISA)",
        "",
        "mean absolute difference of the centroids' coordinates, over sqrt(2) and the root of the picture's area; "
        "frames without the object left out",
        PISA,
    ),
    _metric(
        "traj_chamfer_px",
        "Chamfer distance",
        "px",
        "mean distance of the truth's pixels to the nearest of the prediction's mask, plus the reverse",
        PISA,
    ),
    _metric(
        "traj_iou", "mask IoU", "", "IoU of the object's masks, mean over frames", PISA, Direction.HIGHER, high=1.0
    ),
    _metric(
        "traj_rest_px",
        "rest position error",
        "px",
        "centroid error over the last 3 frames, of objects that are at rest there in the truth",
    ),
    _metric(
        "traj_axis_deg",
        "axis error",
        "deg",
        "angle between the principal axes of the masks, where the truth's is longer than wide by 1.3",
        high=90.0,
    ),
    _metric(
        "traj_discard",
        "discarded",
        "",
        "share of objects that vanish, are doubled, or stay frozen where the truth moves",
        high=1.0,
    ),
    _metric("tracker_floor_px", "tracker's floor", "px", "centroid error of the tracker on the truth itself"),
)
NAMES = tuple(metric.name for metric in METRICS)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is found out about one object; nan where it does not apply."""

    centroid_px: float
    centroid_pisa: float
    chamfer_px: float
    iou: float
    rest_px: float
    axis_deg: float
    discard: float


def measure(case: Case, prediction: np.ndarray) -> Measured:
    """Trajectory figures of a prediction uint8 [num_frames, height, width, 3], and its tracks."""
    known = known_objects(case)
    if not known:
        return nothing_to_follow(case, NAMES)
    courses = courses_of(case, prediction)
    found = [figures(case, one, course) for one, course in zip(known, courses, strict=True)]
    values = {
        "traj_centroid_px": _mean([one.centroid_px for one in found]),
        "traj_centroid_pisa": _mean([one.centroid_pisa for one in found]),
        "traj_chamfer_px": _mean([one.chamfer_px for one in found]),
        "traj_iou": _mean([one.iou for one in found]),
        "traj_rest_px": _mean([one.rest_px for one in found]),
        "traj_axis_deg": _mean([one.axis_deg for one in found]),
        "traj_discard": _mean([one.discard for one in found]),
        "tracker_floor_px": tracker_floor(case),
    }
    return Measured(values=values, notes=_notes(values), tracks=tracks(known, courses))


def tracks(known: tuple[Known, ...], courses: tuple[Course, ...]) -> tuple[Track, ...]:
    """Courses for plots."""
    return tuple(
        Track(
            name=one.name,
            prediction_px=course.centroids,
            truth_px=one.truth_px,
            hidden_px=one.hidden_px,
            perturbed_px=one.perturbed_px,
        )
        for one, course in zip(known, courses, strict=True)
    )


def _notes(values: dict[str, float]) -> dict[str, str]:
    reasons = {
        "traj_centroid_pisa": "no affected object was found in the prediction",
        "traj_rest_px": "no affected object is at rest, and seen, at the end of the truth",
        "traj_axis_deg": "no affected object was found whose mask is longer than wide",
    }
    return {name: reason for name, reason in reasons.items() if not np.isfinite(values[name])}


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


@per_case
def tracker_floor(case: Case) -> float:
    """Mean centroid error [px] of the tracker on the truth itself; nan where there is nothing to follow."""
    pairs = zip(known_objects(case), truth_courses(case), strict=True)
    return _mean([float(np.mean(centroid_errors(one, course.centroids)[one.seen])) for one, course in pairs])


def figures(case: Case, one: Known, course: Course) -> Figures:
    """Figures of one object."""
    errors = centroid_errors(one, course.centroids)
    seen = one.seen
    found = seen & np.isfinite(course.centroids[:, 0])
    size = float(np.sqrt(case.entry.width * case.entry.height))
    return Figures(
        centroid_px=float(errors[seen].mean()),
        centroid_pisa=pisa_centroid_error(course.centroids[found], one.truth_px[found], size),
        chamfer_px=float(np.mean([_chamfer(one, course, frame, errors) for frame in np.flatnonzero(seen)])),
        iou=float(np.mean([mask_iou(one.masks[frame], course.masks[frame]) for frame in np.flatnonzero(seen)])),
        rest_px=_rest_error(case, one, errors),
        axis_deg=_mean([axis_difference(one.masks[frame], course.masks[frame]) for frame in np.flatnonzero(found)]),
        discard=float(is_discarded(one, course)),
    )


def centroid_errors(one: Known, centroids: np.ndarray) -> np.ndarray:
    """Distance [px] of centroids [num_frames, 2] from the truth, float64 [num_frames]; nan where the truth has none.

    Where it is missing it stays where it was last seen (before that: where it is known to start), and is off by its own
    size at least.
    """
    held = held_places(centroids, one.start)
    errors = np.linalg.norm(held - one.truth_px, axis=1)
    missing = ~np.isfinite(centroids[:, 0])
    return np.where(missing, np.maximum(errors, one.looks.size_px), errors)


def pisa_centroid_error(prediction: np.ndarray, truth: np.ndarray, size_px: float) -> float:
    """PISA's trajectory error of centroids [n, 2]: the mean absolute difference of coordinates / (sqrt(2) size)."""
    if not len(prediction):
        return float("nan")
    return float(np.nanmean(np.abs(prediction - truth)) / np.sqrt(2) / size_px)


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two masks bool [height, width]; both empty: 1."""
    either = int((first | second).sum())
    return float((first & second).sum() / either) if either else 1.0


def chamfer_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean distance [px] of each mask's pixels to the nearest of the other, both ways added; neither may be empty."""
    rows = np.flatnonzero((first | second).any(axis=1))
    columns = np.flatnonzero((first | second).any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    one, other = first[box], second[box]
    to_other, to_one = (
        cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for mask in (other, one)
    )
    return float(to_other[one].mean() + to_one[other].mean())


def _chamfer(one: Known, course: Course, frame: int, errors: np.ndarray) -> float:
    if not course.masks[frame].any():
        return 2 * float(errors[frame])
    return chamfer_distance(one.masks[frame], course.masks[frame])


def _rest_error(case: Case, one: Known, errors: np.ndarray) -> float:
    """Centroid error at the end, if the truth rests there."""
    poses = poses_of(case, one.name, World.COUNTERFACTUAL)
    tail = np.flatnonzero(one.seen)[-REST_FRAMES:]
    if poses is None or len(poses) < 2 or tail[-1] < len(poses) - REST_FRAMES:
        return float("nan")
    ends = centres(case, one.name, poses[-REST_FRAMES - 1 :])
    speed = np.linalg.norm(np.diff(ends, axis=0), axis=1).max() * case.entry.fps
    return float(errors[tail].mean()) if speed < REST_SPEED_M_S else float("nan")


def axis_difference(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Angle [deg], 0 to 90, between principal axes of masks; nan where the truth's has none to speak of."""
    (ratio, angle), (_, other) = principal_axis(truth), principal_axis(prediction)
    if not ratio >= ELONGATED or not np.isfinite(other):
        return float("nan")
    difference = abs(angle - other) % 180
    return float(min(difference, 180 - difference))


def principal_axis(mask: np.ndarray) -> tuple[float, float]:
    """Ratio of the longer to the shorter axis of a mask's second moments, and direction of the longer [deg, 0..180)."""
    rows, columns = np.nonzero(mask)
    if len(rows) < 3:
        return float("nan"), float("nan")
    values, vectors = np.linalg.eigh(np.cov(np.stack([columns, rows]).astype(np.float64)))
    shorter, longer = np.sqrt(np.maximum(values, 1 / 12))  # a row of pixels has the width of one
    return float(longer / shorter), float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180)


def is_discarded(one: Known, course: Course) -> bool:
    """Whether an object vanishes, is doubled, or stays where it is while the truth moves."""
    return vanished(one, course) or doubled(one, course) or frozen(one, course)


def vanished(one: Known, course: Course) -> bool:
    """Missing in half of the frames that show it, or to the end."""
    missing = ~np.isfinite(course.centroids[:, 0])[one.seen]
    tail = missing[-max(1, round(GONE_AT_THE_END * len(missing))) :]
    return bool(missing.mean() >= VANISHED or tail.all())


def doubled(one: Known, course: Course) -> bool:
    """A second copy in many frames."""
    return bool(course.doubles[one.seen].mean() >= DUPLICATED)


def frozen(one: Known, course: Course) -> bool:
    """All but at rest in the world, while the truth moves."""
    found = one.seen & np.isfinite(course.centroids[:, 0])
    if not found.any():
        return False
    way = np.linalg.norm((one.truth_px - one.at_start_px)[one.seen], axis=1).max()
    if way < MOVES_SIZES * one.looks.size_px:
        return False
    return bool(np.linalg.norm((course.centroids - one.at_start_px)[found], axis=1).max() < FROZEN * way)
