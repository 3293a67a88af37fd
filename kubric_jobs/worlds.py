"""Both worlds of a drawn scene: who is simulated with whom, and how to make them again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from datagen.physics.materials import Material
from datagen.spec import SceneSpec
from kubric_jobs.course import run_course, substeps_per_frame, touching_groups
from kubric_jobs.recorder import Pair, WorldRecord, merged
from kubric_jobs.things import Thing


def ways_to_remove(things: tuple[Thing, ...], removed: tuple[str, ...]) -> Iterator[tuple[Thing, ...]]:
    """The things of the counterfactual: without the removed ones; then with ghosts of those that lie still.

    Bullet solves the contacts of two bodies of several convex parts in an order that depends on every other contact,
    and impacts come out millimetres apart. Until something comes near, a world with ghosts is the factual one.
    """
    kept = tuple(thing for thing in things if thing.name not in removed)
    yield kept
    ghosts = tuple(replace(thing, ghost=True) for thing in things if thing.name in removed and thing.at_rest)
    if ghosts:
        yield (*ghosts, *kept)


def shared_rate(spec: SceneSpec, things: tuple[Thing, ...]) -> float:
    """Substeps a second that do for every world and group of a scene."""
    steps = substeps_per_frame(things, spec.clip.fps, spec.physics.substep_hz, spec.physics.gravity_m_s2)
    return steps * spec.clip.fps


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Runs groups of a scene's things, all with one time step."""

    spec: SceneSpec
    floor: Material
    pressing: Mapping[Pair, np.ndarray]
    rate_hz: float

    def run(self, things: tuple[Thing, ...], asleep: Collection[str]) -> WorldRecord:
        """The whole clip."""
        return run_course(
            things,
            self.floor,
            num_frames=self.spec.clip.num_frames,
            fps=self.spec.clip.fps,
            substep_hz=self.rate_hz,
            gravity_m_s2=self.spec.physics.gravity_m_s2,
            asleep=[thing.name for thing in things if thing.name in asleep],
            pressing=self.pressing,
        )

    def apart(
        self,
        things: tuple[Thing, ...],
        kept: tuple[Thing, ...],
        resting: list[str],
        sleeping: list[str],
        factual: WorldRecord,
        counterfactual: WorldRecord,
    ) -> tuple[tuple[WorldRecord, Recipe], tuple[WorldRecord, Recipe]]:
        """Both worlds and how they are made, in which what never meets the removed objects or their company is
        simulated by itself, once. `kept`: one of `ways_to_remove`.

        Bullet's rounding depends on everything that is there; simulated apart, the same things move the same, bit by
        bit. Where the two groups meet after all, the worlds stay as they are.
        """
        removed = {thing.name for thing in things} - set(counterfactual.names)
        movable = [thing.name for thing in things if not thing.static]
        groups = touching_groups(movable, (*factual.pairs, *counterfactual.pairs))
        company = {name for group in groups if group & removed for name in group}
        others = tuple(thing for thing in things if thing.static or thing.name not in company)
        if not any(not thing.at_rest for thing in others):
            return (
                (factual, self.recipe(factual.names, (things, resting))),
                (counterfactual, self.recipe(counterfactual.names, (kept, sleeping))),
            )
        theirs = self.run(others, resting)
        with_removed = tuple(thing for thing in things if thing.static or thing.name in company)
        left = tuple(thing for thing in kept if thing.static or thing.name in company)
        return (
            (
                merged(self.run(with_removed, resting), theirs, factual.names),
                self.recipe(factual.names, (with_removed, resting), (others, resting)),
            ),
            (
                merged(self.run(left, sleeping), theirs, counterfactual.names),
                self.recipe(counterfactual.names, (left, sleeping), (others, resting)),
            ),
        )

    def recipe(self, names: tuple[str, ...], *groups: tuple[tuple[Thing, ...], list[str]]) -> Recipe:
        """How a world is made of groups of (things, names of those that sleep at the start)."""
        return Recipe(
            runner=self,
            names=names,
            groups=tuple(Group(things=things, asleep=tuple(asleep)) for things, asleep in groups),
        )


@dataclass(frozen=True, kw_only=True)
class Group:
    """Things that are simulated together, and which of them lie still until they are pushed."""

    things: tuple[Thing, ...]
    asleep: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make a world again."""

    runner: Runner
    names: tuple[str, ...]
    groups: tuple[Group, ...]

    def run(self) -> WorldRecord:
        """The world."""
        first, *others = (self.runner.run(group.things, group.asleep) for group in self.groups)
        return merged(first, others[0], self.names) if others else first

    def finer(self) -> Recipe:
        """The same with half the time step."""
        return replace(self, runner=replace(self.runner, rate_hz=2 * self.runner.rate_hz))
