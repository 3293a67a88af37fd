"""What became of every object of a run, in the figures that a caption needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from datagen.physics.bodies import WorldRun
from datagen.physics.nouns import noun_of, place_in
from datagen.physics.support import surface_centre, tilts_deg
from datagen.physics.wheels import has_wheels
from datagen.trajectory import apply_pose

STILL_M_S = 0.05
BALL_SHARE = 0.7  # of its circumscribed sphere that a ball of flat faces fills at least; a cube fills 0.37
BOUNCE_M_S = 0.3  # upward speed of a centre of mass that a viewer sees as a bounce
FLAT_SHARE = 0.35  # of its second-smallest extent that the thickness of a board or a plate is at most
LOPSIDED = 0.05  # of its thickness that the middle of a plate's hull is off; a board has no top side
RIM_SHARE = 0.3  # of a vessel's height that the foot of what lies in it is below its rim at least
RIDE_M = 0.03  # gap between a load and the top of what carries it


@dataclass(frozen=True, kw_only=True)
class Happening:
    """What became of one object, in figures."""

    name: str
    dynamic: bool
    start_m: float  # height of its lowest point in the first frame
    drop_m: float  # how far its lowest point came down
    slide_m: float  # horizontal way of its origin
    tilt_deg: tuple[float, float]  # from upright, or from lying flat, in the first and in the last frame
    is_round: bool  # a ball: it has no side to lie on
    rests: bool  # lies still in the last frame
    landed_on: str  # name, `FLOOR`, or "" when it touches nothing in the end
    bounces: int  # how often it visibly came up again
    is_flat: bool = False  # a board or a plate: it lies flat and does not stand
    has_top: bool = True  # upside down is another pose than the right way up
    on_castors: bool = False
    inside: bool = False  # it ends well below the rim of the vessel or box that it landed on
    rides_on: str = ""  # what moves and carries it from the first frame to the last


def happenings_of(
    run: WorldRun, vertices: Mapping[str, np.ndarray], uprights: Mapping[str, np.ndarray]
) -> tuple[Happening, ...]:
    """What became of every object of a run; `uprights` holds the axis [3] of each that points up when it stands."""
    boxes = {name: _ends(run.poses[:, index], vertices[name]) for index, name in enumerate(run.names)}
    return tuple(_happening(run, name, vertices[name], uprights[name], boxes) for name in run.names)


def _ends(poses: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """World boxes (low, high) around an object in the first and in the last frame, [2, 2, 3]."""
    points = [apply_pose(pose, vertices) for pose in (poses[0], poses[-1])]
    return np.array([(one.min(axis=0), one.max(axis=0)) for one in points])


def _happening(
    run: WorldRun, name: str, vertices: np.ndarray, upright: np.ndarray, boxes: Mapping[str, np.ndarray]
) -> Happening:
    poses = run.poses[:, run.names.index(name)]
    normal = flat_normal(vertices, upright)
    axis = upright if normal is None else normal
    has_top = normal is None or _lopsided(vertices, normal)
    tilts = tilts_deg(poses[[0, -1]], axis).tolist()
    landed_on = _last_support(run, name)
    return Happening(
        name=name,
        dynamic=name in run.dynamic,
        start_m=float(boxes[name][0, 0, 2]),
        drop_m=float(boxes[name][0, 0, 2] - boxes[name][1, 0, 2]),
        slide_m=float(np.linalg.norm(poses[-1, :2] - poses[0, :2])),
        tilt_deg=tuple(tilts if has_top else [min(tilt, 180 - tilt) for tilt in tilts]),
        is_round=_is_round(vertices),
        rests=name not in run.dynamic or float(run.speed[-1, run.dynamic.index(name)]) < STILL_M_S,
        landed_on=landed_on,
        bounces=_bounces(run, name),
        is_flat=normal is not None,
        has_top=has_top,
        on_castors=has_wheels(name),
        inside=landed_on in boxes and _within(boxes[name][1], boxes[landed_on][1], noun_of(landed_on)),
        rides_on=landed_on if landed_on in run.dynamic and _carried(boxes[name], boxes[landed_on]) else "",
    )


def flat_normal(vertices: np.ndarray, upright: np.ndarray) -> np.ndarray | None:
    """The axis [3] across which a board or a plate is thin, turned towards `upright`; None for other things."""
    extents = np.ptp(vertices, axis=0)
    thin = int(extents.argmin())
    if extents[thin] > FLAT_SHARE * np.sort(extents)[1]:
        return None
    return np.asarray(np.eye(3)[thin] * (-1.0 if upright[thin] < 0 else 1.0))


def _lopsided(vertices: np.ndarray, normal: np.ndarray) -> bool:
    """Whether one side of a flat thing is wider than the other, as of a plate."""
    try:
        hull = ConvexHull(vertices)
    except QhullError:
        return False
    heights = vertices @ normal
    middle = float(surface_centre(vertices, hull.simplices) @ normal)
    return bool(abs(middle - (heights.min() + heights.max()) / 2) > LOPSIDED * np.ptp(heights))


def _carried(load: np.ndarray, carrier: np.ndarray) -> bool:
    """Whether a load's middle is over what carries it and its foot between foot and top of that, in both frames."""
    middle = load[:, :, :2].mean(axis=1)
    beside = (middle < carrier[:, 0, :2]) | (middle > carrier[:, 1, :2])
    foot = load[:, 0, 2]
    return bool(not beside.any() and ((foot > carrier[:, 0, 2]) & (foot < carrier[:, 1, 2] + RIDE_M)).all())


def _is_round(vertices: np.ndarray) -> bool:
    """Whether all vertices are about as far from the middle, and there are enough of them: a cube is no ball."""
    distance = np.linalg.norm(vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2, axis=1)
    radius = float(distance.max())
    if distance.min() <= 0.9 * radius:
        return False
    try:
        volume = ConvexHull(vertices).volume
    except QhullError:  # a flat ring
        return False
    return bool(volume > BALL_SHARE * 4 / 3 * np.pi * radius**3)


def _within(load: np.ndarray, vessel: np.ndarray, noun: str) -> bool:
    """Whether a load, by its world box (low, high) [2, 3], lies in a vessel; a box is one when it is open."""
    middle, depth = load[:, :2].mean(axis=0), RIM_SHARE * (vessel[1, 2] - vessel[0, 2])
    over = ((middle > vessel[0, :2]) & (middle < vessel[1, :2])).all()
    return bool(over and load[0, 2] < vessel[1, 2] - depth and (place_in(noun) or noun.split(" ")[-1] == "box"))


def _last_support(run: WorldRun, name: str) -> str:
    """What an object presses on most in the last frame."""
    best, partner = 0.0, ""
    for column, pair in enumerate(run.pairs):
        if name in pair and run.impulse[-1, column] > best:
            best, partner = float(run.impulse[-1, column]), pair[0] if pair[1] == name else pair[1]
    return partner


def _bounces(run: WorldRun, name: str) -> int:
    """How often the centre of mass visibly came up again after the first fall."""
    if name not in run.dynamic or len(run.centre) < 2:
        return 0
    upward = np.diff(run.centre[:, run.dynamic.index(name), 2]) / run.substep_s
    fell = np.flatnonzero(upward < -BOUNCE_M_S)
    if not len(fell):
        return 0
    rising = upward[fell[0] :] > BOUNCE_M_S
    return int(np.count_nonzero(rising[1:] & ~rising[:-1]))
