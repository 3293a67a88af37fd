"""Captions say what is seen, in English, and nothing of what was removed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from datagen.physics.bodies import FLOOR
from datagen.physics.captions import caption, leaks
from datagen.physics.decompose import parts_from_hulls
from datagen.physics.happenings import Happening, happenings_of
from datagen.physics.materials import floor_material
from datagen.physics.nouns import noun_of, plural_of, with_article
from datagen.physics.world import run_world
from tests.datagen.physics.scenes import box_body, box_mesh, pose
from tests.datagen.physics.test_effects import bowl
from tests.datagen.physics.test_materials import HUMOTO_NAMES

SEEDS = range(24)
FALL = Happening(
    name="mug",
    dynamic=True,
    start_m=1.0,
    drop_m=1.0,
    slide_m=0.1,
    tilt_deg=(0.0, 88.0),
    is_round=False,
    rests=True,
    landed_on=FLOOR,
    bounces=1,
)
STILL = replace(FALL, name="table", dynamic=False, drop_m=0.0, slide_m=0.0, tilt_deg=(0.0, 0.0), bounces=0)
STORIES = (
    FALL,
    replace(FALL, bounces=0, rests=False, landed_on=""),
    replace(FALL, drop_m=0.3, landed_on="table", tilt_deg=(0.0, 3.0)),
    replace(FALL, is_round=True, slide_m=1.1, bounces=5),
    replace(FALL, drop_m=0.0),
    replace(FALL, drop_m=0.0, tilt_deg=(50.0, 3.0)),
    replace(FALL, drop_m=0.0, tilt_deg=(0.0, 15.0)),
    replace(FALL, drop_m=0.0, tilt_deg=(0.0, 0.0), slide_m=0.5),
    replace(FALL, drop_m=0.0, tilt_deg=(0.0, 0.0), slide_m=0.0),
    STILL,
)


def captions_of(*happenings: Happening) -> set[str]:
    return {caption(happenings, seed) for seed in SEEDS}


def test_a_fall() -> None:
    texts = captions_of(FALL, STILL)
    assert "A mug falls from waist height onto the floor, bounces once and comes to rest on its side." in {
        text.removesuffix(" A table stays where it is.") for text in texts
    }
    assert len(texts) >= 8
    for text in texts:
        assert "mug" in text and "table" in text and "bounces once and comes to rest on its side." in text
        assert "from waist height" in text or "about a metre" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rests": False}, "onto the floor and bounces once."),
        ({"bounces": 2}, "bounces twice and comes to rest"),
        ({"bounces": 7}, "bounces a few times and comes to rest"),
        ({"is_round": True, "name": "ball", "slide_m": 1.0}, "bounces once, rolls about a metre and comes to rest."),
        ({"drop_m": 0.2, "landed_on": "table", "bounces": 0}, " a little way onto "),
        ({"drop_m": 0.2, "landed_on": "table", "inside": True}, " a little way into "),
        ({"drop_m": 0.1, "start_m": 0.1}, " a few centimetres onto the floor, "),
        ({"tilt_deg": (90.0, 5.0), "drop_m": 0.0}, "falls back upright onto the floor."),
        ({"drop_m": 0.0}, "A mug tips over and comes to rest on its side."),
        ({"drop_m": 0.0, "tilt_deg": (0.0, 0.0), "slide_m": 0.0}, "settles in place."),
        ({"drop_m": 0.0, "tilt_deg": (0.0, 0.0), "slide_m": 0.5}, "about half a metre and stops."),
        ({"drop_m": 0.0, "slide_m": 0.5, "is_round": True}, "rolls about half a metre and stops."),
    ],
)
def test_each_ending(change: dict[str, object], expected: str) -> None:
    for text in captions_of(replace(FALL, **change), STILL):  # type: ignore[arg-type]
        assert expected in text


def test_what_is_named_again_takes_the_definite_article() -> None:
    texts = captions_of(replace(FALL, landed_on="table"), STILL)
    assert any("onto a table" in text and ". The table " in text for text in texts)
    assert any(text.startswith("A room with a table.") and "onto the table" in text for text in texts)
    assert not any("a table" in text.split("a table", 1)[1] for text in texts)


def test_a_place_that_is_not_told_is_not_named() -> None:
    """What a thing settles on goes unsaid, so that its name comes with `a` when it is said later."""
    texts = captions_of(replace(FALL, drop_m=0.0, tilt_deg=(0.0, 0.0), slide_m=0.0, landed_on="table"), STILL)
    assert all("a table" in text.lower() and "the table" not in text.lower() for text in texts)


@pytest.mark.parametrize(
    ("carrier", "phrase"),
    [
        ("serving_bowl", "A serving bowl with two apples in it "),
        ("utility_cart", "A utility cart with two apples on it "),
    ],
)
def test_a_load_is_told_with_what_carries_it(carrier: str, phrase: str) -> None:
    below = replace(FALL, name=carrier)
    load = replace(FALL, name="apple", landed_on=carrier, rides_on=carrier)
    top = replace(FALL, name="apple.001", landed_on="apple", rides_on="apple")
    for text in captions_of(load, below, top, STILL):
        assert phrase in text and text.count("apple") == 1
    for text in captions_of(replace(load, rides_on=""), below):
        assert "with" not in text


def test_two_things_that_seem_to_carry_each_other_are_both_told() -> None:
    first = replace(FALL, name="mug", landed_on="bowl", rides_on="bowl")
    for text in captions_of(first, replace(FALL, name="bowl", landed_on="mug", rides_on="mug")):
        assert "mug" in text and "bowl" in text and "with" not in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tilt_deg": (0.0, 3.0), "has_top": False}, "comes to rest lying flat."),
        ({"tilt_deg": (0.0, 3.0)}, "comes to rest the right way up."),
        ({"tilt_deg": (0.0, 178.0)}, "comes to rest upside down."),
        ({"tilt_deg": (0.0, 88.0)}, "comes to rest on its edge."),
        ({"tilt_deg": (88.0, 1.0), "drop_m": 0.0}, "falls flat onto the floor."),
    ],
)
def test_flat_things_lie(change: dict[str, object], expected: str) -> None:
    for text in captions_of(replace(FALL, name="side_plate", is_flat=True, **change)):  # type: ignore[arg-type]
        assert text.endswith(expected)


def test_a_cart_rolls() -> None:
    cart = replace(FALL, name="utility_cart", drop_m=0.0, tilt_deg=(0.0, 0.0), slide_m=0.5, on_castors=True)
    assert captions_of(cart) == {"A utility cart rolls about half a metre and stops."}


def test_things_alike_are_counted() -> None:
    plates = [replace(STILL, name=name) for name in ("side_plate", "side_plate.001", "apple")]
    assert all("two side plates and an apple" in text.lower() for text in captions_of(*plates))
    fallen = [replace(FALL, name=name) for name in ("mug", "mug.001")]
    for text in captions_of(*fallen):
        assert text.startswith(("Two mugs fall ", "Two mugs drop "))
        assert text.endswith("bounce once and come to rest on their sides.")
    for text in captions_of(fallen[0], replace(fallen[1], bounces=0)):
        assert text.startswith("A mug ") and " Another mug " in text


def test_a_mug_is_no_other_one_when_its_like_was_removed() -> None:
    for text in captions_of(replace(FALL, name="mug.001"), STILL):
        assert "a mug" in text.lower() and "another" not in text and leaks(text, ["mug"], ["mug.001", "table"]) == ()


def test_a_room_in_which_nothing_moves() -> None:
    assert captions_of(STILL, replace(STILL, name="apple")) == {
        "A room with a table and an apple. Nothing moves.",
        "A table and an apple stay where they are.",
        "A table and an apple remain still.",
        "A table and an apple do not move.",
    }
    assert caption([], 0) == "An empty room."


@pytest.mark.parametrize(
    ("name", "one", "several"),
    [
        ("scissors", "a pair of scissors", "pairs of scissors"),
        ("mug.001", "a mug", "mugs"),
        ("utility_cart", "a utility cart", "utility carts"),
        ("usb", "a USB stick", "USB sticks"),
        ("ukelele", "a ukulele", "ukuleles"),
        ("apple", "an apple", "apples"),
        ("umbrella", "an umbrella", "umbrellas"),
        ("kitchen_knife", "a kitchen knife", "kitchen knives"),
        ("glass", "a glass", "glasses"),
        ("glasses", "a pair of glasses", "pairs of glasses"),
        ("toy_bunny", "a toy bunny", "toy bunnies"),
        ("tray", "a tray", "trays"),
        ("bread", "a loaf of bread", "loaves of bread"),
        ("vaccum_flask", "a vacuum flask", "vacuum flasks"),
        ("Bottles and Cans and Cups", "a container", "containers"),
        ("hand_mixer", "a mixer", "mixers"),
        ("baby", "an object", "objects"),
        ("None", "an object", "objects"),
    ],
)
def test_nouns(name: str, one: str, several: str) -> None:
    assert (with_article(noun_of(name)), plural_of(noun_of(name))) == (one, several)


def test_no_caption_names_what_was_removed_or_anybody() -> None:
    """Every story of every kind of object, with another kind removed."""
    names = [*HUMOTO_NAMES.split(), "scissors", "domino", "toy_block", "tomato_soup_can", "hand_mixer", "baby_doll"]
    for index, (first, second) in enumerate(itertools.pairwise([*names, names[0]])):
        removed = names[(index + 7) % len(names)]
        for story in STORIES:
            scene = (replace(story, name=first), replace(STILL, name=second), replace(story, name=f"{first}.001"))
            text = caption(scene, index)
            kept = [one.name for one in scene]
            assert leaks(text, [removed, "Armature", "Remy"], kept) == (), text
            assert "_" not in text and not any(
                f"a {vowel}" in text.lower().replace(".", "") for vowel in ("apple", "egg")
            )


def test_leaks_are_found() -> None:
    assert leaks("A mug falls out of a hand.", [], ["mug"]) == ("hand",)
    assert leaks("Two tables stand beside a table lamp.", ["table"], ["table_lamp"]) == ("table",)
    assert leaks("A table lamp falls.", ["table"], ["table_lamp"]) == ()
    assert leaks("A pair of scissors falls.", ["scissors"], ["mug"]) == ("scissors",)
    assert leaks("A mug falls beside Armature.", ["Armature"], ["mug"]) == ("Armature",)


def test_figures_come_from_the_run() -> None:
    bodies = (
        box_body("crate", (0.2, 0.2, 0.2), pose(0, 0, 1.0)),
        box_body("shelf", (0.3,) * 3, pose(2, 0, 0.15), dynamic=False),
    )
    run = run_world(bodies, floor_material("wood"), num_frames=36, fps=12.0, substep_hz=480, gravity_m_s2=9.81)
    vertices = {"crate": box_mesh((0.2,) * 3)[0], "shelf": box_mesh((0.3,) * 3)[0]}
    uprights = {name: np.array([0.0, 0.0, 1.0]) for name in vertices}
    crate, shelf = happenings_of(run, vertices, uprights)
    assert crate.dynamic and crate.rests and crate.landed_on == FLOOR and not crate.is_round
    assert crate.start_m == pytest.approx(0.9, abs=0.01) and crate.drop_m == pytest.approx(0.9, abs=0.02)
    assert 1 <= crate.bounces <= 4
    ball = np.array(trimesh.creation.icosphere(radius=0.1).vertices)
    assert happenings_of(run, {**vertices, "crate": ball}, uprights)[0].is_round
    assert not shelf.dynamic and shelf.drop_m == 0 and shelf.bounces == 0


def test_a_board_has_no_top_and_a_plate_has_one() -> None:
    """A board that is turned over, and a plate wider above than below, fall onto their other side."""
    board, upright = trimesh.creation.box((0.3, 0.2, 0.02)), np.array([0.0, 1.0, 0.0])
    plate = trimesh.creation.cylinder(radius=0.12, height=0.03)
    plate.vertices[plate.vertices[:, 2] < 0, :2] *= 0.6
    over = np.array([0.0, 0.0, 0.016, 0.0, 1.0, 0.0, 0.0])
    for mesh, has_top, tilt in ((board, False, 0.0), (plate, True, 180.0)):
        body = replace(
            box_body("thing", (0.1, 0.1, 0.1), over),
            vertices=np.array(mesh.vertices),
            parts=parts_from_hulls("thing", (np.array(mesh.vertices),)),
        )
        run = run_world((body,), floor_material("wood"), num_frames=4, fps=12.0, substep_hz=480, gravity_m_s2=9.81)
        (one,) = happenings_of(run, {"thing": body.vertices}, {"thing": upright})
        assert (one.is_flat, one.has_top) == (True, has_top)
        assert one.tilt_deg[1] == pytest.approx(tilt, abs=3.0)


def test_what_falls_into_a_bowl_is_inside() -> None:
    open_box = replace(bowl(), name="wooden_box")
    apple, beside = box_body("apple", (0.06,) * 3, pose(0, 0, 0.3)), box_body("egg", (0.06,) * 3, pose(0.5, 0, 0.3))
    bodies = (open_box, apple, beside)
    run = run_world(bodies, floor_material("wood"), num_frames=25, fps=12.0, substep_hz=480, gravity_m_s2=9.81)
    up = {body.name: np.array([0.0, 0.0, 1.0]) for body in bodies}
    found = happenings_of(run, {body.name: body.vertices for body in bodies}, up)
    assert [(one.landed_on, one.inside) for one in found[1:]] == [("wooden_box", True), (FLOOR, False)]
    texts = captions_of(replace(found[0], dynamic=False), found[1])
    assert all("into a wooden box" in text or "into the wooden box" in text for text in texts)


def test_a_load_rides_while_it_stays_on_its_carrier() -> None:
    speed = np.array([0.5, 0.0, 0.0])
    tray = replace(box_body("tray", (0.4, 0.4, 0.05), pose(0, 0, 0.6)), linear=speed)
    box = replace(box_body("box", (0.1, 0.1, 0.1), pose(0, 0, 0.676)), linear=speed)
    beside = box_body("crate", (0.1, 0.1, 0.1), pose(0.5, 0, 0.6))
    bodies = (tray, box, beside)
    run = run_world(bodies, floor_material("wood"), num_frames=25, fps=12.0, substep_hz=480, gravity_m_s2=9.81)
    up = {body.name: np.array([0.0, 0.0, 1.0]) for body in bodies}
    found = happenings_of(run, {body.name: body.vertices for body in bodies}, up)
    assert [one.rides_on for one in found] == ["", "tray", ""]
