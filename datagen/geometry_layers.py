"""Segmentation, depth and flow of both worlds: what a sample may hold beside its videos.

    segmentation.npz   uint16 [num_frames, height, width]: id of the object or person at the pixel's centre, as listed
                       in physics.npz; 0 is the room
    depth.npz          float32 [num_frames, height, width]: metres along the camera's view axis (not along the ray) to
                       the surface at the pixel's centre; inf where there is none
    flow.npz           float16 [num_frames - 1, height, width, 2]: how far the point of the surface at the pixel's
                       centre is in the next frame, in pixels (right, down), be it hidden then or not; nan where there
                       is no surface, or where it gets behind the camera. Half precision: 1/64 px up to 32 px, 1/16 px
                       up to 128 px

Each holds an array "factual" and one "counterfactual". Glass counts as a surface. Flow follows from depth and the known
motion of camera and objects; of people, the renderer tells where each point of the skin is one frame later.

A render leaves `<world>/<frame>.npz` of ids, depth and, for people, `next_points` float32 [height, width, 3] (world) in
its folder `RAW`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from datagen.camera import Lens, lens_of, project
from datagen.codec import read_npz, write_npz
from datagen.errors import DataError
from datagen.placement import Staging
from datagen.settings import LayerSettings
from datagen.spec import SceneSpec, World
from datagen.trajectory import Trajectory, apply_pose, compose_poses, inverse_pose

RAW = "geometry"
DTYPES: Mapping[str, type[np.generic]] = {"segmentation": np.uint16, "depth": np.float32, "flow": np.float16}
MIN_DEPTH_M = 0.01


def geometry_files(layers: LayerSettings) -> tuple[str, ...]:
    """Names of the files that a sample with these layers holds."""
    return tuple(f"{name}.npz" for name in layers.wanted)


def raw_path(render: Path, world: World, frame: int) -> Path:
    """Where a render leaves the geometry of a frame."""
    return render / RAW / world.value / f"{frame:04d}.npz"


def write_geometry(
    spec: SceneSpec, worlds: Mapping[World, Trajectory], staging: Staging, render: Path, folder: Path
) -> None:
    """Write the layers that a spec asks for into a sample's folder, from what its render left."""
    wanted = spec.layers.wanted
    arrays: dict[str, dict[str, np.ndarray]] = {name: {} for name in wanted}
    for world in World if wanted else ():
        frames = [read_raw(spec, render, world, frame) for frame in range(spec.clip.num_frames)]
        if "segmentation" in wanted:
            arrays["segmentation"][world.value] = np.stack([one["ids"] for one in frames])
        if "depth" in wanted:
            arrays["depth"][world.value] = np.stack([one["depth"] for one in frames])
        if "flow" in wanted:
            arrays["flow"][world.value] = np.stack(list(flows(spec, worlds[world], staging, frames)))
    for name in wanted:
        write_npz(folder / f"{name}.npz", arrays[name])


def read_raw(spec: SceneSpec, render: Path, world: World, frame: int) -> dict[str, np.ndarray]:
    """What a render left of a frame; raises `DataError` for another size."""
    path = raw_path(render, world, frame)
    arrays = read_npz(path)
    expected = (spec.render.height, spec.render.width)
    for name in ("ids", "depth"):
        found = arrays[name].shape if name in arrays else "nothing"
        if found != expected:
            raise DataError(f"{path}: '{name}': expected shape {expected}, found {found}; render the scene again")
    return arrays


def flows(
    spec: SceneSpec, trajectory: Trajectory, staging: Staging, frames: list[dict[str, np.ndarray]]
) -> Iterator[np.ndarray]:
    """Flow of every frame but the last, float16 [height, width, 2]."""
    lens = lens_of(spec, staging)
    names = {number: name for name, number in spec.ids().items()}
    for frame in range(len(frames) - 1):
        cameras = np.array(staging.world_from_camera[frame : frame + 2])
        motions = {
            int(number): motion_of(trajectory.of(names[int(number)])[frame : frame + 2])
            for number in np.unique(frames[frame]["ids"])
            if names.get(int(number)) in trajectory.names
        }
        yield flow_frame(frames[frame], motions, cameras, lens).astype(np.float16)


def motion_of(poses: np.ndarray) -> np.ndarray:
    """Pose [7] that takes a point of the world from the first of two poses [2, 7] to the second."""
    return compose_poses(poses[1], inverse_pose(poses[0]))


def flow_frame(
    raw: Mapping[str, np.ndarray], motions: Mapping[int, np.ndarray], cameras: np.ndarray, lens: Lens
) -> np.ndarray:
    """Flow float64 [height, width, 2] of one frame.

    raw: ids, depth and perhaps next_points; motions: by id, as `motion_of` makes them, of what moves rigidly; cameras:
    [2, 7], poses at this frame and the next.
    """
    ids, depth = raw["ids"], raw["depth"].astype(np.float64)
    centres = pixel_centres(*ids.shape)
    seen = np.isfinite(depth)
    points = unproject(centres, np.where(seen, depth, 1.0), cameras[0], lens)
    moved = points.copy()
    for number, motion in motions.items():
        here = ids == number
        moved[here] = apply_pose(motion, points[here])
    if "next_points" in raw:
        told = np.isfinite(raw["next_points"]).all(axis=-1)
        moved[told] = raw["next_points"][told]
    pixels, ahead = project(moved, cameras[1], lens)
    flow = pixels - centres
    flow[~seen | (ahead < MIN_DEPTH_M)] = np.nan
    return np.asarray(flow)


def pixel_centres(height: int, width: int) -> np.ndarray:
    """Pixels (right, down) of all centres, float64 [height, width, 2]."""
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([columns, rows], axis=-1)


def unproject(pixels: np.ndarray, depth: np.ndarray, world_from_camera: np.ndarray, lens: Lens) -> np.ndarray:
    """World points float64 [..., 3] at pixels [..., 2] and depths along the view axis [...]; undoes `project`."""
    offset = (pixels - np.array([lens.width / 2, lens.height / 2])) / lens.focal_px * depth[..., None]
    local = np.stack([offset[..., 0], -offset[..., 1], -depth], axis=-1)
    return np.asarray(apply_pose(world_from_camera, local.reshape(-1, 3)).reshape(local.shape))


def check_geometry(spec: SceneSpec, folder: Path) -> Iterator[str]:
    """What is wrong with the layers of a sample, in words; nothing for those that it should not hold."""
    for name in spec.layers.wanted:
        path = folder / f"{name}.npz"
        if not path.is_file():
            yield f"{path.name}: no such file; the spec asks for it"
            continue
        arrays = read_npz(path)
        for world in World:
            yield from _check_layer(spec, name, world, arrays.get(world.value))


def _check_layer(spec: SceneSpec, name: str, world: World, layer: np.ndarray | None) -> Iterator[str]:
    where = f"{name}.npz: '{world}'"
    if layer is None:
        yield f"{where}: lacks this array"
        return
    clip, size = spec.clip.num_frames, (spec.render.height, spec.render.width)
    expected = (clip - 1, *size, 2) if name == "flow" else (clip, *size)
    if layer.shape != expected or layer.dtype != DTYPES[name]:
        yield f"{where}: expected {np.dtype(DTYPES[name])} {expected}, found {layer.dtype} {layer.shape}"
        return
    if name == "segmentation":
        allowed = {
            number for thing, number in spec.ids().items() if world is World.FACTUAL or thing not in spec.removed
        }
        if strange := sorted(set(np.unique(layer).tolist()) - allowed - {0}):
            yield f"{where}: holds ids {strange[:8]}; this world has {sorted(allowed)}"
    if name == "depth" and not (layer > 0).all():
        yield f"{where}: holds depths that are not above 0"
    if name == "flow" and np.isinf(layer).any():
        yield f"{where}: holds endless flow"
