"""What each object does at the moment at which the person disappears: held, carried along, moving, or at rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datagen.physics.bodies import Body
from datagen.physics.distance import distances_to_mesh
from datagen.physics.scene import Scene, corner_speed
from datagen.physics.settle import Settling
from datagen.physics.support import Contact, body_contact
from datagen.trajectory import apply_pose, inverse_pose

MOVING_M_S = 0.05  # a corner that is faster than this at the first frame moves; mocap noise is below 0.02
LOOSE_SUNK_MM = 50.0  # what nobody quite touches is held only if it falls farther than any resting pose hovers
RIDE_M = 0.015  # gap between a load and what carries it
RIDE_M_S = 0.1  # how much faster or slower a load may be than what carries it; mocap jitter and a rolling ball
RIDE_SHARE = 0.15  # likewise, as a share of the carrier's speed
RIDE_VERTICES = 500


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known about one object at the first frame, and what follows for physics."""

    contact: Contact
    speed_m_s: float  # of its fastest corner
    settling: Settling | None
    dynamic: bool
    why: str
    promoted: bool = False  # dynamic for what others do to it, not for what the person did


def judge_all(scene: Scene) -> tuple[Scene, dict[str, Standing]]:
    """Standings of all bodies, and the scene in which loads have the velocity of what carries them."""
    contacts = {body.name: body_contact(scene.people, body.pose, body.vertices, body.faces) for body in scene.bodies}
    speeds = {body.name: corner_speed(body) for body in scene.bodies}
    touched = {name for name, one in contacts.items() if one.distance_m * 1000 < scene.spec.physics.contact_mm}
    carrier_of = _carriers(scene, touched, speeds)
    standings: dict[str, Standing] = {}
    velocities: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in sorted(speeds, key=lambda one: _depth(one, carrier_of)):
        body, carrier = scene.body(name), carrier_of.get(name)
        if carrier is not None and standings[carrier].dynamic:
            velocities[name] = _rigid_velocity(scene.body(carrier), body.pose[:3], velocities.get(carrier))
            why = f"lies in or on {carrier}, which is let go, and goes along at {speeds[name]:.2f} m/s"
            standings[name] = Standing(
                contact=contacts[name], speed_m_s=speeds[name], settling=None, dynamic=True, why=why
            )
        else:
            load = {one for one in carrier_of if name in _chain(one, carrier_of)}
            standings[name] = _judge(scene, body, contacts[name], speeds[name], load)
    return scene.moving_with(velocities), {body.name: standings[body.name] for body in scene.bodies}


def _carriers(scene: Scene, touched: set[str], speeds: dict[str, float]) -> dict[str, str]:
    """What carries each load that moves and that nobody touches; chains end at something touched."""
    carrier_of: dict[str, str] = {}
    loads = [body for body in scene.bodies if body.name not in touched and speeds[body.name] > MOVING_M_S]
    known = [body for body in scene.bodies if body.name in touched and speeds[body.name] > MOVING_M_S]
    while loads:
        found = [(load, other) for load in loads for other in known if rides(load, other)]
        if not found:
            break
        for load, other in found:
            carrier_of.setdefault(load.name, other.name)
        known = [load for load in loads if load.name in carrier_of]
        loads = [load for load in loads if load.name not in carrier_of]
    return carrier_of


def _chain(name: str, carrier_of: dict[str, str]) -> tuple[str, ...]:
    """What carries `name`, what carries that, and so on."""
    chain: list[str] = []
    while name in carrier_of:
        name = carrier_of[name]
        chain.append(name)
    return tuple(chain)


def _depth(name: str, carrier_of: dict[str, str]) -> tuple[int, str]:
    return len(_chain(name, carrier_of)), name


def rides(load: Body, carrier: Body) -> bool:
    """Whether a body touches another and moves as if it were fixed to it."""
    linear, _ = _rigid_velocity(carrier, load.pose[:3])
    slack = RIDE_M_S + RIDE_SHARE * float(np.linalg.norm(linear))
    if np.linalg.norm(load.linear - linear) > slack:
        return False
    return _gap(load, carrier) < RIDE_M or _gap(carrier, load) < RIDE_M


def _gap(first: Body, second: Body) -> float:
    """Least distance [m] of some of the first body's vertices to the second's surface; inf beyond `RIDE_M`."""
    some = first.vertices[:: max(1, len(first.vertices) // RIDE_VERTICES)]
    points = apply_pose(inverse_pose(second.pose), apply_pose(first.pose, some))
    return float(distances_to_mesh(points, second.vertices, second.faces, RIDE_M).min())


def _rigid_velocity(
    carrier: Body, at: np.ndarray, known: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Linear and angular velocity [3] of a point fixed to a body."""
    linear, angular = known or (carrier.linear, carrier.angular)
    return linear + np.cross(angular, at - carrier.pose[:3]), angular


def _judge(scene: Scene, body: Body, contact: Contact, speed: float, load: set[str]) -> Standing:
    """Whether an object is let go by the person, or moves by itself; its load is out of the way."""
    settings = scene.spec.physics
    touched, moving = contact.distance_m * 1000 < settings.contact_mm, speed > MOVING_M_S
    loose = not touched and not moving and np.isfinite(contact.distance_m)

    def verdict(dynamic: bool, why: str, settling: Settling | None = None) -> Standing:
        return Standing(contact=contact, speed_m_s=speed, settling=settling, dynamic=dynamic, why=why)

    if not touched and not moving and not loose:
        return verdict(False, "nobody touches it and it lies still")
    if not moving and scene.stands(body):
        return verdict(False, f"{touch(contact)}, but it stands on the floor by itself")
    settling = scene.free(body, load)
    if loose:
        if settling.sunk_mm > LOOSE_SUNK_MM:
            return verdict(True, f"held loosely: {touch(contact)}; set free, {moved(settling)}", settling)
        return verdict(False, f"{touch(contact)}, and it lies still: {moved(settling)}", settling)
    if not settling.beyond(settings):
        return verdict(False, f"{touch(contact)}, but set free it stays: {moved(settling)}", settling)
    cause = f"held: {touch(contact)}" if touched else f"moves by itself at {speed:.2f} m/s"
    return verdict(True, f"{cause}; set free, {moved(settling)}", settling)


def touch(contact: Contact) -> str:
    """A contact in words."""
    if contact.inside:
        return f"{contact.part} is inside it"
    if contact.distance_mm is None:
        return "nobody touches it"
    return f"{contact.part} is {contact.distance_mm:.1f} mm away"


def moved(settling: Settling) -> str:
    """A free displacement in words."""
    return f"it moves {settling.moved_mm:.0f} mm and turns {settling.turned_deg:.0f} degrees"
