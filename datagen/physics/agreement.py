"""Do two engines agree about the same bodies? Compared up to the first bounce; where things end is only reported.

An object's *first bounce* is the moment at which it first touches something that it did not touch when it was handed
over; for one that began on something also the first blow to its centre of mass, since what tips over lands on what it
stands on. Until then an object in free flight has gravity alone to obey, and two right engines must agree; one that
slides or tips obeys friction too, of which engines have different models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from datagen.physics.bodies import WorldRun
from datagen.physics.certificate import MIN_SPAN_STEPS, corner_difference, spans

REACH_M = 0.02  # engines report gaps below this
TOUCH_M = 0.001  # a gap below this is a touch: Bullet's margin
START_S = 0.035  # what is touched within this time was touched at the start: gaps of 6 mm close
BLOW_S, BLOW_M_S = 0.005, 0.25  # a blow: the speed changes by so much within so little, 5 g
MIN_SPAN_S = 0.04  # of free flight that an acceleration is fitted over
MAX_APART_MM = 10.0
MAX_FALL_ERROR = 0.01

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Course:
    """What an engine makes of a scene. D dynamic bodies, S moments, K pairs of names.

    times_s  float64 [S]; centre float64 [S, D, 3], of mass [m]
    poses    float64 [num_frames, D, 7], `world_from_object`
    pairs    names that came within reach of a contact; gap float64 [S, K] [m], NaN where they are apart
    flying   bool [S, D], in free flight: awake, and nothing so near that it may push (Bullet's contacts do from afar)
    """

    engine: str
    names: tuple[str, ...]
    times_s: np.ndarray
    centre: np.ndarray
    poses: np.ndarray
    pairs: tuple[Pair, ...]
    gap: np.ndarray
    flying: np.ndarray

    @staticmethod
    def of(
        *,
        engine: str,
        names: tuple[str, ...],
        times_s: np.ndarray,
        centre: np.ndarray,
        poses: np.ndarray,
        gaps: Sequence[Mapping[Pair, float]],
    ) -> Course:
        """A course from the gaps of pairs at each moment; a gap above 0 does not push."""
        pairs = tuple(sorted({pair for step in gaps for pair in step}))
        pushed = [{name for pair, gap in step.items() if gap <= 0 for name in pair} for step in gaps]
        table = np.array([[step.get(pair, np.nan) for pair in pairs] for step in gaps])
        return Course(
            engine=engine,
            names=names,
            times_s=times_s,
            centre=centre,
            poses=poses,
            pairs=pairs,
            gap=table.reshape(len(times_s), len(pairs)),
            flying=np.array([[name not in step for name in names] for step in pushed]),
        )

    def touched(self, name: str) -> dict[str, np.ndarray]:
        """For each partner of an object, whether they touch, bool [S]."""
        found = {}
        for column, pair in enumerate(self.pairs):
            if name in pair:
                partner = pair[1] if pair[0] == name else pair[0]
                found[partner] = np.nan_to_num(self.gap[:, column], nan=np.inf) < TOUCH_M
        return found


def course_of(run: WorldRun) -> Course:
    """Bullet's course."""
    columns = [run.names.index(name) for name in run.dynamic]
    return Course(
        engine="bullet",
        names=run.dynamic,
        times_s=run.first_s + np.arange(len(run.centre)) * run.substep_s,
        centre=run.centre,
        poses=run.poses[:, columns],
        pairs=run.pairs,
        gap=-run.penetration.astype(np.float64),
        flying=run.airborne,
    )


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One object in two engines, the first one's figures before the second's.

    begins_on         what it touches when it is handed over; empty for an object in free flight
    first_contact_s   of the first bounce, None for none; with whom: first_partner
    fall_m_s2         vertical acceleration fitted over the flight before the first bounce; None without a flight
    apart_mm          greatest distance of its corners (at frames) or centre (at substeps) until the first bounce
    rest_apart_mm     of the origins in the last frame, and what it touches then: supports
    """

    name: str
    begins_on: tuple[str, ...]
    first_contact_s: tuple[float | None, float | None]
    first_partner: tuple[str, str]
    fall_m_s2: tuple[float | None, float | None]
    apart_mm: float
    rest_apart_mm: float
    supports: tuple[tuple[str, ...], tuple[str, ...]]
    problems: tuple[str, ...]

    @property
    def free(self) -> bool:
        """Whether it was in free flight when it was handed over."""
        return not self.begins_on

    @property
    def same_support(self) -> bool:
        """Whether it ends on the same thing: something touches it in both worlds, or nothing does in either."""
        first, second = (set(names) for names in self.supports)
        return bool(first & second) or first == second


def compare(
    first: Course, second: Course, corners: Mapping[str, np.ndarray], *, fps: float, gravity_m_s2: float
) -> tuple[Agreement, ...]:
    """Each dynamic object in both courses; `corners` [8, 3] in its own frame."""
    return tuple(_compare(first, second, name, corners[name], fps, gravity_m_s2) for name in first.names)


def _compare(first: Course, second: Course, name: str, corners: np.ndarray, fps: float, gravity: float) -> Agreement:
    both = (first, second)
    begins_on = tuple(sorted({partner for course in both for partner in _begins_on(course, name)}))
    bounces = [_first_touch(course, name, begins_on) for course in both]
    times = [time for time, _ in bounces if time is not None]
    until_s = min(times, default=float(min(first.times_s[-1], second.times_s[-1])))
    falls = tuple(_fall(course, name, until_s) for course in both)
    apart = _apart_mm(first, second, name, corners, until_s, fps)
    last = [course.poses[-1, course.names.index(name), :3] for course in both]
    return Agreement(
        name=name,
        begins_on=begins_on,
        first_contact_s=(bounces[0][0], bounces[1][0]),
        first_partner=(bounces[0][1], bounces[1][1]),
        fall_m_s2=(falls[0], falls[1]),
        apart_mm=apart,
        rest_apart_mm=float(np.linalg.norm(last[0] - last[1])) * 1000,
        supports=(_supports(first, name), _supports(second, name)),
        problems=(*_contact_problems(bounces, fps), *_fall_problems(both, falls, gravity), *_apart_problems(apart)),
    )


def _begins_on(course: Course, name: str) -> set[str]:
    early = course.times_s <= START_S
    return {partner for partner, touching in course.touched(name).items() if touching[early].any()}


def _first_touch(course: Course, name: str, begins_on: tuple[str, ...]) -> tuple[float | None, str]:
    """Time and partner of the first bounce."""
    best: tuple[float | None, str] = (None, "")
    for partner, touching in course.touched(name).items():
        if partner not in begins_on and touching.any():
            time = float(course.times_s[np.argmax(touching)])
            if best[0] is None or time < best[0]:
                best = (time, partner)
    blow_s = _first_blow(course, name) if begins_on else None
    if blow_s is not None and (best[0] is None or blow_s + 2 * BLOW_S < best[0]):
        return blow_s, "a blow"
    return best


def _first_blow(course: Course, name: str) -> float | None:
    """When something first hits an object's centre of mass after the start."""
    if len(course.times_s) < 2:  # everything sleeps from the start
        return None
    step_s = float(course.times_s[1] - course.times_s[0])
    window = max(1, round(BLOW_S / step_s))
    velocity = np.diff(course.centre[:, course.names.index(name)], axis=0) / step_s
    change = np.linalg.norm(velocity[window:] - velocity[:-window], axis=1)
    hits = np.flatnonzero((change > BLOW_M_S) & (course.times_s[: len(change)] > START_S))
    return float(course.times_s[hits[0]]) if len(hits) else None


def _fall(course: Course, name: str, until_s: float) -> float | None:
    """Downward acceleration [m/s2] fitted over the longest flight before a time."""
    flights = spans(course.flying[:, course.names.index(name)] & (course.times_s < until_s))
    start, stop = max(flights, key=lambda span: span[1] - span[0], default=(0, 0))
    times = course.times_s[start:stop]
    if stop - start < MIN_SPAN_STEPS or times[-1] - times[0] < MIN_SPAN_S:
        return None
    height = course.centre[start:stop, course.names.index(name), 2]
    return float(-2 * np.polyfit(times - times.mean(), height - height.mean(), 2)[0])


def _apart_mm(first: Course, second: Course, name: str, corners: np.ndarray, until_s: float, fps: float) -> float:
    one, other = first.names.index(name), second.names.index(name)
    moments = first.times_s[first.times_s <= until_s]
    path = first.centre[: len(moments), one]
    across = [np.interp(moments, second.times_s, second.centre[:, other, axis]) for axis in range(3)]
    centre = np.linalg.norm(path - np.stack(across, axis=1), axis=1).max(initial=0.0) * 1000
    frames = int(until_s * fps + 1e-9) + 1
    pair = first.poses[:frames, one], second.poses[:frames, other]
    return float(max(centre, corner_difference(*pair, corners).max()))


def _supports(course: Course, name: str) -> tuple[str, ...]:
    return tuple(sorted(partner for partner, touching in course.touched(name).items() if touching[-1]))


def _contact_problems(bounces: Sequence[tuple[float | None, str]], fps: float) -> tuple[str, ...]:
    (first, one), (second, other) = bounces
    if first is None and second is None:
        return ()
    if first is None or second is None:
        return (f"first contact: {one or 'none'} in one engine, {other or 'none'} in the other",)
    frames = abs(first - second) * fps
    return (f"first contact {frames:.2f} frames apart ({one}, {other})",) if frames > 1 else ()


def _fall_problems(courses: Sequence[Course], falls: Sequence[float | None], gravity: float) -> tuple[str, ...]:
    return tuple(
        f"{course.engine} falls at {fall:.3f} m/s2, expected {gravity:g}"
        for course, fall in zip(courses, falls, strict=True)
        if fall is not None and abs(fall - gravity) > MAX_FALL_ERROR * gravity
    )


def _apart_problems(apart_mm: float) -> tuple[str, ...]:
    return (f"{apart_mm:.1f} mm apart before the first bounce",) if apart_mm > MAX_APART_MM else ()
