"""Collision scenes as a source: which families to draw, with how many objects, from which set of assets.

What lies where is drawn when a scene is simulated (`kubric_jobs.draw_scene`); a planned spec names no objects yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from datagen.assets import AssetManifest
from datagen.errors import ConfigError, did_you_mean
from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.seeding import generator_for, seed_for
from datagen.settings import PhysicsSettings, RenderSettings
from datagen.spec import Clip, CollisionWish, SceneSpec
from datagen.wishes import CameraWish

SOURCE = "kubric"
MAX_OBJECTS = 7
FAMILIES: dict[str, int] = {  # name: fewest objects that make such a scene, furniture included
    "launch": 3,
    "pile": 3,
    "domino": 4,
    "support": 3,
    "ramp": 4,
    "container": 4,
}
TWO_REMOVED_SHARE = 0.3
FOCAL_LENGTHS_MM = (40.0, 50.0, 60.0)  # things are a hand's breadth large, not a person
CAMERA_HEIGHT_M = (0.55, 1.05)


def plan_collisions(
    manifest: AssetManifest,
    *,
    count: int,
    seed: int,
    num_frames: int,
    fps: float,
    physics: PhysicsSettings,
    render: RenderSettings,
    split: str = "train",
    families: Sequence[str] = tuple(FAMILIES),
    null_share: float = 0.15,
    data_set: str = "kubric",
) -> tuple[SceneSpec, ...]:
    """Planned scenes, one of each family in turn; a larger `count` adds scenes and changes none.

    null_share: of scenes in which the removed objects touch nothing. Raises `ConfigError` for an unknown family or a
    share that is none, `DataError` for a split without assets.
    """
    check_families(families)
    if not 0 <= null_share <= 1:
        raise ConfigError(f"share of scenes without effect: expected 0 to 1, found {null_share}")
    manifest.in_split(split)
    clip = Clip(start_s=0.0, num_frames=num_frames, fps=fps)
    places = ((index, families[index % len(families)]) for index in range(count))
    return tuple(
        _scene(manifest, family, index, seed, clip, physics, render, split, null_share, data_set)
        for index, family in places
    )


def check_families(families: Sequence[str]) -> None:
    """Raise `ConfigError` for the first name that is no family, or when there is none."""
    if not families:
        raise ConfigError(f"no family of collision scenes; there are {', '.join(FAMILIES)}")
    for family in families:
        if family not in FAMILIES:
            raise ConfigError(f"no family '{family}' of collision scenes{did_you_mean(family, FAMILIES)}")


def _scene(
    manifest: AssetManifest,
    family: str,
    index: int,
    seed: int,
    clip: Clip,
    physics: PhysicsSettings,
    render: RenderSettings,
    split: str,
    null_share: float,
    data_set: str,
) -> SceneSpec:
    """A planned scene; all that is drawn is seeded by the run's seed and the scene's key."""
    key = f"{SOURCE}-{family}-{index:05d}"
    scene_seed = seed_for(seed, SOURCE, key)
    return SceneSpec(
        key=key,
        source=SOURCE,
        seed=scene_seed,
        data_set=data_set,
        sequence=family,
        description=f"a collision scene: {family}",
        clip=clip,
        objects=(),
        people=(),
        removed=(),
        collision=draw_wish(manifest, family, scene_seed, split, null_share),
        camera=draw_low_camera(scene_seed),
        light=draw_light(scene_seed),
        floor=draw_surface(scene_seed, "floor"),
        wall=draw_surface(scene_seed, "wall"),
        physics=physics,
        render=render,
    )


def draw_wish(manifest: AssetManifest, family: str, seed: int, split: str, null_share: float) -> CollisionWish:
    """How many objects, how many of them removed, and whether that should change anything."""
    rng = generator_for(seed, "wish")
    null_effect = bool(rng.random() < null_share)
    removed = 2 if rng.random() < TWO_REMOVED_SHARE else 1
    fewest = FAMILIES[family] + (removed if null_effect else removed - 1)
    return CollisionWish(
        family=family,
        manifest=manifest.path,
        split=split,
        num_objects=int(rng.integers(min(fewest, MAX_OBJECTS), MAX_OBJECTS + 1)),
        num_removed=removed,
        null_effect=null_effect,
    )


def draw_low_camera(seed: int) -> CameraWish:
    """A camera on a low tripod with a longer lens than for people."""
    rng = generator_for(seed, "low camera")
    return replace(
        draw_camera(seed),
        focal_length_mm=float(rng.choice(np.array(FOCAL_LENGTHS_MM))),
        height_m=float(rng.uniform(*CAMERA_HEIGHT_M)),
    )
