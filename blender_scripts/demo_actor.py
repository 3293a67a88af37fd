"""Acting: a person with a path to walk, things to look at and things to do with both hands becomes a Posture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from blender_scripts.demo_body import Body
from blender_scripts.demo_gait import STEP, Feet, plan_feet, smooth
from blender_scripts.demo_hands import Grasp, open_curl, relaxed_curl
from blender_scripts.demo_rig import SIDES, Posture, about, hand_rotation, mix, pose_bones, turn, unit

__all__ = ["Actor", "Reach", "Touch", "carry_frame", "matrices"]

OUT = {"Left": 1.0, "Right": -1.0}  # a person who faces -Y has the left hand at +X
X, Y, UP = np.eye(3)


@dataclass(frozen=True)
class Touch:
    """Timing [num_frames]: `holding` moves the wrist, 0 free to 1 on the object; `grip` closes the fingers, 0 to 1."""

    holding: np.ndarray
    grip: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Reach:
    """A hand that goes to an object, holds it and lets go.

    The object's poses are [num_frames, 4, 4]. The hand comes and goes by way of `approach`, a displacement in
    the frame of the person's heading.
    """

    side: str
    grasp: Grasp
    poses: np.ndarray
    touch: Touch
    approach: np.ndarray | tuple[float, float, float] = (0.0, 0.0, 0.0)
    elbow: tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A body, where it stands [num_frames, 2], where it faces [num_frames] and when its feet may move."""

    body: Body
    ground: np.ndarray
    heading: np.ndarray
    moves: tuple[tuple[int, int], ...] = ()
    first: str = "Right"
    step_length: float = STEP  # [m]
    lean: np.ndarray | float = 0.0  # forward bend of the back [rad]
    crouch: np.ndarray | float = 0.0  # lowering of the pelvis [m]
    chest_turn: np.ndarray | float = 0.0  # [rad]

    @property
    def num_frames(self) -> int:
        return len(self.ground)

    def seconds(self) -> np.ndarray:
        return np.arange(self.num_frames) / 30.0

    def trunk(self) -> Posture:
        """The body without hands and gaze: feet, pelvis, chest; arms hang and swing."""
        skeleton = self.body.skeleton
        feet = plan_feet(skeleton, self.ground, self.heading, self.moves, self.first, self.step_length)
        facing = turn(self.heading)
        sway = self.sway(feet)
        pelvis = self.pelvis(feet, facing, sway)
        stride = stride_of(feet, facing)
        lean = np.broadcast_to(self.lean, (self.num_frames,))
        breath = np.sin(2 * np.pi * 0.27 * self.seconds())
        speed = smooth(np.linalg.norm(np.gradient(self.ground, axis=0), axis=1) * 30, 4)
        hips = facing @ about(UP, 0.16 * stride) @ about(Y, 0.9 * sway) @ about(X, 0.5 * lean)
        chest = (
            facing
            @ about(UP, np.broadcast_to(self.chest_turn, (self.num_frames,)) - 0.16 * stride)
            @ about(Y, -0.35 * sway)
            @ about(X, lean + 0.03 * speed - 0.008 * breath)
        )
        idle = np.zeros((self.num_frames, 3))
        posture = Posture(
            pelvis=pelvis,
            pelvis_rotation=hips,
            chest_rotation=chest,
            head_rotation=facing,
            ankles=feet.ankles,
            feet=feet.feet,
            toes=feet.toes,
            wrists=dict.fromkeys(SIDES, idle),
            hands=dict.fromkeys(SIDES, facing),
            elbows={side: facing @ np.array([0.55 * OUT[side], 0.8, -0.3]) for side in SIDES},
            curls={side: np.tile(relaxed_curl(), (self.num_frames, 1, 1)) for side in SIDES},
        )
        return self.hang_arms(posture, facing, stride, lean)

    def sway(self, feet: Feet) -> np.ndarray:
        """Sideways shift of the pelvis towards the bearing leg, to the person's right positive [about -0.05..0.05]."""
        t = self.seconds()
        idle = 0.010 * np.sin(2 * np.pi * 0.13 * t + 0.6) + 0.004 * np.sin(2 * np.pi * 0.31 * t)
        return 0.07 * (feet.right_weight - 0.5) + idle

    def pelvis(self, feet: Feet, facing: np.ndarray, sway: np.ndarray) -> np.ndarray:
        """As high as both legs allow."""
        skeleton = self.body.skeleton
        rest = skeleton.head("Hips")
        shift = facing @ np.array([-1.0, 0.0, 0.0]) * sway[:, None]
        back = facing @ Y * (0.17 * np.sin(np.broadcast_to(self.lean, (self.num_frames,))))[:, None]
        place = np.column_stack([self.ground, np.zeros(self.num_frames)]) + shift + back
        height = np.full(self.num_frames, np.inf)
        for side in SIDES:
            hip = skeleton.head(f"{side}UpLeg")
            knee, ankle = skeleton.head(f"{side}Leg"), skeleton.head(f"{side}Foot")
            leg = 0.994 * (np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))
            joint = place + facing @ (hip - rest)
            flat = np.linalg.norm((feet.ankles[side] - joint)[:, :2], axis=1)
            top = feet.ankles[side][:, 2] + np.sqrt(np.maximum(leg**2 - flat**2, 0.01)) - (hip - rest)[2]
            height = np.minimum(height, top)
        height = smooth(height, 2.0) - 0.003 - np.broadcast_to(self.crouch, (self.num_frames,))
        return place + UP * height[:, None]

    def hang_arms(self, posture: Posture, facing: np.ndarray, stride: np.ndarray, lean: np.ndarray) -> Posture:
        _, positions = pose_bones(self.body.skeleton, replace(posture, wrists=dangling(self.body, posture)))
        t = self.seconds()
        wrists, hands = {}, {}
        for side in SIDES:
            skeleton = self.body.skeleton
            joints = [skeleton.head(f"{side}{name}") for name in ("Arm", "ForeArm", "Hand")]
            length = sum(float(np.linalg.norm(b - a)) for a, b in pairwise(joints))
            swing = 0.16 - 0.75 * lean + OUT[side] * 0.55 * stride + 0.03 * np.sin(2 * np.pi * 0.2 * t + OUT[side])
            down = facing @ np.array([0.19 * OUT[side], 0.0, -1.0])
            ahead = facing @ -Y
            aim = np.cos(swing)[:, None] * down + np.sin(swing)[:, None] * ahead
            bend = 0.955 - 0.05 * np.clip(swing, 0, 1)
            shoulder = positions[:, skeleton.index(f"{side}Arm")]
            wrists[side] = shoulder + unit(aim) * (bend * length)[:, None]
            fingers = unit(aim + (0.25 + 0.4 * swing)[:, None] * ahead)
            palm = facing @ np.array([-OUT[side], 0.35, 0.0])
            hands[side] = hand_rotation(skeleton, side, fingers, palm)
        return replace(posture, wrists=wrists, hands=hands)

    def look(self, posture: Posture, target: np.ndarray, strength: np.ndarray | float = 1.0) -> Posture:
        """Turn the head to a point, [num_frames, 3] or [3], as far as a neck goes."""
        skeleton = self.body.skeleton
        _, positions = pose_bones(skeleton, posture)
        eyes = positions[:, skeleton.index("Head")] + UP * 0.08
        aim = np.einsum("tji,tj->ti", turn(self.heading), unit(np.asarray(target, float) - eyes))
        yaw = np.clip(np.arctan2(aim[:, 0], -aim[:, 1]), -1.1, 1.1)
        pitch = np.clip(np.arcsin(np.clip(aim[:, 2], -1, 1)), -0.75, 0.4)
        share = np.broadcast_to(strength, (self.num_frames,))
        yaw, pitch = smooth(0.85 * yaw * share, 4.0), smooth(0.62 * pitch * share, 4.0)
        return replace(posture, head_rotation=turn(self.heading + yaw) @ about(X, -pitch))

    def gesture(self, posture: Posture, side: str, share: np.ndarray, wrist: np.ndarray, fingers: np.ndarray,
                palm: np.ndarray, curl: np.ndarray, elbow: np.ndarray | None = None) -> Posture:  # fmt: skip
        """Blend one hand to a wrist, finger and palm direction given in the heading's frame about the pelvis."""
        facing = turn(self.heading)
        point = posture.pelvis + (facing @ np.broadcast_to(wrist, (self.num_frames, 3))[..., None])[..., 0]
        hand = facing @ hand_rotation(self.body.skeleton, side, fingers, palm)
        elbow = np.array([0.5 * OUT[side], 0.5, -0.9]) if elbow is None else elbow
        return blended(posture, side, share, point, hand, facing @ elbow, curl)

    def reach(self, posture: Posture, reach: Reach) -> Posture:
        facing = turn(self.heading)
        object_rotation, object_place = reach.poses[:, :3, :3], reach.poses[:, :3, 3]
        far = np.clip((1 - reach.touch.holding) / 0.3, 0, 1)
        far = far * far * (3 - 2 * far)
        point = object_place + object_rotation @ reach.grasp.wrist + far[:, None] * (facing @ np.array(reach.approach))
        hand = object_rotation @ reach.grasp.rotation
        ready = np.minimum(open_curl(), reach.grasp.curl)
        curl = ready + reach.touch.grip[:, None, None] * (reach.grasp.curl - ready)
        elbow = np.array(reach.elbow or (0.75 * OUT[reach.side], 0.35, -0.8))
        return blended(posture, reach.side, reach.touch.holding, point, hand, facing @ elbow, curl)


def blended(
    posture: Posture,
    side: str,
    share: np.ndarray,
    wrist: np.ndarray,
    hand: np.ndarray,
    elbow: np.ndarray,
    curl: np.ndarray,
) -> Posture:
    early = np.clip(share * 1.6, 0, 1)
    column = share[:, None]
    return replace(
        posture,
        wrists=posture.wrists | {side: posture.wrists[side] + column * (wrist - posture.wrists[side])},
        hands=posture.hands | {side: mix(posture.hands[side], hand, early)},
        elbows=posture.elbows | {side: unit(posture.elbows[side] + column * (unit(elbow) - posture.elbows[side]))},
        curls=posture.curls | {side: posture.curls[side] + early[:, None, None] * (curl - posture.curls[side])},
    )


def dangling(body: Body, posture: Posture) -> dict[str, np.ndarray]:
    """Wrists straight below the shoulders: a first guess from which the shoulders follow."""
    heads = {side: body.skeleton.head(f"{side}Arm") - body.skeleton.head("Hips") for side in SIDES}
    return {side: posture.pelvis + posture.chest_rotation @ heads[side] - 0.5 * UP for side in SIDES}


def stride_of(feet: Feet, facing: np.ndarray) -> np.ndarray:
    """How far the right foot is ahead of the left [num_frames], about -0.5..0.5 m, smoothed."""
    apart = feet.ankles["Right"] - feet.ankles["Left"]
    return smooth(-np.einsum("tji,tj->ti", facing, apart)[:, 1], 2.0)


def carry_frame(actor: Actor, posture: Posture) -> np.ndarray:
    """Frames [num_frames, 4, 4] that go with a walking person but damp their bobbing and swaying."""
    place = np.column_stack(
        [posture.pelvis[:, :2], 0.5 * posture.pelvis[:, 2] + 0.5 * smooth(posture.pelvis[:, 2], 12)]
    )
    return matrices(turn(smooth(actor.heading, 2.0)), smooth(place, 2.0))


def matrices(rotations: np.ndarray, places: np.ndarray | Sequence[float]) -> np.ndarray:
    """Rigid transforms [num_frames, 4, 4]."""
    places = np.asarray(places, float)
    num_frames = len(rotations) if rotations.ndim == 3 else len(places)
    out = np.tile(np.eye(4), (num_frames, 1, 1))
    out[:, :3, :3], out[:, :3, 3] = rotations, places
    return out
