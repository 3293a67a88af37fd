"""What happens to each object, and when: did it fall, did it hit something, did it stay; in which order.

The truth's events come from its poses and recorded contacts, a prediction's from its tracks (see `motion`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from inference.metrics.api import Case, Direction, Measured, Metric
from inference.metrics.courses import nothing_to_follow
from inference.metrics.motion import Motion, motions

FELL_M = 0.05  # a lesser drop is no fall
FELL_PX = 3.0
STAYED_SIZES = 0.25
STAYED_PX = 2.0
HIT_SHARE = 0.5  # of the fastest way down in a frame: slower than that within HIT_FRAMES, it has hit something
HIT_FRAMES = 2
APART_SIZES = 0.25  # from the factual course: it has diverged
APART_PX = 2.0
APART_FRAMES = 2  # events that are nearer in time have no order


def _metric(name: str, title: str, unit: str, direction: Direction, high: float, definition: str) -> Metric:
    return Metric(
        name=name,
        group="events",
        title=title,
        unit=unit,
        direction=direction,
        low=0.0,
        high=high,
        definition=definition,
        source="",
    )


METRICS: tuple[Metric, ...] = (
    _metric(
        "events_right",
        "events right",
        "",
        Direction.HIGHER,
        1.0,
        "share of questions answered as by the truth: did it fall, did it hit something after a fall, did it stay; of "
        "each affected object",
    ),
    _metric(
        "events_time_error_s",
        "event time error",
        "s",
        Direction.LOWER,
        float("inf"),
        "mean difference of the times at which objects begin to move and come down; missing: the clip's end",
    ),
    _metric(
        "events_order",
        "events in order",
        "",
        Direction.HIGHER,
        1.0,
        "share of pairs of events, at least two frames apart in the truth, that come in the truth's order",
    ),
    _metric(
        "divergence_error_s",
        "divergence error",
        "s",
        Direction.LOWER,
        float("inf"),
        "difference of the times at which an object first leaves its factual course; never: the clip's end",
    ),
)
NAMES = tuple(metric.name for metric in METRICS)


@dataclass(frozen=True, kw_only=True)
class Events:
    """What happens to one object; times in frames, None for what does not happen."""

    fell: bool
    hit: bool
    stayed: bool
    moves_at: int | None
    lands_at: int | None
    diverges_at: int | None

    @property
    def answers(self) -> tuple[bool, bool, bool]:
        """To the questions that are asked."""
        return self.fell, self.hit, self.stayed

    @property
    def times(self) -> tuple[int | None, int | None]:
        """When it begins to move, and when it lands."""
        return self.moves_at, self.lands_at


def measure(case: Case, prediction: np.ndarray) -> Measured:
    """Events of a prediction uint8 [num_frames, height, width, 3] against those of the truth."""
    found = motions(case, prediction)
    if not found:
        return nothing_to_follow(case, NAMES)
    truth = [events_of(one, one.known.truth_px, one.truth) for one in found]
    mine = [events_of(one, one.prediction_px, one.prediction) for one in found]
    last = case.entry.num_frames - 1
    values = {
        "events_right": _share_right(truth, mine),
        "events_time_error_s": _time_error(truth, mine, last) / case.entry.fps,
        "events_order": order_kept(_times(truth, last), _times(mine, last)),
        "divergence_error_s": _divergence_error(truth, mine, last) / case.entry.fps,
    }
    reasons = {
        "events_order": f"the truth has no two events that are {APART_FRAMES} frames apart",
        "divergence_error_s": "no object that is seen leaves its factual course in the truth",
    }
    return Measured(values=values, notes={name: why for name, why in reasons.items() if np.isnan(values[name])})


def events_of(one: Motion, pixels: np.ndarray, course: np.ndarray) -> Events:
    """Events of a course, pixels [num_frames, 2] and in the world [num_frames, 3], nan where it is not seen."""
    px_per_m = float(np.median(one.px_per_m))
    size_px = one.known.looks.size_px
    away = np.linalg.norm(course - one.start, axis=1) * px_per_m
    moves_at = first_lasting(away > max(STAYED_SIZES * size_px, STAYED_PX))
    apart = np.linalg.norm(pixels - one.known.hidden_px, axis=1)
    fell = greatest_drop(course[:, 2]) >= max(FELL_M, FELL_PX / px_per_m)
    lands_at = landing(course[:, 2]) if fell else None
    return Events(
        fell=fell,
        hit=lands_at is not None,
        stayed=moves_at is None,
        moves_at=moves_at,
        lands_at=lands_at,
        diverges_at=first_lasting(apart > max(APART_SIZES * size_px, APART_PX)),
    )


def first_lasting(flags: np.ndarray) -> int | None:
    """First frame from which a flag holds for two frames (or to the end); None where it never does."""
    lasting = flags & np.append(flags[1:], True)
    found = np.flatnonzero(lasting)
    return int(found[0]) if len(found) else None


def greatest_drop(height_m: np.ndarray) -> float:
    """Greatest way down [m] from any earlier height; frames that are not seen are left out."""
    seen = height_m[np.isfinite(height_m)]
    return float((np.maximum.accumulate(seen) - seen).max()) if len(seen) else 0.0


def landing(height_m: np.ndarray) -> int | None:
    """Frame after the fastest way down by which most of that speed is lost; None where it goes on falling unseen."""
    drop = -np.diff(height_m)
    if not np.isfinite(drop).any():
        return None
    fastest = int(np.nanargmax(drop))
    later = drop[fastest + 1 : fastest + 1 + HIT_FRAMES]
    slow = np.flatnonzero(later < HIT_SHARE * drop[fastest])
    return fastest + 1 + int(slow[0]) if len(slow) else None


def order_kept(truth: list[int], prediction: list[int]) -> float:
    """Share of pairs of times, apart in the truth, that come in the same order; nan where there is none."""
    pairs = [
        (first, second)
        for first, second in permutations(range(len(truth)), 2)
        if truth[second] - truth[first] >= APART_FRAMES
    ]
    if not pairs:
        return float("nan")
    return float(np.mean([prediction[first] < prediction[second] for first, second in pairs]))


def _share_right(truth: list[Events], mine: list[Events]) -> float:
    answers = [np.equal(one.answers, other.answers) for one, other in zip(truth, mine, strict=True)]
    return float(np.mean(answers))


def _times(events: list[Events], last: int) -> list[int]:
    """Times [frames] of all events in a fixed order; what does not happen comes after all else."""
    return [last + 1 if time is None else time for one in events for time in one.times]


def _time_error(truth: list[Events], mine: list[Events], last: int) -> float:
    """Mean difference [frames]."""
    gaps = np.array(_times(mine, last)) - np.array(_times(truth, last))
    return float(np.abs(gaps).mean())


def _divergence_error(truth: list[Events], mine: list[Events], last: int) -> float:
    """Mean difference [frames] over the objects that leave their factual course in the truth."""
    gaps = [
        abs((last + 1 if other.diverges_at is None else other.diverges_at) - one.diverges_at)
        for one, other in zip(truth, mine, strict=True)
        if one.diverges_at is not None
    ]
    return float(np.mean(gaps)) if gaps else float("nan")
