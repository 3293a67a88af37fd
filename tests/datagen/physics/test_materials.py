"""One table of materials, and what becomes of a name that it does not hold."""

from __future__ import annotations

import numpy as np
import pytest

from datagen.physics.materials import (
    ENTRIES,
    FLOORS,
    MAX_MASS_KG,
    MIN_MASS_KG,
    TABLE,
    UNKNOWN,
    density_by_volume,
    floor_material,
    is_known,
    mass_kg,
    material_of,
)

# Object names (and those of movable parts) that public code written for HUMOTO and its sequence names use. The paper
# counts 63 objects; no public file lists them, so one that no sequence's name and no code mentions may be missing.
HUMOTO_NAMES = """
    basket basket_90 bathroomsink bed blanket blouse can clothes clothes_hanger clothes_rack cutting_board deep_plate
    dining_chair draw_organizer_tray drawer egg floor_lamp flower fork frying_pan guitar hammer kitchen_counter
    kitchen_counter_small knife laptop laptop_bottom laptop_top larger_bin lint_roller low_chair mango mixing_bowl mug
    notebook orange organizer_medium organizer_small pancake peeler pen phone plastic_bowl plastic_bowl_stacked
    screwdriver serving_bowl shelf shower_squeegee side_plate side_table sink soap soap_dispenser soap_dispenser_body
    soap_dispenser_top soup_ladle spatula spoon step_stool table table_lamp tap towel trash trash_can tray turner
    ukelele usb utility_cart vaccum_flask vacuum_flask vacuum_flask_body vacuum_flask_cap vase wash_tub whisk
    wok_turner working_chair woven_basket
"""


@pytest.mark.parametrize("name", HUMOTO_NAMES.split())
def test_every_object_of_humoto_is_in_the_table(name: str) -> None:
    assert is_known(name) and is_known(f"{name}.001")


@pytest.mark.parametrize(
    ("name", "material"),
    [
        ("mug", "ceramic"),
        ("mug.002", "ceramic"),
        ("red_mug", "ceramic"),
        ("plastic_bowl", "plastic"),  # not the ceramic of a bowl
        ("carton", "cardboard"),  # not the metal of a cart
        ("can_opener", "metal"),
        ("Side Table", "wood"),
        ("working-chair", "upholstery"),
        ("pencil", "unknown"),  # not the plastic of a pen
        ("candle", "unknown"),
        ("mugs", "ceramic"),
        ("soap_dispenser", "plastic"),
        ("woven_basket", "wicker"),
        ("", "unknown"),
    ],
)
def test_whole_words_decide(name: str, material: str) -> None:
    assert material_of(name).name == material


def test_no_name_stands_twice() -> None:
    names = [entry for _, text in TABLE for entry in text.split()]
    assert len(names) == len(set(names)) == len(ENTRIES)


def test_materials_are_within_reason() -> None:
    for material in {*ENTRIES.values(), UNKNOWN, *FLOORS.values()}:
        assert material.density_kg_m3 is None or 50 <= material.density_kg_m3 <= 2500, material
        assert 0.25 <= material.friction**2 <= 1.0, material
        assert 0.02 <= material.restitution**2 <= 0.7, material  # no pair may gain energy
        assert 0 < material.rolling_friction < 0.02, material


@pytest.mark.parametrize(
    ("name", "litres", "low", "high"),
    [  # volumes of the convex parts of HUMOTO's meshes, and what such things weigh
        ("mug", 0.234, 0.25, 0.45),
        ("vase", 1.29, 0.8, 2.0),
        ("deep_plate", 0.249, 0.35, 0.8),
        ("serving_bowl", 0.5, 0.5, 1.2),
        ("side_plate", 0.168, 0.25, 0.5),
        ("side_table", 7.67, 3, 8),
        ("table", 36.6, 15, 35),
        ("working_chair", 10.58, 8, 15),
        ("utility_cart", 14.5, 5, 12),
        ("vacuum_flask", 2.565, 0.5, 1.5),
    ],
)
def test_things_weigh_what_such_things_weigh(name: str, litres: float, low: float, high: float) -> None:
    assert low < mass_kg(material_of(name), litres / 1000) < high


def test_an_unknown_thing_is_the_hollower_the_bigger() -> None:
    volumes = np.geomspace(1e-6, 10, 50)
    densities = np.array([density_by_volume(volume) for volume in volumes])
    assert (
        (np.diff(densities) <= 0).all() and densities[0] == pytest.approx(1200) and densities[-1] == pytest.approx(200)
    )
    masses = [mass_kg(UNKNOWN, volume) for volume in volumes]
    assert masses == sorted(masses)
    assert mass_kg(UNKNOWN, 1e-3) == pytest.approx(0.7)
    assert mass_kg(UNKNOWN, 1e-2) == pytest.approx(4.0)


def test_masses_are_clamped() -> None:
    assert mass_kg(material_of("fork"), 1e-7) == MIN_MASS_KG
    assert mass_kg(material_of("table"), 10.0) == MAX_MASS_KG


def test_an_unknown_floor_is_an_average_one() -> None:
    assert floor_material("lava").name == "floor"
    assert floor_material("carpet").friction > floor_material("tiles").friction
