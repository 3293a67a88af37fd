"""What things are called: an object's category as an English noun phrase, singular and plural."""

from __future__ import annotations

import re

from datagen.spec import category_of

# Categories that are no English as they stand: HUMOTO's spellings and parts, Kubric's groups.
NOUNS: dict[str, str] = {
    "action_figures": "toy",
    "basket_90": "basket",
    "bathroomsink": "bathroom sink",
    "board_games": "board game",
    "bottles_and_cans_and_cups": "container",
    "bread": "loaf of bread",
    "clothes": "pile of clothes",
    "clothrack": "clothes rack",
    "consumer_goods": "household item",
    "draw_organizer_tray": "drawer organizer",
    "frypan": "frying pan",
    "kitchen_counter_small": "kitchen counter",
    "laptop_bottom": "laptop base",
    "laptop_top": "laptop screen",
    "larger_bin": "bin",
    "legos": "toy brick",
    "media_cases": "plastic case",
    "organizer_medium": "organizer",
    "organizer_small": "organizer",
    "plastic_bowl_stacked": "plastic bowl",
    "soap": "bar of soap",
    "soap_dispenser_body": "soap dispenser",
    "soap_dispenser_top": "soap dispenser pump",
    "stepstool": "step stool",
    "tape_roll": "roll of tape",
    "stuffed_toys": "stuffed toy",
    "toys": "toy",
    "trash": "piece of trash",
    "trashbin": "trash can",
    "turner": "spatula",
    "ukelele": "ukulele",
    "unicorn_toy": "toy unicorn",
    "usb": "USB stick",
    "vaccum_flask": "vacuum flask",
    "vacuum_flask_body": "vacuum flask",
    "vacuum_flask_cap": "flask cap",
    "wok_turner": "spatula",
    "working_chair": "chair",  # with four legs
}
_PAIRS = "binoculars glasses goggles headphones pliers scissors shears shorts tongs trousers tweezers"
PAIRS = frozenset(_PAIRS.split())
_VESSELS = "bag basket bin bowl bucket caddy can crate cup drawer holder jar mug pan pot sink tub vase"
VESSELS = frozenset(_VESSELS.split())
_PEOPLE = """
    person persons people man men woman women boy boys girl girls child children kid kids baby lady guy human humans
    actor actors someone somebody anyone nobody he she him her his hers walker mannequin character subject body
    hand hands finger fingers arm arms
"""
PEOPLE = frozenset(_PEOPLE.split())  # a caption with one of these makes a video model paint somebody
SOUNDS_LIKE_YOU = ("uti", "uni", "use", "usb", "uku", "eu")
IRREGULAR = {"knife": "knives", "shelf": "shelves", "loaf": "loaves", "leaf": "leaves", "mouse": "mice"}
HISSES = ("s", "x", "z", "ch", "sh")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def noun_of(name: str) -> str:
    """A noun phrase without article for an object's name or category, e.g. `pair of scissors`."""
    category = re.sub(r"[^a-z0-9]+", "_", category_of(name).lower()).strip("_")
    if category in NOUNS:
        return NOUNS[category]
    words = [word for word in category.split("_") if word and word not in PEOPLE and not word.isdigit()]
    if not words or words == ["none"]:
        return "object"
    noun = " ".join(words).replace("vaccum", "vacuum")
    return f"pair of {noun}" if words[-1] in PAIRS else noun


def with_article(noun: str) -> str:
    """`a mug`, `an apple`, `a utility cart`."""
    vowel = noun[:1].lower() in "aeiou" and not noun.lower().startswith(SOUNDS_LIKE_YOU)
    return f"{'an' if vowel else 'a'} {noun}"


def place_in(noun: str) -> bool:
    """Whether a load lies in such a thing, and not on it."""
    return noun.split(" ")[-1] in VESSELS


def plural_of(noun: str) -> str:
    """`knives`, `pairs of scissors`."""
    head, of, rest = noun.partition(" of ")
    *before, last = head.split(" ")
    if last in IRREGULAR:
        last = IRREGULAR[last]
    elif last.endswith(HISSES) or last in ("tomato", "potato"):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = f"{last[:-1]}ies"
    else:
        last += "s"
    return " ".join([*before, last]) + of + rest


def number(count: int) -> str:
    """A count in words up to ten."""
    return NUMBERS[count] if count < len(NUMBERS) else str(count)
