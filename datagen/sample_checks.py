"""Is a sample whole? Every check yields what is wrong and raises nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from datagen.codec import PARTIAL_SUFFIX, read_npz, sha256_file, sha256_record
from datagen.errors import DataError, VoidgenError
from datagen.evalset import HIDDEN
from datagen.figures import (
    MAX_CODED_MEAN,
    MAX_CODED_MEAN_MOVING,
    MAX_CODED_P999,
    MAX_KEEP_MEAN,
    MAX_KEEP_P999,
    MAX_LATE,
    MAX_SEAM,
    keep_difference,
    lateness,
    seam_difference,
)
from datagen.geometry_layers import check_geometry, geometry_files
from datagen.mask_layers import read_layers
from datagen.metadata import FORMAT_VERSION, SampleMetadata
from datagen.quadmask import Label, MaskLayers, Policy, compose_mask, in_form, parse_form, parse_policy
from datagen.regions import RAMP_PX, SPILL_PX
from datagen.sample import (
    LAYERS,
    MASK,
    METADATA,
    PHYSICS,
    PROMPT,
    REQUIRED_FILES,
    RGB_FULL,
    RGB_REMOVED,
    VIDEOS,
    extra_videos,
    read_sample,
)
from datagen.spec import World
from datagen.video import decode_mask, decode_rgb, iterate_rgb, probe, rate_of

MAX_SHARE_ERROR = 1e-9
TRAJECTORY_PARTS = ("names", "poses", "linear_velocity", "angular_velocity")
PHYSICS_ARRAYS = (
    *(f"{world}_{part}" for world in World for part in TRAJECTORY_PARTS),
    "camera_matrix",
    "world_from_camera",
    "object_names",
    "object_ids",
    "divergence_frame",
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is not as it should be."""

    where: str  # file or folder
    problem: str


def check_sample(path: Path, counted: list[str]) -> Iterator[Problem]:
    """Problems of a sample folder named like its key."""
    counted.append(path.name)
    try:
        metadata = read_sample(path).metadata
    except VoidgenError as error:
        yield problem_of(path / METADATA, error)
        return
    yield from _check_record(path, metadata)
    yield from _check_files(path, metadata)
    readers = (_check_videos, _check_mask, _check_physics, _check_prompt, _check_geometry, _check_keep, _check_hidden)
    for reader in readers:
        yield from guarded(path, lambda reader=reader: reader(path, metadata))  # type: ignore[misc]
    yield from check_leftovers(path)


def guarded(path: Path, check: Callable[[], Iterable[Problem]]) -> Iterator[Problem]:
    """Problems that a check finds, and the one that ends it."""
    try:
        yield from check()
    except VoidgenError as error:
        yield problem_of(path, error)
    except OSError as error:
        yield Problem(where=str(path), problem=f"cannot be read: {error.strerror or error}")


def problem_of(path: Path, error: Exception) -> Problem:
    return Problem(where=str(path), problem=str(error).removeprefix(f"{path}: "))


def _check_record(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    """Contradictions inside metadata.json."""
    spec = metadata.spec
    facts: list[tuple[str, Any, Any]] = [
        ("format_version", metadata.format_version, FORMAT_VERSION),
        ("key", metadata.key, path.name),
        ("spec.key", spec.key, metadata.key),
        ("certificate.key", metadata.certificate.key, metadata.key),
        ("spec_sha256", metadata.spec_sha256, sha256_record(spec)),
        ("num_frames", metadata.num_frames, spec.clip.num_frames),
        ("fps", metadata.fps, spec.clip.fps),
        ("width", metadata.width, spec.render.width),
        ("height", metadata.height, spec.render.height),
        ("caption", metadata.caption, metadata.certificate.caption),
        ("length of effect.share_per_frame", len(metadata.effect.share_per_frame), metadata.num_frames),
    ]
    for name, found, expected in facts:
        if found != expected:
            yield Problem(where=str(path / METADATA), problem=f"{name}: expected {expected!r}, found {found!r}")


def _check_files(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    """Files that are missing, or are not those that were hashed."""
    for name in sorted(set(REQUIRED_FILES) - set(metadata.files)):
        yield Problem(where=str(path / METADATA), problem=f"files: lacks the sha256 of {name}")
    for name in sorted({*REQUIRED_FILES, *metadata.files}):
        file = path / name
        if not file.is_file():
            yield Problem(where=str(file), problem="no such file; expected it in every sample")
        elif name in metadata.files and (found := sha256_file(file)) != metadata.files[name]:
            expected = metadata.files[name]
            yield Problem(where=str(file), problem=f"sha256: expected {expected[:12]}..., found {found[:12]}...")


def _check_videos(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    """Length, rate and size of all videos, by header and by decoding; missing required ones are told elsewhere."""
    for name in extra_videos(metadata.spec.layers):
        if name not in metadata.files:
            yield Problem(where=str(path / METADATA), problem=f"files: lacks the sha256 of {name}")
    for name in (*VIDEOS, *extra_videos(metadata.spec.layers)):
        file = path / name
        if file.is_file():
            yield from guarded(file, lambda file=file: _check_video(file, metadata))  # type: ignore[misc]


def _check_video(file: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    info = probe(file)
    decoded = 0
    for decoded, frame in enumerate(iterate_rgb(file), start=1):
        if frame.shape[:2] != (info.height, info.width):
            found = f"{frame.shape[1]}x{frame.shape[0]}"
            yield Problem(where=str(file), problem=f"frame {decoded - 1}: found {found} pixels")
            break
    facts: list[tuple[str, Any, Any]] = [
        ("frames by header", info.num_frames, metadata.num_frames),
        ("frames decoded", decoded, metadata.num_frames),
        ("frames per second", info.fps, float(rate_of(metadata.fps))),
        ("size", f"{info.width}x{info.height}", f"{metadata.width}x{metadata.height}"),
    ]
    for name, found, expected in facts:
        if found != expected:
            yield Problem(where=str(file), problem=f"{name}: expected {expected}, found {found}")


def _check_mask(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    """Exact values, and agreement of the mask with its evidence and its statistics."""
    file = path / MASK
    if not file.is_file():
        return
    mask = decode_mask(file)
    for label in Label:
        share, told = float((mask == label).mean()), metadata.mask.share.get(label.name, float("nan"))
        if not abs(share - told) < MAX_SHARE_ERROR:
            yield Problem(where=str(file), problem=f"share of {label.name}: expected {told:g}, found {share:g}")
    if (path / LAYERS).is_file():
        layers = read_layers(path / LAYERS)
        derived = in_form(compose_mask(layers, parse_policy(metadata.mask.policy)), parse_form(metadata.mask.form))
        yield from _compare_masks(file, mask, derived)


def _compare_masks(file: Path, mask: np.ndarray, derived: np.ndarray) -> Iterator[Problem]:
    if mask.shape != derived.shape:
        yield Problem(where=str(file), problem=f"{LAYERS} has shape {derived.shape}, the mask {mask.shape}")
        return
    wrong = np.flatnonzero((mask != derived).any(axis=(1, 2)))
    if len(wrong):
        pixels = int((mask[wrong[0]] != derived[wrong[0]]).sum())
        where = f"{len(wrong)} frames, first frame {wrong[0]} in {pixels} pixels"
        yield Problem(where=str(file), problem=f"differs from the mask that follows from {LAYERS} in {where}")


def _check_keep(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    """Policy "effects": where its mask says KEEP, the two videos are equal; as measured before coding, and as coded."""
    told = metadata.keep_difference.get(Policy.EFFECTS.value)
    if told is None or not told.passed:
        found = f"mean {told.mean:.3g}, 99.9th percentile {told.p999:g}" if told else "no figures"
        why = "" if metadata.spec.render.reuse_unchanged else "; render with render.reuse_unchanged=true"
        expected = f"mean below {MAX_KEEP_MEAN:g} and 99.9th percentile below {MAX_KEEP_P999:g} levels"
        yield Problem(where=str(path / METADATA), problem=f"KEEP differs: expected {expected}, found {found}{why}")
        return
    if not all((path / name).is_file() for name in (RGB_FULL, RGB_REMOVED, LAYERS)):
        return  # told elsewhere
    mask = compose_mask(read_layers(path / LAYERS), Policy.EFFECTS)
    full, removed = decode_rgb(path / RGB_FULL), decode_rgb(path / RGB_REMOVED)
    if not full.shape[:3] == removed.shape[:3] == mask.shape:
        return  # told elsewhere
    coded, seam = keep_difference(full, removed, mask), seam_difference(full, removed, mask)
    facts = (
        ("mean of KEEP", coded.mean, max_coded_mean(path)),
        ("99.9th percentile of KEEP", coded.p999, MAX_CODED_P999),
        ("99.5th percentile beside the mask's edge", seam, MAX_SEAM),
        ("times that it fits better a frame earlier or later", lateness(full, removed, mask), MAX_LATE),
    )
    for what, measured, most in facts:
        if not measured < most:
            problem = "where the mask of policy 'effects' says KEEP the videos differ, as if it lay a little off"
            limit = f"{what}: expected below {most:g}, found {measured:.3g}"
            yield Problem(where=str(path / LAYERS), problem=f"{problem}: {limit}")


def max_coded_mean(path: Path) -> float:
    """What coding may make of equal pixels: more where a sample's camera moves; as at rest where nothing is stored."""
    if not (path / PHYSICS).is_file():
        return MAX_CODED_MEAN
    poses = read_npz(path / PHYSICS).get("world_from_camera", np.zeros((1, 7)))
    return MAX_CODED_MEAN_MOVING if np.ptp(poses, axis=0).max(initial=0) > 0 else MAX_CODED_MEAN


def _check_hidden(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    """The hidden video is the counterfactual one where nothing is elsewhere, or lit by something that is."""
    if not metadata.spec.layers.hidden or not all((path / name).is_file() for name in (HIDDEN, RGB_REMOVED, LAYERS)):
        return  # missing files are told elsewhere
    mask = np.where(elsewhere_nearby(read_layers(path / LAYERS)), np.uint8(Label.AFFECTED), np.uint8(Label.KEEP))
    hidden, removed = decode_rgb(path / HIDDEN), decode_rgb(path / RGB_REMOVED)
    if not hidden.shape[:3] == removed.shape[:3] == mask.shape:
        return  # told elsewhere
    coded = keep_difference(hidden, removed, mask)
    for what, measured, most in (
        ("mean", coded.mean, max_coded_mean(path)),
        ("99.9th percentile", coded.p999, MAX_CODED_P999),
    ):
        if not measured < most:
            limit = f"{what}: expected below {most:g}, found {measured:.3g}"
            yield Problem(where=str(path / HIDDEN), problem=f"differs from {RGB_REMOVED} where nothing moves: {limit}")


def elsewhere_nearby(layers: MaskLayers) -> np.ndarray:
    """Where the hidden video may differ from the counterfactual one, bool [num_frames, height, width]."""
    near = np.ones((1, 3, 3), dtype=bool)
    moves = layers.moved_before | layers.moved_after | layers.lit_by_moved
    return np.asarray(ndimage.binary_dilation(moves, near, iterations=RAMP_PX + SPILL_PX))


def _check_physics(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    """Both trajectories and the camera, of the clip's length and finite."""
    file = path / PHYSICS
    if not file.is_file():
        return
    arrays = read_npz(file)
    for name in PHYSICS_ARRAYS:
        if name not in arrays:
            yield Problem(where=str(file), problem=f"lacks the array '{name}'")
        elif name.endswith(("poses", "velocity", "world_from_camera")):
            if len(arrays[name]) != metadata.num_frames:
                found = f"expected {metadata.num_frames} frames, found {len(arrays[name])}"
                yield Problem(where=str(file), problem=f"'{name}': {found}")
            if not np.isfinite(arrays[name]).all():
                yield Problem(where=str(file), problem=f"'{name}' holds values that are no numbers")


def _check_prompt(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    file = path / PROMPT
    if not file.is_file():
        return
    expected = {"bg": metadata.caption}
    found = _read_json(file)
    if found != expected:
        yield Problem(where=str(file), problem=f"expected {expected}, found {str(found)[:120]}")


def _check_geometry(path: Path, metadata: SampleMetadata) -> Iterator[Problem]:
    """The optional layers that the spec asks for."""
    for problem in check_geometry(metadata.spec, path):
        name, _, text = problem.partition(": ")
        yield Problem(where=str(path / name), problem=text)
    for name in geometry_files(metadata.spec.layers):
        if name not in metadata.files:
            yield Problem(where=str(path / METADATA), problem=f"files: lacks the sha256 of {name}")


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # damage can nest brackets without end
        raise DataError(f"{path}: not readable JSON ({error})") from None


def check_leftovers(folder: Path) -> Iterator[Problem]:
    for leftover in sorted(folder.glob(f"*{PARTIAL_SUFFIX}")):
        yield Problem(where=str(leftover), problem="left half-written by a crash; the next run removes it")
