"""Helpers for writing sequences: poses of things, timing of hands, and the finished Take."""

import numpy as np

from blender_scripts.demo_actor import Actor, Touch, matrices
from blender_scripts.demo_body import Body, Outfit
from blender_scripts.demo_gait import ease, travel
from blender_scripts.demo_hands import Grasp, grasp
from blender_scripts.demo_objects import Distance
from blender_scripts.demo_rig import Posture, mix, pose_bones, turn
from blender_scripts.demo_take import Colour, Mesh, Prop, Take

__all__ = ["between", "contact", "finish", "keyed_ground", "line", "offset", "pair", "prop", "standing", "turned"]

MIRROR = np.array([-1.0, 1.0, 1.0])


def standing(num_frames: int, x: float, y: float, z: float, heading: float = 0.0) -> np.ndarray:
    """Poses of something that never moves."""
    return np.repeat(matrices(turn(np.array([heading])), np.array([[x, y, z]])), num_frames, axis=0)


def offset(x: float, y: float, z: float, heading: float = 0.0) -> np.ndarray:
    return standing(1, x, y, z, heading)[0]


def between(first: np.ndarray, second: np.ndarray, share: np.ndarray, rise: float = 0.0) -> np.ndarray:
    """Poses on the way from one pose to another, in an arc that rises by `rise` metres; exact at both ends."""
    places = first[:, :3, 3] + share[:, None] * (second[:, :3, 3] - first[:, :3, 3])
    places[:, 2] += rise * np.sin(np.pi * share) ** 2
    rotations = mix(first[:, :3, :3], second[:, :3, :3], share)
    still = share == 0
    rotations[still] = first[still, :3, :3]
    return matrices(rotations, places)


def turned(held: Grasp, angle: float) -> Grasp:
    """The same grasp on a round object that was turned by `angle` about its axis."""
    rotation = turn(-angle)
    return Grasp(
        rotation=rotation @ held.rotation, wrist=rotation @ held.wrist, curl=held.curl, palm=rotation @ held.palm
    )


def prop(name: str, mesh: Mesh, colour: Colour, poses: np.ndarray) -> Prop:
    return Prop(name=name, mesh=mesh, colour=colour, poses=poses)


def line(num_frames: int, start: tuple[float, float], end: tuple[float, float], share: np.ndarray) -> np.ndarray:
    return np.array(start) + share[:, None] * (np.array(end) - np.array(start))


def contact(num_frames: int, arrive: float | None = None, leave: float | None = None) -> Touch:
    """On the object by `arrive`, fingers closed 10 frames later; they open at `leave`."""
    holding, grip = np.ones(num_frames), np.ones(num_frames)
    if arrive is not None:
        holding, grip = ease(num_frames, arrive - 38, arrive), ease(num_frames, arrive - 2, arrive + 10)
    if leave is not None:
        holding, grip = holding - ease(num_frames, leave + 7, leave + 48), grip - ease(num_frames, leave, leave + 11)
    return Touch(holding, grip)


def pair(body: Body, distance: Distance, *, fingers: np.ndarray, palm: np.ndarray, at: np.ndarray,
         start: np.ndarray | None = None, limits: np.ndarray | None = None) -> dict[str, Grasp]:  # fmt: skip
    """Both hands on an object that is symmetric in X; the directions are the left hand's."""
    sides = {"Left": np.ones(3), "Right": MIRROR}
    return {
        side: grasp(body, side, distance, fingers=m * fingers, palm=m * palm, at=m * at, start=start, limits=limits)
        for side, m in sides.items()
    }


def finish(name: str, short: str, long: str, actor: Actor, outfit: Outfit, posture: Posture, *props: Prop) -> Take:
    rotations, positions = pose_bones(actor.body.skeleton, posture)
    return Take(
        name=name,
        short_script=short,
        long_script=long,
        body=actor.body,
        outfit=outfit,
        rotations=rotations,
        positions=positions,
        props=props,
    )


def keyed_ground(
    num_frames: int, points: tuple[tuple[float, float], ...], moves: tuple[tuple[int, int], ...]
) -> np.ndarray:
    """Walk from point to point, one move for each leg of the way."""
    path = np.repeat(np.array(points[:1]), num_frames, axis=0)
    for (start, end), a, b in zip(moves, points, points[1:], strict=False):
        path = path + travel(num_frames, start, end)[:, None] * (np.array(b) - np.array(a))
    return path
