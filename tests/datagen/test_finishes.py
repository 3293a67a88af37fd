"""What things look like follows what they are, and varies by seed."""

from __future__ import annotations

import pytest

from datagen.finishes import OF_MATERIAL, all_finishes, draw_finish, finishes_of
from datagen.physics.materials import ENTRIES, TABLE


@pytest.mark.parametrize("name", sorted(ENTRIES))  # among them all of HUMOTO's: see physics/test_materials.py
def test_every_thing_that_physics_knows_has_a_finish(name: str) -> None:
    shares = finishes_of(f"{name}.001")
    assert sum(shares.values()) == pytest.approx(1)
    assert shares is not OF_MATERIAL["unknown"]


def test_every_material_of_physics_has_finishes() -> None:
    assert {material.name for material, _ in TABLE} | {"unknown"} == set(OF_MATERIAL)


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("mug", {"ceramic", "stoneware"}),
        ("vase.002", {"ceramic", "stoneware", "glass"}),
        ("plastic_bowl", {"plastic"}),
        ("stone_slab", {"stone"}),
        ("teddy_bear", {"plush"}),
        ("woven_basket", {"wicker"}),
        ("frying_pan", {"brushed metal", "chrome", "black metal"}),
        ("sofa", {"fabric", "leather"}),
        ("box", {"cardboard", "paper"}),
        ("wooden_plank", {"wood"}),
        ("thing of which nobody knows", {"plastic", "painted wood", "painted metal"}),
    ],
)
def test_finishes_go_with_what_a_thing_is(category: str, expected: set[str]) -> None:
    assert set(finishes_of(category)) == expected
    assert {draw_finish(category, seed, "it") for seed in range(60)} == expected


def test_the_same_seed_and_name_give_the_same_finish() -> None:
    drawn = [draw_finish("side_table", seed, "side_table") for seed in range(30)]
    assert drawn == [draw_finish("side_table", seed, "side_table") for seed in range(30)]
    assert drawn != [draw_finish("side_table", seed, "side_table.001") for seed in range(30)]


def test_finishes_are_listed_once() -> None:
    assert len(set(all_finishes())) == len(all_finishes()) >= 15
