"""A sample: two videos of one scene, the mask between them, and the physics and evidence behind both.

    rgb_full.mp4      factual video, with the removed objects
    rgb_removed.mp4   counterfactual video, of equal length
    mask.mp4          quadmask, exact after decoding
    layers.npz        the evidence behind the mask, bit-packed; so that any policy is composed without rendering again
    physics.npz       both trajectories, contacts, masses, camera; see `physics_arrays`
    metadata.json     `SampleMetadata`, with the sha256 of every other file
    prompt.json       {"bg": the counterfactual in words}
    segmentation.npz, depth.npz, flow.npz   if the spec asks for them; see `geometry_layers`
    hidden.mp4, perturbed_<k>.mp4           likewise: the factual motion with the removed objects hidden, and the
                      counterfactual from a start within measurement noise (`perturbed_poses` k of physics.npz)

A sample is whole or absent, and a function of its scene: no clock or timing is in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen import __version__
from datagen.camera import lens_of
from datagen.codec import atomic_folder, read_npz, read_record, sha256_file, sha256_record, write_json, write_npz
from datagen.errors import DataError
from datagen.evalset import HIDDEN, perturbed_name
from datagen.evidence import OPTIONAL_LAYERS, RenderedLayers, derive_layers, moved_in_scene, with_spill
from datagen.exposure import check_exposure
from datagen.figures import effect_visibility, keep_differences, mask_statistics
from datagen.frames import RenderedScene
from datagen.geometry_layers import geometry_files, write_geometry
from datagen.layers import EVIDENCE, HIDDEN_LAYER, perturbed_layer
from datagen.mask_layers import read_layers, write_layers
from datagen.metadata import FORMAT_VERSION, EffectVisibility, SampleMetadata, licence_of, removed_things, warnings_of
from datagen.physics.perturb import read_perturbed
from datagen.physics.records import NULL_EFFECT, PhysicsCertificate
from datagen.placement import Staging
from datagen.quadmask import MaskLayers, Policy, compose_mask, parse_policy
from datagen.settings import LayerSettings
from datagen.spec import SceneSpec, World
from datagen.trajectory import Trajectory, read_trajectories
from datagen.video import encode_mask, encode_rgb

RGB_FULL = "rgb_full.mp4"
RGB_REMOVED = "rgb_removed.mp4"
MASK = "mask.mp4"
LAYERS = "layers.npz"
PHYSICS = "physics.npz"
METADATA = "metadata.json"
PROMPT = "prompt.json"
VIDEOS = (RGB_FULL, RGB_REMOVED, MASK)
REQUIRED_FILES = (*VIDEOS, LAYERS, PHYSICS, PROMPT)  # each with a sha256 in the metadata

TRAJECTORIES = "trajectories.npz"
CONTACTS = "contacts.npz"
CERTIFICATE = "certificate.json"
STAGING = "staging.json"
NEVER = -1  # divergence frame of what does not diverge


@dataclass(frozen=True, kw_only=True)
class SampleInfo:
    """A finished sample's folder and what it says about itself."""

    root: Path
    metadata: SampleMetadata

    def path(self, name: str) -> Path:
        """File of the sample."""
        return self.root / name


@dataclass(frozen=True, kw_only=True)
class ScenePhysics:
    """What a physics folder holds."""

    worlds: Mapping[World, Trajectory]
    contacts: Mapping[str, np.ndarray]
    perturbed: Mapping[str, np.ndarray]  # arrays of the sample; empty where nothing was perturbed
    certificate: PhysicsCertificate
    staging: Staging


def compose_sample(
    spec: SceneSpec, physics: Path, render: Path, out: Path, provenance: Mapping[str, Any], policy: str = "void"
) -> SampleInfo:
    """Make the sample folder `out`, whole or not at all, from a scene's physics and render folders.

    Raises `DataError` for folders that are incomplete, of another scene, or contradict the spec.
    """
    with atomic_folder(out) as partial:
        fill_sample(spec, physics, render, partial, provenance, policy)
    return read_sample(out)


def fill_sample(
    spec: SceneSpec, physics: Path, render: Path, folder: Path, provenance: Mapping[str, Any], policy: str = "void"
) -> None:
    """Write a sample's files into an existing folder; raises `SceneRejected` for a black or burnt-out video."""
    wanted = parse_policy(policy)
    simulated = read_physics(physics)
    scene = RenderedScene(render)
    check_inputs(spec, simulated, scene)
    full, removed = scene.frames("rgb_factual"), scene.frames("rgb_counterfactual")
    check_exposure(spec.key, {RGB_FULL: full, RGB_REMOVED: removed})
    layers = with_spill(evidence_of(spec, simulated, scene), full, removed)
    masks = {one: compose_mask(layers, one) for one in Policy}
    encode_rgb(folder / RGB_FULL, full, spec.clip.fps)
    encode_rgb(folder / RGB_REMOVED, removed, spec.clip.fps)
    encode_mask(folder / MASK, masks[wanted], spec.clip.fps)
    write_layers(folder / LAYERS, layers)
    write_npz(folder / PHYSICS, physics_arrays(spec, simulated))
    write_json(folder / PROMPT, {"bg": simulated.certificate.caption})
    for name, layer in extra_videos(spec.layers).items():
        encode_rgb(folder / name, scene.frames(layer), spec.clip.fps)
    write_geometry(spec, simulated.worlds, simulated.staging, render, folder)
    figures = {
        "mask": mask_statistics(masks[wanted], wanted),
        "keep_difference": keep_differences(full, removed, masks),
        "effect": effect_visibility(layers),
    }
    names = sorted({*REQUIRED_FILES, *geometry_files(spec.layers), *extra_videos(spec.layers)})
    files = {name: sha256_file(folder / name) for name in names}
    write_json(folder / METADATA, _metadata(spec, simulated.certificate, scene, provenance, files, figures))


def extra_videos(layers: LayerSettings) -> dict[str, str]:
    """Videos beside the required ones that a sample with these layers holds: file name, and the render's layer."""
    hidden = {HIDDEN: HIDDEN_LAYER} if layers.hidden else {}
    return hidden | {perturbed_name(index): perturbed_layer(index) for index in range(layers.perturbed)}


def read_sample(root: Path) -> SampleInfo:
    """A sample's record; raises `DataError` where there is none."""
    if not (root / METADATA).is_file():
        raise DataError(f"{root} is no sample (it has no {METADATA})")
    return SampleInfo(root=root, metadata=read_record(SampleMetadata, root / METADATA))


def read_physics(folder: Path) -> ScenePhysics:
    """What a physics folder holds."""
    return ScenePhysics(
        worlds=read_trajectories(folder / TRAJECTORIES),
        contacts=read_npz(folder / CONTACTS),
        perturbed=read_perturbed(folder),
        certificate=read_record(PhysicsCertificate, folder / CERTIFICATE),
        staging=read_record(Staging, folder / STAGING),
    )


def read_rendered(scene: RenderedScene) -> RenderedLayers:
    """The layers of a render that a mask follows from."""
    there = {layer.name for layer in scene.manifest.layers}
    known = [field.name for field in dataclasses.fields(RenderedLayers)]
    names = [name for name in known if name in there or name not in OPTIONAL_LAYERS]
    return RenderedLayers(**{name: scene.frames(name) for name in names})


def check_inputs(spec: SceneSpec, physics: ScenePhysics, scene: RenderedScene) -> None:
    """Raise `DataError` where physics or render are of another scene, length, rate or size than the spec."""
    rgb = scene.layer("rgb_factual")
    facts: list[tuple[str, Any, Any]] = [
        ("certificate's key", physics.certificate.key, spec.key),
        ("render's key", scene.manifest.key, spec.key),
        ("render's ids", scene.manifest.ids, spec.ids()),
        ("render's length", scene.num_frames, spec.clip.num_frames),
        ("render's size", (rgb.width, rgb.height), (spec.render.width, spec.render.height)),
        ("camera's length", len(physics.staging.world_from_camera), spec.clip.num_frames),
    ]
    for world, trajectory in physics.worlds.items():
        facts.append((f"{world} trajectory's length", trajectory.num_frames, spec.clip.num_frames))
        facts.append((f"{world} trajectory's rate", trajectory.fps, spec.clip.fps))
    for name, found, expected in facts:
        if found != expected:
            raise DataError(f"{spec.key}: {name}: expected {expected}, found {found}; make the earlier stages again")


def evidence_of(spec: SceneSpec, physics: ScenePhysics, scene: RenderedScene) -> MaskLayers:
    """The evidence of a mask; a renderer that needed it, to tell where the worlds differ, has left it."""
    if (scene.root / EVIDENCE).is_file():
        return read_layers(scene.root / EVIDENCE)
    return derive_layers(read_rendered(scene), _moved(spec, physics), blur_px=physics.staging.blur_px)


def _moved(spec: SceneSpec, physics: ScenePhysics) -> np.ndarray:
    """Which object is elsewhere in the other world, bool [num_frames, max id + 1]."""
    corners = {body.name: np.array(body.corners) for body in physics.certificate.bodies}
    return moved_in_scene(spec, physics.worlds, physics.staging, corners)


def physics_arrays(spec: SceneSpec, physics: ScenePhysics) -> dict[str, np.ndarray]:
    """Contents of physics.npz; equal inputs give equal arrays.

    <world>_names [n], _poses [num_frames, n, 7], _linear_velocity and _angular_velocity [num_frames, n, 3], _fps
    contacts_*                      as physics wrote them
    object_names, object_ids [m]    all objects and people; ids as in id layers
    object_mass_kg [m]              nan where it is static or a person
    object_dynamic [m]              bool
    object_divergence_frame [m], divergence_frame   first frame that differs between the worlds; -1: none
    removed_names
    perturbed_poses float32 [K, num_frames, n, 7]   of the counterfactual from starts within measurement noise
    spread_m float32 [num_frames, n]    greatest distance of an object's corners in these from the counterfactual's
    camera_matrix [3, 3]            pixels (right, down; the first pixel's centre is 0.5, 0.5) from camera axes +X
                                    right, +Y down, +Z forward
    camera_size [2]                 width, height
    world_from_camera [num_frames, 7]   pose of the camera, which looks along its -Z with +Y up
    camera_pace, camera_path_scale  the pace that was taken, which the spec only wishes for, and how much of its path
    """
    arrays: dict[str, np.ndarray] = {f"contacts_{name}": values for name, values in physics.contacts.items()}
    arrays |= physics.perturbed
    for world, trajectory in physics.worlds.items():
        arrays[f"{world}_names"] = np.array(trajectory.names, dtype=np.str_)
        arrays[f"{world}_fps"] = np.array(trajectory.fps, dtype=np.float64)
        arrays[f"{world}_poses"] = trajectory.poses
        arrays[f"{world}_linear_velocity"] = trajectory.linear_velocity
        arrays[f"{world}_angular_velocity"] = trajectory.angular_velocity
    return arrays | _object_arrays(spec, physics.certificate) | _camera_arrays(spec, physics.staging)


def _object_arrays(spec: SceneSpec, certificate: PhysicsCertificate) -> dict[str, np.ndarray]:
    ids = spec.ids()
    bodies = {body.name: body for body in certificate.bodies}
    found = [bodies.get(name) for name in ids]
    masses = [body.mass_kg if body and body.mass_kg is not None else np.nan for body in found]
    return {
        "object_names": np.array(list(ids), dtype=np.str_),
        "object_ids": np.array(list(ids.values()), dtype=np.int32),
        "object_mass_kg": np.array(masses, dtype=np.float64),
        "object_dynamic": np.array([bool(body and body.dynamic) for body in found]),
        "object_divergence_frame": np.array(
            [_frame_or_never(body.divergence_frame if body else None) for body in found], dtype=np.int32
        ),
        "divergence_frame": np.array(_frame_or_never(certificate.divergence_frame), dtype=np.int32),
        "removed_names": np.array(spec.removed, dtype=np.str_),
    }


def _frame_or_never(frame: int | None) -> int:
    return NEVER if frame is None else frame


def _camera_arrays(spec: SceneSpec, staging: Staging) -> dict[str, np.ndarray]:
    lens = lens_of(spec, staging)
    matrix = np.array([[lens.focal_px, 0, lens.width / 2], [0, lens.focal_px, lens.height / 2], [0, 0, 1]])
    return {
        "camera_matrix": matrix,
        "camera_size": np.array([lens.width, lens.height], dtype=np.int32),
        "world_from_camera": np.array(staging.world_from_camera, dtype=np.float64),
        "camera_pace": np.array(staging.pace.value, dtype=np.str_),
        "camera_path_scale": np.array(staging.path_scale, dtype=np.float64),
    }


def mask_of(sample: Path, policy: Policy) -> np.ndarray:
    """The quadmask of any policy, from a finished sample's evidence, uint8 [num_frames, height, width]."""
    return compose_mask(read_layers(sample / LAYERS), policy)


def labels_of(certificate: PhysicsCertificate, effect: EffectVisibility) -> tuple[str, ...]:
    """The certificate's labels; an effect that is there and hardly to be seen is `null_effect` too."""
    unseen = () if effect.visible or NULL_EFFECT in certificate.labels else (NULL_EFFECT,)
    return (*certificate.labels, *unseen)


def _metadata(
    spec: SceneSpec,
    certificate: PhysicsCertificate,
    scene: RenderedScene,
    provenance: Mapping[str, Any],
    files: dict[str, str],
    figures: Mapping[str, Any],
) -> SampleMetadata:
    return SampleMetadata(
        format_version=FORMAT_VERSION,
        key=spec.key,
        source=spec.source,
        sequence=spec.sequence,
        description=spec.description,
        num_frames=spec.clip.num_frames,
        fps=spec.clip.fps,
        width=spec.render.width,
        height=spec.render.height,
        seeds={"scene": spec.seed, "floor": spec.floor.seed, "wall": spec.wall.seed},
        removed=removed_things(spec),
        caption=certificate.caption,
        labels=labels_of(certificate, figures["effect"]),
        affected=certificate.affected,
        divergence_frame=certificate.divergence_frame,
        licence=licence_of(spec),
        certificate=dataclasses.replace(certificate, seconds={}),
        spec_sha256=sha256_record(spec),
        spec=spec,
        provenance=dict(provenance),
        versions={**certificate.versions, **scene.manifest.versions, "voidgen": __version__},
        files=files,
        device=scene.manifest.device,
        warnings=(*warnings_of(spec), *scene.manifest.notes),
        **figures,
    )
