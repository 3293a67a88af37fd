"""What a sample says about itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from datagen.metadata import liquid_words, warnings_of
from tests.datagen.synthetic import make_spec


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("pour_from_vaccum_flask_to_mug_and_drink-097", ("drink", "pour")),
        ("The subject pours coffee and drinks it.", ("coffee", "drinks", "pours")),
        ("drinking_from_mug_with_right_hand-815", ("drinking",)),
        ("washing_clothes_with_right_hand_in_wash_tub-966", ("washing",)),
        ("picking_wash_tub_and_trash_can_in_woven_basket-678", ()),
        ("scooping with a soup_ladle", ()),
        ("carry a steady teapot over the waterfall", ()),
        ("", ()),
    ],
)
def test_liquids_of_a_script(script: str, words: tuple[str, ...]) -> None:
    assert liquid_words(script) == words


def test_warnings_name_what_is_guessed_and_left_out() -> None:
    stick, box, stand = make_spec().objects
    known = (replace(stick, category="mug"), replace(box, category="box"), replace(stand, category="table"))
    spec = replace(make_spec(), objects=known)
    assert warnings_of(spec) == ()
    (guess,) = warnings_of(replace(spec, objects=(replace(stick, category="gizmo"), *known[1:])))
    assert "'gizmo'" in guess and "volume" in guess
    wet = replace(spec, description="drinks from a mug")
    (left_out,) = warnings_of(wet)
    assert "liquids are not simulated" in left_out and "drinks" in left_out
    assert warnings_of(replace(wet, source="kubric")) == ()
