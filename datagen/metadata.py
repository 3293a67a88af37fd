"""What a sample says about itself: `metadata.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.physics.materials import is_known
from datagen.physics.records import PhysicsCertificate
from datagen.spec import SceneSpec

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Licence:
    """Under which terms the source of a sample may be used."""

    name: str
    note: str


@dataclass(frozen=True, kw_only=True)
class RemovedThing:
    """An object or person that the counterfactual never had."""

    name: str
    kind: str  # "object" or "person"
    category: str


@dataclass(frozen=True, kw_only=True)
class MaskStatistics:
    """How a quadmask divides its clip, by label name."""

    policy: str
    share: dict[str, float]  # of all pixels of the clip; adds up to 1
    num_frames: dict[str, int]  # frames that hold the label at all
    form: str = "quad"  # "binary", "trimask" and "grid" tell less


@dataclass(frozen=True, kw_only=True)
class KeepDifference:
    """|rgb_full - rgb_removed| over the KEEP pixels of a policy, before video coding, in levels of 255."""

    num_pixels: int
    mean: float
    p999: float  # 99.9th percentile over pixels and channels
    passed: bool  # mean < 0.5 and p999 < 4; binding for policy "effects" alone


@dataclass(frozen=True, kw_only=True)
class EffectVisibility:
    """How much of the picture the removal changes, beyond the removed object's own effects."""

    share_per_frame: tuple[float, ...]  # of the pixels, affected by policy "void"
    visible_frames: float  # share of the frames in which more than 0.1 % of the pixels are affected
    visible: bool  # more than 20 % of the frames are


@dataclass(frozen=True, kw_only=True)
class SampleMetadata:
    """Everything about a sample but its pixels and poses."""

    format_version: int
    key: str
    source: str
    sequence: str
    description: str
    num_frames: int
    fps: float
    width: int
    height: int
    seeds: dict[str, int]
    removed: tuple[RemovedThing, ...]
    caption: str  # the counterfactual in words
    labels: tuple[str, ...]  # of the certificate: "null_effect", "chaotic"
    affected: tuple[str, ...]  # names of the objects that move differently
    divergence_frame: int | None
    mask: MaskStatistics
    keep_difference: dict[str, KeepDifference]  # by policy
    effect: EffectVisibility
    licence: Licence
    certificate: PhysicsCertificate  # without its timings: they are in the run's events.jsonl
    spec_sha256: str
    spec: SceneSpec
    provenance: dict[str, Any]
    versions: dict[str, str]
    files: dict[str, str]  # sha256 of every other file of the sample
    device: str = "CPU"  # that the pictures were rendered on
    warnings: tuple[str, ...] = ()  # what physics guessed, and physics and render left out, in words


LICENCES: Mapping[str, Licence] = {
    "humoto": Licence(
        name="Adobe Research License",
        note="HUMOTO motion and meshes: non-commercial research only; videos made from them may not be sold or used "
        "in products, and the data set itself may not be passed on",
    ),
    "demo": Licence(name="CC0-1.0", note="voidgen's demo data: no rights reserved"),
}
UNKNOWN_LICENCE = Licence(name="unknown", note="the source does not say; ask its authors before using the sample")


def licence_of(spec: SceneSpec) -> Licence:
    """Terms of a sample: those of its meshes, where they have their own, else of its data set."""
    own = sorted({thing.licence for thing in spec.objects if thing.licence})
    if own:
        return Licence(
            name=", ".join(own), note="see the licence of each object in the spec; trade marks are not covered"
        )
    return LICENCES.get(spec.data_set, UNKNOWN_LICENCE)


def removed_things(spec: SceneSpec) -> tuple[RemovedThing, ...]:
    """What a scene removes, in the order of the spec."""
    categories = {thing.name: ("object", thing.category) for thing in spec.objects}
    categories |= {person.name: ("person", "person") for person in spec.people}
    return tuple(
        RemovedThing(name=name, kind=categories[name][0], category=categories[name][1]) for name in spec.removed
    )


LIQUIDS = re.compile(
    r"(?<![a-z])(pour\w*|drink\w*|drank|sip\w*|spill\w*|rins\w+|wash\w*|water(?:s|ed|ing)?|coffee|tea|juice|milk|liquid\w*|soup|wine)"
    r"(?![a-z])"
)
VESSELS = ("soup ladle", "wash tub", "wine glass", "tea towel", "water bottle")


def warnings_of(spec: SceneSpec) -> tuple[str, ...]:
    """What a scene's physics guesses or leaves out: materials that the table lacks, and liquids."""
    unknown = sorted({thing.category for thing in spec.objects if not is_known(thing.category)})
    guessed = tuple(
        f"no material is known for '{category}': taken as an average one, its density guessed from its volume"
        for category in unknown
    )
    words = liquid_words(f"{spec.sequence} {spec.description}") if spec.source == "humoto" else ()
    if not words:
        return guessed
    return (
        *guessed,
        f"liquids are not simulated, and the script speaks of some ({', '.join(words)}): vessels are empty",
    )


def liquid_words(script: str) -> tuple[str, ...]:
    """Words of a script by which something is poured, drunk or spilt, sorted; names of vessels do not count."""
    text = script.lower().replace("_", " ").replace("-", " ")
    for vessel in VESSELS:
        text = text.replace(vessel, " ")
    return tuple(sorted(set(LIQUIDS.findall(text))))
