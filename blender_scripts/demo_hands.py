"""Hands that close on things: place the palm on an object, then flex each finger until it touches."""

from dataclasses import dataclass

import numpy as np

from blender_scripts.demo_body import Body
from blender_scripts.demo_objects import Distance
from blender_scripts.demo_rig import FINGERS, about, finger_axis, hand_rotation, unit

__all__ = ["CLOSED", "Grasp", "grasp", "flat_curl", "open_curl", "relaxed_curl"]

GAP = 0.0008  # left between skin and object, so that nothing begins inside [m]
STEP = np.radians(2.0)
CLOSED = np.radians([[55, 45, 55], [80, 95, 60], [80, 95, 60], [80, 95, 60], [80, 95, 60]])  # a fist


def flat_curl() -> np.ndarray:
    """A hand bent slightly backwards, to lie under or against something flat."""
    return np.radians([[-14, -6, 0], [-22, -20, -12], [-24, -20, -12], [-26, -20, -12], [-28, -20, -12]])


@dataclass(frozen=True, kw_only=True)
class Grasp:
    """A hand on an object: rotation and wrist in the object's frame, finger angles, and the palm's outward normal."""

    rotation: np.ndarray  # rest-relative, [3, 3]
    wrist: np.ndarray  # [3]
    curl: np.ndarray  # [5, 3]
    palm: np.ndarray  # [3]


def relaxed_curl() -> np.ndarray:
    """A hand that hangs, [5, 3] radians."""
    return np.radians([[12, 8, 10], [16, 18, 10], [20, 22, 12], [24, 25, 14], [26, 26, 15]])


def open_curl() -> np.ndarray:
    """A hand about to grasp."""
    return np.radians([[5, 0, 0], [4, 6, 4], [4, 6, 4], [5, 7, 4], [6, 8, 5]])


def grasp(
    body: Body, side: str, distance: Distance, *, fingers: np.ndarray, palm: np.ndarray, at: np.ndarray,
    limits: np.ndarray | None = None, start: np.ndarray | None = None,
) -> Grasp:  # fmt: skip
    """Close a hand on an object whose surface is `distance`, all in the object's frame.

    The palm faces along `palm`, fingers point along `fingers`; the middle of the palm goes on the line through `at`
    along `palm`, as near to the object as skin allows. Angles stay below `limits` [5, 3] and begin at `start`.
    """
    skeleton = body.skeleton
    rotation = hand_rotation(skeleton, side, fingers, palm)
    normal = unit(np.asarray(palm, float) - (np.asarray(palm, float) @ unit(fingers)) * unit(fingers))
    limits = CLOSED if limits is None else limits
    curl = np.array(open_curl() if start is None else start)
    root = skeleton.head(f"{side}Hand")
    middle = 0.4 * root + 0.6 * skeleton.head(f"{side}HandMiddle1")
    wrist = np.asarray(at, float) - rotation @ (middle - root)

    skins = {finger: skin_of(body, side, [finger]) for finger in FINGERS}
    points = hand_points(skin_of(body, side, [*FINGERS, ""]), side, rotation, wrist, curl)
    wrist = wrist + advance(distance, points, normal) * normal
    for number, finger in enumerate(FINGERS):
        for joints in ((0, 1, 2), (1, 2), (2,)):
            moving = np.zeros(curl.shape, bool)
            moving[number, list(joints)] = True
            while (curl[moving] < limits[moving]).any():
                trial = np.where(moving, np.minimum(curl + STEP, limits), curl)
                if distance(hand_points(skins[finger], side, rotation, wrist, trial)).min() < GAP:
                    break
                curl = trial
    return Grasp(rotation=rotation, wrist=wrist, curl=curl, palm=normal)


def advance(distance: Distance, points: np.ndarray, normal: np.ndarray) -> float:
    """How far points may go along `normal` until one is nearer than GAP, coming from 20 cm behind [m]."""
    for offset in np.arange(-0.2, 0.12, 0.0005):
        if distance(points + offset * normal).min() < GAP:
            return float(offset) - 0.0005
    raise ValueError(f"a hand that moves along {normal.round(2)} from {points.mean(0).round(3)} never meets the object")


def skin_of(body: Body, side: str, fingers: list[str]) -> Body:
    """The vertices that follow some fingers most ("" is the palm)."""
    names = [f"{side}Hand{finger}{i}" for finger in fingers for i in (1, 2, 3) if finger]
    wanted = [body.skeleton.index(name) for name in names + [f"{side}Hand"] * ("" in fingers)]
    top = np.take_along_axis(body.weight_bones, body.weights.argmax(1)[:, None], axis=1)[:, 0]
    return body.subset(np.isin(top, wanted))


def hand_points(skin: Body, side: str, rotation: np.ndarray, wrist: np.ndarray, curl: np.ndarray) -> np.ndarray:
    """A hand's skin for a wrist pose and finger angles, [num_points, 3]."""
    skeleton = skin.skeleton
    rotations = np.tile(rotation, (len(skeleton.names), 1, 1))
    positions = wrist + (skeleton.heads - skeleton.head(f"{side}Hand")) @ rotation.T
    for number, finger in enumerate(FINGERS):
        joint, parent = rotation, skeleton.index(f"{side}Hand")
        for index in (1, 2, 3):
            bone = skeleton.index(f"{side}Hand{finger}{index}")
            positions[bone] = positions[parent] + rotations[parent] @ (skeleton.heads[bone] - skeleton.heads[parent])
            joint = joint @ about(finger_axis(skeleton, side, finger, index), curl[number, index - 1])
            rotations[bone] = joint
            parent = bone
    return skin.posed(rotations, positions)
