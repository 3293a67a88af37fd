"""Which stretches of a sequence are worth a scene, judged from the motion capture alone: no simulation.

A candidate's score is what the person's removal would change: how far held objects fall, how far they are then from
where the person would have carried them, and how far resting ones are moved later. Those with a score of 0 show no
effect: nothing is touched, or something was just let go and stays where it was put.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Row
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from datagen.errors import ConfigError, DataError
from datagen.physics.boxes import bounds_of, triangle_bounds
from datagen.physics.support import BodyPoints, body_contact, stands_on_floor, surface_centre, tilts_deg, upright_axis
from datagen.sequence import ObjectTrack, Sequence
from datagen.spec import Clip
from datagen.trajectory import apply_pose, velocities

STEP_S = 0.1  # between candidate starts
LIFTED_M = 0.03  # gap below an object that no hovering rest pose explains
MOVED_M = 0.05  # a resting object that gets this far within the clip is missed (PhysicsSettings.min_effect_mm)
MOVING_M_S = 0.08
JUST_S = 0.5  # an object that moved this short a time ago was just let go
SUPPORTED_WORTH = 0.8  # of a held object that rests on something, next to one that falls
STAYS_WORTH = 0.3  # of an object that is moved later in the clip
GRAVITY = 9.81


class ClipKind(StrEnum):
    """What goes on when a clip begins."""

    HELD = "held"  # something is held, carried, dragged or leant
    TOUCHED_LATER = "touched_later"  # what lies at rest is moved later in the clip: without the person it stays
    LET_GO = "let_go"  # something was just put down, and stays there: nothing would differ
    NOTHING = "nothing"  # nothing is touched or moved: nothing would differ


RANK = {ClipKind.HELD: 3, ClipKind.TOUCHED_LATER: 2, ClipKind.LET_GO: 1, ClipKind.NOTHING: 0}


@dataclass(frozen=True, kw_only=True)
class ClipProposal:
    """A clip that could be made."""

    start_frame: int  # of the mocap, 0 is the sequence's first
    kind: ClipKind
    held: tuple[str, ...]  # objects that the person holds or moves at the start
    drop_m: float  # greatest height that a held object is above what is below it
    score: float  # expected visible difference; larger is better, 0 for none

    @property
    def effect(self) -> bool:
        """Whether the removal is expected to change anything; physics has the last word."""
        return self.kind in (ClipKind.HELD, ClipKind.TOUCHED_LATER)


def propose_clips(
    sequence: Sequence, *, num_frames: int, fps: float, mocap_fps: float, contact_mm: float = 5.0
) -> tuple[ClipProposal, ...]:
    """All candidates of a sequence, in the order of time; they overlap.

    Raises `DataError` when the sequence is shorter than one clip, `UserError` for a length or rate that is none.
    """
    length = clip_length(sequence, num_frames=num_frames, fps=fps, mocap_fps=mocap_fps)
    last_start = sequence.info.num_frames - 1 - length
    step = max(1, round(STEP_S * mocap_fps))
    motions = tuple(_Motion(track, sequence, mocap_fps) for track in sequence.objects)
    return tuple(
        _propose(sequence, motions, start, length, mocap_fps, contact_mm) for start in range(0, last_start + 1, step)
    )


def draw_clips(
    candidates: Row[ClipProposal],
    *,
    length: int,
    max_overlap: float,
    effect_share: float,
    touched_later_share: float,
    rng: np.random.Generator,
    limit: int | None = None,
) -> tuple[ClipProposal, ...]:
    """Clips by the wanted shares, up to `limit` or as many as fit.

    Two of them overlap by at most `max_overlap` of their `length`.

    The dice say what comes next, then the best that fits is taken. A clip without effect is drawn when the dice say
    so, or once when there is nothing else; where the dice say so and none fits, one with an effect takes its place.
    A larger limit adds clips and changes none.
    """
    apart = max(1, math.ceil((1 - max_overlap) * length - 1e-9))
    free = list(candidates)
    chosen: list[ClipProposal] = []
    while limit is None or len(chosen) < limit:
        wants_effect, wants_later = rng.random() < effect_share, rng.random() < touched_later_share
        wants_let_go, place = rng.random() < 0.5, rng.random()
        active = _of_kind(free, ClipKind.TOUCHED_LATER if wants_later else ClipKind.HELD, effect=True)
        quiet = _of_kind(free, ClipKind.LET_GO if wants_let_go else ClipKind.NOTHING, effect=False)
        only_quiet = not active and not chosen and effect_share < 1
        if quiet and (only_quiet or not wants_effect):
            chosen.append(quiet[int(place * len(quiet))])
        elif active:
            chosen.append(max(active, key=lambda one: (one.score, -one.start_frame)))
        else:
            break
        free = [one for one in free if abs(one.start_frame - chosen[-1].start_frame) >= apart]
    return tuple(chosen)


def _of_kind(candidates: Row[ClipProposal], kind: ClipKind, *, effect: bool) -> list[ClipProposal]:
    """Candidates of a kind; of the other kind with, or without, an effect where there are none."""
    some = [one for one in candidates if one.effect == effect]
    return [one for one in some if one.kind is kind] or some


def clip_length(sequence: Sequence, *, num_frames: int, fps: float, mocap_fps: float) -> int:
    """Mocap frames that a clip spans, rounded up; `DataError` when the sequence has fewer."""
    if not 0 < mocap_fps < math.inf:
        raise ConfigError(f"humoto.mocap_fps: expected a rate above 0, found {mocap_fps:g}")
    duration_s = Clip(start_s=0.0, num_frames=num_frames, fps=fps).duration_s
    length = int(np.ceil(duration_s * mocap_fps - 1e-9))
    available_s = (sequence.info.num_frames - 1) / mocap_fps
    if length > sequence.info.num_frames - 1:
        fitting = int(np.floor(available_s * fps + 1e-9)) + 1
        shorter = f"a shorter clip (clips.num_frames={fitting} fits) or " if fitting > 1 else ""
        raise DataError(
            f"sequence '{sequence.info.name}' lasts {available_s:.2f} s ({sequence.info.num_frames} frames at "
            f"{mocap_fps:g} fps), a clip of {num_frames} frames at {fps:g} fps lasts {duration_s:.2f} s; "
            f"ask for {shorter}a higher clips.fps"
        )
    return length


class _Motion:
    """What an object does over the whole sequence."""

    def __init__(self, track: ObjectTrack, sequence: Sequence, mocap_fps: float) -> None:
        self.track = track
        self.others = tuple(other for other in sequence.objects if other is not track)
        self.centre = surface_centre(track.vertices, track.faces)
        self.path = np.stack([apply_pose(pose, self.centre[None])[0] for pose in track.poses])
        linear, angular = velocities(track.poses, mocap_fps)
        reach = float(np.linalg.norm(np.ptp(track.vertices, axis=0)) / 2)
        self.speed = np.linalg.norm(linear, axis=1) + np.linalg.norm(angular, axis=1) * reach
        self.velocity = linear
        upright = upright_axis(track.poses, track.vertices)
        self.tilt = tilts_deg(track.poses, upright)

    def world(self, frame: int) -> np.ndarray:
        """Vertices [V, 3] in a mocap frame."""
        return apply_pose(self.track.poses[frame], self.track.vertices)

    def gap(self, frame: int) -> float:
        """Height [m] of the object's lowest point above the floor or the surface below it."""
        world = self.world(frame)
        low = float(world[:, 2].min())
        return max(0.0, low - max([0.0, *(_top_below(world, other, frame) for other in self.others)]))

    def leans(self, frame: int) -> bool:
        """Whether it touches the floor without standing on it."""
        world = self.world(frame)
        return bool(world[:, 2].min() < LIFTED_M) and not stands_on_floor(world, self.track.faces)


def _top_below(world: np.ndarray, other: ObjectTrack, frame: int) -> float:
    """Highest surface of another object straight below a mesh's lower points; -inf where there is none."""
    surface = apply_pose(other.poses[frame], other.vertices)
    low, high = bounds_of(world)
    other_low, other_high = bounds_of(surface)
    if other_low[2] >= low[2]:  # it lies on or in the object: a ball in a bowl carries no bowl
        return float("-inf")
    if (other_high < low)[:2].any() or (other_low > high)[:2].any():
        return float("-inf")
    middle = np.append((low[:2] + high[:2]) / 2, low[2])
    lowest = world[np.argsort(world[:, 2], kind="stable")[:: max(1, len(world) // 8)][:8]]
    triangles = surface.take(other.faces, axis=0)
    box_low, box_high = triangle_bounds(triangles)
    beside = (box_high < low)[:, :2] | (box_low > high)[:, :2]
    under = triangles[~beside.any(axis=1)]
    heights = [_height_under(point, under, low[2] + LIFTED_M) for point in (middle, *lowest)]
    return max(heights)


def _height_under(point: np.ndarray, triangles: np.ndarray, ceiling: float) -> float:
    """Highest point below `ceiling` where a vertical line through a point meets triangles [F, 3, 3]."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    ab, ac, ap = (b - a)[:, :2], (c - a)[:, :2], point[:2] - a[:, :2]
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    flat = np.abs(area) > 1e-12
    safe = np.where(flat, area, 1.0)
    share_b = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / safe
    share_c = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / safe
    hit = flat & (share_b >= 0) & (share_c >= 0) & (share_b + share_c <= 1)
    height = a[:, 2] + share_b * (b - a)[:, 2] + share_c * (c - a)[:, 2]
    below = height[hit & (height < ceiling)]
    return float(below.max()) if len(below) else float("-inf")


def _propose(
    sequence: Sequence, motions: tuple[_Motion, ...], start: int, length: int, mocap_fps: float, contact_mm: float
) -> ClipProposal:
    """The worth of one start frame."""
    people = tuple(
        BodyPoints(
            name=body.name,
            points=body.points[start].astype(np.float64),
            part=body.part,
            part_names=body.part_names,
        )
        for body in sequence.people
    )
    held: list[str] = []
    best, drop, total = ClipKind.NOTHING, 0.0, 0.0
    for motion in motions:
        kind, height, worth = _worth(motion, people, start, length, mocap_fps, contact_mm)
        if kind is ClipKind.HELD:
            held.append(motion.track.name)
        drop = max(drop, height)
        total += worth
        best = max(best, kind, key=lambda one: RANK[one])
    return ClipProposal(start_frame=start, kind=best, held=tuple(held), drop_m=drop, score=round(total, 6))


def _worth(
    motion: _Motion, people: tuple[BodyPoints, ...], start: int, length: int, mocap_fps: float, contact_mm: float
) -> tuple[ClipKind, float, float]:
    """Kind, drop height [m] and score of one object from one start frame."""
    moving = motion.speed[start] > MOVING_M_S
    gap = motion.gap(start)
    if gap > LIFTED_M or moving or motion.leans(start):
        track = motion.track
        contact = body_contact(people, track.poses[start], track.vertices, track.faces, contact_mm / 1000)
        touched = bool(np.isfinite(contact.distance_m))
        if touched or moving:
            away = _distance_from_rest(motion, start, length, mocap_fps, gap)
            tilted = min(float(motion.tilt[start]) / 90.0, 1.0)
            trust = 1.0 if touched else 0.5  # physics lets go whatever moves, but nobody is seen to hold it
            trust *= 1.0 if gap > LIFTED_M else SUPPORTED_WORTH
            return ClipKind.HELD, gap, trust * (min(gap, 1.0) + 0.5 * min(away, 1.0) + 0.3 * tilted)
    elsewhere = np.linalg.norm(motion.path[start : start + length + 1] - motion.path[start], axis=1).max()
    if not moving and elsewhere > MOVED_M:
        return ClipKind.TOUCHED_LATER, 0.0, STAYS_WORTH * min(float(elsewhere), 1.0)
    before = motion.speed[max(0, start - round(JUST_S * mocap_fps)) : start]
    just = not moving and len(before) > 0 and bool(before.max() > MOVING_M_S)
    return (ClipKind.LET_GO if just else ClipKind.NOTHING), 0.0, 0.0


def _distance_from_rest(motion: _Motion, start: int, length: int, mocap_fps: float, gap: float) -> float:
    """How far the filmed object gets from where it would land, averaged over the clip after the fall [m]."""
    fall_s = float(np.sqrt(2 * gap / GRAVITY))
    landing = motion.path[start] + np.append(motion.velocity[start, :2] * fall_s, -gap)
    after = motion.path[min(start + round(fall_s * mocap_fps), start + length) : start + length + 1]
    return float(np.linalg.norm(after - landing, axis=1).mean())
