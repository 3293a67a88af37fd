"""What is kept of a simulation while it runs; `datagen.certify_collision` reads it as a `WorldRun`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from datagen.codec import write_npz
from datagen.trajectory import Trajectory
from kubric_jobs.things import Thing

FLOOR = "floor"
MOTION_COLUMNS = 13  # position, quaternion (x, y, z, w), linear and angular velocity

Pair = tuple[str, str]
Contact = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class WorldRecord:
    """A world's course; the fields are those of `datagen.physics.world.WorldRun`, plus who slept when.

    asleep  bool [num_frames, D], dynamic bodies that lie still and were not simulated at the frame
    """

    names: tuple[str, ...]
    dynamic: tuple[str, ...]
    substep_s: float
    first_s: float
    com: np.ndarray
    poses: np.ndarray
    linear_velocity: np.ndarray
    angular_velocity: np.ndarray
    pairs: tuple[Pair, ...]
    impulse: np.ndarray
    side_impulse: np.ndarray
    penetration: np.ndarray
    initial_penetration: np.ndarray
    centre: np.ndarray
    speed: np.ndarray
    airborne: np.ndarray
    energy: np.ndarray
    asleep: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """Poses of one thing [num_frames, 7]."""
        return np.asarray(self.poses[:, self.names.index(name)])

    def trajectory(self, fps: float) -> Trajectory:
        """The poses alone."""
        return Trajectory(
            names=self.names,
            fps=fps,
            poses=self.poses,
            linear_velocity=self.linear_velocity,
            angular_velocity=self.angular_velocity,
        )

    def first_touch(self, name: str) -> dict[str, int]:
        """First frame in which each other thing (the floor too) pushed `name`, or was pushed by it."""
        found: dict[str, int] = {}
        for column, pair in enumerate(self.pairs):
            frames = np.flatnonzero(self.impulse[:, column] > 0)
            if name in pair and len(frames):
                found[pair[0] if pair[1] == name else pair[1]] = int(frames[0])
        return found

    def write(self, path: Path) -> None:
        """As an .npz; equal records give equal bytes."""
        arrays: dict[str, np.ndarray] = {name: np.asarray(value) for name, value in vars(self).items()}
        arrays["names"], arrays["dynamic"] = (np.array(names, dtype=np.str_) for names in (self.names, self.dynamic))
        arrays["pairs"] = np.array(self.pairs, dtype=np.str_).reshape(-1, 2)
        write_npz(path, arrays)


class Recorder:
    """Collects states and contacts; knows bodies by name only."""

    def __init__(self, things: tuple[Thing, ...], substep_s: float, gravity_m_s2: float) -> None:
        self.things, self.substep_s, self.gravity = things, substep_s, gravity_m_s2
        self.dynamic = tuple(thing for thing in things if not thing.static)
        self.order = {name: index for index, name in enumerate((*(thing.name for thing in things), FLOOR))}
        self.first: dict[Pair, float] = {}
        self.held: dict[Pair, np.ndarray] = {}  # impulses per frame of pairs that sleep
        self.bin: dict[Pair, np.ndarray] = {}
        self.frames: list[dict[Pair, np.ndarray]] = []
        self.sleeping: list[list[bool]] = []
        self.states: list[np.ndarray] = []
        self.depths: list[dict[Pair, float]] = []
        self.motion: list[tuple[float, ...]] = []
        self.flying: list[list[bool]] = []

    def pair(self, first: str, second: str) -> Pair:
        """Names in the order of the scene, the floor last."""
        return (first, second) if self.order[first] < self.order[second] else (second, first)

    def begin(self, contacts: list[tuple[str, str, float]]) -> None:
        """Overlaps of the initial poses: (name, name, distance)."""
        for first, second, distance in contacts:
            pair = self.pair(first, second)
            self.first[pair] = max(self.first.get(pair, -1.0), -distance)

    def substep(
        self, contacts: list[tuple[str, str, Contact]], motion: list[tuple[float, ...]], awake: set[str]
    ) -> None:
        """Contacts (name, name, Bullet's record) and `MOTION_COLUMNS` of every dynamic body after a substep."""
        depths: dict[Pair, float] = {}
        touching: set[str] = set()
        for first, second, contact in contacts:
            pair = self.pair(first, second)
            depths[pair] = max(depths.get(pair, -1.0), -contact[8])
            touching.add(first)
            touching.add(second)
            if contact[9] > 0:
                self._add_impulse(pair, second, contact)
        self.depths.append(depths)
        self.motion.extend(motion)
        self.flying.append([thing.name in awake and thing.name not in touching for thing in self.dynamic])

    def _add_impulse(self, pair: Pair, second: str, contact: Contact) -> None:
        """Add normal and horizontal impulse; Bullet's normal points from its second body to its first."""
        normal, side = contact[7], 1.0 if second != pair[1] else -1.0
        total = self.bin.get(pair)
        if total is None:
            total = self.bin[pair] = np.zeros(3)
        force = contact[9]
        for axis in (0, 1):
            sideways = normal[axis] * force + contact[11][axis] * contact[10] + contact[13][axis] * contact[12]
            total[axis + 1] += side * sideways * self.substep_s
        total[0] += force * self.substep_s

    def frame(self, states: np.ndarray, asleep: set[str]) -> None:
        """State [N, 13] (`MOTION_COLUMNS`) of all things at a video frame; what sleeps goes on pressing as before."""
        resting = {pair: value for pair, value in self.held.items() if self._all_asleep(pair, asleep)}
        self.frames.append({**resting, **self.bin})
        self.bin = {}
        self.states.append(states)
        self.sleeping.append([thing.name in asleep for thing in self.dynamic])

    def hold(self, asleep: set[str]) -> None:
        """Keep the last frame's impulses for pairs whose bodies have fallen asleep."""
        self.held |= {
            pair: value
            for pair, value in self.frames[-1].items()
            if pair not in self.held and self._all_asleep(pair, asleep)
        }

    def release(self, name: str) -> None:
        """Forget what a body pressed on in its sleep."""
        self.held = {pair: value for pair, value in self.held.items() if name not in pair}

    def _all_asleep(self, pair: Pair, asleep: set[str]) -> bool:
        movable = {thing.name for thing in self.dynamic}
        return all(name in asleep for name in pair if name in movable)

    def speeds(self, substeps: int) -> Mapping[str, tuple[float, float]] | None:
        """Greatest linear and angular speed of each body over the last substeps, or None before there are as many."""
        count = len(self.dynamic)
        if len(self.depths) < substeps:
            return None
        recent = np.array(self.motion[-substeps * count :]).reshape(substeps, count, MOTION_COLUMNS)
        linear = np.linalg.norm(recent[..., 7:10], axis=-1).max(axis=0)
        angular = np.linalg.norm(recent[..., 10:13], axis=-1).max(axis=0)
        return {thing.name: (linear[index], angular[index]) for index, thing in enumerate(self.dynamic)}

    def result(self) -> WorldRecord:
        """Everything, as arrays."""
        pressed = (pair for frame in self.frames for pair in frame)
        seen = {*self.first, *pressed, *itertools.chain.from_iterable(self.depths)}
        pairs = tuple(sorted(seen, key=lambda pair: (self.order[pair[0]], self.order[pair[1]])))
        steps, moving = len(self.depths), len(self.dynamic)
        motion = np.array(self.motion).reshape(steps, moving, MOTION_COLUMNS)
        states = np.array(self.states).reshape(len(self.frames), len(self.things), MOTION_COLUMNS)
        impulses = np.zeros((len(self.frames), len(pairs), 3), dtype=np.float32)
        depth = np.full((steps, len(pairs)), np.nan, dtype=np.float32)
        columns = {pair: column for column, pair in enumerate(pairs)}
        for row, frame in enumerate(self.frames):
            for pair, value in frame.items():
                impulses[row, columns[pair]] = value
        for row, depths in enumerate(self.depths):
            for pair, overlap in depths.items():
                depth[row, columns[pair]] = overlap
        return WorldRecord(
            names=tuple(thing.name for thing in self.things),
            dynamic=tuple(thing.name for thing in self.dynamic),
            substep_s=self.substep_s,
            first_s=0.0,  # the start is recorded too
            com=np.zeros((moving, 3)),  # assets are made so that their origin is the centre of mass
            poses=_continuous(np.concatenate([states[..., :3], np.roll(states[..., 3:7], 1, axis=-1)], axis=-1)),
            linear_velocity=states[..., 7:10],
            angular_velocity=states[..., 10:13],
            pairs=pairs,
            impulse=impulses[..., 0],
            side_impulse=impulses[..., 1:],
            penetration=depth,
            initial_penetration=np.array([max(self.first.get(pair, 0.0), 0.0) for pair in pairs]),
            centre=motion[..., :3],
            speed=np.linalg.norm(motion[..., 7:10], axis=-1),
            airborne=np.array(self.flying, dtype=bool).reshape(steps, moving),
            energy=self._energy(motion),
            asleep=np.array(self.sleeping, dtype=bool).reshape(len(self.frames), moving),
        )

    def _energy(self, motion: np.ndarray) -> np.ndarray:
        """Potential, translational and rotational energy [S] of motion [S, D, 13] in joule."""
        total: Any = np.zeros(len(motion))
        for column, thing in enumerate(self.dynamic if len(motion) else ()):
            state = motion[:, column]
            spin = Rotation.from_quat(state[:, 3:7]).inv().apply(state[:, 10:13])
            total += thing.mass * (self.gravity * state[:, 2] + np.sum(state[:, 7:10] ** 2, axis=1) / 2)
            total += np.sum(thing.inertia * spin**2, axis=1) / 2
        return np.asarray(total)


def _continuous(poses: np.ndarray) -> np.ndarray:
    """The same rotations [num_frames, N, 7] with quaternion signs that do not jump."""
    if len(poses) < 2:
        return poses
    flips = np.sum(poses[1:, :, 3:] * poses[:-1, :, 3:], axis=-1) < 0
    signs = np.concatenate([np.ones((1, poses.shape[1])), np.cumprod(np.where(flips, -1.0, 1.0), axis=0)])
    return np.concatenate([poses[..., :3], poses[..., 3:] * signs[..., None]], axis=-1)


def merged(first: WorldRecord, second: WorldRecord, names: tuple[str, ...]) -> WorldRecord:
    """One world of two groups of things that never met; things in both (furniture) are taken from the first."""
    steps = max(len(first.centre), len(second.centre))
    fresh = [index for index, name in enumerate(second.names) if name not in first.names]
    every = (*first.names, *(second.names[index] for index in fresh))
    order = [every.index(name) for name in names]
    dynamic = (*first.dynamic, *second.dynamic)
    moving = [dynamic.index(name) for name in names if name in dynamic]

    def things(field: str) -> np.ndarray:
        joined = np.concatenate([getattr(first, field), getattr(second, field)[:, fresh]], axis=1)
        return np.asarray(joined[:, order])

    def bodies(field: str) -> np.ndarray:
        return np.concatenate([_held(getattr(one, field), steps) for one in (first, second)], axis=1)[:, moving]

    def contacts(field: str) -> np.ndarray:
        return np.concatenate([getattr(first, field), getattr(second, field)], axis=1)

    return WorldRecord(
        names=names,
        dynamic=tuple(dynamic[index] for index in moving),
        substep_s=first.substep_s,
        first_s=first.first_s,
        com=np.zeros((len(moving), 3)),
        poses=things("poses"),
        linear_velocity=things("linear_velocity"),
        angular_velocity=things("angular_velocity"),
        pairs=(*first.pairs, *second.pairs),
        impulse=contacts("impulse"),
        side_impulse=contacts("side_impulse"),
        penetration=np.concatenate([_held(one.penetration, steps, np.nan) for one in (first, second)], axis=1),
        initial_penetration=np.concatenate([first.initial_penetration, second.initial_penetration]),
        centre=bodies("centre"),
        speed=bodies("speed"),
        airborne=np.concatenate([_held(one.airborne, steps, False) for one in (first, second)], axis=1)[:, moving],
        energy=_held(first.energy, steps) + _held(second.energy, steps),
        asleep=np.concatenate([first.asleep, second.asleep], axis=1)[:, moving],
    )


def _held(values: np.ndarray, steps: int, beyond: float | bool | None = None) -> np.ndarray:
    """Values [S, ...] made `steps` long with the last row, or with `beyond`."""
    missing = steps - len(values)
    if not missing:
        return values
    tail = np.repeat(values[-1:], missing, axis=0)
    return np.concatenate([values, tail if beyond is None else np.full_like(tail, beyond)])
