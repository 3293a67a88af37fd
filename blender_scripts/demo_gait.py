"""Timing curves, and feet that step where a walking person's would."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from blender_scripts.demo_body import Skeleton
from blender_scripts.demo_rig import SIDES, about, turn

__all__ = ["Feet", "ease", "keyed", "plan_feet", "smooth", "travel"]

STEP = 0.50  # length of a step [m]
HEEL_BACK = 0.07  # from the ankle to the back of the heel [m]
SPLAY = {"Left": 0.10, "Right": -0.10}  # feet point outwards [rad]


def ease(num_frames: int, start: float, end: float) -> np.ndarray:
    """0 before frame `start`, 1 after `end`, minimum-jerk in between."""
    t = np.clip((np.arange(num_frames) - start) / max(end - start, 1e-9), 0, 1)
    return t**3 * (10 - 15 * t + 6 * t**2)


def travel(num_frames: int, start: float, end: float, ramp: float = 0.28) -> np.ndarray:
    """Like `ease`, at constant speed but for the ends: walking."""
    t = np.clip((np.arange(num_frames) - start) / max(end - start, 1e-9), 0, 1)
    fine = np.linspace(0, 1, 400)
    speed = np.clip(np.minimum(fine, 1 - fine) / ramp, 0, 1)
    speed = speed * speed * (3 - 2 * speed)
    path = np.concatenate([[0], np.cumsum((speed[1:] + speed[:-1]) / 2)])
    return np.interp(t, fine, path / path[-1])


def keyed(num_frames: int, *keys: tuple[float, float | Sequence[float]]) -> np.ndarray:
    """Values that ease from key to key (frame, value) and hold before and after, [num_frames, ...]."""
    values = [np.asarray(value, float) for _, value in keys]
    out = np.broadcast_to(values[0], (num_frames, *values[0].shape)).copy()
    for (start, _), (end, _), a, b in zip(keys, keys[1:], values, values[1:], strict=False):
        share = ease(num_frames, start, end).reshape(-1, *(1,) * a.ndim)
        out = out + share * (b - a)
    return out


def smooth(values: np.ndarray, frames: float) -> np.ndarray:
    return gaussian_filter1d(values, frames, axis=0, mode="nearest")


@dataclass(frozen=True, kw_only=True)
class Feet:
    """Ankles and feet on every frame, and how much weight the right leg bears (0..1)."""

    ankles: dict[str, np.ndarray]
    feet: dict[str, np.ndarray]
    toes: dict[str, np.ndarray]
    right_weight: np.ndarray


def plan_feet(
    skeleton: Skeleton, ground: np.ndarray, heading: np.ndarray, moves: Sequence[tuple[int, int]], first: str = "Right",
    step_length: float = STEP,
) -> Feet:  # fmt: skip
    """Steps of about `step_length` metres for a path [num_frames, 2] and headings that change only during `moves`."""
    num_frames = len(ground)
    spots = {side: np.empty((num_frames, 3)) for side in SIDES}  # x, y, yaw
    lift = {side: np.zeros(num_frames) for side in SIDES}
    pitch = {side: np.zeros(num_frames) for side in SIDES}
    bear = np.full(num_frames, 0.5)
    now = {side: _spot(skeleton, side, ground[0], heading[0]) for side in SIDES}
    for side in SIDES:
        spots[side][:] = now[side]
    order = [first, SIDES[1 - SIDES.index(first)]]
    for start, end in moves:
        stop = min(end + 1, num_frames)
        way = np.hypot(*np.diff(ground[start:stop], axis=0).T)
        way = np.concatenate([[0], np.cumsum(np.sqrt(way**2 + (0.28 * np.diff(heading[start:stop])) ** 2))])
        num_steps = max(2, round(way[-1] / step_length) + 1)
        size = way[-1] / num_steps / STEP
        phase = way / way[-1] * num_steps
        for step in range(num_steps):
            side = order[step % 2]
            landing = way[-1] * min(1.0, (step + (1.5 if step < num_steps - 2 else 1.8)) / num_steps)
            along = (*ground[start:stop].T, heading[start:stop])
            spot = np.array([np.interp(landing, way, column) for column in along])
            target = _spot(skeleton, side, spot[:2], spot[2])
            u = np.clip((phase - step - 0.06) / 0.88, 0, 1)
            u = np.where(phase >= num_steps - 1e-9, 1.0, u)
            glide = u * u * (3 - 2 * u)
            rows = slice(start, stop)
            spots[side][rows] += glide[:, None] * (target - now[side])
            spots[side][stop:] = target
            lift[side][rows] += (0.025 + 0.035 * size) * np.sin(np.pi * u)
            final = 0.0 if step >= num_steps - 1 else 1.0
            begin = 0.0 if step == 0 else 1.0
            pitch[side][rows] += size * (
                (0.35 + 0.25 * begin) * _bump(phase, step - 0.3 * begin - 0.05, step + 0.12, step + 0.55)
                - 0.30 * (0.4 + 0.6 * final) * _bump(phase, step + 0.5, step + 0.93, step + 1.2)
            )
            sway = np.sin(np.pi * np.clip(phase - step, 0, 1))
            bear[rows] += (0.5 if side == "Left" else -0.5) * sway
            now[side] = target
        order = order if num_steps % 2 == 0 else order[::-1]
    placed = {side: _place(skeleton, side, spots[side], lift[side], smooth(pitch[side], 0.8)) for side in SIDES}
    return Feet(
        ankles={side: placed[side][0] for side in SIDES},
        feet={side: placed[side][1] for side in SIDES},
        toes={side: placed[side][2] for side in SIDES},
        right_weight=smooth(bear, 3.0),
    )


def _bump(x: np.ndarray, start: float, peak: float, end: float) -> np.ndarray:
    rise = np.clip((x - start) / max(peak - start, 1e-9), 0, 1)
    fall = np.clip((end - x) / (end - peak), 0, 1)
    both = np.minimum(rise, fall)
    return both * both * (3 - 2 * both)


def _spot(skeleton: Skeleton, side: str, ground: np.ndarray, heading: float) -> np.ndarray:
    """Where a foot stands under a person: x and y of its ankle, and its yaw."""
    ankle, hips = skeleton.head(f"{side}Foot"), skeleton.head("Hips")
    width = 0.62 * ankle[0]
    offset = turn(float(heading)) @ np.array([width, ankle[1] - hips[1] + 0.01, 0.0])
    return np.array([*(ground + offset[:2]), heading + SPLAY[side]])


def _place(
    skeleton: Skeleton, side: str, spots: np.ndarray, lift: np.ndarray, pitch: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ankles, foot and toe rotations; the foot rolls over its ball (pitch > 0) or its heel (pitch < 0)."""
    ankle, ball = skeleton.head(f"{side}Foot"), skeleton.head(f"{side}ToeBase")
    yaw = turn(spots[:, 2] - _rest_yaw(skeleton, side))
    roll = about(np.array([1.0, 0.0, 0.0]), pitch)
    foot = yaw @ _rest_align(skeleton, side) @ roll @ _rest_align(skeleton, side).T
    lift = smooth(lift, 0.8)
    front = ball - ankle
    back = np.array([ankle[0], ankle[1] + HEEL_BACK, 0.0]) - ankle
    pivot = np.where(pitch[:, None] > 0, front, back)
    flat = np.column_stack([spots[:, :2], np.full(len(spots), ankle[2])])
    rise = (yaw @ pivot[..., None] - foot @ pivot[..., None])[..., 0]
    toes = np.where((pitch > 0)[:, None, None], yaw, foot)
    return flat + rise + np.column_stack([0 * lift, 0 * lift, lift]), foot, toes


def _rest_yaw(skeleton: Skeleton, side: str) -> float:
    along = skeleton.head(f"{side}ToeBase") - skeleton.head(f"{side}Foot")
    return float(np.arctan2(along[0], -along[1]))


def _rest_align(skeleton: Skeleton, side: str) -> np.ndarray:
    return turn(_rest_yaw(skeleton, side))
