"""Does what moves obey mechanics? In metres and seconds, by the stored camera (see `motion`).

What an object does is held against laws, not against one outcome: a vase that falls a hand's width beside the truth may
still fall as things fall. Times and heights of the truth only say where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from inference.metrics.api import Case, Direction, Measured, Metric
from inference.metrics.courses import held_places, nothing_to_follow
from inference.metrics.motion import MIN_AIRBORNE, Motion, gravity, motions

CONTACT_SHARE = 0.1  # of the fall's height: near enough to the ground to have touched it
CONTACT_PX = 1.0
SMOOTHING = np.array([1.0, 2.0, 1.0]) / 4  # a centroid is known to a fraction of a pixel, a speed is not
MIN_FRAMES = 8  # for an energy

SOURCE = "classical mechanics"


def _metric(name: str, title: str, unit: str, definition: str) -> Metric:
    return Metric(
        name=name,
        group="laws",
        title=title,
        unit=unit,
        direction=Direction.LOWER,
        low=0.0,
        high=float("inf"),
        definition=definition,
        source=SOURCE,
    )


METRICS: tuple[Metric, ...] = (
    _metric(
        "law_gravity_error",
        "free fall error",
        "m/s^2",
        "|downward acceleration - gravity| of a parabola through the heights over the frames in which the truth flies "
        "freely",
    ),
    _metric(
        "law_contact_time_error_s",
        "first contact error",
        "s",
        "difference of the times at which an object has fallen to where the truth first touches something; never: the "
        "clip's end",
    ),
    _metric(
        "law_sinks_m",
        "sinks into the floor",
        "m",
        "greatest depth of an object's centre below its lowest possible height above floor or support, beyond the "
        "truth's own as seen in the plane",
    ),
    _metric(
        "law_energy_rise_m",
        "energy gained",
        "m",
        "greatest rise of height + speed^2 / (2 gravity) over its lowest value before, beyond the truth's own",
    ),
)
REASONS = {
    "law_gravity_error": "nothing that is seen flies freely for 4 frames in the truth",
    "law_contact_time_error_s": "nothing that is seen falls onto something in the truth",
    "law_sinks_m": "no affected object was found in the prediction",
    "law_energy_rise_m": "no affected object was found for long enough",
}


def measure(case: Case, prediction: np.ndarray) -> Measured:
    """Laws that the objects of a prediction uint8 [num_frames, height, width, 3] break, mean over affected objects."""
    found = motions(case, prediction)
    if not found:
        return nothing_to_follow(case, REASONS)
    laws: dict[str, Callable[[Case, Motion], float]] = {
        "law_gravity_error": gravity_error,
        "law_contact_time_error_s": contact_time_error,
        "law_sinks_m": sinks,
        "law_energy_rise_m": energy_rise,
    }
    values: dict[str, float] = {}
    for name, law in laws.items():
        figures = [law(case, one) for one in found]
        finite = [figure for figure in figures if np.isfinite(figure)]
        values[name] = float(np.mean(finite)) if finite else float("nan")
    notes = {name: REASONS[name] for name, value in values.items() if np.isnan(value)}
    return Measured(values=values, notes=notes)


def gravity_error(case: Case, one: Motion) -> float:
    """|downward acceleration - gravity| [m/s^2] while the truth flies; nan where it does not."""
    fall = downward_acceleration(one.prediction[:, 2], one.airborne, case.entry.fps)
    return abs(fall - gravity(case))


def downward_acceleration(height_m: np.ndarray, airborne: np.ndarray, fps: float) -> float:
    """Downward acceleration [m/s^2] of heights [num_frames], by least squares over the frames of a flight.

    nan with fewer than `MIN_AIRBORNE` heights.
    """
    frames = np.flatnonzero(airborne & np.isfinite(height_m))
    if len(frames) < MIN_AIRBORNE:
        return float("nan")
    return float(-2 * np.polyfit((frames - frames[0]) / fps, height_m[frames], 2)[0])


def contact_time_error(case: Case, one: Motion) -> float:
    """Difference [s] of the times of first contact; nan where the truth touches nothing after a flight."""
    if one.contact_frame is None or not np.isfinite(one.truth[one.contact_frame, 2]):
        return float("nan")
    start = int(np.flatnonzero(one.airborne)[0])
    ground = float(one.truth[one.contact_frame, 2])
    tolerance = max(
        CONTACT_SHARE * abs(float(np.nanmax(one.truth[start : one.contact_frame + 1, 2])) - ground),
        CONTACT_PX / float(np.median(one.px_per_m)),
    )
    last = (len(one.truth) - 1) / case.entry.fps
    own, found = (
        reaching_time(heights[:, 2], start, ground + tolerance, case.entry.fps)
        for heights in (one.truth, one.prediction)
    )
    return abs((last if found is None else found) - (last if own is None else own))


def reaching_time(height_m: np.ndarray, start: int, level_m: float, fps: float) -> float | None:
    """Time [s] at which heights [num_frames] first come down to a level, between frames; None if they never do."""
    frames = start + np.flatnonzero(np.isfinite(height_m[start:]))
    for before, after in pairwise(frames):
        if height_m[after] <= level_m:
            drop = height_m[before] - height_m[after]
            share = np.clip((height_m[before] - level_m) / drop, 0, 1) if drop > 0 else 0.0
            return float((before + share * (after - before)) / fps)
    return None


def sinks(case: Case, one: Motion) -> float:
    """Depth [m] below the lowest possible height; nan where the object is not found."""
    if not np.isfinite(one.prediction[:, 2]).any():
        return float("nan")
    # What the truth shows is possible: it may lie lower in the plane than it is, when it rolls towards the camera.
    lowest = min(one.lowest_m, float(np.nanmin(one.truth[:, 2])), float(one.poses[:, 2].min()))
    return max(0.0, lowest - float(np.nanmin(one.prediction[:, 2])) - CONTACT_PX / float(np.median(one.px_per_m)))


def energy_rise(case: Case, one: Motion) -> float:
    """Energy gained [m of height], beyond what the truth gains as seen in the plane."""
    own, found = (_greatest_rise(course, case.entry.fps, gravity(case)) for course in (one.truth, one.prediction))
    return max(0.0, found - np.nan_to_num(own)) if np.isfinite(found) else float("nan")


def _greatest_rise(course: np.ndarray, fps: float, gravity_m_s2: float) -> float:
    """Greatest rise [m] of height + speed^2 / 2g over its minimum before, of a course [num_frames, 3], smoothed."""
    known = np.isfinite(course[:, 0])
    if known.sum() < MIN_FRAMES:
        return float("nan")
    whole = held_places(course, course[np.flatnonzero(known)[0]])
    smooth = np.stack([np.convolve(axis, SMOOTHING, mode="valid") for axis in whole.T], axis=1)
    speed = np.linalg.norm(np.gradient(smooth, 1 / fps, axis=0), axis=1)
    head = smooth[:, 2] + speed**2 / (2 * gravity_m_s2)
    return float((head - np.minimum.accumulate(head)).max())
