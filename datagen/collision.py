"""What `kubric_jobs.simulate_scene` leaves, and how influence travels from contact to contact.

Its folder holds

    spec.json                   the planned SceneSpec with its objects, which were drawn here
    geometry/<asset>/...        furniture that was built for this scene; the spec names it relative to itself
    world_factual.npz, world_counterfactual.npz, world_finer.npz    `datagen.physics.world.WorldRun` field by field;
                                the last is the counterfactual with half the time step
    reruns.npz                  poses [num_frames, N, 7] of the worlds run again: factual_finer; factual_again and
                                counterfactual_again in another process; perturbed [K, num_frames, N, 7] of the
                                counterfactual from starts within measurement noise
    outlines.npz                name -> corners of the convex hull [V, 3], own frame [m]
    collision.json              `CollisionReport`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPEC_FILE = "spec.json"
REPORT_FILE = "collision.json"
OUTLINES_FILE = "outlines.npz"
RERUNS_FILE = "reruns.npz"
WORLD_FILES = {"factual": "world_factual.npz", "counterfactual": "world_counterfactual.npz", "finer": "world_finer.npz"}
FLOOR = "floor"


@dataclass(frozen=True, kw_only=True)
class ThingReport:
    """One object of a scene."""

    name: str
    asset_id: str
    role: str  # "launched", "rests on what is removed", ...
    static: bool
    at_rest: bool  # in the first frame
    mass_kg: float | None  # None for what never moves
    friction: float
    restitution: float


@dataclass(frozen=True, kw_only=True)
class CollisionReport:
    """How a scene came about."""

    things: tuple[ThingReport, ...]
    draws: int  # scenes drawn until one did what was wanted, this one included
    refused: dict[str, int]  # why the others did not, and how often
    skipped_assets: dict[str, str]  # assets that were drawn and could not be used, and why
    seconds: dict[str, float]
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """When influence arrives at an object, and through which contacts."""

    frame: int  # first frame whose pose it may have changed
    chain: tuple[str, ...]  # from a removed object to this one


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """Who pushed whom in one world: K pairs of names, impulse [num_frames, K] since the frame before."""

    pairs: Sequence[tuple[str, str]]
    impulse: np.ndarray


def reached_from(removed: Iterable[str], worlds: Sequence[Contacts], passive: Iterable[str]) -> dict[str, Reach]:
    """Objects that the removal can change: those that a removed object pushes, those that they push from then on in
    either world, and so on. Passive things (floor, furniture) hand nothing on.
    """
    reached = {name: Reach(frame=0, chain=(name,)) for name in removed}
    sources, blocked = set(reached), {FLOOR, *passive}
    num_frames = max((len(world.impulse) for world in worlds), default=0)
    for frame in range(num_frames):
        pushing = [
            pair
            for world in worlds
            for pair, impulse in zip(world.pairs, world.impulse[frame], strict=True)
            if impulse > 0 and not blocked & set(pair)
        ]
        while grown := _grown(reached, pushing, frame):
            reached |= grown
    return {name: reach for name, reach in reached.items() if name not in sources}


def _grown(reached: dict[str, Reach], pushing: list[tuple[str, str]], frame: int) -> dict[str, Reach]:
    """Objects that something reached pushes and that are not reached themselves."""
    found: dict[str, Reach] = {}
    for pair in pushing:
        for name, other in (pair, pair[::-1]):
            if other in reached and name not in reached and name not in found:
                found[name] = Reach(frame=frame, chain=(*reached[other].chain, name))
    return found


def spec_of(folder: Path) -> Path:
    """The completed spec in a simulation's folder."""
    return folder / SPEC_FILE
