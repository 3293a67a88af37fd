"""What happens in the counterfactual video, in plain sentences with quantities that a viewer can see.

Only what remains is named: video models paint what the prompt names, so neither the removed nor the reason for a fall
("is let go") may appear. `leaks` checks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from datagen.physics.bodies import FLOOR
from datagen.physics.happenings import Happening
from datagen.physics.nouns import PEOPLE, noun_of, number, place_in, plural_of, with_article
from datagen.seeding import generator_for

PLACE = "{place}"  # stands in a deed for what a thing lands on, so that only what is told counts as named
DROP_M = 0.03  # less is a settling, not a fall
SLIDE_M = 0.08
ROLL_ON_M = 0.4  # a round thing that gets this far after a fall is seen to roll
UPRIGHT_DEG = 20.0
SIDE_DEG = 60.0
OVER_DEG = 150.0
LOW_M = 0.25  # a fall from lower is told by its way
HEIGHTS = (
    (0.6, "from knee height"),
    (1.1, "from waist height"),
    (1.5, "from chest height"),
)
LENGTHS = (
    (0.15, "a few centimetres"),
    (0.35, "a little way"),
    (0.75, "about half a metre"),
    (1.25, "about a metre"),
    (1.75, "about one and a half metres"),
    (2.5, "about two metres"),
)


@dataclass(frozen=True, kw_only=True)
class _Style:
    """The wording of one caption."""

    fall: str
    slide: str
    measured: bool  # heights in metres instead of "waist height"
    still: str
    scene_first: bool


@dataclass(kw_only=True)
class _Talk:
    """What has been named so far, so that the second mention of a table is "the table"."""

    nouns: Mapping[str, str]
    told: list[str] = field(default_factory=list)

    def name(self, names: Sequence[str]) -> str:
        """Things of one noun, with the article or number that fits."""
        noun = self.nouns[names[0]]
        alike = [name for name, other in self.nouns.items() if other == noun]
        known = [name for name in self.told if name in alike]
        again = set(names) <= set(known)
        self.told += [name for name in names if name not in known]
        if len(names) == 1:
            if again:
                return f"the {noun}" if len(alike) == 1 else f"one of the {plural_of(noun)}"
            return f"another {noun}" if known else with_article(noun)
        if again:
            return f"the {plural_of(noun)}"
        return f"{number(len(names))} {'other ' if known else ''}{plural_of(noun)}"


def caption(happenings: Iterable[Happening], seed: int) -> str:
    """The counterfactual in words; templates vary by seed."""
    everything = tuple(happenings)
    if not everything:
        return "An empty room."
    style = _style(seed)
    talk = _Talk(nouns={happening.name: noun_of(happening.name) for happening in everything})
    moving = [happening for happening in everything if happening.dynamic]
    still = [happening.name for happening in everything if not happening.dynamic]
    if not moving:
        return (
            f"A room with {_things(still, talk)}. Nothing moves." if style.scene_first else _stays(still, talk, style)
        )
    sentences = [f"A room with {_things(still, talk)}."] if still and style.scene_first else []
    loads = _loads(moving)
    told = [one for one in moving if not any(one.name in names for names in loads.values())]
    sentences += [_sentence(group, talk, style, loads) for group in _alike(told, talk.nouns, style, loads)]
    if still:
        sentences.append("Nothing else moves." if style.scene_first else _stays(still, talk, style))
    return " ".join(sentences)


def leaks(text: str, removed: Iterable[str], kept: Iterable[str]) -> tuple[str, ...]:
    """What a caption must not say but does: words for people, and names of removed things that nothing kept shares."""
    found = sorted(set(re.findall(r"[a-z']+", text.lower())) & PEOPLE)
    mine = {noun_of(name) for name in kept}
    rest = text.lower()
    for noun in sorted(mine, key=len, reverse=True):  # "a table lamp" names no removed table
        rest = re.sub(rf"\b({re.escape(plural_of(noun).lower())}|{re.escape(noun.lower())})\b", " ", rest)
    for name in removed:
        words = {noun_of(name).lower(), plural_of(noun_of(name)).lower(), name.lower().replace("_", " ")}
        if noun_of(name) not in mine and any(re.search(rf"\b{re.escape(word)}\b", rest) for word in words):
            found.append(name)
    return tuple(found)


def _style(seed: int) -> _Style:
    generator = generator_for(seed, "caption")
    return _Style(
        fall=("fall", "drop")[int(generator.integers(2))],
        slide=("slide", "move")[int(generator.integers(2))],
        measured=bool(generator.random() < 0.3),
        still=("stay", "remain", "do")[int(generator.integers(3))],
        scene_first=bool(generator.random() < 0.4),
    )


def _loads(moving: Sequence[Happening]) -> dict[str, list[str]]:
    """What is told along with what carries it, by the name of that; a load's own load counts too."""
    carriers = {one.name: one.rides_on for one in moving}
    loads: dict[str, list[str]] = {}
    for name in carriers:
        chain = [name]
        while (below := carriers[chain[-1]]) in carriers and below not in chain:
            chain.append(below)
        if len(chain) > 1 and not carriers[chain[-1]]:
            loads.setdefault(chain[-1], []).append(name)
    return loads


def _alike(
    moving: Sequence[Happening], nouns: Mapping[str, str], style: _Style, loads: Mapping[str, list[str]]
) -> list[list[Happening]]:
    """Things of one noun to which the same happens share a sentence, unless they carry something."""
    groups: dict[object, list[Happening]] = {}
    for one in moving:
        place = one.landed_on if one.landed_on in (FLOOR, "") else nouns.get(one.landed_on, FLOOR)
        own = one.name if one.name in loads else ""
        groups.setdefault((nouns[one.name], own, place, *_deeds(one, style)), []).append(one)
    return list(groups.values())


def _sentence(group: Sequence[Happening], talk: _Talk, style: _Style, loads: Mapping[str, list[str]]) -> str:
    one, several = group[0], len(group) > 1
    subject = _capital(talk.name([each.name for each in group]))
    if one.name in loads:
        where = "in" if place_in(talk.nouns[one.name]) else "on"
        subject += f" with {_things(loads[one.name], talk)} {where} it"
    deeds = _deeds(one, style)
    if any(PLACE in deed for deed in deeds):
        on = sorted({each.landed_on for each in group if each.landed_on in talk.nouns})
        place = talk.name(on) if on else "the floor"
        deeds = [deed.replace(PLACE, place) for deed in deeds]
    if several:
        deeds = [deed.replace("its side", "their sides").replace("its edge", "their edges") for deed in deeds]
    return f"{subject} {_list([deed if several else _third(deed) for deed in deeds])}."


def _deeds(happening: Happening, style: _Style) -> list[str]:
    """What an object does, verbs in their plain form; `PLACE` stands for what it lands on."""
    start, end = happening.tilt_deg
    if happening.drop_m > DROP_M:
        target = f" {'into' if happening.inside else 'onto'} {PLACE}" if happening.landed_on else ""
        deeds = [f"{style.fall} {_from(happening, style)}{target}"]
        if happening.bounces:
            deeds.append(f"bounce {('once', 'twice', 'a few times')[min(happening.bounces, 3) - 1]}")
        if happening.is_round and happening.slide_m > ROLL_ON_M:
            deeds.append(f"roll {_length(happening.slide_m)}")
        return _ended(deeds, happening)
    if end > SIDE_DEG and end > start + UPRIGHT_DEG and not happening.is_round:
        return _ended(["tip over"], happening)
    if end < UPRIGHT_DEG < start and not happening.is_round:
        return [f"fall {'flat' if happening.is_flat else 'back upright'} onto {PLACE}"]
    if abs(end - start) > UPRIGHT_DEG / 2 and not happening.is_round:
        return _ended(["tilt"], happening)
    if happening.slide_m > SLIDE_M:
        verb = "roll" if happening.is_round or happening.on_castors else style.slide
        return [f"{verb} {_length(happening.slide_m)}", *(["stop"] if happening.rests else [])]
    return ["settle in place"]


def _ended(deeds: list[str], happening: Happening) -> list[str]:
    """Deeds, and how they end if they have ended."""
    return [*deeds, f"come to rest{_posture(happening)}"] if happening.rests and happening.landed_on else deeds


def _posture(happening: Happening) -> str:
    end = happening.tilt_deg[1]
    if happening.is_round:
        return ""
    if end > OVER_DEG:
        return " upside down"
    if end > SIDE_DEG:
        return " on its edge" if happening.is_flat else " on its side"
    if end > UPRIGHT_DEG:
        return ""
    if happening.is_flat:
        return " the right way up" if happening.has_top else " lying flat"
    return " upright"


def _from(happening: Happening, style: _Style) -> str:
    """How far a thing falls: by its height above the floor, or by the way down to what it lands on."""
    if happening.landed_on not in (FLOOR, "") or happening.start_m < LOW_M or style.measured:
        return _length(happening.drop_m)
    return next((words for limit, words in HEIGHTS if happening.start_m < limit), "from above head height")


def _length(metres: float) -> str:
    return next((words for limit, words in LENGTHS if metres < limit), "several metres")


def _stays(still: Sequence[str], talk: _Talk, style: _Style) -> str:
    things, several = _capital(_things(still, talk)), len(still) > 1
    if style.still == "do":
        return f"{things} {'do' if several else 'does'} not move."
    verb = style.still if several else _third(style.still)
    return f"{things} {verb} {('where they are' if several else 'where it is') if style.still == 'stay' else 'still'}."


def _things(names: Sequence[str], talk: _Talk) -> str:
    """`two mugs and a table`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(talk.nouns[name], []).append(name)
    return _list([talk.name(group) for group in groups.values()])


def _third(deed: str) -> str:
    """A deed in the third person: `falls onto the floor`."""
    verb, space, rest = deed.partition(" ")
    return f"{verb}s{space}{rest}"


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
