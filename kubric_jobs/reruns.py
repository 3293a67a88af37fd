"""A scene's worlds run again: with half the time step, in another process, and from starts within measurement noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from datagen.elsewhere import call_elsewhere
from datagen.physics.perturb import DEEPER_M, TRIES, Jitter, draw_jitter, jitter_generator, jittered_pose
from datagen.spec import Clip, SceneSpec
from kubric_jobs.draw_scene import DrawnScene
from kubric_jobs.things import Thing
from kubric_jobs.worlds import Group, Recipe

UPRIGHT_ONLY = np.array([1.0, 1.0, 0.0])


def rerun(spec: SceneSpec, scene: DrawnScene) -> dict[str, np.ndarray]:
    """The arrays of reruns.npz, see `datagen.collision`."""
    factual, counterfactual = call_elsewhere(poses_of, scene.factual_recipe, scene.counterfactual_recipe)
    return {
        "factual_finer": scene.factual_recipe.finer().run().poses,
        "factual_again": factual,
        "counterfactual_again": counterfactual,
        "perturbed": run_perturbed(spec, scene.counterfactual_recipe),
    }


def poses_of(*recipes: Recipe) -> tuple[np.ndarray, ...]:
    """What recipes make, [num_frames, N, 7] each."""
    return tuple(recipe.run().poses for recipe in recipes)


def run_perturbed(spec: SceneSpec, recipe: Recipe) -> np.ndarray:
    """Poses from jittered starts, float64 [K, num_frames, N, 7]."""
    runs = [
        jittered_recipe(recipe, jitter_generator(spec.seed, number)).run().poses
        for number in range(spec.physics.perturbed)
    ]
    return np.array(runs).reshape(-1, spec.clip.num_frames, len(recipe.names), 7)


def jittered_recipe(recipe: Recipe, rng: np.random.Generator) -> Recipe:
    """The same world with its awake things elsewhere, by as much as a measurement can be wrong."""
    return replace(recipe, groups=tuple(_jittered_group(recipe, group, rng) for group in recipe.groups))


def _jittered_group(recipe: Recipe, group: Group, rng: np.random.Generator) -> Group:
    """A group whose start overlaps nothing deeper than before; as it is if no draw does.

    What sleeps keeps its place: it has been settled there, and only a blow that is jittered itself can move it.
    """
    still = {*group.asleep, *(thing.name for thing in group.things if thing.static or thing.ghost)}
    awake = {thing.name for thing in group.things} - still
    if not awake:
        return group
    limit = _overlap(recipe, group) + DEEPER_M
    for _ in range(TRIES):
        things = tuple(
            jittered_thing(thing, draw_jitter(rng)) if thing.name in awake else thing for thing in group.things
        )
        moved = replace(group, things=things)
        if _overlap(recipe, moved) <= limit:
            return moved
    return group


def jittered_thing(thing: Thing, jitter: Jitter) -> Thing:
    """What flies gets another pose and velocity; what lay on something that is gone only slides and turns level."""
    if thing.at_rest:
        level = replace(jitter, offset=jitter.offset * UPRIGHT_ONLY, turn=jitter.turn * (1 - UPRIGHT_ONLY))
        return thing.at(jittered_pose(thing.pose, np.zeros(3), level))
    linear, angular = (
        (value + change).astype(np.float32).astype(np.float64)
        for value, change in ((thing.linear, jitter.linear), (thing.angular, jitter.angular))
    )
    return replace(thing.at(jittered_pose(thing.pose, np.zeros(3), jitter)), linear=linear, angular=angular)


def _overlap(recipe: Recipe, group: Group) -> float:
    """Deepest overlap [m] that a group begins with."""
    runner = recipe.runner
    clip = Clip(start_s=0.0, num_frames=1, fps=runner.spec.clip.fps)
    start = replace(runner, spec=replace(runner.spec, clip=clip)).run(group.things, group.asleep)
    return float(start.initial_penetration.max(initial=0.0))
