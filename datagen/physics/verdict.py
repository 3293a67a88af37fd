"""From a simulated scene to its certificate: which objects are affected, which checks hold, what it is called."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datagen.physics import certificate
from datagen.physics.captions import caption
from datagen.physics.handover import Handover
from datagen.physics.happenings import happenings_of
from datagen.physics.records import BodyReport, Check, PhysicsCertificate, Verdict
from datagen.physics.reruns import Reruns, run_again
from datagen.physics.simulate import Outcome
from datagen.physics.support import body_contact, upright_axis
from datagen.spec import SceneSpec, category_of
from datagen.trajectory import apply_pose

NEAR_PERSON_M = 0.03  # a person this close to an object may have moved it
NEAR_OBJECT_M = 0.02  # so may an object this close that was moved itself


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far apart the two worlds are for one object."""

    corner_mm: np.ndarray  # float64 [num_frames], greatest distance of a corner
    moved_mm: float  # of its middle
    turned_deg: float
    first_frame: int | None  # in which a corner is beyond tolerance


def certify(
    spec: SceneSpec,
    handover: Handover,
    outcome: Outcome,
    seconds: dict[str, float],
    versions: dict[str, str],
    reruns: Reruns | None = None,
) -> PhysicsCertificate:
    """Measure a counterfactual and judge it; without `reruns`, they are run here."""
    reruns = reruns or run_again(spec, outcome)
    differences = {name: difference(spec, handover, outcome, name) for name in outcome.trajectory.names}
    affected = tuple(name for name, value in differences.items() if value.first_frame is not None)
    checks = _checks(spec, handover, outcome, differences, reruns)
    frames = [value.first_frame for value in differences.values() if value.first_frame is not None]
    return PhysicsCertificate(
        key=spec.key,
        verdict=Verdict.ACCEPTED if all(check.passed for check in checks if check.gate) else Verdict.REJECTED,
        labels=certificate.labels_of(checks),
        checks=checks,
        affected=affected,
        divergence_frame=min(frames, default=None),
        bodies=tuple(_report(handover, outcome, differences, name) for name in outcome.trajectory.names),
        caption=caption(happenings_of(outcome.run, _vertices(handover), _uprights(handover)), spec.seed),
        seconds=seconds,
        versions=versions,
    )


def difference(spec: SceneSpec, handover: Handover, outcome: Outcome, name: str) -> Difference:
    """Compare an object's courses in the two worlds."""
    factual, other = handover.factual.of(name), outcome.trajectory.of(name)
    corners = box_corners(handover.track(name).vertices)
    corner_mm = certificate.corner_difference(factual, other, corners)
    middle = certificate.corner_difference(factual, other, corners.mean(axis=0, keepdims=True))
    beyond = np.flatnonzero(corner_mm > spec.physics.max_bystander_mm)
    return Difference(
        corner_mm=corner_mm,
        moved_mm=float(middle.max()),
        turned_deg=certificate.turn_difference(factual, other),
        first_frame=int(beyond[0]) if len(beyond) else None,
    )


def box_corners(vertices: np.ndarray) -> np.ndarray:
    """The 8 corners [8, 3] of a mesh's bounding box, in its own frame."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    picks = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    return np.asarray(np.where(picks == 0, low, high))


def _vertices(handover: Handover) -> dict[str, np.ndarray]:
    return {track.name: track.vertices for track in handover.tracks}


def _uprights(handover: Handover) -> dict[str, np.ndarray]:
    return {track.name: upright_axis(track.poses, track.vertices) for track in handover.tracks}


def _checks(
    spec: SceneSpec, handover: Handover, outcome: Outcome, differences: dict[str, Difference], reruns: Reruns
) -> tuple[Check, ...]:
    innocent = bystanders_of(handover, outcome, differences)
    worst = {name: float(value.corner_mm.max()) for name, value in differences.items()}
    effects = {name: (value.moved_mm, value.turned_deg) for name, value in differences.items()}
    return (
        *certificate.check_run(outcome.run, spec.physics, spec.clip.fps),
        certificate.time_scale(handover.factual),
        *certificate.in_room(outcome.trajectory, _vertices(handover)),
        certificate.bystanders(worst, innocent, spec.physics),
        certificate.repeat(outcome.run.poses, reruns.again),
        *certificate.convergence(outcome.run, reruns.finer),
        certificate.effect(effects, spec.physics),
    )


def bystanders_of(handover: Handover, outcome: Outcome, differences: dict[str, Difference]) -> tuple[str, ...]:
    """Static objects that no person moves: those equal in both worlds, and those that differ with nobody near.

    The latter fail the check: something differs with no contact chain to a person (as filmed) or a dynamic body.
    """
    static = [name for name in outcome.trajectory.names if name not in outcome.run.dynamic]
    equal = {name for name in static if differences[name].first_frame is None}
    reached = set(outcome.run.dynamic) | {name for name in static if name not in equal and _person_near(handover, name)}
    boxes = {name: _path_box(handover, name) for name in outcome.trajectory.names}
    while grown := {name for name in boxes if name not in reached | equal and _near_any(boxes, name, reached)}:
        reached |= grown
    return tuple(name for name in static if name not in reached)


def _person_near(handover: Handover, name: str) -> bool:
    """Whether a person comes near an object in any frame of the clip."""
    track, poses = handover.track(name), handover.factual.of(name)
    contacts = (
        body_contact(handover.body_points(frame), poses[frame], track.vertices, track.faces, NEAR_PERSON_M)
        for frame in range(handover.factual.num_frames)
    )
    return any(np.isfinite(contact.distance_m) for contact in contacts)


def _path_box(handover: Handover, name: str) -> np.ndarray:
    """Boxes [num_frames, 2, 3] around an object as filmed."""
    corners = box_corners(handover.track(name).vertices)
    points = np.stack([apply_pose(pose, corners) for pose in handover.factual.of(name)])
    return np.stack([points.min(axis=1), points.max(axis=1)], axis=1)


def _near_any(boxes: dict[str, np.ndarray], name: str, others: set[str]) -> bool:
    """Whether an object that moves as filmed comes near `name`; one that stands still pushes nothing."""
    mine = boxes[name]
    for other in others & set(boxes):
        theirs = boxes[other]
        if np.abs(theirs - theirs[0]).max() < NEAR_OBJECT_M / 20:
            continue
        overlap = (mine[:, 0] <= theirs[:, 1] + NEAR_OBJECT_M) & (theirs[:, 0] <= mine[:, 1] + NEAR_OBJECT_M)
        if overlap.all(axis=1).any():
            return True
    return False


def _report(handover: Handover, outcome: Outcome, differences: dict[str, Difference], name: str) -> BodyReport:
    standing = outcome.standings[name]
    body = next(body for body in outcome.bodies if body.name == name)
    settling = standing.settling
    return BodyReport(
        name=name,
        category=category_of(name),
        dynamic=standing.dynamic,
        why=standing.why,
        contact_mm=standing.contact.distance_mm,
        contact_part=standing.contact.part,
        settle_mm=settling.moved_mm if settling else None,
        settle_deg=settling.turned_deg if settling else None,
        mass_kg=body.mass if body.dynamic else None,
        friction=body.material.friction,
        restitution=body.material.restitution,
        corners=tuple((float(x), float(y), float(z)) for x, y, z in box_corners(body.vertices)),
        divergence_frame=differences[name].first_frame,
    )
