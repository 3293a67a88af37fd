"""The ladder: the truth of a clip, made wrong on purpose in known ways and degrees.

Objects are cut out of the clip by its stored segmentation and laid over the clean plate where they should not be;
frames in which nothing is off stay as they are. Positions come from the truth's own course, so that a slower fall is a
fall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from datagen.spec import World
from inference.metrics.api import Case
from inference.metrics.courses import Known, known_objects
from inference.metrics.derived import affected_ids
from inference.metrics.events import FELL_M, greatest_drop
from inference.metrics.geometry import centres, poses_of, project
from inference.metrics.motion import free_flight
from inference.metrics.plate import clean_plate
from inference.metrics.templates import Template, cut_out

BLURS_PX = (1.0, 2.0, 4.0)  # at a width of 672
SHIFTS = (1, 2, 4, 8)  # frames
FREEZES = (0.75, 0.5, 0.25, 0.0)  # of the way that it goes before it stands still
GRAVITIES = (0.75, 0.5, 0.25, 0.0)  # of gravity; 0 floats
SINKS = (0.25, 0.5, 1.0, 2.0)  # sizes below where it should land; it stays in the picture
LEFT = (0.25, 0.5, 1.0)  # of the removed object's opacity
WRONG = (0.25, 0.5, 0.75, 1.0)  # of the way from the truth to the factual course
SAME_PLACE_PX = 0.25


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One degradation of the truth."""

    series: str  # "blur", "time shift", ...
    strength: int  # from 1, worse as it grows; 0 is the truth
    label: str
    video: np.ndarray
    off_px: float  # how far off objects are, mean over objects and frames; 0 where none is moved


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An object in a frame."""

    place: np.ndarray  # [2], centroid of its visible pixels
    template: Template


Course = Callable[[Known, int], Placed | None]  # where an object is, in a frame


def rungs(case: Case) -> Iterator[Rung]:
    """All degradations that apply to a clip; the truth itself first."""
    yield Rung(series="truth", strength=0, label="truth", video=case.truth.copy(), off_px=0.0)
    for strength, sigma in enumerate(BLURS_PX, 1):
        yield _rung("blur", strength, f"{sigma:g} px", _blurred(case, sigma), 0.0)
    if case.layers.removed.any():
        for strength, share in enumerate(LEFT, 1):
            yield _rung("removed object left", strength, f"{share:.0%}", _with_removed(case, share), 0.0)
    known = known_objects(case)
    if not known:
        return
    for strength, frames in enumerate(SHIFTS, 1):
        yield _moved(case, "time shift", strength, f"{frames} frames", _later(frames))
    for strength, share in enumerate(FREEZES, 1):
        yield _moved(case, "object frozen", strength, f"at {share:.0%} of its way", _frozen(known, share))
    if any(falls(case, one) for one in known):
        for strength, share in enumerate(GRAVITIES, 1):
            label = f"{share:g} g" if share else "floats"
            yield _moved(case, "slower fall", strength, label, _slower(np.sqrt(share)))
        for strength, sizes in enumerate(SINKS, 1):
            yield _moved(case, "through the floor", strength, f"{sizes:g} sizes", _sinking(case, sizes))
    for strength, share in enumerate(WRONG, 1):
        ghost = _bystander(case, known, share)
        yield _moved(case, "wrong object moved", strength, f"{share:.0%}", _towards_factual(share), ghost)


def _rung(series: str, strength: int, label: str, video: np.ndarray, off_px: float) -> Rung:
    return Rung(series=series, strength=strength, label=label, video=video, off_px=off_px)


def _blurred(case: Case, sigma: float) -> np.ndarray:
    at_size = sigma * case.entry.width / 672
    return np.stack([cv2.GaussianBlur(frame, (0, 0), max(0.3, at_size)) for frame in case.truth])


def _with_removed(case: Case, share: float) -> np.ndarray:
    alpha = np.stack([cv2.blur(mask.astype(np.float32), (3, 3)) for mask in case.layers.removed])[..., None] * share
    return np.asarray((case.truth * (1 - alpha) + case.input * alpha).round().astype(np.uint8))


def falls(case: Case, one: Known) -> bool:
    """Whether an object falls in the truth."""
    height = _heights(case, one)
    return bool(free_flight(height, case.entry.fps, 9.81).any() and greatest_drop(height) >= FELL_M)


def _heights(case: Case, one: Known) -> np.ndarray:
    poses = poses_of(case, one.name, World.COUNTERFACTUAL)
    return np.zeros(case.entry.num_frames) if poses is None else centres(case, one.name, poses)[:, 2]


def _at(one: Known, time: float) -> Placed | None:
    """Where an object is in the truth at a time [frames], between frames too; None where it is not seen."""
    frames = np.flatnonzero(one.seen)
    if not len(frames) or not frames[0] - 0.5 <= time <= frames[-1] + 0.5:
        return None
    place = np.array([np.interp(time, frames, one.truth_px[frames, axis]) for axis in (0, 1)])
    nearest = int(frames[np.abs(frames - time).argmin()])
    return Placed(place=place, template=one.looks.truth[nearest])


def _later(frames: int) -> Course:
    return lambda one, frame: _at(one, max(0, frame - frames))


def _slower(rate: float) -> Course:
    return lambda one, frame: _at(one, frame * rate)


def _frozen(known: tuple[Known, ...], share: float) -> Course:
    stops = {}
    for one in known:
        way = np.linalg.norm(np.diff(one.truth_px[one.seen], axis=0), axis=1).cumsum()
        gone = np.flatnonzero(way >= share * way[-1]) if len(way) and way[-1] > 0 else np.array([0])
        frames = np.flatnonzero(one.seen)
        stops[one.name] = int(frames[gone[0] + 1]) if share > 0 and len(frames) > 1 else int(frames[0])
    return lambda one, frame: _at(one, min(frame, stops[one.name]))


def _sinking(case: Case, sizes: float) -> Course:
    """After its fall an object goes on downwards as fast as it came, until it is so many sizes too low."""
    landed: dict[str, tuple[int, float]] = {}
    for one in known_objects(case):
        flying = np.flatnonzero(free_flight(_heights(case, one), case.entry.fps, 9.81))
        down = np.diff(one.truth_px[:, 1])
        if falls(case, one) and np.isfinite(down).any():
            landed[one.name] = int(flying[-1]), float(np.nanmax(down))

    def course(one: Known, frame: int) -> Placed | None:
        here = _at(one, frame)
        if here is None or one.name not in landed or frame <= landed[one.name][0]:
            return here
        last, speed = landed[one.name]
        room = case.entry.height - one.looks.size_px / 2 - one.truth_px[one.seen, 1].max()
        lower = max(0.0, min(speed * (frame - last), sizes * one.looks.size_px, room))
        return Placed(place=here.place + np.array([0.0, lower]), template=here.template)

    return course


def _towards_factual(share: float) -> Course:
    def course(one: Known, frame: int) -> Placed | None:
        here = _at(one, frame)
        if here is None or not np.isfinite(one.hidden_px[frame]).all():
            return here
        factual = one.looks.factual.get(frame)
        template = factual if share > 0.5 and factual is not None else here.template
        return Placed(place=here.place + share * (one.hidden_px[frame] - here.place), template=template)

    return course


def _bystander(case: Case, known: tuple[Known, ...], share: float) -> Callable[[int], Placed | None]:
    """The largest object that should stay, moved as the first affected one should be."""
    ids, counts = np.unique(case.ids_counterfactual, return_counts=True)
    others = [
        (count, number)
        for count, number in zip(counts, ids, strict=True)
        if number and number not in affected_ids(case)
    ]
    if not others:
        return lambda frame: None
    number = max(others)[1]
    one = known[0]

    def course(frame: int) -> Placed | None:
        mask = case.ids_counterfactual[frame] == number
        way = share * (one.truth_px[frame] - one.hidden_px[frame])
        if not mask.any() or not np.isfinite(way).all():
            return None
        template = cut_out(frame, case.truth[frame], mask)
        rows, columns = np.nonzero(mask)
        return Placed(place=np.array([columns.mean(), rows.mean()]) + 0.5 + way, template=template)

    return course


def _moved(
    case: Case,
    series: str,
    strength: int,
    label: str,
    course: Course,
    ghost: Callable[[int], Placed | None] = lambda frame: None,
) -> Rung:
    """The clip with its affected objects on another course."""
    known = _far_to_near(case)
    video, off = case.truth.copy(), []
    for frame in range(len(video)):
        placed = [course(one, frame) for one in known]
        gaps = [
            float(np.linalg.norm(where.place - one.truth_px[frame]))
            for one, where in zip(known, placed, strict=True)
            if where is not None and one.seen[frame]
        ]
        off += gaps
        extra = ghost(frame)
        if extra is None and max(gaps, default=0.0) <= SAME_PLACE_PX:
            continue
        picture = clean_plate(case)[frame].astype(np.float32)
        for where in [*placed, extra]:
            if where is not None:
                paste(picture, where)
        video[frame] = picture.round().astype(np.uint8)
    return _rung(series, strength, label, video, float(np.mean(off)) if off else 0.0)


def _far_to_near(case: Case) -> list[Known]:
    def depth(one: Known) -> float:
        poses = poses_of(case, one.name, World.COUNTERFACTUAL)
        return 0.0 if poses is None else -float(project(case, centres(case, one.name, poses))[1].mean())

    return sorted(known_objects(case), key=depth)


def paste(picture: np.ndarray, placed: Placed) -> None:
    """Lay a cut-out over a picture float32 [height, width, 3], in place, to a fraction of a pixel."""
    template = placed.template
    corner = placed.place - template.anchor
    whole = np.floor(corner).astype(int)
    part = corner - whole
    shift = np.array([[1, 0, part[0]], [0, 1, part[1]]])
    height, width = template.mask.shape
    alpha = cv2.warpAffine(template.mask, shift, (width + 1, height + 1))
    weighted = cv2.warpAffine(template.picture * template.mask[..., None], shift, (width + 1, height + 1))
    rows, columns = whole[1] + np.arange(height + 1), whole[0] + np.arange(width + 1)
    inside_rows = (rows >= 0) & (rows < picture.shape[0])
    inside_columns = (columns >= 0) & (columns < picture.shape[1])
    if not inside_rows.any() or not inside_columns.any():
        return
    area = np.ix_(rows[inside_rows], columns[inside_columns])
    cut = np.ix_(inside_rows, inside_columns)
    picture[area] = picture[area] * (1 - alpha[cut][..., None]) + weighted[cut]
