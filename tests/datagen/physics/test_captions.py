"""Captions say what is seen, and nothing of what was removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from datagen.physics.bodies import FLOOR
from datagen.physics.captions import Happening, caption

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
    bounced=True,
)
STILL = replace(FALL, name="table", dynamic=False, drop_m=0.0, slide_m=0.0, tilt_deg=(0.0, 0.0), bounced=False)


@pytest.mark.parametrize("seed", range(5))
def test_a_fall(seed: int) -> None:
    text = caption([FALL, STILL], seed)
    assert text.endswith(
        "from waist height onto the floor, bounces and comes to rest on its side. A table stands still."
    )
    assert text.startswith(("A mug falls", "A mug drops"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rests": False}, "onto the floor and bounces."),
        ({"is_round": True, "name": "ball"}, "bounces and comes to rest."),
        ({"landed_on": "table"}, "onto a table, bounces"),
        ({"tilt_deg": (90.0, 5.0), "drop_m": 0.0}, "falls back upright onto the floor."),
        ({"drop_m": 0.0}, "A mug tips over and comes to rest on its side."),
        ({"drop_m": 0.0, "tilt_deg": (0.0, 0.0), "slide_m": 0.0}, "settles and stays"),
    ],
)
def test_each_ending(change: dict[str, object], expected: str) -> None:
    assert expected in caption([replace(FALL, **change), STILL], 1)  # type: ignore[arg-type]


def test_articles_and_duplicates() -> None:
    things = [replace(STILL, name=name) for name in ("mug", "mug.001", "utility_cart", "apple")]
    assert caption(things, 0) == "A mug, another mug, a utility cart and an apple stand still in a room."


def test_nothing_is_left() -> None:
    assert caption([], 0) == "An empty room."
