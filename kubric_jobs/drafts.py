"""Tools for laying out a scene: picking shapes, naming things, standing them on the floor, throwing them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from datagen.spec import CollisionWish
from kubric_jobs.assets import Palette
from kubric_jobs.furniture import block_parts
from kubric_jobs.solids import Solid
from kubric_jobs.things import Shape, Thing

LONGEST_M = (0.12, 0.30)  # of an object, after scaling: what fits on a floor a few steps away and is seen
GROWTH = (0.92, 1.12)
GAP_M = 0.003  # above what a thing is put on, before it settles
CLEAR_M = 0.05  # between things that should not touch
SPREAD_M = (0.28, 0.62)  # of bystanders, from the middle
THINNEST_M = 0.014  # thinner things slip through what they hit


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A scene as drawn, before anything has settled.

    things   furniture and what rests first, what moves from the start last
    upright  names of those that must still stand where they were put once all has settled
    """

    things: tuple[Thing, ...]
    removed: tuple[str, ...]
    upright: tuple[str, ...] = ()


class NoDraftError(Exception):
    """This draw cannot be laid out: no room left, or no shape that fits."""


Fits = Callable[[Solid], bool]


def sturdy(solid: Solid) -> bool:
    """Thick enough at the size that it will have."""
    longest = float(solid.size.max())
    return float(solid.size.min()) * min(1.0, LONGEST_M[1] / longest) > THINNEST_M


def compact(solid: Solid) -> bool:
    """Something to throw: no sheet, no rod."""
    return sturdy(solid) and float(solid.size.min() / solid.size.max()) > 0.38 and solid.fullness > 0.15


def boxy(solid: Solid) -> bool:
    """Flat on top and below, so that things rest on it."""
    return sturdy(solid) and solid.fullness > 0.72 and float(solid.size.min() / solid.size.max()) > 0.2


def tall(solid: Solid) -> bool:
    """A box that can stand on its edge like a domino: three different edges, and not a sheet."""
    edges = np.sort(solid.size)
    return solid.fullness > 0.72 and 1.6 < edges[2] / edges[0] < 8.0 and edges[1] / edges[0] > 1.2


def round_axis(solid: Solid) -> int | None:
    """Axis about which an object rolls, if it is a ball or a cylinder; -1 for a ball."""
    size = solid.size
    if size.max() / size.min() < 1.12 and 0.45 < solid.fullness < 0.62:
        return -1
    for axis in range(3):
        others = np.delete(size, axis)
        if others.max() / others.min() < 1.05 and 0.7 < solid.fullness < 0.81:
            return axis
    return None


@dataclass(kw_only=True)
class Studio:
    """One draw of one scene: its dice, its shapes, and what has been put where."""

    rng: np.random.Generator
    palette: Palette
    wish: CollisionWish
    yaw: float = 0.0  # of the whole scene about the vertical
    things: list[Thing] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    taken: list[tuple[float, float, float]] = field(default_factory=list)  # x, y, radius of occupied ground

    def uniform(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(low, high))

    def pick(self, fits: Fits) -> Shape | None:
        """A shape that fits, not used in this scene where there are others."""
        shape = self.palette.pick(self.rng, fits, self.used)
        if shape is not None:
            self.used.add(shape.asset_id)
        return shape

    def need(self, fits: Fits) -> Shape:
        """A shape that fits; a draw without one is given up."""
        shape = self.pick(fits)
        if shape is None:
            raise NoDraftError("no asset fits")
        return shape

    def block(self, size_m: tuple[float, float, float]) -> Shape:
        """A wooden block, for sets in which nothing is a box."""
        rounded = tuple(round(edge, 3) for edge in size_m)
        name = "wooden_block_" + "_".join(f"{edge * 1000:.0f}" for edge in rounded)
        return self.palette.build(name, "wooden_block", block_parts((rounded[0], rounded[1], rounded[2])))

    def scale(self, shape: Shape, longest: tuple[float, float] = LONGEST_M) -> float:
        """A uniform scale near 1 that brings the longest edge into a range."""
        if shape.made_here:
            return 1.0
        edge = float(shape.solid.size.max())
        return round(float(np.clip(edge * self.uniform(*GROWTH), *longest)) / edge, 4)

    def name(self, category: str) -> str:
        """A name that no other thing of the scene has."""
        names = {thing.name for thing in self.things}
        candidates = (category if number == 0 else f"{category}.{number:03d}" for number in range(len(names) + 1))
        return next(name for name in candidates if name not in names)

    def add(
        self,
        shape: Shape,
        position: tuple[float, float, float],
        *,
        scale: float | None = None,
        rotation: Rotation | None = None,
        role: str = "",
        static: bool = False,
    ) -> Thing:
        """Put a thing somewhere; `position` is of its origin, in the scene's own axes."""
        turn = Rotation.from_euler("z", self.yaw)
        spin = rotation if rotation is not None else Rotation.identity()
        pose = np.concatenate([turn.apply(position), (turn * spin).as_quat(scalar_first=True)])
        thing = Thing(
            name=self.name(shape.category),
            shape=shape,
            scale=self.scale(shape) if scale is None else scale,
            pose=pose,
            linear=np.zeros(3),
            angular=np.zeros(3),
            static=static,
            role=role,
        ).at(pose)
        self.things.append(thing)
        return thing

    def stand(
        self,
        shape: Shape,
        x: float,
        y: float,
        *,
        on_m: float = 0.0,
        scale: float | None = None,
        rotation: Rotation | None = None,
        role: str = "",
        static: bool = False,
    ) -> Thing:
        """Stand a thing at (x, y), its lowest point just above `on_m`."""
        scale = self.scale(shape) if scale is None else scale
        if rotation is None:
            rotation = Rotation.from_euler("z", self.uniform(-math.pi, math.pi))
        low = float(rotation.apply(shape.solid.outline * scale)[:, 2].min())
        gap = 0.0 if static else GAP_M
        thing = self.add(shape, (x, y, on_m - low + gap), scale=scale, rotation=rotation, role=role, static=static)
        self.taken.append((x, y, footprint(shape.solid, scale)))
        return thing

    def throw(
        self,
        shape: Shape,
        start: tuple[float, float, float],
        target: tuple[float, float, float],
        speed_m_s: float,
        *,
        scale: float | None = None,
        role: str = "launched",
        gravity_m_s2: float = 9.81,
    ) -> Thing:
        """Let a thing fly from `start` so that it passes through `target`; speed is the horizontal one."""
        rotation = Rotation.from_euler("zx", [self.uniform(-math.pi, math.pi), self.uniform(-0.4, 0.4)])
        thing = self.add(shape, start, scale=scale, rotation=rotation, role=role)
        way = np.array(target) - np.array(start)
        time_s = float(np.hypot(way[0], way[1])) / speed_m_s
        linear = way / time_s + np.array([0.0, 0.0, gravity_m_s2 * time_s / 2])
        angular = self.rng.uniform(-4.0, 4.0, size=3)
        return self.set_moving(thing, linear, angular)

    def set_moving(self, thing: Thing, linear: np.ndarray, angular: np.ndarray) -> Thing:
        """Give a thing a velocity in the scene's own axes; it moves from the first frame on."""
        turn = Rotation.from_euler("z", self.yaw)
        moving = replace(
            thing,
            linear=turn.apply(linear).astype(np.float32).astype(np.float64),
            angular=turn.apply(angular).astype(np.float32).astype(np.float64),
            at_rest=False,
        )
        self.things[self.things.index(thing)] = moving
        return moving

    def keep_clear(self, start: tuple[float, float], end: tuple[float, float], width_m: float) -> None:
        """Leave a lane free of bystanders."""
        steps = max(2, math.ceil(math.dist(start, end) / width_m))
        for share in np.linspace(0, 1, steps):
            x, y = (start[axis] + share * (end[axis] - start[axis]) for axis in (0, 1))
            self.taken.append((float(x), float(y), width_m))

    def bystander(self, role: str = "stands aside", spread: tuple[float, float] = SPREAD_M) -> Thing:
        """Something that stands where nothing else is."""
        shape = self.need(sturdy)
        scale = self.scale(shape)
        radius = footprint(shape.solid, scale)
        for _ in range(40):
            angle, reach = self.uniform(-math.pi, math.pi), self.uniform(*spread) + radius
            x, y = reach * math.cos(angle), reach * math.sin(angle)
            if all(math.dist((x, y), spot[:2]) > spot[2] + radius + CLEAR_M for spot in self.taken):
                return self.stand(shape, x, y, scale=scale, role=role)
        raise NoDraftError("no room for a bystander")

    def fill_up(self) -> None:
        """Bystanders until there are as many things as wanted."""
        while len(self.things) < self.wish.num_objects:
            self.bystander()

    def draft(self, removed: list[Thing], upright: list[Thing] | None = None) -> Draft:
        """The finished layout: what rests first, what moves last."""
        ordered = sorted(self.things, key=lambda thing: (not thing.static, not thing.at_rest))
        names = [thing.name for thing in removed]
        return Draft(
            things=tuple(ordered),
            removed=tuple(thing.name for thing in ordered if thing.name in names),
            upright=tuple(thing.name for thing in upright or ()),
        )


def footprint(solid: Solid, scale: float) -> float:
    """Radius [m] of the upright cylinder around its origin that a thing stays in when turned about the vertical."""
    return float(np.linalg.norm(solid.outline[:, :2], axis=1).max()) * scale


def standing(solid: Solid) -> Rotation:
    """Turn that puts the longest edge upright and the shortest along x."""
    order = np.argsort(solid.size)
    columns = np.zeros((3, 3))
    columns[0, order[0]] = columns[1, order[1]] = columns[2, order[2]] = 1.0
    if np.linalg.det(columns) < 0:
        columns[1] *= -1
    return Rotation.from_matrix(columns)
