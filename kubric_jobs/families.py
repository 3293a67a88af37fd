"""Families of collision scenes: each lays out one scene, in axes in which the action runs along x.

Removed is what hits, what is hit, or what carries. A scene without an effect is laid out the same way, and what is
removed from it is something that nothing touches.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from datagen.errors import SpecError, did_you_mean
from kubric_jobs.drafts import (
    Draft,
    Studio,
    boxy,
    compact,
    footprint,
    round_axis,
    standing,
    sturdy,
    tall,
)
from kubric_jobs.furniture import bin_parts, ramp_parts
from kubric_jobs.things import Shape, Thing

HIT_SHARE = 0.5  # of scenes in which what moves is removed; in the others, what it would have met


def lay_out(studio: Studio) -> Draft:
    """Draw a scene of the wished family; raises `NoDraftError` when this draw comes to nothing."""
    family = studio.wish.family
    if family not in LAYOUTS:
        raise SpecError(f"no family '{family}' of collision scenes{did_you_mean(family, LAYOUTS)}")
    studio.yaw = studio.uniform(-math.pi, math.pi)
    return LAYOUTS[family](studio)


def _launch(studio: Studio) -> Draft:
    """Something flies at something that stands, with perhaps another behind it."""
    first = _solid_target(studio)
    front = studio.stand(first, 0.0, 0.0, role="stands in its way")
    height = front.pose[2] + 0.3 * front.size[2]
    start = (-studio.uniform(0.55, 0.85), studio.uniform(-0.05, 0.05), studio.uniform(0.12, 0.3))
    flyer = studio.throw(studio.need(compact), start, (0.0, 0.0, float(height)), studio.uniform(2.0, 3.2))
    targets = [front]
    if _spare(studio) > 0:
        targets.append(_behind(studio, front))
    studio.keep_clear((start[0], start[1]), (0.9, 0.0), 0.16)
    return _finish(studio, flyer, targets)


def _pile(studio: Studio) -> Draft:
    """Something falls onto a heap."""
    base = studio.stand(_box(studio), 0.0, 0.0, role="lies at the bottom of the pile")
    pile = [base]
    top = _top(base)
    for _ in range(min(1 + int(studio.rng.random() < 0.6), max(_spare(studio) - 1, 0))):
        shape = studio.need(sturdy)
        scale = studio.scale(shape, (0.10, 0.2))
        x, y = (studio.uniform(-0.02, 0.02) for _ in range(2))
        pile.append(studio.stand(shape, x, y, on_m=top, scale=scale, role="lies on the pile"))
        top = _top(pile[-1])
    faller = studio.add(
        studio.need(compact),
        (studio.uniform(-0.05, 0.05), studio.uniform(-0.05, 0.05), top + studio.uniform(0.45, 0.8)),
        rotation=Rotation.from_euler("xyz", studio.rng.uniform(-math.pi, math.pi, size=3)),
        role="falls onto the pile",
    )
    drift = studio.rng.uniform(-0.15, 0.15, size=3) * np.array([1.0, 1.0, 0.0])
    faller = studio.set_moving(faller, drift, studio.rng.uniform(-3.0, 3.0, size=3))
    return _finish(studio, faller, [pile[-1]])


def _domino(studio: Studio) -> Draft:
    """Boxes in a row; the first is pushed, and one of them or what pushes is removed."""
    shape = studio.pick(tall) or studio.block((0.03, 0.08, 0.17))
    turn, scale = standing(shape.solid), studio.scale(shape, (0.15, 0.24))
    edges = np.sort(shape.solid.size) * scale
    step = float(edges[0] + 0.5 * edges[2])
    count = max(2, min(4, studio.wish.num_objects - 1 - (studio.wish.num_removed if studio.wish.null_effect else 0)))
    row = [
        studio.stand(shape, index * step, 0.0, scale=scale, rotation=turn, role=f"domino {index + 1} of {count}")
        for index in range(count)
    ]
    start = (-studio.uniform(0.45, 0.65), 0.0, studio.uniform(0.15, 0.3))
    pusher = studio.need(compact)
    aim = (0.0, 0.0, float(0.7 * edges[2]))
    flyer = studio.throw(
        pusher, start, aim, studio.uniform(1.8, 2.6), scale=studio.scale(pusher, (0.09, 0.16)), role="pushes the first"
    )
    studio.keep_clear((start[0], 0.0), (count * step + 0.3, 0.0), 0.2)
    return _finish(studio, flyer, [row[1]] if count > 1 else row, row)


def _support(studio: Studio) -> Draft:
    """Things rest on what is removed."""
    shape = _box(studio)
    turn = _upright_if_stable(shape)
    base = studio.stand(
        shape, 0.0, 0.0, scale=studio.scale(shape, (0.15, 0.26)), rotation=turn, role="carries the rest"
    )
    top = _top(base)
    carried: list[Thing] = []
    for _ in range(1 + int(_spare(studio) > 1 and studio.rng.random() < 0.7)):
        upper = studio.need(boxy if not carried else sturdy)
        scale = studio.scale(upper, (0.10, 0.2))
        shift = 0.25 * float(min(base.size)) if not carried else 0.015
        x, y = (studio.uniform(-shift, shift) for _ in range(2))
        carried.append(studio.stand(upper, x, y, on_m=top, scale=scale, role="rests on what is removed"))
        top = _top(carried[-1])
    return _finish(studio, base, [], [base, *carried])


def _ramp(studio: Studio) -> Draft:
    """Something rolls or slides down a ramp into something that stands at its foot."""
    slope = math.radians(studio.uniform(27, 35))
    length, width = studio.uniform(0.5, 0.65), studio.uniform(0.26, 0.34)
    name = f"ramp_board_{length * 1000:.0f}_{width * 1000:.0f}_{math.degrees(slope) * 10:.0f}"
    shape = studio.palette.build(name, "wooden_ramp", ramp_parts(length, width, slope))
    middle = float(shape.solid.low[0] + shape.solid.high[0]) / 2  # its centre of mass is nearer to the high end
    studio.stand(shape, -length / 2 - middle, 0.0, scale=1.0, rotation=Rotation.identity(), static=True, role="ramp")
    roller = _roll(studio, length, slope)
    front = studio.stand(_solid_target(studio), studio.uniform(0.16, 0.26), 0.0, role="stands at the foot of the ramp")
    targets = [front]
    if _spare(studio) > 0:
        targets.append(_behind(studio, front))
    studio.keep_clear((-length, 0.0), (0.9, 0.0), 0.24)
    return _finish(studio, roller, targets)


def _container(studio: Studio) -> Draft:
    """Something falls into a box in which other things lie."""
    length, width, height = studio.uniform(0.32, 0.42), studio.uniform(0.28, 0.34), studio.uniform(0.07, 0.11)
    name = f"wooden_box_{length * 1000:.0f}_{width * 1000:.0f}_{height * 1000:.0f}"
    shape = studio.palette.build(name, "wooden_box", bin_parts(length, width, height, 0.014))
    studio.stand(shape, 0.0, 0.0, scale=1.0, rotation=Rotation.identity(), static=True, role="container")
    inside: list[Thing] = []
    for side in (-1, 1)[: 1 + int(_spare(studio) > 2)]:
        content = studio.need(sturdy)
        scale = studio.scale(content, (0.10, 0.15))
        radius = footprint(content.solid, scale)
        reach = max(0.0, min(0.09, length / 2 - 0.02 - radius))
        inside.append(studio.stand(content, side * reach, 0.0, on_m=0.016, scale=scale, role="lies in the box"))
    over = inside[0].pose[:3]
    faller = studio.need(compact)
    local = Rotation.from_euler("z", -studio.yaw).apply(over)
    drop = (float(local[0]) + studio.uniform(-0.02, 0.02), studio.uniform(-0.02, 0.02), studio.uniform(0.45, 0.75))
    flyer = studio.add(faller, drop, scale=studio.scale(faller, (0.10, 0.15)), role="falls into the box")
    flyer = studio.set_moving(flyer, np.zeros(3), studio.rng.uniform(-3.0, 3.0, size=3))
    return _finish(studio, flyer, [inside[0]])


LAYOUTS: dict[str, Callable[[Studio], Draft]] = {
    "launch": _launch,
    "pile": _pile,
    "domino": _domino,
    "support": _support,
    "ramp": _ramp,
    "container": _container,
}


def _finish(studio: Studio, actor: Thing, met: list[Thing], upright: list[Thing] | None = None) -> Draft:
    """Bystanders, and who is removed: the actor or what it meets; with no wished effect, somebody who has no part."""
    wish, wanted = studio.wish, studio.wish.num_removed
    if wish.null_effect:
        return studio.draft([_uninvolved(studio, index) for index in range(wanted)] + _rest_of(studio), upright)
    actor_first = not met or studio.rng.random() < HIT_SHARE
    removed = [actor if actor_first else met[0]]
    studio.fill_up()
    others = [thing for thing in studio.things if thing not in removed and not thing.static]
    passers = [thing for thing in others if thing.role == "stands aside"]
    while len(removed) < wanted and len(others) > 1:
        pool = passers or others
        extra = pool.pop(int(studio.rng.integers(len(pool))))
        others = [thing for thing in others if thing is not extra]
        removed.append(extra)
    return studio.draft(removed, [thing for thing in upright or [] if thing in studio.things])


def _uninvolved(studio: Studio, index: int) -> Thing:
    """Something to remove that touches nothing: it stands aside, or it falls there."""
    thing = studio.bystander(role="has no part in it", spread=(0.4, 0.75))
    if index == 0 and studio.rng.random() < 0.5:
        raised = thing.at(thing.pose + np.array([0.0, 0.0, studio.uniform(0.1, 0.25), 0.0, 0.0, 0.0, 0.0]))
        studio.things[studio.things.index(thing)] = raised
        thing = studio.set_moving(raised, np.zeros(3), np.zeros(3))
    return thing


def _rest_of(studio: Studio) -> list[Thing]:
    """Fill up with bystanders; none of them is removed."""
    studio.fill_up()
    return []


def _spare(studio: Studio) -> int:
    """How many things may still be added, beyond those that must have no part."""
    reserved = studio.wish.num_removed if studio.wish.null_effect else 0
    return studio.wish.num_objects - len(studio.things) - reserved


def _behind(studio: Studio, front: Thing) -> Thing:
    """Another thing in the line of fire."""
    shape = studio.need(sturdy)
    scale = studio.scale(shape)
    local = Rotation.from_euler("z", -studio.yaw).apply(front.pose[:3])
    gap = footprint(front.shape.solid, front.scale) + footprint(shape.solid, scale) + studio.uniform(0.03, 0.08)
    return studio.stand(shape, float(local[0]) + gap, studio.uniform(-0.03, 0.03), scale=scale, role="stands behind it")


def _solid_target(studio: Studio) -> Shape:
    """Something that a blow moves and that stands by itself."""
    return studio.pick(lambda solid: compact(solid) and solid.fullness > 0.35) or studio.need(compact)


def _box(studio: Studio) -> Shape:
    """A box to rest things on; wooden, where the set has none."""
    return studio.pick(boxy) or studio.block((0.16, 0.12, 0.08))


def _upright_if_stable(shape: Shape) -> Rotation:
    """Boxes stand on end when they are not too slender, so that what they carry has some way to fall."""
    edges = np.sort(shape.solid.size)
    return standing(shape.solid) if edges[2] / edges[0] < 2.6 else Rotation.identity()


def _top(thing: Thing) -> float:
    """Height [m] of a thing's highest point."""
    rotation = Rotation.from_quat(thing.pose[3:], scalar_first=True)
    return float(thing.pose[2] + rotation.apply(thing.outline)[:, 2].max())


def _roll(studio: Studio, length: float, slope: float) -> Thing:
    """Something round at the top of a ramp; anything that can slide, where the set has nothing round."""
    shape = studio.pick(lambda solid: round_axis(solid) is not None) or studio.need(compact)
    scale = studio.scale(shape, (0.10, 0.2))
    axis = round_axis(shape.solid)
    lying = Rotation.from_matrix(_axis_to_y(axis)) if axis is not None and axis >= 0 else Rotation.identity()
    rotation = Rotation.from_euler("y", slope) * lying
    normal = np.array([math.sin(slope), 0.0, math.cos(slope)])
    along = np.array([math.cos(slope), 0.0, -math.sin(slope)])
    reach = -float((rotation.apply(shape.solid.outline * scale) @ normal).min())
    half = float((rotation.apply(shape.solid.outline * scale) @ along).max())
    crest = np.array([-length, 0.0, length * math.tan(slope) + 0.004])
    place = crest + along * (half + studio.uniform(0.01, 0.05)) + normal * (reach + 0.004)
    thing = studio.add(
        shape,
        (float(place[0]), studio.uniform(-0.02, 0.02), float(place[2])),
        scale=scale,
        rotation=rotation,
        role="comes down the ramp",
    )
    return studio.set_moving(thing, along * studio.uniform(0.2, 0.7), np.zeros(3))


def _axis_to_y(axis: int) -> np.ndarray:
    """Rotation matrix [3, 3] that turns an axis of an object across the ramp."""
    matrix = np.eye(3)
    if axis == 0:
        matrix = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    if axis == 2:
        matrix = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    return matrix
