"""People are drawn by seed alone, differ from each other, and keep their shape within limits."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from datagen.codec import dump_json, parse_record
from datagen.people import (
    BOTTOMS,
    FOOTWEAR,
    HAIR_STYLES,
    MAX_IN_M,
    MAX_OUT_M,
    NEAR_M,
    SKIN_TONES,
    TOPS,
    draw_look,
    within_room,
)
from datagen.wishes import BodyShape

LOOKS = [draw_look(seed, "Armature") for seed in range(200)]
REGIONS = ("chest", "belly", "upper_arms", "thighs", "calves", "hair")
WIDE = BodyShape(chest_m=0.02, belly_m=0.025, upper_arms_m=0.01, thighs_m=0.02, calves_m=-0.01, hair_m=0.015, feet=1.0)


def test_the_same_seed_and_name_give_the_same_person() -> None:
    assert draw_look(5, "Armature") == draw_look(5, "Armature")
    assert draw_look(5, "Armature") != draw_look(5, "Armature.001")


def test_no_two_of_two_hundred_people_are_alike_and_all_kinds_occur() -> None:
    assert len({repr(look) for look in LOOKS}) == len(LOOKS)
    assert {look.top.kind for look in LOOKS} == set(TOPS)
    assert {look.bottom.kind for look in LOOKS} == set(BOTTOMS)
    assert {look.feet.kind for look in LOOKS} == set(FOOTWEAR)
    assert {look.hair_style for look in LOOKS} == set(HAIR_STYLES)
    assert {look.top.fabric for look in LOOKS} == {fabric for cut in TOPS.values() for fabric in cut.fabrics}


def test_skin_is_of_all_tones_alike() -> None:
    steps, _ = np.histogram([look.skin_tone for look in LOOKS], bins=len(SKIN_TONES), range=(0, 1))
    assert steps.min() >= len(LOOKS) / len(SKIN_TONES) / 3
    by_tone = [sum(look.skin) for look in sorted(LOOKS, key=lambda look: look.skin_tone)]
    assert np.mean(by_tone[:20]) > 5 * np.mean(by_tone[-20:])


def test_colours_and_shapes_keep_within_their_limits() -> None:
    for look in LOOKS:
        for color in (look.skin, look.hair, look.eyes, look.top.color, look.bottom.accent, look.feet.color):
            assert all(0 < channel < 0.85 for channel in color)
        offsets = [getattr(look.shape, f"{name}_m") for name in REGIONS]
        assert min(offsets) >= -MAX_IN_M and max(offsets) <= MAX_OUT_M
    assert np.std([look.shape.belly_m for look in LOOKS]) > 0.005


def test_a_region_that_is_touched_stays_as_recorded() -> None:
    kept = within_room(WIDE, dict.fromkeys((*REGIONS, "feet"), NEAR_M / 2))
    assert kept == BodyShape()


def test_a_region_grows_into_the_room_that_there_is() -> None:
    kept = within_room(WIDE, {"belly": 0.015, "thighs": 0.5, "calves": 0.007, "chest": math.inf})
    assert kept.belly_m == pytest.approx(0.015 - NEAR_M)
    assert dataclasses.replace(kept, belly_m=WIDE.belly_m) == WIDE


def test_a_look_survives_its_file() -> None:
    assert parse_record(type(LOOKS[0]), dump_json(LOOKS[0]), "look") == LOOKS[0]
