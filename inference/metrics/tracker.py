"""Follows an object of known looks through a prediction.

1. In a small copy of each frame, cut-outs of the object are fitted everywhere (`matching`); the best few places of a
   frame are candidates.
2. The course is the sequence of candidates (or of none) with the best sum of fits, where a jump beyond what the object
   does in either world costs, and so does another start than the known one: dynamic programming over the clip, so
   that a moment of doubt is decided by what comes before and after.
3. At each place of the course the cut-outs are fitted again at full size, to a fraction of a pixel.
4. Pixels around it are given to the object or to the plate, whichever explains them better: its mask.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import maximum_filter

from inference.metrics.matching import Scene, fit_map, scene_of, sub_pixel
from inference.metrics.templates import Appearance, Template, shrink

COARSE_PX = 10.0  # size of an object in the small copy
CANDIDATES = 8  # of a frame
MIN_FIT = 0.25  # below it, it is not there
ABSENT = 0.3  # what a frame without the object counts
JUMP = 0.5  # cost of a jump by one size beyond what is usual
START = 1.0  # cost of starting one size off
MOST = 2.0  # cost of one jump or start, at most
DOUBLE_APART = 1.5  # sizes: a second copy is not nearer
DOUBLE_FIT = 0.5  # fit of a second copy at least
DOUBLE_SHARE = 0.7  # and as a share of the best fit
SEEN_PX = 6  # fewest pixels that count as seen
PRIOR = 1.0  # log odds by which the fitted cut-out speaks for its own pixels
MIN_NOISE = 3 * 3.0**2  # levels^2 of a pixel's three channels: coding and rendering alone


@dataclass(frozen=True, kw_only=True)
class Course:
    """Where an object is in each frame of a video."""

    centroids: np.ndarray  # float64 [num_frames, 2] (right, down) [px]; nan where it is not found
    masks: np.ndarray  # bool [num_frames, height, width]
    fits: np.ndarray  # float64 [num_frames], in [-1, 1]; nan where it is not found
    doubles: np.ndarray  # bool [num_frames]: another place fits about as well


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An object to follow."""

    looks: Appearance
    start: np.ndarray  # [2], its centroid in the first frame, as known; nan where it is not seen then
    usual_step_px: float  # the longest way that it goes in a frame in either world


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A place where the object may be, in one frame."""

    place: np.ndarray  # [2], its centroid at full size [px]
    fit: float
    template: int  # among the frame's cut-outs


@dataclass(frozen=True, kw_only=True)
class Footage:
    """A prediction and what it is held against; uint8 [num_frames, height, width, 3] each."""

    video: np.ndarray
    plate: np.ndarray
    noise: float  # |video - plate|^2 of a pixel where nothing is, levels^2


def footage_of(video: np.ndarray, plate: np.ndarray, quiet: np.ndarray) -> Footage:
    """A video with the noise that it has where nothing should differ from the plate, bool [F, H, W].

    A shift of colour that the whole video has is taken off, by the median of what is quiet.
    """
    step = np.flatnonzero(quiet.ravel())[:: max(1, int(quiet.sum()) // 20000)]
    if not len(step):
        return Footage(video=video, plate=plate, noise=MIN_NOISE)
    difference = video.reshape(-1, 3)[step].astype(np.float32) - plate.reshape(-1, 3)[step]
    shift = np.median(difference, axis=0)
    squares = ((difference - shift) ** 2).sum(axis=1)
    noise = max(MIN_NOISE, 2 * float(np.median(squares)))
    if np.abs(shift).max() >= 1:
        video = np.clip(video - shift.round(), 0, 255).astype(np.uint8)
    return Footage(video=video, plate=plate, noise=noise)


def follow(footage: Footage, wanted: Sequence[Wanted]) -> list[Course]:
    """The courses of all objects through a video, in their order.

    Largest first: what one takes is painted over with the plate before the next is looked for, so that a small object
    is not seen in the colours of a large one, and of several equal ones none is taken for two.
    """
    frames = range(len(footage.video))
    order = sorted(range(len(wanted)), key=lambda number: -wanted[number].looks.size_px)
    found: dict[int, list[list[Candidate]]] = {}
    courses: dict[int, Course] = {}
    taken: list[list[np.ndarray]] = [[] for _ in frames]
    rest = footage
    for number in order:
        one = wanted[number]
        found[number] = [_candidates(rest, one.looks, frame) for frame in frames]
        picks = best_course(found[number], one)
        courses[number] = _course_of(rest, one, picks)
        for frame, pick in enumerate(picks):
            if pick is not None:
                taken[frame].append(pick.place)
        if number != order[-1]:
            rest = _without(rest, courses[number].masks)
    doubles = [_doubles(found[number], one, taken) for number, one in enumerate(wanted)]
    return [dataclasses.replace(courses[number], doubles=doubles[number]) for number in range(len(wanted))]


def _without(footage: Footage, masks: np.ndarray) -> Footage:
    """The video with what masks bool [num_frames, height, width] show, and its soft edge, painted over."""
    video = footage.video.copy()
    for frame in np.flatnonzero(masks.any(axis=(1, 2))):
        grown = cv2.dilate(masks[frame].astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        video[frame][grown] = footage.plate[frame][grown]
    return dataclasses.replace(footage, video=video)


def _far_from(place: np.ndarray, others: list[np.ndarray], radius: float) -> bool:
    return all(np.linalg.norm(place - other) >= radius for other in others)


def _doubles(found: list[list[Candidate]], one: Wanted, taken: list[list[np.ndarray]]) -> np.ndarray:
    """Frames in which another place, that no object takes, fits about as well as the best, bool [num_frames]."""
    radius = DOUBLE_APART * one.looks.size_px
    result = np.zeros(len(found), dtype=bool)
    for frame, candidates in enumerate(found):
        enough = max([DOUBLE_FIT, *(DOUBLE_SHARE * other.fit for other in candidates)])
        result[frame] = any(
            other.fit >= enough and _far_from(other.place, taken[frame], radius) for other in candidates
        )
    return result


def _course_of(footage: Footage, one: Wanted, picks: list[Candidate | None]) -> Course:
    """Places, fits and masks at full size."""
    num_frames = len(footage.video)
    centroids, fits = np.full((num_frames, 2), np.nan), np.full(num_frames, np.nan)
    masks = np.zeros(footage.video.shape[:3], dtype=bool)
    for frame, pick in enumerate(picks):
        if pick is None:
            continue
        place, fit, template = _refine(footage, one.looks, frame, pick)
        mask = _mask(footage, frame, template, place)
        if fit >= MIN_FIT and mask.sum() >= SEEN_PX:
            masks[frame], fits[frame], centroids[frame] = mask, fit, place
    return Course(centroids=centroids, masks=masks, fits=fits, doubles=np.zeros(num_frames, dtype=bool))


def _candidates(footage: Footage, looks: Appearance, frame: int) -> list[Candidate]:
    """The best places of a frame, found in a small copy of it."""
    scale = min(1.0, COARSE_PX / looks.size_px)
    height, width = footage.video.shape[1:3]
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    ratio = np.array([width / size[0], height / size[1]])
    templates = [shrink(one, scale) for one in looks.candidates(frame)]
    pad = max(max(one.mask.shape) for one in templates) // 2
    scene = scene_of(_shrunk(footage.video[frame], size), _shrunk(footage.plate[frame], size), pad)
    best: np.ndarray | None = None
    for number, template in enumerate(templates):
        fit = fit_map(scene, template, footage.noise)
        placed = _by_anchor(fit, template, scene)
        if best is None:
            best, which = placed, np.zeros(placed.shape, dtype=int)
        else:
            which = np.where(placed > best, number, which)
            best = np.maximum(best, placed)
    if best is None:
        return []
    reach = max(3, int(COARSE_PX * 0.5) | 1)
    peaks = (best == maximum_filter(best, size=reach)) & (best > MIN_FIT * 0.6)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-best[rows, columns])[:CANDIDATES]
    return [
        Candidate(
            place=(np.array([columns[at], rows[at]]) + 0.5) * ratio,
            fit=float(best[rows[at], columns[at]]),
            template=int(which[rows[at], columns[at]]),
        )
        for at in order
    ]


def _shrunk(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if (picture.shape[1], picture.shape[0]) == size:
        return picture.astype(np.float32)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32))


def _by_anchor(fit: np.ndarray, template: Template, scene: Scene) -> np.ndarray:
    """A fit map moved so that each entry stands at the pixel of the object's centroid, float32 [height, width]."""
    height, width = (length - 2 * scene.pad for length in scene.nothing.shape)
    out = np.full((height, width), -1.0, dtype=np.float32)
    left, top = (int(np.floor(value)) - scene.pad for value in template.anchor)
    rows = slice(max(0, top), min(height, top + fit.shape[0]))
    columns = slice(max(0, left), min(width, left + fit.shape[1]))
    out[rows, columns] = fit[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return out


def best_course(found: list[list[Candidate]], one: Wanted) -> list[Candidate | None]:
    """One candidate or none for each frame: the course with the greatest sum of fits less jumps.

    After frames without the object it may be further off, by the usual step for each of them.
    """
    start, size_px = one.start, one.looks.size_px
    scores: list[np.ndarray] = []
    links: list[np.ndarray] = []
    places: list[list[np.ndarray]] = []  # of each state, nan where it was never seen
    ages: list[list[int]] = []
    for frame, candidates in enumerate(found):
        gains = np.array([*(place.fit for place in candidates), ABSENT])
        if frame == 0:
            off = [np.nan_to_num(np.linalg.norm(place.place - start) / size_px) for place in candidates]
            scores.append(gains - np.array([*(min(MOST, START * value) for value in off), 0.0]))
            links.append(np.full(len(gains), -1))
            places.append([*(place.place for place in candidates), start])
            ages.append([*(0 for _ in candidates), 0])
            continue
        cost = np.zeros((len(gains), len(scores[-1])))
        for now, candidate in enumerate(candidates):
            for before, (place, age) in enumerate(zip(places[-1], ages[-1], strict=True)):
                way = np.nan_to_num(np.linalg.norm(candidate.place - place))
                beyond = max(0.0, way - one.usual_step_px * (1 + age)) / size_px
                cost[now, before] = min(MOST, JUMP * beyond)
        total = scores[-1][None] - cost
        link = total.argmax(axis=1)
        scores.append(gains + total[np.arange(len(gains)), link])
        links.append(link)
        places.append([*(place.place for place in candidates), places[-1][link[-1]]])
        ages.append([*(0 for _ in candidates), ages[-1][link[-1]] + 1])
    course: list[Candidate | None] = []
    state = int(scores[-1].argmax())
    for frame in range(len(found) - 1, -1, -1):
        course.append(found[frame][state] if state < len(found[frame]) else None)
        state = int(links[frame][state])
    return course[::-1]


def _refine(footage: Footage, looks: Appearance, frame: int, pick: Candidate) -> tuple[np.ndarray, float, Template]:
    """Place [2] to a fraction of a pixel, fit, and the cut-out that fits best there, at full size."""
    templates = looks.candidates(frame)
    tried = [pick.template, *(at for at in range(min(2, len(templates))) if at != pick.template)]
    reach = int(np.ceil(looks.size_px / COARSE_PX)) + 2
    best: tuple[np.ndarray, float, Template] | None = None
    for number in tried:
        template = templates[number]
        corner = np.round(pick.place - template.anchor).astype(int)
        scene = _window(footage, frame, corner, template.mask.shape, reach)
        fit = fit_map(scene, template, footage.noise)
        row, column = (int(value) for value in np.unravel_index(int(fit.argmax()), fit.shape))
        offset = np.array([column, row]) - reach + sub_pixel(fit, row, column)
        if best is None or fit[row, column] > best[1]:
            best = (corner + offset + template.anchor, float(fit[row, column]), template)
    assert best is not None  # a candidate comes from a cut-out
    return best


def _window(footage: Footage, frame: int, corner: np.ndarray, shape: tuple[int, ...], reach: int) -> Scene:
    """The part of a frame in which a cut-out may move by `reach` pixels; repeats the border."""
    rows = np.arange(corner[1] - reach, corner[1] + shape[0] + reach)
    columns = np.arange(corner[0] - reach, corner[0] + shape[1] + reach)
    height, width = footage.video.shape[1:3]
    inside = np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))
    outside = ((rows < 0) | (rows >= height))[:, None] | ((columns < 0) | (columns >= width))[None]
    picture = footage.video[frame][inside].astype(np.float32)
    scene = scene_of(picture, footage.plate[frame][inside].astype(np.float32), 0)
    return Scene(picture=picture, nothing=np.where(outside, np.float32(0), scene.nothing), pad=0)


def _mask(footage: Footage, frame: int, template: Template, place: np.ndarray) -> np.ndarray:
    """Pixels that the placed cut-out explains better than the plate, bool [height, width]."""
    height, width = footage.video.shape[1:3]
    corner = np.round(place - template.anchor).astype(int)
    rows, columns = (np.arange(length) + at for length, at in zip(template.mask.shape, corner[::-1], strict=True))
    keep_rows, keep_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    mask = np.zeros((height, width), dtype=bool)
    if not keep_rows.any() or not keep_columns.any():
        return mask
    area = np.ix_(rows[keep_rows], columns[keep_columns])
    cut = np.ix_(keep_rows, keep_columns)
    picture, plate = footage.video[frame][area].astype(np.float32), footage.plate[frame][area].astype(np.float32)
    inside = template.mask[cut] > 0.5
    nothing = ((picture - plate) ** 2).sum(axis=-1)
    object_here = ((picture - template.picture[cut]) ** 2).sum(axis=-1)
    odds = (nothing - object_here) / (2 * footage.noise) + PRIOR
    mask[area] = inside & (odds > 0)
    return mask
