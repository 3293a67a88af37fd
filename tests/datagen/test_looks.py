"""Looks are drawn from their seed alone, within ranges that a camera and a room could have."""

from __future__ import annotations

import math

import pytest

from datagen.codec import dump_json
from datagen.errors import SpecError
from datagen.looks import (
    FLOORS,
    SURFACE_SHARES,
    WALLS,
    draw_camera,
    draw_light,
    draw_look,
    draw_room,
    draw_surface,
    linear_from_srgb,
)
from datagen.wishes import LightKind, RoomKind

SEEDS = range(60)


def test_same_seed_same_look() -> None:
    assert draw_camera(3) == draw_camera(3)
    assert draw_light(3) == draw_light(3)
    assert draw_surface(3, "floor") == draw_surface(3, "floor")


def test_seeds_differ() -> None:
    assert len({draw_camera(seed).azimuth_rad for seed in SEEDS}) == len(SEEDS)
    assert {draw_room(seed).kind for seed in SEEDS} == set(RoomKind)
    assert {draw_light(seed).kind for seed in SEEDS} == set(LightKind)


@pytest.mark.parametrize(("part", "known"), [("floor", FLOORS), ("wall", WALLS)])
def test_surfaces_suit_their_rooms(part: str, known: dict[str, object]) -> None:
    drawn = {room: {draw_surface(seed, part, room).kind for seed in SEEDS} for room in RoomKind}
    assert drawn == {room: set(shares) for room, shares in SURFACE_SHARES[part].items()}
    assert set().union(*drawn.values()) == set(known)
    for shares in SURFACE_SHARES[part].values():
        assert sum(shares.values()) == pytest.approx(1.0)


def test_a_look_is_drawn_by_its_seed_alone() -> None:
    assert draw_look(8) == draw_look(8)
    assert len({dump_json(draw_look(seed)) for seed in SEEDS}) == len(SEEDS)


def test_ranges() -> None:
    for seed in SEEDS:
        camera, light, floor = draw_camera(seed), draw_light(seed), draw_surface(seed, "floor")
        assert 24 <= camera.focal_length_mm <= 60
        assert 1.0 < camera.height_m < 2.0
        assert 0 < light.key_elevation_rad < math.pi / 2
        assert all(0.02 < channel < 0.8 for channel in floor.color)


def test_unknown_part_names_the_parts() -> None:
    with pytest.raises(SpecError, match=r"'ceiling'.*floor.*wall"):
        draw_surface(1, "ceiling")


def test_srgb_decoding() -> None:
    assert linear_from_srgb((0.0, 1.0, 0.5)) == pytest.approx((0.0, 1.0, 0.21404), abs=1e-5)
