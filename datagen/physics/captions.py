"""What happens in the counterfactual video, in plain sentences with quantities that a viewer can see.

Only what remains is named: video models paint what the prompt names, so neither the removed nor the reason for a fall
("is let go") may appear. `leaks` checks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from datagen.physics.bodies import FLOOR, WorldRun
from datagen.physics.nouns import PEOPLE, noun_of, number, plural_of, with_article
from datagen.physics.support import tilt_deg
from datagen.seeding import generator_for
from datagen.trajectory import apply_pose

DROP_M = 0.03  # less is a settling, not a fall
SLIDE_M = 0.08
ROLL_ON_M = 0.4  # a round thing that gets this far after a fall is seen to roll
UPRIGHT_DEG = 20.0
SIDE_DEG = 60.0
OVER_DEG = 150.0
STILL_M_S = 0.05
BALL_SHARE = 0.7  # of its circumscribed sphere that a ball of flat faces fills at least; a cube fills 0.37
BOUNCE_M_S = 0.3  # upward speed of a centre of mass that a viewer sees as a bounce
HEIGHTS = (
    (0.25, "from just above the floor"),
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
class Happening:
    """What became of one object, in figures."""

    name: str
    dynamic: bool
    start_m: float  # height of its lowest point in the first frame
    drop_m: float  # how far its lowest point came down
    slide_m: float  # horizontal way of its origin
    tilt_deg: tuple[float, float]  # from upright, in the first and in the last frame
    is_round: bool  # a ball: it has no side to lie on
    rests: bool  # lies still in the last frame
    landed_on: str  # name, `FLOOR`, or "" when it touches nothing in the end
    bounces: int  # how often it visibly came up again


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
    sentences += [_sentence(group, talk, style) for group in _alike(moving, talk.nouns, style)]
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


def happenings_of(
    run: WorldRun, vertices: Mapping[str, np.ndarray], uprights: Mapping[str, np.ndarray]
) -> tuple[Happening, ...]:
    """What became of every object of a run; `uprights` holds the axis [3] of each that points up when it stands."""
    return tuple(_happening(run, name, vertices[name], uprights[name]) for name in run.names)


def _happening(run: WorldRun, name: str, vertices: np.ndarray, upright: np.ndarray) -> Happening:
    poses = run.poses[:, run.names.index(name)]
    low = [float(apply_pose(pose, vertices)[:, 2].min()) for pose in (poses[0], poses[-1])]
    return Happening(
        name=name,
        dynamic=name in run.dynamic,
        start_m=low[0],
        drop_m=low[0] - low[1],
        slide_m=float(np.linalg.norm(poses[-1, :2] - poses[0, :2])),
        tilt_deg=(tilt_deg(poses[0], upright), tilt_deg(poses[-1], upright)),
        is_round=_is_round(vertices),
        rests=name not in run.dynamic or float(run.speed[-1, run.dynamic.index(name)]) < STILL_M_S,
        landed_on=_last_support(run, name),
        bounces=_bounces(run, name),
    )


def _is_round(vertices: np.ndarray) -> bool:
    """Whether all vertices are about as far from the middle, and there are enough of them: a cube is no ball."""
    distance = np.linalg.norm(vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2, axis=1)
    radius = float(distance.max())
    if distance.min() <= 0.9 * radius:
        return False
    try:
        volume = ConvexHull(vertices).volume
    except QhullError:  # a flat ring
        return False
    return bool(volume > BALL_SHARE * 4 / 3 * np.pi * radius**3)


def _last_support(run: WorldRun, name: str) -> str:
    """What an object presses on most in the last frame."""
    best, partner = 0.0, ""
    for column, pair in enumerate(run.pairs):
        if name in pair and run.impulse[-1, column] > best:
            best, partner = float(run.impulse[-1, column]), pair[0] if pair[1] == name else pair[1]
    return partner


def _bounces(run: WorldRun, name: str) -> int:
    """How often the centre of mass visibly came up again after the first fall."""
    if name not in run.dynamic or len(run.centre) < 2:
        return 0
    upward = np.diff(run.centre[:, run.dynamic.index(name), 2]) / run.substep_s
    fell = np.flatnonzero(upward < -BOUNCE_M_S)
    if not len(fell):
        return 0
    rising = upward[fell[0] :] > BOUNCE_M_S
    return int(np.count_nonzero(rising[1:] & ~rising[:-1]))


def _style(seed: int) -> _Style:
    generator = generator_for(seed, "caption")
    return _Style(
        fall=("fall", "drop")[int(generator.integers(2))],
        slide=("slide", "move")[int(generator.integers(2))],
        measured=bool(generator.random() < 0.3),
        still=("stay", "remain", "do")[int(generator.integers(3))],
        scene_first=bool(generator.random() < 0.4),
    )


def _alike(moving: Sequence[Happening], nouns: Mapping[str, str], style: _Style) -> list[list[Happening]]:
    """Things of one noun to which the same happens share a sentence."""
    groups: dict[object, list[Happening]] = {}
    for one in moving:
        place = one.landed_on if one.landed_on in (FLOOR, "") else nouns.get(one.landed_on, FLOOR)
        groups.setdefault((nouns[one.name], *_deeds(one, place, style)), []).append(one)
    return list(groups.values())


def _sentence(group: Sequence[Happening], talk: _Talk, style: _Style) -> str:
    one, several = group[0], len(group) > 1
    subject = _capital(talk.name([each.name for each in group]))
    on = sorted({each.landed_on for each in group if each.landed_on in talk.nouns})
    place = talk.name(on) if on else "the floor"
    deeds = _deeds(one, place, style)
    if several:
        deeds = [deed.replace("its side", "their sides") for deed in deeds]
    return f"{subject} {_list([deed if several else _third(deed) for deed in deeds])}."


def _deeds(happening: Happening, place: str, style: _Style) -> list[str]:
    """What an object does, verbs in their plain form."""
    start, end = happening.tilt_deg
    if happening.drop_m > DROP_M:
        target = f" onto {place}" if happening.landed_on else ""
        deeds = [f"{style.fall} {_from(happening, style)}{target}"]
        if happening.bounces:
            deeds.append(f"bounce {('once', 'twice', 'a few times')[min(happening.bounces, 3) - 1]}")
        if happening.is_round and happening.slide_m > ROLL_ON_M:
            deeds.append(f"roll {_length(happening.slide_m)}")
        return _ended(deeds, happening)
    if end > SIDE_DEG and end > start + UPRIGHT_DEG and not happening.is_round:
        return _ended(["tip over"], happening)
    if end < UPRIGHT_DEG < start and not happening.is_round:
        return [f"fall back upright onto {place}"]
    if abs(end - start) > UPRIGHT_DEG / 2 and not happening.is_round:
        return _ended(["tilt"], happening)
    if happening.slide_m > SLIDE_M:
        verb = "roll" if happening.is_round else style.slide
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
        return " on its side"
    return " upright" if end < UPRIGHT_DEG else ""


def _from(happening: Happening, style: _Style) -> str:
    """How far a thing falls: by its height above the floor, or by the way down to what it lands on."""
    if happening.landed_on not in (FLOOR, "") or (style.measured and happening.drop_m > HEIGHTS[0][0]):
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
