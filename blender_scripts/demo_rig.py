"""From what a person does (pelvis, chest, gaze, wrists, ankles, fingers) to the rotation of every bone.

All rotations are relative to the rest pose, in world axes: the identity is the rest pose. Arrays begin with
[num_frames].
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from blender_scripts.demo_body import Skeleton

__all__ = ["FINGERS", "SIDES", "Posture", "about", "hand_axes", "hand_rotation", "mix", "pose_bones", "turn", "unit"]

SIDES = ("Left", "Right")
FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")
UP = np.array([0.0, 0.0, 1.0])


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def about(axis: np.ndarray, angle: np.ndarray | float) -> np.ndarray:
    """Rotations [..., 3, 3] by an angle [rad] about axes [..., 3]."""
    axis, angle = np.broadcast_arrays(unit(np.asarray(axis, float)), np.asarray(angle, float)[..., None])
    return Rotation.from_rotvec((axis * angle).reshape(-1, 3)).as_matrix().reshape(*axis.shape, 3)


def turn(heading: np.ndarray | float) -> np.ndarray:
    """Rotation about the vertical; heading 0 faces -Y."""
    return about(UP, heading)


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Rotations a share of the way from the first to the second (slerp), [num_frames, 3, 3]."""
    first, second = np.broadcast_arrays(first, second)
    step = Rotation.from_matrix(np.swapaxes(first, -1, -2) @ second).as_rotvec()
    angle = np.broadcast_to(np.asarray(share, float), len(step))
    return first @ Rotation.from_rotvec(angle[:, None] * step).as_matrix()


def frame(along: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Axes [..., 3, 3] (columns): `along`, the part of `towards` at right angles to it, and their cross product."""
    x = unit(along)
    y = unit(towards - (towards * x).sum(-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def hand_axes(skeleton: Skeleton, side: str) -> np.ndarray:
    """Columns: direction of the fingers, out of the palm, and their cross product, in the rest pose."""
    wrist, index, middle, pinky = (skeleton.head(f"{side}Hand{joint}") for joint in ("", "Index1", "Middle1", "Pinky1"))
    fingers, across = unit(middle - wrist), index - pinky
    palm = np.cross(fingers, across) if side == "Left" else np.cross(across, fingers)
    return frame(fingers, palm)


def hand_rotation(skeleton: Skeleton, side: str, fingers: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """Rotation that points the fingers and the palm's outward normal as asked, [..., 3, 3]."""
    fingers, palm = np.broadcast_arrays(np.asarray(fingers, float), np.asarray(palm, float))
    return frame(fingers, palm) @ hand_axes(skeleton, side).T


@dataclass(frozen=True, kw_only=True)
class Posture:
    """What a person does on every frame; per side where a dict. Metres, rest-relative world rotations."""

    pelvis: np.ndarray  # head of the hip bone [num_frames, 3]
    pelvis_rotation: np.ndarray
    chest_rotation: np.ndarray
    head_rotation: np.ndarray
    ankles: dict[str, np.ndarray]
    feet: dict[str, np.ndarray]
    toes: dict[str, np.ndarray]
    wrists: dict[str, np.ndarray]
    hands: dict[str, np.ndarray]
    elbows: dict[str, np.ndarray]  # direction in which the elbow points [num_frames, 3]
    curls: dict[str, np.ndarray]  # finger angles [num_frames, 5, 3], radians


def pose_bones(skeleton: Skeleton, posture: Posture) -> tuple[np.ndarray, np.ndarray]:
    """Rotations [num_frames, num_bones, 3, 3] and bone heads [num_frames, num_bones, 3]."""
    num_frames, num_bones = len(posture.pelvis), len(skeleton.names)
    rotations = np.tile(np.eye(3), (num_frames, num_bones, 1, 1))
    positions = np.zeros((num_frames, num_bones, 3))
    ids = {name.removeprefix("mixamorig:"): i for i, name in enumerate(skeleton.names)}

    def place(name: str, rotation: np.ndarray) -> np.ndarray:
        """Set a bone's rotation; its head follows from its parent."""
        bone = ids[name]
        parent = skeleton.parents[bone]
        rotations[:, bone] = rotation
        if parent < 0:
            positions[:, bone] = posture.pelvis
        else:
            arm = skeleton.heads[bone] - skeleton.heads[parent]
            positions[:, bone] = positions[:, parent] + rotations[:, parent] @ arm
        return positions[:, bone]

    place("Hips", posture.pelvis_rotation)
    for name, share in (("Spine", 0.35), ("Spine1", 0.7), ("Spine2", 1.0)):
        place(name, mix(posture.pelvis_rotation, posture.chest_rotation, share))
    place("Neck", mix(posture.chest_rotation, posture.head_rotation, 0.5))
    place("Head", posture.head_rotation)
    place("HeadTop_End", posture.head_rotation)
    for side in SIDES:
        wrist = posture.wrists[side]
        resting = place(f"{side}Shoulder", posture.chest_rotation)
        place(f"{side}Shoulder", clavicle(skeleton, side, posture.chest_rotation, resting, wrist))
        shoulder = place(f"{side}Arm", np.eye(3))
        names = [f"{side}Arm", f"{side}ForeArm", f"{side}Hand"]
        upper, lower = two_bones(skeleton, names, shoulder, wrist, posture.elbows[side], arm_bend(skeleton, names))
        place(names[0], upper)
        place(names[1], untwist(skeleton, names, lower, posture.hands[side]))
        place(names[2], posture.hands[side])
        for finger, angles in zip(FINGERS, np.moveaxis(posture.curls[side], 1, 0), strict=True):
            joint = posture.hands[side]
            for index in (1, 2, 3):
                axis = finger_axis(skeleton, side, finger, index)
                joint = joint @ about(axis, angles[:, index - 1])
                place(f"{side}Hand{finger}{index}", joint)
            place(f"{side}Hand{finger}4", joint)
    for side in SIDES:
        hip = place(f"{side}UpLeg", posture.pelvis_rotation)
        names = [f"{side}UpLeg", f"{side}Leg", f"{side}Foot"]
        knee = mix(posture.pelvis_rotation, posture.feet[side], 0.5) @ np.array([0.0, -1.0, 0.12])
        upper, lower = two_bones(skeleton, names, hip, posture.ankles[side], knee, np.array([0.0, -1.0, 0.0]))
        place(names[0], upper)
        place(names[1], lower)
        place(names[2], posture.feet[side])
        place(f"{side}ToeBase", posture.toes[side])
        place(f"{side}Toe_End", posture.toes[side])
    return rotations, positions


def clavicle(skeleton: Skeleton, side: str, chest: np.ndarray, start: np.ndarray, wrist: np.ndarray) -> np.ndarray:
    """The collar bone follows a raised or far hand a little."""
    bone = skeleton.head(f"{side}Arm") - skeleton.head(f"{side}Shoulder")
    now = chest @ bone
    aim = unit(wrist - start)
    lift = np.clip(aim[:, 2] + 0.35, 0, 1.0)[:, None] * UP
    forward = 0.25 * (aim - (aim * UP).sum(-1, keepdims=True) * UP)
    wanted = unit(unit(now) + 0.35 * lift + 0.6 * forward)
    axis = np.cross(unit(now), wanted)
    return about(axis + 1e-9, np.arcsin(np.clip(np.linalg.norm(axis, axis=-1), 0, 1)) * 0.6) @ chest


def arm_bend(skeleton: Skeleton, names: list[str]) -> np.ndarray:
    """Direction in which the elbow points in the rest pose."""
    a, b, c = (skeleton.head(name) for name in names)
    along = unit(c - a)
    return b - a - ((b - a) @ along) * along


def two_bones(
    skeleton: Skeleton, names: list[str], start: np.ndarray, end: np.ndarray, bend: np.ndarray, rest_bend: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations of a limb's two bones that bring its end to `end`, the middle joint towards `bend` (law of cosines)."""
    a, b, c = (skeleton.head(name) for name in names)
    first, second = float(np.linalg.norm(b - a)), float(np.linalg.norm(c - b))
    reach = end - start
    length = np.clip(np.linalg.norm(reach, axis=-1), abs(first - second) * 1.05, (first + second) * 0.9995)
    along = unit(reach)
    out = unit(bend - (bend * along).sum(-1, keepdims=True) * along)
    cosine = (first**2 + length**2 - second**2) / (2 * first * length)
    middle = first * (cosine[:, None] * along + np.sqrt(np.clip(1 - cosine**2, 0, 1))[:, None] * out)
    normal = np.cross(along, out)
    rest_along = unit(c - a)
    rest_out = unit(rest_bend - (rest_bend @ rest_along) * rest_along)
    rest_normal = np.cross(rest_along, rest_out)
    upper = frame(middle, normal) @ frame(b - a, rest_normal).T
    lower = frame(along * length[:, None] - middle, normal) @ frame(c - b, rest_normal).T
    return upper, lower


def untwist(skeleton: Skeleton, names: list[str], lower: np.ndarray, hand: np.ndarray) -> np.ndarray:
    """Let the forearm take half of the hand's roll, so that the wrist does not wring."""
    axis = unit(skeleton.head(names[2]) - skeleton.head(names[1]))
    relative = Rotation.from_matrix(np.swapaxes(lower, -1, -2) @ hand).as_quat()
    roll = 2 * np.arctan2(relative[:, :3] @ axis, relative[:, 3])
    roll = (roll + np.pi) % (2 * np.pi) - np.pi
    return lower @ about(axis, 0.6 * roll)


def finger_axis(skeleton: Skeleton, side: str, finger: str, index: int) -> np.ndarray:
    """Axis about which a joint flexes: fingers close on the palm; the thumb swings in front of it, then across."""
    axes = hand_axes(skeleton, side)
    fingers, palm = axes[:, 0], axes[:, 1]
    bone = skeleton.index(f"{side}Hand{finger}{index}")
    along = unit(skeleton.tails[bone] - skeleton.heads[bone])
    if finger != "Thumb":
        return unit(np.cross(along, palm))
    across = unit(skeleton.head(f"{side}HandIndex1") - skeleton.head(f"{side}HandPinky1"))
    if index == 1:
        return unit(np.cross(across, palm))
    return unit(np.cross(along, 0.45 * palm - across + 0.1 * fingers))
