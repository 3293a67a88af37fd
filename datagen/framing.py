"""Does a camera that moves keep the action in frame, and how far does its picture blur? All by projection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from datagen.camera import Lens, in_camera, ray_through, to_camera, to_pixels
from datagen.placement import Blur, Room
from datagen.trajectory import interpolate, matrices_from_poses
from datagen.wishes import CameraWish

MARGIN = 0.05  # of the picture's height, kept free on every side
NEAREST_M = 0.8  # nothing comes nearer to the camera
BLUR_SAFETY = 1.5  # motion between frames is taken to be even, and is not
GRID = (5, 4)  # points of the room that are looked at: columns and rows of the picture
MIN_DEPTH_M = 0.05


def framed(points: np.ndarray, poses: np.ndarray, lens: Lens) -> np.ndarray:
    """Frames in which all points [num_frames, M, 3] are inside the margin and far enough away, bool [num_frames].

    poses: of the camera, [num_frames, 7].
    """
    local = in_camera(points, poses)
    pixels, depth = to_pixels(local, lens)
    border = MARGIN * lens.height
    inside = (pixels >= border) & (pixels <= np.array([lens.width, lens.height]) - border)
    return np.asarray((depth >= NEAREST_M).all(axis=1) & inside.all(axis=(1, 2)))


def distance_to_boxes(boxes: Iterable[tuple[np.ndarray, np.ndarray]], positions: np.ndarray) -> np.ndarray:
    """Least distance [m] of N cameras at positions [N, num_frames, 3] to boxes over the clip: [N], inf without boxes.

    boxes: poses [num_frames, 7] and object-frame corners [8, 3] of each.
    """
    nearest = np.full(len(positions), np.inf)
    for poses, corners in boxes:
        matrices = matrices_from_poses(poses)
        local = np.einsum("ntj,tjk->ntk", positions - matrices[:, :3, 3], matrices[:, :3, :3])
        outside = np.maximum(np.maximum(corners.min(axis=0) - local, local - corners.max(axis=0)), 0.0)
        nearest = np.minimum(nearest, np.linalg.norm(outside, axis=-1).min(axis=1))
    return nearest


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a picture can show blurred.

    shown   float64 [num_frames, M, 3], points of all that is removed or moves in either world
    moved   float64 [num_frames, A, 3], those of what moves differently
    still   float64 [S, 3], corners of what stands
    room    its walls and floor
    key     [3], centre of the key light, for shadows
    """

    shown: np.ndarray
    moved: np.ndarray
    still: np.ndarray
    room: Room
    key: np.ndarray


def blur_extents(
    wish: CameraWish, lens: Lens, poses: np.ndarray, focus_m: np.ndarray, around: Surroundings
) -> tuple[Blur, ...]:
    """How far beyond their sharp outlines things and shadows in the picture of each frame may show, [num_frames].

    poses: [num_frames, 7] of the camera; focus_m: [num_frames]. Defocus and motion add up; what stands counts for each,
    because the blurred edge of what is in front shows what is behind.
    """
    shadows = thrown(around.shown, around.key, around.room)
    result = []
    for frame, pose in enumerate(poses):
        focus = float(focus_m[frame])
        still = np.concatenate([around.still, room_points(pose, lens, around.room)])
        stands = np.repeat(still[None], len(poses), axis=0)
        common, removed, moved, light = (
            _extent(wish, lens, poses, focus, points, frame) for points in (stands, around.shown, around.moved, shadows)
        )
        result.append(Blur(removed=max(common, removed), moved=max(common, moved), light=max(common, light)))
    return tuple(result)


def _extent(wish: CameraWish, lens: Lens, poses: np.ndarray, focus_m: float, points: np.ndarray, frame: int) -> float:
    """Blur [px] of the points [num_frames, M, 3] that are seen in a frame; 0 where none is."""
    pixels, depth = to_pixels(to_camera(points[frame], poses[frame]), lens)
    seen = (depth > MIN_DEPTH_M) & (pixels >= 0).all(axis=1) & (pixels <= [lens.width, lens.height]).all(axis=1)
    if not seen.any():
        return 0.0
    swept = 0.0
    for time in (frame - wish.shutter / 2, frame + wish.shutter / 2):
        within = float(np.clip(time, 0, len(poses) - 1))
        camera = interpolate(poses[:, None], 1.0, np.array([within]))[0, 0]
        there, ahead = to_pixels(to_camera(between(points, within), camera), lens)
        steps = np.linalg.norm(there - pixels, axis=1)[seen & (ahead > MIN_DEPTH_M)]
        swept = max(swept, float(steps.max(initial=0.0)))
    return float(defocus_px(depth[seen], focus_m, lens, wish.aperture_f).max()) + BLUR_SAFETY * swept


def between(points: np.ndarray, time: float) -> np.ndarray:
    """Points [num_frames, M, 3] at a time in frames, linearly: [M, 3]."""
    low = min(int(time), max(len(points) - 2, 0))
    high = min(low + 1, len(points) - 1)
    return np.asarray(points[low] + (time - low) * (points[high] - points[low]))


def defocus_px(depth_m: np.ndarray, focus_m: float, lens: Lens, aperture_f: float) -> np.ndarray:
    """Radius of the circle of confusion at depths [m] of a thin lens focused at `focus_m`, in pixels; 0 at f-number 0.

    Its diameter on the sensor is f / N * |z - s| / z * f / (s - f), with focal length f, f-number N, depth z, focus s.
    """
    if not aperture_f:
        return np.zeros_like(depth_m)
    focal_m = lens.focal_length_mm / 1000
    diameter_m = focal_m / aperture_f * np.abs(depth_m - focus_m) / depth_m * focal_m / (focus_m - focal_m)
    return np.asarray(0.5 * diameter_m * 1000 / lens.sensor_width_mm * lens.width)


def thrown(points: np.ndarray, key: np.ndarray, room: Room) -> np.ndarray:
    """Where the key light throws the shadows of points [..., 3]: on floor, walls or ceiling."""
    rays = (points - key).reshape(-1, 3)
    return np.asarray(key + leaving(key, rays, room)[:, None] * rays).reshape(points.shape)


def leaving(start: np.ndarray, rays: np.ndarray, room: Room) -> np.ndarray:
    """How many times their length rays [N, 3] from a place [3] in a room go until they leave it, [N]."""
    low, high = np.array([room.x_min, room.y_min, 0.0]), np.array([room.x_max, room.y_max, room.height])
    safe = np.where(np.abs(rays) < 1e-9, 1e-9, rays)
    return np.asarray(np.maximum((low - start) / safe, (high - start) / safe).min(axis=1))


def room_points(world_from_camera: np.ndarray, lens: Lens, room: Room) -> np.ndarray:
    """Points of the room [GRID, 3] that a camera [7] sees: where rays through a grid of pixels leave it."""
    pixels = [(x, y) for x in np.linspace(0, lens.width, GRID[0]) for y in np.linspace(0, lens.height, GRID[1])]
    rays = np.array([ray_through(np.array(pixel), world_from_camera, lens) for pixel in pixels])
    start = world_from_camera[:3]
    return np.asarray(start + leaving(start, rays, room)[:, None] * rays)
