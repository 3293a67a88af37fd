"""What happens in the counterfactual video, in plain sentences.

Only what remains is named: video models paint what the prompt names, so neither the removed nor the reason for a fall
("is let go") may appear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from datagen.physics.bodies import FLOOR, WorldRun
from datagen.physics.support import tilt_deg
from datagen.seeding import generator_for
from datagen.spec import category_of
from datagen.trajectory import apply_pose

DROP_M = 0.03  # less is a settling, not a fall
SLIDE_M = 0.08
UPRIGHT_DEG = 20.0
SIDE_DEG = 60.0
OVER_DEG = 150.0
STILL_M_S = 0.05
BOUNCE_M_S = 0.3  # upward speed of a centre of mass that a viewer sees as a bounce
HEIGHTS = (
    (0.25, "from a hand's breadth"),
    (0.6, "from knee height"),
    (1.1, "from waist height"),
    (1.5, "from chest height"),
)
SOUNDS_LIKE_YOU = ("uti", "uni", "use")


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
    bounced: bool


def caption(happenings: Iterable[Happening], seed: int) -> str:
    """The counterfactual in words; templates vary by seed."""
    everything = tuple(happenings)
    generator = generator_for(seed, "caption")
    names = _words([happening.name for happening in everything])
    moving = [happening for happening in everything if happening.dynamic]
    still = [names[happening.name] for happening in everything if not happening.dynamic]
    sentences = [_sentence(happening, names, generator) for happening in moving]
    if still:
        subject = _list(still)
        verb = "stand" if len(still) > 1 else "stands"
        sentences.append(_capital(f"{subject} {verb} still{' in a room' if not moving else ''}."))
    return " ".join(sentences) or "An empty room."


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
        bounced=_bounced(run, name),
    )


def _is_round(vertices: np.ndarray) -> bool:
    """Whether all vertices are about as far from the middle."""
    distance = np.linalg.norm(vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2, axis=1)
    return bool(distance.min() > 0.9 * distance.max())


def _last_support(run: WorldRun, name: str) -> str:
    """What an object presses on most in the last frame."""
    best, partner = 0.0, ""
    for column, pair in enumerate(run.pairs):
        if name in pair and run.impulse[-1, column] > best:
            best, partner = float(run.impulse[-1, column]), pair[0] if pair[1] == name else pair[1]
    return partner


def _bounced(run: WorldRun, name: str) -> bool:
    """Whether the centre of mass came up again visibly after a first blow."""
    if name not in run.dynamic or len(run.centre) < 2:
        return False
    height = run.centre[:, run.dynamic.index(name), 2]
    upward = np.diff(height) / run.substep_s
    fell = np.flatnonzero(upward < -BOUNCE_M_S)
    return bool(len(fell) and (upward[fell[0] :] > BOUNCE_M_S).any())


def _sentence(happening: Happening, names: Mapping[str, str], generator: np.random.Generator) -> str:
    subject = _capital(names[happening.name])
    place = "the floor" if happening.landed_on in (FLOOR, "") else names.get(happening.landed_on, "the floor")
    start, end = happening.tilt_deg
    if happening.drop_m > DROP_M:
        verb = ("falls", "drops")[int(generator.integers(2))]
        target = f" onto {place}" if happening.landed_on else ""
        deeds = [f"{verb} {_from(happening.start_m)}{target}", *(["bounces"] if happening.bounced else [])]
        return f"{subject} {_deeds(deeds, happening)}."
    if end > SIDE_DEG and end > start + UPRIGHT_DEG:
        return f"{subject} {_deeds(['tips over'], happening)}."
    if end < UPRIGHT_DEG < start:
        return f"{subject} falls back upright onto {place}."
    if abs(end - start) > UPRIGHT_DEG / 2 and not happening.is_round:
        return f"{subject} {_deeds(['tilts'], happening)}."
    if happening.slide_m > SLIDE_M:
        verb = ("slides", "moves")[int(generator.integers(2))]
        return f"{subject} {verb} a little way{' and stops' if happening.rests else ''}."
    return f"{subject} settles and stays where it is."


def _deeds(deeds: list[str], happening: Happening) -> str:
    """What an object does, and how it ends if it has ended."""
    return _list([*deeds, f"comes to rest{_posture(happening)}"] if happening.rests and happening.landed_on else deeds)


def _posture(happening: Happening) -> str:
    if happening.is_round:
        return ""
    end = happening.tilt_deg[1]
    if end > OVER_DEG:
        return " upside down"
    if end > SIDE_DEG:
        return " on its side"
    return " the right way up" if end < UPRIGHT_DEG else ""


def _from(height_m: float) -> str:
    return next((words for limit, words in HEIGHTS if height_m < limit), "from above head height")


def _words(names: Iterable[str]) -> dict[str, str]:
    """Each name with an article; the second mug is "another mug"."""
    seen: set[str] = set()
    result = {}
    for name in names:
        noun = category_of(name).replace("_", " ").replace("vaccum", "vacuum").lower()
        vowel = noun[:1] in "aeiou" and not noun.startswith(SOUNDS_LIKE_YOU)
        article = "another" if noun in seen else "an" if vowel else "a"
        result[name] = f"{article} {noun}"
        seen.add(noun)
    return result


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
