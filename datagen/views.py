"""The best view of the action that a tripod can have: what it has to show, and the cameras that are tried.

Cameras are tried all around the action and at several heights. Each is moved as near as the picture's margin lets it,
so that whatever moves in either world is in frame for the whole clip; the view in which the affected objects are
largest and least hidden wins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from datagen.camera import Lens, poses_of, to_camera, to_pixels, upright_axes
from datagen.errors import SceneRejected
from datagen.framing import MARGIN, NEAREST_M, distance_to_boxes
from datagen.physics.boxes import bounds_of
from datagen.spec import SceneSpec, World
from datagen.trajectory import Trajectory, place
from datagen.visibility import visible_shares

NUM_AZIMUTHS = 18
HEIGHT_STEPS_M = (0.0, 0.25, 0.5)
MAX_HEIGHT_M = 2.0
FOCAL_LENGTHS_MM = (24.0, 60.0)
DISTANCES_M = (1.2, 7.0)  # from the middle of the action, horizontally
DISTANCE_STEPS = 8  # halvings: 2 cm
CLEAR_SIZE = 0.12  # of the picture's width: an object of this size is clearly visible
MIN_VISIBLE = 0.15  # share of the affected objects that the best camera must see without the person


@dataclass(frozen=True, kw_only=True)
class Action:
    """What the camera has to show.

    shown      float64 [num_frames, M, 3], points of all that has to stay in frame
    hull       float64 [N, 3], corners of the convex hull of these
    affected   name -> world -> corners float64 [num_frames, 8, 3] of the objects that move differently
    people     float64 [num_frames, P, 3], points of all people
    furniture  name -> (world -> poses float64 [num_frames, 7], object-frame corners [8, 3])
    bounds     float64 [2, 3] of everything in the room
    """

    shown: np.ndarray
    hull: np.ndarray
    affected: Mapping[str, Mapping[World, np.ndarray]]
    people: np.ndarray
    furniture: Mapping[str, tuple[Mapping[World, np.ndarray], np.ndarray]]
    bounds: np.ndarray


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera that has the action in frame, and how good it is."""

    pose: np.ndarray
    lens: Lens
    score: float
    visible_before: float  # share of the affected objects not hidden at the first frame of F
    visible_after: float  # the same over C
    size: float  # of the affected objects, in picture widths


def boxes_of(action: Action) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Poses and corners of the furniture in both worlds."""
    for by_world, corners in action.furniture.values():
        for poses in by_world.values():
            yield poses, corners


def gather_action(
    spec: SceneSpec,
    worlds: Mapping[World, Trajectory],
    corners: Mapping[str, np.ndarray],
    people: Mapping[str, np.ndarray],
    affected: tuple[str, ...],
) -> Action:
    """The points that matter, from trajectories and bodies."""
    boxes = {
        (name, world): place(trajectory.of(name), corners[name])
        for world, trajectory in worlds.items()
        for name in trajectory.names
    }
    removed_objects = [name for name in spec.removed if name in corners]
    shown = [box for (name, _), box in boxes.items() if name in (*affected, *removed_objects)]
    bodies = [points for points in people.values() if points.size]
    if not shown and not bodies:
        raise SceneRejected(f"{spec.key}: nothing to show: no person and no object that moves", affected=list(affected))
    everything = np.concatenate([points.reshape(-1, 3) for points in (*boxes.values(), *bodies)])
    points = np.concatenate([*shown, *bodies], axis=1)
    return Action(
        shown=points,
        hull=convex_corners(points.reshape(-1, 3)),
        affected={name: {world: boxes[name, world] for world in worlds if (name, world) in boxes} for name in affected},
        people=np.concatenate(bodies, axis=1) if bodies else np.zeros((spec.clip.num_frames, 0, 3)),
        furniture={
            name: ({world: path.of(name) for world, path in worlds.items() if name in path.names}, corners[name])
            for name in corners
            if name not in spec.removed
        },
        bounds=bounds_of(everything),
    )


def convex_corners(points: np.ndarray) -> np.ndarray:
    """The points [N, 3] that span the convex hull; all of them when they lie in a plane."""
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


def best_view(spec: SceneSpec, action: Action) -> View:
    """The best of all cameras tried; raises `SceneRejected` when there is none."""
    views = candidate_views(spec, action)
    extent = [round(float(side), 2) for side in np.ptp(action.hull, axis=0)]
    if not views:
        raise SceneRejected(
            f"{spec.key}: no camera within {DISTANCES_M[1]} m keeps the action in frame; it spans {extent} m",
            extent_m=extent,
            max_distance_m=DISTANCES_M[1],
        )
    best = max(views, key=lambda view: view.score)
    if action.affected and best.visible_after < MIN_VISIBLE:
        raise SceneRejected(
            f"{spec.key}: no camera sees what moves: the best shows {best.visible_after:.0%} of it, expected at least "
            f"{MIN_VISIBLE:.0%}",
            visible=best.visible_after,
            min_visible=MIN_VISIBLE,
        )
    return best


def candidate_views(spec: SceneSpec, action: Action) -> list[View]:
    """A view for every direction and height; the wished lens first, a wider one where that stands too far away."""
    wish, low = spec.camera, FOCAL_LENGTHS_MM[0]
    steps = np.repeat(np.arange(NUM_AZIMUTHS), len(HEIGHT_STEPS_M))
    raised_m = np.tile(HEIGHT_STEPS_M, NUM_AZIMUTHS)
    azimuths = wish.azimuth_rad + steps * 2 * math.pi / NUM_AZIMUTHS
    heights_m = np.minimum(wish.height_m + raised_m, MAX_HEIGHT_M)
    turned = np.minimum(steps, NUM_AZIMUTHS - steps) * 2 / NUM_AZIMUTHS  # 1 is the side opposite to the wished one
    focal_mm = float(np.clip(wish.focal_length_mm, *FOCAL_LENGTHS_MM))
    views: dict[int, View] = {}
    for focal in dict.fromkeys((focal_mm, (focal_mm + low) / 2, low)):
        lens = Lens(
            focal_length_mm=focal,
            sensor_width_mm=wish.sensor_width_mm,
            width=spec.render.width,
            height=spec.render.height,
        )
        unframed = np.array([index for index in range(len(steps)) if index not in views], dtype=int)
        fits, poses = frame_action(action.hull, lens, azimuths[unframed], heights_m[unframed])
        fits[fits] = (
            distance_to_boxes(boxes_of(action), np.repeat(poses[fits, None, :3], spec.clip.num_frames, 1)) >= NEAREST_M
        )
        found = unframed[fits]
        rated = rate_views(action, poses[fits], lens, 0.1 * turned[found] + 0.1 * raised_m[found])
        views.update(zip(found.tolist(), rated, strict=True))
    return [views[index] for index in sorted(views)]


def frame_action(
    hull: np.ndarray, lens: Lens, azimuths: np.ndarray, heights_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest cameras in N directions that have the whole action inside the margin.

    Returns bool [N], whether there is one, and poses [N, 7], which mean nothing where there is none.
    """
    near, far = (np.full(len(azimuths), distance_m) for distance_m in DISTANCES_M)
    framed, positions, axes = aim(hull, lens, azimuths, heights_m, far)
    for _ in range(DISTANCE_STEPS):
        middle = 0.5 * (near + far)
        fits, nearer, turned = aim(hull, lens, azimuths, heights_m, middle)
        near, far = np.where(fits, near, middle), np.where(fits, middle, far)
        positions = np.where(fits[:, None], nearer, positions)
        axes = np.where(fits[:, None, None], turned, axes)
    return framed, poses_of(positions, axes) if len(positions) else np.zeros((0, 7))


def aim(
    hull: np.ndarray, lens: Lens, azimuths: np.ndarray, heights_m: np.ndarray, distances_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """N cameras at those distances that centre the action in the picture.

    Returns bool [N], whether it fits inside the margin, positions [N, 3] and rotations [N, 3, 3].
    """
    target = 0.5 * (hull.min(axis=0) + hull.max(axis=0))
    flat = target[:2] + distances_m[:, None] * np.stack([np.cos(azimuths), np.sin(azimuths)], axis=-1)
    positions = np.concatenate([flat, heights_m[:, None]], axis=-1)
    axes = upright_axes(positions - target)
    away = hull[None] - positions[:, None]
    fits = np.ones(len(positions), dtype=bool)
    for _ in range(2):
        pixels, depth = to_pixels(away @ axes, lens)
        fits &= depth.min(axis=1) >= NEAREST_M
        middle = 0.5 * bounds_of(pixels).sum(axis=1) - np.array([lens.width / 2, lens.height / 2])
        ray = np.concatenate([middle / lens.focal_px * (1.0, -1.0), np.full((len(middle), 1), -1.0)], axis=-1)
        axes = upright_axes(-(axes @ ray[..., None])[..., 0])
    pixels, depth = to_pixels(away @ axes, lens)
    border = MARGIN * lens.height
    inside = (pixels >= border) & (pixels <= np.array([lens.width, lens.height]) - border)
    return fits & (depth.min(axis=1) > 0) & inside.all(axis=(1, 2)), positions, axes


def rate_views(action: Action, poses: np.ndarray, lens: Lens, penalties: np.ndarray) -> list[View]:
    """How well cameras [N, 7] show what changes."""
    before, after, size = np.ones((3, len(poses)))
    if action.affected and len(poses):
        held = np.repeat(poses[:, None], len(action.people), axis=1)
        before, after = visible_shares(action.affected, action.people, action.furniture, held, lens)
        size = np.mean([projected_sizes(boxes, poses, lens) for boxes in action.affected.values()], axis=0)
    scores = -penalties
    if action.affected:
        scores = 1.5 * after + before + np.minimum(1.0, size / CLEAR_SIZE) - penalties
    return [
        View(pose=pose, lens=lens, score=float(a), visible_before=float(b), visible_after=float(c), size=float(d))
        for pose, a, b, c, d in zip(poses, scores, before, after, size, strict=True)
    ]


def projected_sizes(boxes: Mapping[World, np.ndarray], poses: np.ndarray, lens: Lens) -> np.ndarray:
    """Median diagonal over the clip of an object's box in the pictures of cameras [N, 7], in picture widths [N]."""
    corners = np.concatenate(list(boxes.values()))
    views = (to_pixels(to_camera(corners, pose), lens)[0] for pose in poses)
    return np.array([np.median(np.linalg.norm(np.ptp(at, axis=1), axis=-1)) / lens.width for at in views])
