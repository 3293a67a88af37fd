"""The courses of a clip's affected objects: in the truth, as filmed, in perturbed outcomes, and in a prediction."""

from __future__ import annotations

import weakref
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from datagen.quadmask import Label
from datagen.spec import World
from inference.metrics.api import Case, Measured
from inference.metrics.derived import object_id, per_case
from inference.metrics.geometry import centres, perturbed_poses, poses_of, project
from inference.metrics.plate import clean_plate
from inference.metrics.templates import Appearance, appearance_of
from inference.metrics.tracker import Course, Wanted, follow, footage_of

WELL_SEEN = 0.25  # of its usual area: frames of the truth that count
MIN_PIXELS = 6
STEP_MARGIN = 1.5
MIN_STEP_PX = 2.0


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of an affected object that can be seen in the truth."""

    name: str
    looks: Appearance
    masks: np.ndarray  # bool [num_frames, height, width], in the truth
    truth_px: np.ndarray  # float64 [num_frames, 2], centroid of its visible pixels; nan where it is not seen well
    hidden_px: np.ndarray  # float64 [num_frames, 2], as filmed, by projection
    perturbed_px: np.ndarray  # float64 [K, num_frames, 2], by projection
    start: np.ndarray  # [2], where it is in the first frame
    at_start_px: np.ndarray  # float64 [num_frames, 2], where that place of the world is in each frame

    @property
    def seen(self) -> np.ndarray:
        """Frames in which the truth shows it well, bool [num_frames]."""
        return np.isfinite(self.truth_px[:, 0])


@per_case
def known_objects(case: Case) -> tuple[Known, ...]:
    """Affected objects that the truth shows in at least one frame, in the manifest's order."""
    found = (_known(case, name) for name in case.entry.affected)
    return tuple(one for one in found if one is not None)


def nothing_to_follow(case: Case, names: Collection[str]) -> Measured:
    """What a group says of a clip without an object to follow: no figures, and why."""
    why = "nothing moves differently" if not case.entry.affected else "the truth never shows what moves differently"
    return Measured(values=dict.fromkeys(names, float("nan")), notes=dict.fromkeys(names, why))


def courses_of(case: Case, prediction: np.ndarray) -> tuple[Course, ...]:
    """The course of each known object through a prediction; followed once for all groups of metrics."""
    key = (id(case), id(prediction))
    if key not in _FOLLOWED:
        _FOLLOWED[key] = _follow(case, prediction)
        weakref.finalize(prediction, _FOLLOWED.pop, key, None)
        weakref.finalize(case, _FOLLOWED.pop, key, None)
    return _FOLLOWED[key]


_FOLLOWED: dict[tuple[int, int], tuple[Course, ...]] = {}  # emptied when the arrays go


@per_case
def truth_courses(case: Case) -> tuple[Course, ...]:
    """What the tracker makes of the truth itself: its floor."""
    return _follow(case, case.truth)


def _follow(case: Case, video: np.ndarray) -> tuple[Course, ...]:
    known = known_objects(case)
    if not known:
        return ()
    footage = footage_of(video, clean_plate(case), case.quadmask == Label.KEEP)
    return tuple(follow(footage, [_wanted(one) for one in known]))


def _wanted(one: Known) -> Wanted:
    steps = [np.linalg.norm(np.diff(course, axis=0), axis=1) for course in (one.truth_px, one.hidden_px)]
    longest = max((float(np.nanmax(step)) for step in steps if np.isfinite(step).any()), default=0.0)
    return Wanted(looks=one.looks, start=one.start, usual_step_px=max(MIN_STEP_PX, STEP_MARGIN * longest))


def _known(case: Case, name: str) -> Known | None:
    number = object_id(case, name)
    masks = case.ids_counterfactual == number
    looks = appearance_of(case, name)
    poses = poses_of(case, name, World.COUNTERFACTUAL)
    if looks is None or poses is None or not number:
        return None
    truth_px = visible_centroids(masks, max(MIN_PIXELS, WELL_SEEN * looks.size_px**2))
    if not np.isfinite(truth_px).any():
        return None
    projected, _ = project(case, centres(case, name, poses))
    aside = np.nan_to_num(np.nanmedian(truth_px - projected, axis=0))  # what is seen is not the box's centre
    factual = poses_of(case, name, World.FACTUAL)
    hidden_px = project(case, centres(case, name, poses if factual is None else factual))[0] + aside
    perturbed_px = project(case, centres(case, name, perturbed_poses(case, name)))[0] + aside
    stays = project(case, np.repeat(centres(case, name, poses)[:1], len(poses), axis=0))[0]
    start = truth_px[0] if np.isfinite(truth_px[0]).all() else projected[0] + aside
    return Known(
        name=name,
        looks=looks,
        masks=masks,
        truth_px=truth_px,
        hidden_px=hidden_px,
        perturbed_px=perturbed_px,
        start=start,
        at_start_px=start + stays - stays[0],
    )


def visible_centroids(masks: np.ndarray, least: float) -> np.ndarray:
    """Centroids (right, down) [px] of masks bool [F, H, W], float64 [F, 2]; nan for fewer than `least` pixels."""
    area = masks.sum(axis=(1, 2)).astype(np.float64)
    usable = np.where(area >= least, area, np.nan)
    down = masks.sum(axis=2) @ (np.arange(masks.shape[1]) + 0.5)
    right = masks.sum(axis=1) @ (np.arange(masks.shape[2]) + 0.5)
    return np.stack([right / usable, down / usable], axis=1)


def held_places(places: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Places [num_frames, n] with gaps (nan) filled by the last place before them, or by `start` [n]."""
    known = np.isfinite(places[:, 0])
    last = np.maximum.accumulate(np.where(known, np.arange(len(places)), -1))
    return np.where((last >= 0)[:, None], places[last], start)
