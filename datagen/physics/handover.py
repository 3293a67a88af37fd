"""The moment at which the person disappears: both the filmed motion and the state that physics starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from datagen.errors import DataError
from datagen.physics.support import BodyPoints
from datagen.sequence import BodyTrack, ObjectTrack, Sequence
from datagen.spec import SceneSpec
from datagen.trajectory import Trajectory, interpolate, velocities

Track = TypeVar("Track", ObjectTrack, BodyTrack)


@dataclass(frozen=True, kw_only=True)
class Handover:
    """A clip of a sequence, at video times.

    factual  every object of the scene, as filmed
    people   points on each person, float64 [num_frames, P, 3], by name
    """

    tracks: tuple[ObjectTrack, ...]  # in the order of factual.names
    factual: Trajectory
    people: dict[str, np.ndarray]
    bodies: tuple[BodyTrack, ...]

    def body_points(self, frame: int) -> tuple[BodyPoints, ...]:
        """Everybody's points at a video frame."""
        return tuple(
            BodyPoints(name=body.name, points=self.people[body.name][frame], part=body.part, part_names=body.part_names)
            for body in self.bodies
        )

    def track(self, name: str) -> ObjectTrack:
        """The object of that name."""
        return self.tracks[self.factual.index(name)]


def take_clip(spec: SceneSpec, sequence: Sequence, mocap_fps: float) -> Handover:
    """Cut a scene's clip out of its sequence, in real time.

    Raises `DataError` when the sequence lacks one of the scene's objects or people.
    """
    tracks = tuple(_named(spec, sequence.objects, thing.name, "object") for thing in spec.objects)
    for track in tracks:
        broken = int((~np.isfinite(track.poses)).any(axis=1).sum())
        if broken or len(track.poses) != sequence.info.num_frames:
            raise DataError(
                f"{spec.key}: object '{track.name}' has no finite pose in {broken} of {len(track.poses)} frames; "
                f"expected one in each of {sequence.info.num_frames}; key it in every frame"
            )
    bodies = tuple(_named(spec, sequence.people, person.name, "person") for person in spec.people)
    times = spec.clip.start_s + np.array(spec.clip.times_s())
    return Handover(
        tracks=tracks,
        factual=_factual(tracks, mocap_fps, times, spec.clip.fps),
        people={body.name: sample_points(body.points, mocap_fps, times) for body in bodies},
        bodies=bodies,
    )


def take_moment(spec: SceneSpec, sequence: Sequence, mocap_fps: float) -> Handover:
    """Only the first frame of a scene's clip, which may then begin anywhere in its sequence."""
    return take_clip(replace(spec, clip=replace(spec.clip, num_frames=1)), sequence, mocap_fps)


def _named(spec: SceneSpec, tracks: tuple[Track, ...], name: str, kind: str) -> Track:
    for track in tracks:
        if track.name == name:
            return track
    raise DataError(
        f"{spec.key}: sequence '{spec.sequence}' has no {kind} '{name}'; it has {[track.name for track in tracks]}; "
        "plan the run again"
    )


def _factual(tracks: tuple[ObjectTrack, ...], mocap_fps: float, times: np.ndarray, fps: float) -> Trajectory:
    """Motion capture at video times; velocities are finite differences at the mocap rate."""
    poses = np.stack([track.poses for track in tracks], axis=1)
    linear, angular = velocities(poses, mocap_fps)
    return Trajectory(
        names=tuple(track.name for track in tracks),
        fps=fps,
        poses=interpolate(poses, mocap_fps, times),
        linear_velocity=sample_points(linear, mocap_fps, times),
        angular_velocity=sample_points(angular, mocap_fps, times),
    )


def sample_points(values: np.ndarray, fps: float, times: np.ndarray) -> np.ndarray:
    """Values [num_samples, ...] taken at `fps`, linearly interpolated at times [s]; float64."""
    at = np.clip(times * fps, 0, len(values) - 1)
    low = np.minimum(at.astype(int), max(len(values) - 2, 0))
    high = np.minimum(low + 1, len(values) - 1)
    share = (at - low).reshape(-1, *([1] * (values.ndim - 1)))
    return np.asarray(values[low] * (1 - share) + values[high] * share, dtype=np.float64)
