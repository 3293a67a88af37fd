"""Where camera, room and key light stand, found from both worlds' motion once physics is done.

The camera stands where `datagen.views` finds the best view. One that moves does so around that view, as far as it keeps
in frame what moves in either world, in every frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from datagen.camera import Lens, in_camera, poses_of, ray_through
from datagen.camera_paths import Tripod, path_of
from datagen.decorate import decorate
from datagen.framing import NEAREST_M, Surroundings, blur_extents, distance_to_boxes, framed
from datagen.placement import Blur, Room, Staging
from datagen.seeding import generator_for
from datagen.spec import SceneSpec, World
from datagen.trajectory import Trajectory, place
from datagen.views import DISTANCES_M, MIN_VISIBLE, Action, View, aim, best_view, boxes_of, gather_action
from datagen.visibility import visible_shares
from datagen.wishes import LightWish, Pace

BACK_OFF = (1.0, 1.1, 1.25, 1.45)  # times the distance: room for a path
PATH_SCALES = (1.0, 0.5, 0.25, 0.125)  # of the wished path, tried in this order
MIN_SEEN_SHARE = 0.8  # of what the tripod sees of the affected objects; a path must not lose more
WALL_GAP_M = (1.0, 2.0)  # beyond everything that moves or stands
CAMERA_GAP_M = 0.4
ROOM_HEIGHT_M = 2.7
KEY_FROM_CAMERA_DEG = (40.0, 115.0)  # light from the side or from behind the action: shadows fall where they are seen
KEY_DISTANCE_M = 3.6


@dataclass(frozen=True, kw_only=True)
class Path:
    """Poses float64 [num_frames, 7] of a camera, and what of the wish they are."""

    poses: np.ndarray
    pace: Pace
    scale: float


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
    action = gather_action(spec, worlds, corners, people, affected)
    view = best_view(spec, action)
    target = 0.5 * (action.hull.min(axis=0) + action.hull.max(axis=0))
    path = find_path(spec, action, view)
    key = key_position(spec.light, target, path.poses[:, :3].mean(axis=0))
    shell = fit_room(spec, action, path.poses, view.lens, key)
    room, key = decorate(spec, shell, worlds, corners, people, action.hull, path.poses, key)
    focus_m = focus_distances(action, path.poses)
    blur_px: tuple[Blur, ...] = ()
    if spec.camera.blurs:
        still = [place(poses[:1], local)[0] for poses, local in boxes_of(action)]
        moved = [corners for worlds in action.affected.values() for corners in worlds.values()]
        around = Surroundings(
            shown=action.shown,
            moved=np.concatenate([*moved, np.zeros((spec.clip.num_frames, 0, 3))], axis=1),
            still=np.reshape(still, (-1, 3)),
            room=room,
            key=key,
        )
        blur_px = blur_extents(spec.camera, view.lens, path.poses, focus_m, around)
    return Staging(
        room=room,
        focal_length_mm=view.lens.focal_length_mm,
        sensor_width_mm=view.lens.sensor_width_mm,
        world_from_camera=tuple(_floats(pose) for pose in path.poses),
        pace=path.pace,
        path_scale=path.scale,
        focus_m=_floats(focus_m) if spec.camera.aperture_f else (),
        blur_px=blur_px,
        key_light=(float(key[0]), float(key[1]), float(key[2])),
        key_target=(float(target[0]), float(target[1]), float(target[2])),
    )


def find_path(spec: SceneSpec, action: Action, view: View) -> Path:
    """The wished path, as large as the action lets it be, else the other way round, else half as large, and so on.

    The camera steps back before a path is made smaller. A tripod where no path keeps in frame what moves.
    """
    num_frames = spec.clip.num_frames
    still = np.repeat(view.pose[None], num_frames, axis=0)
    wish, times_s = spec.camera, np.array(spec.clip.times_s())
    ways = (1.0,) if wish.pace is Pace.HANDHELD else (1.0, -1.0)
    tripods = list(tripods_behind(spec, action, view)) if wish.pace is not Pace.STATIC else []
    for scale in (way * size for size in PATH_SCALES for way in ways):
        for tripod in tripods:
            poses = poses_of(*path_of(wish, wish.pace, tripod, times_s, spec.clip.duration_s, scale))
            if holds(action, view, poses):
                return Path(poses=poses, pace=wish.pace, scale=scale)
    return Path(poses=still, pace=Pace.STATIC, scale=0.0)


def tripods_behind(spec: SceneSpec, action: Action, view: View) -> Iterator[Tripod]:
    """Where the view's camera stands, and places behind it that centre the action likewise."""
    target = 0.5 * (action.hull.min(axis=0) + action.hull.max(axis=0))
    away = view.pose[:2] - target[:2]
    for factor in BACK_OFF:
        distance_m = factor * float(np.linalg.norm(away))
        if factor > 1 and distance_m > DISTANCES_M[1]:
            return
        azimuth, height_m = np.array([math.atan2(away[1], away[0])]), view.pose[2:3]
        _, positions, axes = aim(action.hull, view.lens, azimuth, height_m, np.array([distance_m]))
        yield Tripod(position=positions[0], axes=axes[0], target=target, lens=view.lens, fps=spec.clip.fps)


def holds(action: Action, view: View, poses: np.ndarray) -> bool:
    """Whether a camera [num_frames, 7] keeps in frame and in view what a tripod's view shows, and clear of things."""
    if not framed(action.shown, poses, view.lens).all():
        return False
    if distance_to_boxes(boxes_of(action), poses[None, :, :3])[0] < NEAREST_M:
        return False
    if not action.affected:
        return True
    before, after = visible_shares(action.affected, action.people, action.furniture, poses[None], view.lens)
    least = max(MIN_VISIBLE, MIN_SEEN_SHARE * view.visible_after)
    return bool(after[0] >= least and before[0] >= MIN_SEEN_SHARE * view.visible_before)


def focus_distances(action: Action, poses: np.ndarray) -> np.ndarray:
    """Distance along the view axis of a camera [num_frames, 7] to the middle of what changes, [num_frames] [m]."""
    boxes = [corners for worlds in action.affected.values() for corners in worlds.values()]
    points = np.concatenate(boxes).reshape(-1, 3) if boxes else action.hull
    middle = np.broadcast_to(points.mean(axis=0), (len(poses), 1, 3))
    return np.maximum(-in_camera(middle, poses)[:, 0, 2], NEAREST_M)


def key_position(wish: LightWish, target: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Centre of the key light [3]: the wished side, turned off the camera's axis."""
    seen_from = math.atan2(camera[1] - target[1], camera[0] - target[0])
    offset = math.remainder(wish.key_azimuth_rad - seen_from, 2 * math.pi)
    low, high = (math.radians(limit) for limit in KEY_FROM_CAMERA_DEG)
    azimuth = seen_from + math.copysign(low + (high - low) * abs(offset) / math.pi, offset)
    flat = KEY_DISTANCE_M * math.cos(wish.key_elevation_rad)
    rise = KEY_DISTANCE_M * math.sin(wish.key_elevation_rad)
    return np.asarray(target + np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), rise]))


def fit_room(spec: SceneSpec, action: Action, cameras: np.ndarray, lens: Lens, key: np.ndarray) -> Room:
    """A room that holds everything, the camera in all its poses [num_frames, 7] and the light.

    Its walls are higher than the picture shows.
    """
    rng = generator_for(spec.seed, "room")
    gaps = rng.uniform(*WALL_GAP_M, size=4)
    stands = np.concatenate([cameras[:, :2], key[None, :2]])
    low = np.minimum(action.bounds[0, :2] - gaps[:2], stands.min(axis=0) - CAMERA_GAP_M)
    high = np.maximum(action.bounds[1, :2] + gaps[2:], stands.max(axis=0) + CAMERA_GAP_M)
    reach = float(np.linalg.norm(high - low))
    steepest = max(
        float(ray[2] / np.linalg.norm(ray[:2]))
        for ray in (ray_through(np.array([x, 0.0]), pose, lens) for pose in cameras for x in (0.0, lens.width))
    )
    highest = max(ROOM_HEIGHT_M, action.bounds[1, 2] + 0.4, cameras[:, 2].max() + steepest * reach + 0.1)
    return Room(
        x_min=float(low[0]), x_max=float(high[0]), y_min=float(low[1]), y_max=float(high[1]), height=float(highest)
    )


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
