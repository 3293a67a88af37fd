"""Draw a scene until it does what was wanted: settle it, run both worlds, and look at what touched what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.assets import Asset
from datagen.collision import Contacts, Reach, reached_from
from datagen.errors import SceneFailed, SpecError
from datagen.physics.materials import Material, floor_material
from datagen.seeding import generator_for
from datagen.spec import CollisionWish, SceneSpec
from datagen.trajectory import apply_pose, rotation_angle
from kubric_jobs.assets import Palette
from kubric_jobs.course import run_course, touching_groups
from kubric_jobs.drafts import Draft, NoDraftError, Studio
from kubric_jobs.families import lay_out
from kubric_jobs.recorder import Pair, WorldRecord
from kubric_jobs.things import Thing
from kubric_jobs.worlds import Recipe, Runner, shared_rate, ways_to_remove

SETTLE_S = 4.0
SETTLE_FPS = 20.0
STANDS_M = 0.03  # farther than this from where it was put, a thing has not stood
STANDS_DEG = 12.0
SAME_M = 1e-6  # two worlds agree on an object that nothing has reached
FAR_M = 1.7  # what travels farther than this leaves the picture
START_OVERLAP_M = 0.001


@dataclass(frozen=True, kw_only=True)
class DrawnScene:
    """A scene that does what was wanted."""

    things: tuple[Thing, ...]  # removed ones first
    removed: tuple[str, ...]
    factual: WorldRecord
    counterfactual: WorldRecord
    finer: WorldRecord  # the counterfactual with half the time step
    factual_recipe: Recipe
    counterfactual_recipe: Recipe
    draws: int
    refused: dict[str, int]
    skipped_assets: dict[str, str]


class RefusedError(Exception):
    """A drawn scene does not do what was wanted."""


def draw_scene(spec: SceneSpec, assets: tuple[Asset, ...], cache: Path, own: Path) -> DrawnScene:
    """Draw scenes until one does what the spec's wish says; `own` is a folder for its furniture.

    Raises `SceneFailed` when none of `max_draws` does, with the reasons counted.
    """
    wish = _checked(spec)
    palette = Palette(assets=assets, cache=cache, own=own)
    refused: Counter[str] = Counter()
    for draw in range(wish.max_draws):
        studio = Studio(rng=generator_for(spec.seed, "collision", draw), palette=palette, wish=wish)
        try:
            return _attempt(spec, lay_out(studio), draw + 1, refused, palette)
        except (RefusedError, NoDraftError) as reason:
            refused[str(reason)] += 1
    reasons = ", ".join(f"{reason} ({count})" for reason, count in refused.most_common())
    skipped = f"; {len(palette.skipped)} assets could not be used" if palette.skipped else ""
    raise SceneFailed(
        f"{spec.key}: none of {wish.max_draws} drawn '{wish.family}' scenes does what is wanted: {reasons}{skipped}",
        refused=dict(refused),
        skipped_assets=palette.skipped,
    )


def _checked(spec: SceneSpec) -> CollisionWish:
    wish = spec.collision
    if wish is None:
        raise SpecError(f"{spec.key}: is no collision scene (its 'collision' is null)")
    if not 1 <= wish.num_removed < wish.num_objects:
        raise SpecError(
            f"{spec.key}: cannot remove {wish.num_removed} of {wish.num_objects} objects; expected at least one to stay"
        )
    return wish


def _attempt(spec: SceneSpec, draft: Draft, draws: int, refused: Mapping[str, int], palette: Palette) -> DrawnScene:
    """Simulate a draft; raises `RefusedError` at the first thing that is not as wanted."""
    floor = floor_material(spec.floor.kind)
    things, pressing = settled(spec, draft, floor)
    # removed ones come first: Bullet then keeps the contacts of the others in the same order with and without them
    things = tuple(sorted(things, key=lambda thing: thing.name not in draft.removed))
    resting = [thing.name for thing in things if thing.at_rest and not thing.static]
    runner = Runner(spec=spec, floor=floor, pressing=pressing, rate_hz=shared_rate(spec, things))
    filmed = runner.run(things, resting)
    _check_start(things, filmed)
    _check_solid(spec, filmed)
    alone = _unsupported(filmed, draft.removed, resting)
    sleeping = [name for name in resting if name not in alone and name not in draft.removed]
    for kept in ways_to_remove(things, draft.removed):
        other = runner.run(kept, sleeping)
        _check_solid(spec, other)
        (factual, factual_recipe), (counterfactual, recipe) = runner.apart(
            things, kept, resting, sleeping, filmed, other
        )
        if not _differing_too_soon(things, draft.removed, factual, counterfactual):
            break
    else:
        raise RefusedError("differs before anything reaches it")
    _check_effect(spec, things, draft.removed, factual, counterfactual)
    return DrawnScene(
        things=things,
        removed=draft.removed,
        factual=factual,
        counterfactual=counterfactual,
        finer=recipe.finer().run(),
        factual_recipe=factual_recipe,
        counterfactual_recipe=recipe,
        draws=draws,
        refused=dict(refused),
        skipped_assets=dict(palette.skipped),
    )


def settled(spec: SceneSpec, draft: Draft, floor: Material) -> tuple[tuple[Thing, ...], dict[Pair, np.ndarray]]:
    """The draft with what rests at rest, and the impulses per video frame with which it presses on what."""
    still = tuple(thing for thing in draft.things if thing.at_rest)
    run = run_course(
        still,
        floor,
        num_frames=round(SETTLE_S * SETTLE_FPS),
        fps=SETTLE_FPS,
        substep_hz=spec.physics.substep_hz,
        gravity_m_s2=spec.physics.gravity_m_s2,
        until_rest=True,
    )
    if not run.asleep[-1].all():
        raise RefusedError("does not come to rest before it begins")
    for name in draft.upright:
        if name in run.names and not _stands(run.of(name)):
            raise RefusedError("falls over by itself")
    rested = {name: run.of(name)[-1] for name in run.dynamic}
    per_frame = SETTLE_FPS / spec.clip.fps
    pressing = {
        pair: np.array([run.impulse[-1, column], *run.side_impulse[-1, column]]) * per_frame
        for column, pair in enumerate(run.pairs)
    }
    return tuple(thing.at(rested[thing.name]) if thing.name in rested else thing for thing in draft.things), pressing


def _stands(poses: np.ndarray) -> bool:
    moved = float(np.linalg.norm(poses[-1, :3] - poses[0, :3]))
    turned = float(np.degrees(rotation_angle(poses[0], poses[-1])))
    return moved < STANDS_M and turned < STANDS_DEG


def _check_start(things: tuple[Thing, ...], factual: WorldRecord) -> None:
    """Nothing overlaps at the start, and nothing that flies touches anything yet."""
    flying = {thing.name for thing in things if not thing.at_rest}
    for column, pair in enumerate(factual.pairs):
        if factual.initial_penetration[column] > START_OVERLAP_M:
            raise RefusedError("overlaps at the start")
        if flying & set(pair) and factual.impulse[0, column] > 0:
            raise RefusedError("touches at the start")


def _check_solid(spec: SceneSpec, run: WorldRecord) -> None:
    """Nothing sinks in deeper than the certificate allows: a scene that would be rejected is drawn again."""
    deepest = float(np.nanmax(run.penetration, initial=0.0)) if run.penetration.size else 0.0
    if deepest * 1000 > spec.physics.max_penetration_mm:
        raise RefusedError("sinks in too deep")


def _unsupported(factual: WorldRecord, removed: tuple[str, ...], resting: list[str]) -> set[str]:
    """What touches a removed object at rest, directly or through others: it must be awake when that is gone."""
    touching = [pair for column, pair in enumerate(factual.pairs) if factual.impulse[0, column] > 0]
    groups = touching_groups(resting, touching)
    return {name for group in groups if group & set(removed) for name in group}


def contacts_of(run: WorldRecord) -> Contacts:
    """Who pushed whom."""
    return Contacts(pairs=run.pairs, impulse=run.impulse)


def _reached(
    things: tuple[Thing, ...], removed: tuple[str, ...], factual: WorldRecord, counterfactual: WorldRecord
) -> dict[str, Reach]:
    """What the removed objects' influence arrives at."""
    passive = [thing.name for thing in things if thing.static]
    return reached_from(removed, (contacts_of(factual), contacts_of(counterfactual)), passive)


def _differing_too_soon(
    things: tuple[Thing, ...], removed: tuple[str, ...], factual: WorldRecord, counterfactual: WorldRecord
) -> list[str]:
    """Things whose worlds differ before anything reaches them."""
    reached = _reached(things, removed, factual, counterfactual)
    found = []
    for thing in things:
        if thing.name in removed or thing.static:
            continue
        gap = corner_gap(thing, factual, counterfactual)
        before = gap[: reached[thing.name].frame] if thing.name in reached else gap
        if before.max(initial=0.0) > SAME_M:
            found.append(thing.name)
    return found


def _check_effect(
    spec: SceneSpec,
    things: tuple[Thing, ...],
    removed: tuple[str, ...],
    factual: WorldRecord,
    counterfactual: WorldRecord,
) -> None:
    """The wanted effect, or none; nothing leaves the picture."""
    reached = _reached(things, removed, factual, counterfactual)
    kept = [thing for thing in things if thing.name in reached and not thing.static]
    assert spec.collision is not None
    if spec.collision.null_effect:
        if reached:
            raise RefusedError("has an effect")
    elif not any(_is_effect(spec, thing, factual, counterfactual) for thing in kept):
        raise RefusedError("has no effect")
    for run in (factual, counterfactual):
        if float(np.linalg.norm(run.poses[..., :2] - run.poses[:1, :, :2], axis=-1).max()) > FAR_M:
            raise RefusedError("leaves the picture")


def _is_effect(spec: SceneSpec, thing: Thing, factual: WorldRecord, counterfactual: WorldRecord) -> bool:
    """Whether a thing's middle or its turn differs by as much as the certificate asks for."""
    one, other = factual.of(thing.name), counterfactual.of(thing.name)
    middle = (thing.shape.solid.low + thing.shape.solid.high) / 2 * thing.scale
    pairs = zip(one, other, strict=True)
    moved = max(float(np.linalg.norm(apply_pose(a, middle[None]) - apply_pose(b, middle[None]))) for a, b in pairs)
    turned = float(np.degrees(rotation_angle(one, other).max()))
    return moved * 1000 > spec.physics.min_effect_mm or turned > spec.physics.min_effect_deg


def corner_gap(thing: Thing, factual: WorldRecord, counterfactual: WorldRecord) -> np.ndarray:
    """Greatest distance [m] between a thing's outline in the two worlds, [num_frames]."""
    outline = thing.outline
    pairs = zip(factual.of(thing.name), counterfactual.of(thing.name), strict=True)
    return np.array(
        [
            0.0
            if np.array_equal(one, other)
            else float(np.abs(apply_pose(one, outline) - apply_pose(other, outline)).max())
            for one, other in pairs
        ]
    )
