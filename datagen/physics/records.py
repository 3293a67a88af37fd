"""What physics reports about a scene; written to physics/<key>/certificate.json and into the sample's metadata."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NULL_EFFECT = "null_effect"  # nothing moves differently, or nobody could see it
CHAOTIC = "chaotic"  # half the time step ends elsewhere
STILL_MOVING = "still_moving"
LABELS = {  # by the check that fails
    "effect": NULL_EFFECT,
    "convergence_flight": CHAOTIC,
    "convergence": CHAOTIC,
    "rest_speed": STILL_MOVING,
}


class Verdict(StrEnum):
    """Outcome of the gates."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One measured figure against its limit."""

    name: str  # "free_fall", "penetration_p95", "penetration_max", "speed", "bystanders", "effect", ...
    value: float | None  # None where it does not apply, e.g. nothing was airborne
    limit: float
    unit: str
    passed: bool
    gate: bool  # False: a failed check is a label, not a rejection
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class BodyReport:
    """What physics knew and decided about one object."""

    name: str
    category: str
    dynamic: bool
    why: str  # in words: "held by RightHand (1.2 mm) and falls 412 mm when set free"
    contact_mm: float | None  # least distance from body to object at frame 0
    contact_part: str  # body part at that distance, or ""
    settle_mm: float | None  # displacement when set free for a moment; None if not tested
    settle_deg: float | None
    mass_kg: float | None  # None for static objects
    friction: float
    restitution: float
    corners: tuple[tuple[float, float, float], ...]  # 8 corners of the bounding box, object frame [m]
    divergence_frame: int | None  # first frame whose pose differs between the worlds


@dataclass(frozen=True, kw_only=True)
class PhysicsCertificate:
    """Why to believe a counterfactual, and what happens in it."""

    key: str
    verdict: Verdict
    labels: tuple[str, ...]  # of `LABELS`
    checks: tuple[Check, ...]
    affected: tuple[str, ...]  # names of the objects that move differently
    divergence_frame: int | None  # first frame in which any object differs
    bodies: tuple[BodyReport, ...]
    caption: str  # the counterfactual in words; never names what was removed
    seconds: dict[str, float]
    versions: dict[str, str]
