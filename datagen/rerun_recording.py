"""A sample as a Rerun recording (.rrd): both worlds in three dimensions and in pictures, on one timeline.

    factual/, counterfactual/     one space each, Z up, metres
      objects/<name>              pose over time; its mesh, or its bounding box where the mesh's file is gone
      people/<name>               points on the body (factual world only)
      paths/<name>                where the middle of the object goes
      contacts                    between the middles of what touches, with the impulse since the frame before [N s]
      camera, camera/picture      pose, frustum and frame
      camera/picture/mask         the quadmask over the frame
    impulse/<world>/<pair>        the same impulses as curves

Rerun is an optional extra; this is the only module that imports it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datagen.codec import atomic_path, read_npz
from datagen.errors import ConfigError, DataError, Page
from datagen.gallery import OVERLAY
from datagen.one_sample import FoundSample
from datagen.quadmask import Label
from datagen.sample import MASK, PHYSICS, RGB_FULL, RGB_REMOVED
from datagen.scene_shapes import SceneShapes, shapes_of
from datagen.spec import World
from datagen.trajectory import apply_pose
from datagen.video import decode_mask, iterate_rgb

SUFFIX = ".rrd"
JPEG_QUALITY = 90
BODY_POINT_M = 0.004
FRUSTUM_M = 0.5  # from the camera to the picture in the three-dimensional views
VIDEOS = {World.FACTUAL: RGB_FULL, World.COUNTERFACTUAL: RGB_REMOVED}
CONTACTS = {World.FACTUAL: "contacts_factual_", World.COUNTERFACTUAL: "contacts_"}
COLORS = {"affected": (40, 190, 70), "removed": (230, 40, 40), "other": (170, 170, 175), "person": (230, 150, 40)}
CONTACT_COLOR = (0, 160, 230)
IMAGE_FROM_BLENDER = "RUB"  # camera axes: X right, Y up, Z back


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a recording holds."""

    file: Path
    num_frames: int
    left_out: tuple[str, ...]  # what could not be shown, and why


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """Everything that is shown of a sample."""

    found: FoundSample
    physics: Mapping[str, np.ndarray]
    shapes: SceneShapes
    corners: Mapping[str, np.ndarray]  # float [8, 3] of each object's bounding box, object frame [m]

    @property
    def fps(self) -> float:
        return self.found.info.metadata.fps

    @property
    def num_frames(self) -> int:
        return self.found.info.metadata.num_frames

    def names(self, world: World) -> list[str]:
        """Objects of a world, in the order of its poses."""
        return [str(name) for name in self.physics[f"{world}_names"]]

    def poses(self, world: World, name: str) -> np.ndarray:
        """Poses of an object, float [num_frames, 7]."""
        return np.asarray(self.physics[f"{world}_poses"][:, self.names(world).index(name)])

    def middles(self, world: World, name: str) -> np.ndarray:
        """Middle of an object's bounding box over time, float [num_frames, 3] [m]."""
        middle = self.corners[name].mean(axis=0, keepdims=True)
        return np.concatenate([apply_pose(pose, middle) for pose in self.poses(world, name)])

    def color(self, name: str) -> tuple[int, int, int]:
        metadata = self.found.info.metadata
        removed = {thing.name for thing in metadata.removed}
        return COLORS["removed" if name in removed else "affected" if name in metadata.affected else "other"]


def record_sample(found: FoundSample, out: Path) -> Recorded:
    """Write the recording of a sample to `out`, whole or not at all.

    Raises `ConfigError` where Rerun is not installed, `DataError` for a name that does not end in .rrd.
    """
    rr = _rerun()
    if out.suffix != SUFFIX or out.is_dir():
        raise DataError(f"--out {out}: expected the name of a recording, e.g. {out.with_suffix(SUFFIX).name}")
    metadata = found.info.metadata
    scene = _Scene(
        found=found,
        physics=read_npz(found.info.path(PHYSICS)),
        shapes=shapes_of(found),
        corners={body.name: np.array(body.corners) for body in metadata.certificate.bodies},
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as partial:
        recording = rr.new_recording("voidgen", recording_id=metadata.key)
        recording.save(partial, default_blueprint=_blueprint(metadata.key))
        for world in World:
            _log_still(rr, recording, scene, world)
            _log_motion(rr, recording, scene, world)
            _log_pictures(rr, recording, scene, world)
        recording.flush(blocking=True)
        recording.disconnect()
    return Recorded(file=out, num_frames=scene.num_frames, left_out=scene.shapes.left_out)


def _rerun() -> Any:
    """The rerun module."""
    try:
        import rerun
    except ImportError as error:
        raise ConfigError(
            f"`datagen view` needs the extra 'view' ({error}); install it with `pip install 'voidgen[view]'`"
        ).see(Page.PACKAGES) from None
    return rerun


def _blueprint(key: str) -> Any:
    """Both worlds side by side, pictures below, impulses under them."""
    from rerun import blueprint

    spaces = [blueprint.Spatial3DView(name=world.value, origin=f"/{world}") for world in World]
    pictures = [blueprint.Spatial2DView(name=f"{world}, seen", origin=f"/{world}/camera/picture") for world in World]
    impulses = blueprint.TimeSeriesView(name=f"{key}: impulses [N s]", origin="/impulse")
    rows = [blueprint.Horizontal(*spaces), blueprint.Horizontal(*pictures), impulses]
    return blueprint.Blueprint(blueprint.Vertical(*rows, row_shares=[3, 2, 1]))


def _log_still(rr: Any, recording: Any, scene: _Scene, world: World) -> None:
    """What does not change over time: axes, shapes, paths, lens."""
    recording.log(str(world), rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    for name in scene.names(world):
        color = scene.color(name)
        shape = scene.shapes.objects.get(name)
        if shape is not None:
            drawn: Any = rr.Mesh3D(
                vertex_positions=shape.vertices,
                triangle_indices=shape.faces,
                vertex_normals=_normals(shape.vertices, shape.faces),
                albedo_factor=color,
            )
        else:
            low, high = scene.corners[name].min(axis=0), scene.corners[name].max(axis=0)
            drawn = rr.Boxes3D(centers=[(low + high) / 2], half_sizes=[(high - low) / 2], colors=[color])
        recording.log(f"{world}/objects/{name}", drawn, static=True)
        path = rr.LineStrips3D([scene.middles(world, name)], colors=[color])
        recording.log(f"{world}/paths/{name}", path, static=True)
    width, height = (int(size) for size in scene.physics["camera_size"])
    lens = rr.Pinhole(
        image_from_camera=scene.physics["camera_matrix"],
        resolution=[width, height],
        camera_xyz=getattr(rr.ViewCoordinates, IMAGE_FROM_BLENDER),
        image_plane_distance=FRUSTUM_M,
    )
    recording.log(f"{world}/camera/picture", lens, static=True)
    colors = {label: (*OVERLAY[label], 255) if label in OVERLAY else (0, 0, 0, 0) for label in Label}
    classes = [(int(label), label.name, color) for label, color in colors.items()]
    recording.log(f"{world}/camera/picture/mask", rr.AnnotationContext(classes), static=True)


def _log_motion(rr: Any, recording: Any, scene: _Scene, world: World) -> None:
    """Poses, body points, camera and contacts of every frame."""
    poses = {name: scene.poses(world, name) for name in scene.names(world)}
    people = scene.shapes.people if world is World.FACTUAL else {}
    contacts = _contacts(scene, world)
    for frame in range(scene.num_frames):
        _set_time(recording, frame, scene.fps)
        for name, pose in poses.items():
            recording.log(f"{world}/objects/{name}", _transform(rr, pose[frame]))
        for name, points in people.items():
            recording.log(
                f"{world}/people/{name}", rr.Points3D(points[frame], colors=[COLORS["person"]], radii=[0.004])
            )
        recording.log(f"{world}/camera", _transform(rr, scene.physics["world_from_camera"][frame]))
        touching = [one for one in contacts if one.impulse[frame] > 0]
        ends = rr.LineStrips3D(
            [np.stack([one.first[frame], one.second[frame]]) for one in touching],
            colors=[CONTACT_COLOR],
            labels=[f"{one.name} {one.impulse[frame]:.3g} N s" for one in touching],
        )
        recording.log(f"{world}/contacts", ends)
        for one in contacts:
            recording.log(f"impulse/{world}/{one.name}", rr.Scalar(float(one.impulse[frame])))


def _log_pictures(rr: Any, recording: Any, scene: _Scene, world: World) -> None:
    """Frames and mask; JPEG, for looking: measure on the sample's own videos."""
    sample = scene.found.info
    mask = decode_mask(sample.path(MASK))
    for frame, picture in enumerate(iterate_rgb(sample.path(VIDEOS[world]))):
        _set_time(recording, frame, scene.fps)
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, format="JPEG", quality=JPEG_QUALITY)
        coded = rr.EncodedImage(contents=stream.getvalue(), media_type="image/jpeg")
        recording.log(f"{world}/camera/picture", coded)
        recording.log(f"{world}/camera/picture/mask", rr.SegmentationImage(mask[frame], opacity=0.5))


def _set_time(recording: Any, frame: int, fps: float) -> None:
    recording.set_time_sequence("frame", frame)
    recording.set_time_seconds("time", frame / fps)


def _transform(rr: Any, pose: np.ndarray) -> Any:
    """A pose [7] as Rerun has it: its quaternions end with w."""
    return rr.Transform3D(translation=pose[:3], quaternion=rr.Quaternion(xyzw=np.roll(pose[3:], -1)))


@dataclass(frozen=True, kw_only=True)
class _Contact:
    """A pair that touches at some time: ends of the line between them, float [num_frames, 3] [m], and impulse [N s]."""

    name: str
    first: np.ndarray
    second: np.ndarray
    impulse: np.ndarray


def _contacts(scene: _Scene, world: World) -> list[_Contact]:
    """Contacts of a world; the factual one of a recorded person has none, since it was not simulated."""
    prefix = CONTACTS[world]
    if f"{prefix}impulse" not in scene.physics:
        return []
    pairs = zip(scene.physics[f"{prefix}pair_first"], scene.physics[f"{prefix}pair_second"], strict=True)
    names = set(scene.names(world))
    found = []
    for column, pair in enumerate(pairs):
        bodies = [str(name) for name in pair if str(name) in names]
        if not bodies:
            continue
        first = scene.middles(world, bodies[0])
        second = scene.middles(world, bodies[1]) if len(bodies) == 2 else first * (1, 1, 0)  # the floor is z = 0
        impulse = scene.physics[f"{prefix}impulse"][:, column]
        found.append(_Contact(name="-".join(map(str, pair)), first=first, second=second, impulse=impulse))
    return found


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normal of each vertex, float [V, 3]: the mean of its faces', weighted by their area."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices, dtype=np.float64)
    for corner in range(3):
        np.add.at(total, faces[:, corner], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.where(length > 0, length, 1.0))
