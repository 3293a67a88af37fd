"""Where camera, room and key light stand, found from both worlds' motion once physics is done.

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

from datagen.camera import Lens, look_at, project, ray_through
from datagen.errors import SceneRejected, SpecError
from datagen.seeding import generator_for
from datagen.spec import LightWish, Pace, Room, SceneSpec, Staging, World
from datagen.trajectory import Trajectory, apply_pose
from datagen.visibility import visible_shares

NUM_AZIMUTHS = 18
HEIGHT_STEPS_M = (0.0, 0.25, 0.5)
MAX_HEIGHT_M = 2.0
FOCAL_LENGTHS_MM = (24.0, 60.0)
MARGIN = 0.05  # of the picture's height, kept free on every side
DISTANCES_M = (1.2, 7.0)  # from the middle of the action, horizontally
DISTANCE_STEPS = 8  # halvings: 2 cm
NEAREST_M = 0.8  # nothing that moves comes nearer to the camera
WALL_GAP_M = (0.7, 1.8)  # beyond everything that moves or stands
CAMERA_GAP_M = 0.4
ROOM_HEIGHT_M = 2.7
CLEAR_SIZE = 0.12  # of the picture's width: an object of this size is clearly visible
MIN_VISIBLE = 0.15  # share of the affected objects that the best camera must see without the person
KEY_FROM_CAMERA_DEG = (40.0, 115.0)  # light from the side or from behind the action: shadows fall where they are seen
KEY_DISTANCE_M = 3.6


@dataclass(frozen=True, kw_only=True)
class Action:
    """What the camera has to show.

    hull       float64 [N, 3], corners of the convex hull of all that has to stay in frame
    affected   name -> world -> corners float64 [num_frames, 8, 3] of the objects that move differently
    people     float64 [num_frames, P, 3], points of all people
    furniture  name -> (world -> poses float64 [num_frames, 7], object-frame corners [8, 3])
    bounds     float64 [2, 3] of everything in the room
    """

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


def stage_scene(
    spec: SceneSpec,
    worlds: Mapping[World, Trajectory],
    corners: Mapping[str, np.ndarray],
    people: Mapping[str, np.ndarray],
    affected: tuple[str, ...],
) -> Staging:
    """Room, camera and key light for a scene.

    corners: name -> [8, 3] object-frame bounding corners [m]; people: name -> [num_frames, P, 3] world points of the
    body at the video's frames; affected: names of the objects that move differently in the two worlds.
    Raises `SceneRejected` when no camera keeps the action in frame and visible.
    """
    if spec.camera.pace is not Pace.STATIC:
        raise SpecError(f"{spec.key}: camera pace '{spec.camera.pace}' cannot be staged; only 'static' can")
    action = gather_action(spec, worlds, corners, people, affected)
    view = best_view(spec, action)
    target = 0.5 * (action.hull.min(axis=0) + action.hull.max(axis=0))
    key = key_position(spec.light, target, view.pose[:3])
    room = fit_room(spec, action, view, key)
    return Staging(
        room=room,
        focal_length_mm=view.lens.focal_length_mm,
        sensor_width_mm=view.lens.sensor_width_mm,
        world_from_camera=(_floats(view.pose),) * spec.clip.num_frames,
        key_light=(float(key[0]), float(key[1]), float(key[2])),
        key_target=(float(target[0]), float(target[1]), float(target[2])),
    )


def gather_action(
    spec: SceneSpec,
    worlds: Mapping[World, Trajectory],
    corners: Mapping[str, np.ndarray],
    people: Mapping[str, np.ndarray],
    affected: tuple[str, ...],
) -> Action:
    """The points that matter, from trajectories and bodies."""
    boxes = {
        (name, world): np.stack([apply_pose(pose, corners[name]) for pose in trajectory.of(name)])
        for world, trajectory in worlds.items()
        for name in trajectory.names
    }
    removed_objects = [name for name in spec.removed if name in corners]
    shown = [box for (name, _), box in boxes.items() if name in (*affected, *removed_objects)]
    bodies = [points for points in people.values() if points.size]
    if not shown and not bodies:
        raise SceneRejected(f"{spec.key}: nothing to show: no person and no object that moves", affected=list(affected))
    everything = np.concatenate([points.reshape(-1, 3) for points in (*boxes.values(), *bodies)])
    return Action(
        hull=convex_corners(np.concatenate([points.reshape(-1, 3) for points in (*shown, *bodies)])),
        affected={name: {world: boxes[name, world] for world in worlds if (name, world) in boxes} for name in affected},
        people=np.concatenate(bodies, axis=1) if bodies else np.zeros((spec.clip.num_frames, 0, 3)),
        furniture={
            name: ({world: path.of(name) for world, path in worlds.items() if name in path.names}, corners[name])
            for name in corners
            if name not in spec.removed
        },
        bounds=np.stack([everything.min(axis=0), everything.max(axis=0)]),
    )


def convex_corners(points: np.ndarray) -> np.ndarray:
    """The points [N, 3] that span the convex hull; all of them when they lie in a plane."""
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


def best_view(spec: SceneSpec, action: Action) -> View:
    """The best of all cameras tried; raises `SceneRejected` when there is none."""
    views = [view for view in candidate_views(spec, action) if view is not None]
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


def candidate_views(spec: SceneSpec, action: Action) -> Iterator[View | None]:
    """A view for every direction and height; the wished lens first, a wider one where that stands too far away."""
    wish, low, high = spec.camera, *FOCAL_LENGTHS_MM
    focal_mm = float(np.clip(wish.focal_length_mm, low, high))
    for step in range(NUM_AZIMUTHS):
        azimuth = wish.azimuth_rad + step * 2 * math.pi / NUM_AZIMUTHS
        turned = abs(math.remainder(azimuth - wish.azimuth_rad, 2 * math.pi)) / math.pi
        for raised_m in HEIGHT_STEPS_M:
            height_m = min(wish.height_m + raised_m, MAX_HEIGHT_M)
            framed = None
            for focal in dict.fromkeys((focal_mm, (focal_mm + low) / 2, low)):
                lens = Lens(
                    focal_length_mm=focal,
                    sensor_width_mm=wish.sensor_width_mm,
                    width=spec.render.width,
                    height=spec.render.height,
                )
                framed = frame_action(action, lens, azimuth, height_m)
                if framed is not None:
                    yield rate_view(action, framed, lens, 0.1 * turned + 0.1 * raised_m)
                    break


def frame_action(action: Action, lens: Lens, azimuth: float, height_m: float) -> np.ndarray | None:
    """Pose of the nearest camera in a direction that has the whole action inside the margin, or None."""
    near, far = DISTANCES_M
    if aim(action.hull, lens, azimuth, height_m, far) is None:
        return None
    for _ in range(DISTANCE_STEPS):
        middle = 0.5 * (near + far)
        near, far = (near, middle) if aim(action.hull, lens, azimuth, height_m, middle) is not None else (middle, far)
    return aim(action.hull, lens, azimuth, height_m, far)


def aim(hull: np.ndarray, lens: Lens, azimuth: float, height_m: float, distance_m: float) -> np.ndarray | None:
    """Pose at that distance that centres the action in the picture, or None if it does not fit inside the margin."""
    target = 0.5 * (hull.min(axis=0) + hull.max(axis=0))
    position = np.array([*target[:2], 0.0])
    position += [distance_m * math.cos(azimuth), distance_m * math.sin(azimuth), height_m]
    pose = look_at(position, target)
    for _ in range(2):
        pixels, depth = project(hull, pose, lens)
        if depth.min() < NEAREST_M:
            return None
        pose = look_at(position, position + ray_through(0.5 * (pixels.min(axis=0) + pixels.max(axis=0)), pose, lens))
    return pose if in_frame(hull, pose, lens, MARGIN) else None


def in_frame(points: np.ndarray, pose: np.ndarray, lens: Lens, margin: float) -> bool:
    """Whether all points [N, 3] are seen at least `margin` (share of the height) away from the picture's border."""
    pixels, depth = project(points, pose, lens)
    border = margin * lens.height
    inside = (pixels >= border) & (pixels <= np.array([lens.width, lens.height]) - border)
    return bool(depth.min() > 0 and inside.all())


def rate_view(action: Action, pose: np.ndarray, lens: Lens, penalty: float) -> View:
    """How well a camera shows what changes."""
    if not action.affected:
        return View(pose=pose, lens=lens, score=-penalty, visible_before=1.0, visible_after=1.0, size=1.0)
    before, after = visible_shares(action.affected, action.people, action.furniture, pose, lens)
    size = float(np.mean([projected_size(boxes, pose, lens) for boxes in action.affected.values()]))
    score = 1.5 * after + before + min(1.0, size / CLEAR_SIZE) - penalty
    return View(pose=pose, lens=lens, score=score, visible_before=before, visible_after=after, size=size)


def projected_size(boxes: Mapping[World, np.ndarray], pose: np.ndarray, lens: Lens) -> float:
    """Median diagonal over the clip of an object's box in the picture, in picture widths."""
    pixels, _ = project(np.concatenate(list(boxes.values())), pose, lens)
    return float(np.median(np.linalg.norm(np.ptp(pixels, axis=1), axis=-1)) / lens.width)


def key_position(wish: LightWish, target: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Centre of the key light [3]: the wished side, turned off the camera's axis."""
    seen_from = math.atan2(camera[1] - target[1], camera[0] - target[0])
    offset = math.remainder(wish.key_azimuth_rad - seen_from, 2 * math.pi)
    low, high = (math.radians(limit) for limit in KEY_FROM_CAMERA_DEG)
    azimuth = seen_from + math.copysign(low + (high - low) * abs(offset) / math.pi, offset)
    flat = KEY_DISTANCE_M * math.cos(wish.key_elevation_rad)
    rise = KEY_DISTANCE_M * math.sin(wish.key_elevation_rad)
    return np.asarray(target + np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), rise]))


def fit_room(spec: SceneSpec, action: Action, view: View, key: np.ndarray) -> Room:
    """A room that holds everything, the camera and the light, with walls higher than the picture shows."""
    rng = generator_for(spec.seed, "room")
    gaps = rng.uniform(*WALL_GAP_M, size=4)
    stands = np.stack([view.pose[:2], key[:2]])
    low = np.minimum(action.bounds[0, :2] - gaps[:2], stands.min(axis=0) - CAMERA_GAP_M)
    high = np.maximum(action.bounds[1, :2] + gaps[2:], stands.max(axis=0) + CAMERA_GAP_M)
    reach = float(np.linalg.norm(high - low))
    steepest = max(
        float(ray[2] / np.linalg.norm(ray[:2]))
        for ray in (ray_through(np.array([x, 0.0]), view.pose, view.lens) for x in (0.0, view.lens.width))
    )
    highest = max(ROOM_HEIGHT_M, action.bounds[1, 2] + 0.4, view.pose[2] + steepest * reach + 0.1)
    return Room(
        x_min=float(low[0]), x_max=float(high[0]), y_min=float(low[1]), y_max=float(high[1]), height=float(highest)
    )


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
