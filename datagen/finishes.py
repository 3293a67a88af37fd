"""What an object is made of to the eye, drawn by seed from what it is made of to physics.

`physics.materials` has the one table of what things are; here stands how each of its materials may look. To add a
finish: its name here, and its shader in `blender_scripts.object_materials`.
"""

from __future__ import annotations

from collections.abc import Mapping

from datagen.physics.materials import material_of
from datagen.seeding import generator_for
from datagen.spec import category_of

# by name of `physics.materials.Material`: finishes and their shares
OF_MATERIAL: Mapping[str, Mapping[str, float]] = {
    "ceramic": {"ceramic": 0.65, "stoneware": 0.35},
    "glass": {"glass": 1.0},
    "wood": {"wood": 0.72, "painted wood": 0.28},
    "metal": {"brushed metal": 0.55, "chrome": 0.25, "black metal": 0.20},
    "hollow metal": {"painted metal": 0.55, "brushed metal": 0.45},
    "plastic": {"plastic": 1.0},
    "rubber": {"rubber": 1.0},
    "cardboard": {"cardboard": 0.8, "paper": 0.2},
    "paper": {"paper": 1.0},
    "fabric": {"fabric": 1.0},
    "food": {"food": 1.0},
    "wicker": {"wicker": 1.0},
    "upholstery": {"fabric": 0.65, "leather": 0.35},
    "mixed": {"plastic": 0.6, "painted wood": 0.4},
    "unknown": {"plastic": 0.6, "painted wood": 0.2, "painted metal": 0.2},
}
# by the words of a category, where physics need not tell them apart; first match wins
OF_WORDS: tuple[tuple[tuple[str, ...], Mapping[str, float]], ...] = (
    (("stone", "slab", "marble"), {"stone": 1.0}),
    (("teddy", "bear", "bunny", "plush"), {"plush": 1.0}),
    (("bathroomsink", "sink"), {"ceramic": 1.0}),
    (("working", "office"), {"fabric": 0.5, "leather": 0.25, "plastic": 0.25}),
    (("suitcase", "backpack", "bag", "handbag"), {"fabric": 0.5, "leather": 0.5}),
    (("vase", "flowerpot"), {"ceramic": 0.5, "stoneware": 0.4, "glass": 0.1}),
    (("laptop", "phone", "camera", "usb"), {"brushed metal": 0.5, "plastic": 0.5}),
    (("counter",), {"painted wood": 0.6, "wood": 0.25, "stone": 0.15}),
    (("plastic",), {"plastic": 1.0}),
    (("rubber",), {"rubber": 1.0}),
    (("wooden", "plank"), {"wood": 1.0}),
)


def finishes_of(category: str) -> Mapping[str, float]:
    """How an object of a category may look, with shares."""
    words = set(category_of(category).lower().replace("-", "_").split("_"))
    by_words = (shares for known, shares in OF_WORDS if words & set(known))
    return next(by_words, OF_MATERIAL[material_of(category).name])


def draw_finish(category: str, seed: int, name: str) -> str:
    """How the object of that name looks in the scene of that seed."""
    shares = finishes_of(category)
    rng = generator_for(seed, "finish", name)
    return str(rng.choice(list(shares), p=list(shares.values())))


def all_finishes() -> tuple[str, ...]:
    """Every finish there is, sorted."""
    tables = [*OF_MATERIAL.values(), *(shares for _, shares in OF_WORDS)]
    return tuple(sorted({name for shares in tables for name in shares}))
