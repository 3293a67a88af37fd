"""How much of an object a camera sees past people and furniture, estimated from points and boxes without rendering."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from datagen.camera import Lens, project
from datagen.spec import World
from datagen.trajectory import matrices_from_poses

BODY_RADIUS_M = 0.035  # a point of the body hides what is this near to its line of sight
SAMPLED_FRAMES = 8
BOX_SHRINK = 0.96  # so that what stands on a box is not taken to be inside it

Tracks = tuple[Mapping[World, np.ndarray], np.ndarray]  # poses [num_frames, 7] by world, corners [8, 3]


def visible_shares(
    affected: Mapping[str, Mapping[World, np.ndarray]],
    people: np.ndarray,
    furniture: Mapping[str, Tracks],
    world_from_camera: np.ndarray,
    lens: Lens,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean visible shares [N] of the affected objects: at the first frame of F, and over C (where no person stands).

    affected: name -> world -> corners [num_frames, 8, 3]; people: [num_frames, P, 3]; furniture: name -> tracks;
    world_from_camera: [N, num_frames, 7].
    """
    frames = np.unique(np.linspace(0, len(people) - 1, SAMPLED_FRAMES).astype(int))
    before, after = [], []
    for name, boxes in affected.items():
        others = {other: tracks for other, tracks in furniture.items() if other != name}
        if World.FACTUAL in boxes:
            samples = inner_points(boxes[World.FACTUAL][0])
            seen = seen_past_boxes(samples, others, World.FACTUAL, 0, world_from_camera[:, 0, :3])
            seen &= np.array([seen_past_people(samples, people[0], pose, lens) for pose in world_from_camera[:, 0]])
            before.append(seen.mean(axis=1))
        for frame in frames if World.COUNTERFACTUAL in boxes else ():
            samples = inner_points(boxes[World.COUNTERFACTUAL][frame])
            seen = seen_past_boxes(samples, others, World.COUNTERFACTUAL, frame, world_from_camera[:, frame, :3])
            after.append(seen.mean(axis=1))
    everything = np.ones((1, len(world_from_camera)))
    return np.mean(before or everything, axis=0), np.mean(after or everything, axis=0)


def inner_points(corners: np.ndarray) -> np.ndarray:
    """The centre of a box and points halfway to its corners: [9, 3] of [8, 3]."""
    centre = corners.mean(axis=0)
    return np.concatenate([centre[None], 0.5 * (corners + centre)])


def seen_past_people(samples: np.ndarray, body: np.ndarray, world_from_camera: np.ndarray, lens: Lens) -> np.ndarray:
    """Which samples [N, 3] no point of a body [P, 3] covers from a camera [7]: bool [N]."""
    if not len(body):
        return np.ones(len(samples), dtype=bool)
    at, depth = project(samples, world_from_camera, lens)
    body_at, body_depth = project(body, world_from_camera, lens)
    radius_px = BODY_RADIUS_M * lens.focal_px / np.maximum(body_depth, 0.1)
    across, down = (at[:, None, axis] - body_at[None, :, axis] for axis in (0, 1))
    near = across**2 + down**2 < radius_px[None] ** 2
    return ~(near & (body_depth[None] < depth[:, None] - 0.02)).any(axis=1)


def seen_past_boxes(
    samples: np.ndarray, furniture: Mapping[str, Tracks], world: World, frame: int, cameras: np.ndarray
) -> np.ndarray:
    """Which samples [P, 3] no box of other objects covers from cameras at [N, 3]: bool [N, P].

    A box that holds one of the samples is a shelf, a cart or the space under a table, and hides nothing.
    """
    seen = np.ones((len(cameras), len(samples)), dtype=bool)
    for poses, corners in furniture.values():
        if world not in poses:
            continue
        low, high = corners.min(axis=0), corners.max(axis=0)
        centre, half = 0.5 * (low + high), 0.5 * BOX_SHRINK * (high - low)
        low, high = centre - half, centre + half
        matrix = matrices_from_poses(poses[world][frame])
        ends, starts = ((points - matrix[:3, 3]) @ matrix[:3, :3] for points in (samples, cameras))
        if not ((ends > low) & (ends < high)).all(axis=1).any():
            seen &= ~segments_meet_box(starts[:, None], ends, low, high)
    return seen


def segments_meet_box(start: np.ndarray, ends: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether segments from `start` [..., 3] to `ends` [N, 3] meet an axis-aligned box; bool [..., N].

    Slabs: Kay and Kajiya 1986. `start` of several is [M, 1, 3].
    """
    step = ends - start
    safe = np.where(np.abs(step) < 1e-12, 1e-12, step)
    first, second = (low - start) / safe, (high - start) / safe
    enter = np.minimum(first, second).max(axis=-1)
    leave = np.maximum(first, second).min(axis=-1)
    return np.asarray((enter < leave) & (enter < 0.98) & (leave > 0))
