"""What people look like: skin, hair, clothes and girth drawn by seed, before anything is built.

`draw_look` wishes for a shape; `within_room` takes back what would reach an object that the person handles.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from datagen.looks import linear_from_srgb
from datagen.seeding import generator_for, seed_for
from datagen.wishes import BodyShape, Garment, PersonLook

Color = tuple[float, float, float]
Tone = tuple[Color, Color]  # lowest and highest hue, saturation, value

# display RGB of skin in ten steps of about equal lightness, from very light to very dark
SKIN_TONES: tuple[Color, ...] = (
    (0.88, 0.73, 0.66),
    (0.87, 0.71, 0.62),
    (0.85, 0.67, 0.56),
    (0.81, 0.62, 0.50),
    (0.77, 0.57, 0.44),
    (0.66, 0.46, 0.34),
    (0.54, 0.37, 0.27),
    (0.43, 0.28, 0.21),
    (0.33, 0.21, 0.16),
    (0.25, 0.16, 0.125),
)
HAIR_STYLES = {"short": 0.38, "long": 0.24, "cropped": 0.20, "bald": 0.08, "beanie": 0.10}
HAIR_M = {"short": (0.010, 0.017), "long": (0.012, 0.020), "cropped": (0.0, 0.002), "bald": (0.0, 0.0)}
BEANIE_M = (0.012, 0.018)
HAIR_COLORS: tuple[tuple[float, Color], ...] = (
    (0.26, (0.09, 0.075, 0.07)),
    (0.24, (0.19, 0.125, 0.09)),
    (0.18, (0.31, 0.20, 0.13)),
    (0.10, (0.62, 0.47, 0.30)),
    (0.06, (0.40, 0.21, 0.13)),
    (0.10, (0.50, 0.48, 0.46)),
    (0.06, (0.78, 0.76, 0.73)),
)
DARK_HAIR = 2  # the first so many are all that the darker half of skin tones has, but for grey
EYES: tuple[Color, ...] = ((0.20, 0.12, 0.08), (0.32, 0.21, 0.12), (0.36, 0.36, 0.24), (0.38, 0.49, 0.58))
LIGHT_EYES_UP_TO = 0.45  # skin tone

ANY: Tone = ((0.0, 0.12, 0.18), (1.0, 0.62, 0.80))
MUTED: Tone = ((0.0, 0.05, 0.15), (1.0, 0.30, 0.62))
LIGHT: Tone = ((0.05, 0.01, 0.76), (0.65, 0.10, 0.90))
DARK: Tone = ((0.0, 0.03, 0.10), (1.0, 0.25, 0.24))
INDIGO: Tone = ((0.58, 0.25, 0.22), (0.63, 0.55, 0.55))
KHAKI: Tone = ((0.08, 0.20, 0.38), (0.14, 0.42, 0.66))
BROWN: Tone = ((0.04, 0.35, 0.16), (0.09, 0.60, 0.40))


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A kind of garment: how often it is drawn, what it may be made of, how loosely it hangs."""

    share: float
    fabrics: Mapping[str, float]
    tones: tuple[Tone, ...]
    loose_m: tuple[float, float] = (0.0, 0.0)


TOPS: Mapping[str, Cut] = {
    "t-shirt": Cut(
        share=0.30,
        fabrics={"plain": 0.4, "heather": 0.2, "stripes": 0.3, "dots": 0.1},
        tones=(ANY, LIGHT, DARK),
        loose_m=(0.002, 0.007),
    ),
    "shirt": Cut(
        share=0.24,
        fabrics={"plain": 0.3, "check": 0.35, "pinstripes": 0.2, "denim": 0.15},
        tones=(ANY, LIGHT, MUTED),
        loose_m=(0.003, 0.009),
    ),
    "sweater": Cut(
        share=0.18, fabrics={"knit": 0.6, "stripes": 0.25, "heather": 0.15}, tones=(ANY, MUTED), loose_m=(0.005, 0.011)
    ),
    "hoodie": Cut(share=0.14, fabrics={"plain": 0.5, "heather": 0.5}, tones=(MUTED, ANY, DARK), loose_m=(0.007, 0.013)),
    "tank top": Cut(share=0.05, fabrics={"plain": 0.7, "stripes": 0.3}, tones=(ANY, LIGHT)),
    "playsuit": Cut(
        share=0.09,
        fabrics={"plain": 0.4, "dots": 0.3, "check": 0.15, "stripes": 0.15},
        tones=(ANY, LIGHT),
        loose_m=(0.004, 0.010),
    ),
}
LEGGINGS = "leggings"  # under a playsuit
BOTTOMS: Mapping[str, Cut] = {
    "trousers": Cut(
        share=0.68,
        fabrics={"denim": 0.5, "plain": 0.4, "heather": 0.1},
        tones=(INDIGO, DARK, KHAKI, MUTED),
        loose_m=(0.006, 0.014),
    ),
    "shorts": Cut(
        share=0.18,
        fabrics={"denim": 0.3, "plain": 0.6, "check": 0.1},
        tones=(KHAKI, INDIGO, ANY),
        loose_m=(0.006, 0.014),
    ),
    LEGGINGS: Cut(share=0.14, fabrics={"plain": 1.0}, tones=(DARK, MUTED)),
}
FOOTWEAR: Mapping[str, Cut] = {
    "shoes": Cut(share=0.62, fabrics={"plain": 0.5, "leather": 0.5}, tones=(DARK, LIGHT, BROWN, MUTED)),
    "socks": Cut(share=0.18, fabrics={"knit": 1.0}, tones=(LIGHT, DARK, ANY)),
    "bare": Cut(share=0.20, fabrics={"skin": 1.0}, tones=(DARK, BROWN)),  # the colour is for shoes that a file models,
}
SCALE_M = {"stripes": (0.02, 0.06), "pinstripes": (0.008, 0.02), "check": (0.03, 0.09), "dots": (0.025, 0.05)}
FINE_M = 0.004  # of a weave

FLARE = 1.8  # trousers hang straight from the thighs: looser at the ankle than above
GIRTH_M = (-0.008, 0.016)  # of the body below its clothes
MAX_OUT_M, MAX_IN_M = 0.025, 0.015
NEAR_M = 0.006  # what an object comes nearer than this stays as it is


def draw_look(seed: int, person: str) -> PersonLook:
    """A person's look with the shape it would like to have; wishes for nothing that physics knows of."""
    rng = generator_for(seed, "person", person)
    tone = float(rng.uniform())
    style = pick(rng, HAIR_STYLES)
    top, top_loose = draw_garment(rng, TOPS, seed_for(seed, "top", person))
    bottoms = {LEGGINGS: BOTTOMS[LEGGINGS]} if top.kind == "playsuit" else BOTTOMS
    bottom, bottom_loose = draw_garment(rng, bottoms, seed_for(seed, "bottom", person))
    feet, _ = draw_garment(rng, FOOTWEAR, seed_for(seed, "feet", person))
    girth, belly, chest = (float(value) for value in rng.uniform(*GIRTH_M, size=3))
    bearded = style != "long" and rng.random() < 0.2
    return PersonLook(
        skin_tone=tone,
        skin=skin_color(rng, tone),
        hair_style=style,
        hair=hair_color(rng, tone),
        eyes=linear_from_srgb(EYES[int(rng.integers(len(EYES) if tone < LIGHT_EYES_UP_TO else 2))]),
        beard=float(rng.uniform(0.3, 1.0)) if bearded else 0.0,
        top=top,
        bottom=bottom,
        feet=feet,
        shape=BodyShape(
            chest_m=limited(0.5 * (girth + chest) + top_loose),
            belly_m=limited(0.5 * girth + 1.2 * belly + top_loose),
            upper_arms_m=limited(0.5 * girth + (0.0 if top.kind == "tank top" else top_loose)),
            thighs_m=limited(0.7 * girth + bottom_loose),
            calves_m=limited(0.3 * girth + (FLARE * bottom_loose if bottom.kind == "trousers" else 0.0)),
            hair_m=float(rng.uniform(*(BEANIE_M if style == "beanie" else HAIR_M[style]))),
            feet=0.0 if feet.kind == "bare" else 1.0,
        ),
    )


def within_room(shape: BodyShape, room_m: Mapping[str, float]) -> BodyShape:
    """The shape, no farther out than there is room; a region that something touches, or nearly, is left as recorded.

    room_m: least distance [m] of each region to an object; keys are names of `BodyShape`'s regions without "_m".
    """

    def kept(region: str, wish: float) -> float:
        room = room_m.get(region, np.inf)
        return 0.0 if room <= NEAR_M else min(wish, room - NEAR_M)

    regions = ("chest", "belly", "upper_arms", "thighs", "calves", "hair")
    feet = shape.feet if room_m.get("feet", np.inf) > MAX_OUT_M else 0.0
    return replace(shape, feet=feet, **{f"{name}_m": kept(name, getattr(shape, f"{name}_m")) for name in regions})


def draw_garment(rng: np.random.Generator, cuts: Mapping[str, Cut], seed: int) -> tuple[Garment, float]:
    """A garment of one of some cuts, and how far it hangs off the body [m]."""
    kind = pick(rng, {name: cut.share for name, cut in cuts.items()})
    cut = cuts[kind]
    fabric = pick(rng, cut.fabrics)
    tone = INDIGO if fabric == "denim" else cut.tones[int(rng.integers(len(cut.tones)))]
    other = LIGHT if rng.random() < 0.5 else cut.tones[int(rng.integers(len(cut.tones)))]
    garment = Garment(
        kind=kind,
        fabric=fabric,
        color=draw_tone(rng, tone),
        accent=draw_tone(rng, other),
        scale_m=float(rng.uniform(*SCALE_M[fabric])) if fabric in SCALE_M else FINE_M,
        seed=seed,
    )
    return garment, float(rng.uniform(*cut.loose_m))


def skin_color(rng: np.random.Generator, tone: float) -> Color:
    """Linear RGB between the steps of `SKIN_TONES`, a little redder or yellower."""
    at, steps = tone * (len(SKIN_TONES) - 1), np.arange(len(SKIN_TONES))
    red, green, blue = (float(np.interp(at, steps, [step[channel] for step in SKIN_TONES])) for channel in range(3))
    return linear_from_srgb((red, green * float(rng.uniform(0.97, 1.03)), blue * float(rng.uniform(0.94, 1.06))))


def hair_color(rng: np.random.Generator, tone: float) -> Color:
    """Linear RGB; blond and red hair go with the lighter half of skin tones."""
    number = int(rng.choice(len(HAIR_COLORS), p=[share for share, _ in HAIR_COLORS]))
    if tone > 0.5 and number < len(HAIR_COLORS) - 2:
        number %= DARK_HAIR
    return linear_from_srgb(HAIR_COLORS[number][1])


def pick(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """One of some names, by its share."""
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def draw_tone(rng: np.random.Generator, tone: Tone) -> Color:
    """A linear RGB colour within ranges of display HSV."""
    hue, saturation, value = (float(channel) for channel in rng.uniform(*tone))
    return linear_from_srgb(colorsys.hsv_to_rgb(hue, saturation, value))


def limited(offset_m: float) -> float:
    """An offset that a body may have."""
    return min(max(offset_m, -MAX_IN_M), MAX_OUT_M)
