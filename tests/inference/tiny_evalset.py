"""A tiny eval set without an engine, of the synthetic scene: a stick is removed, and the box that it held falls."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datagen.codec import read_npz, sha256_file, write_json, write_npz
from datagen.evalset import (
    EVAL_FORMAT_VERSION,
    EVAL_MANIFEST,
    GROUND_TRUTH,
    HIDDEN,
    INPUT_VIDEO,
    PROMPT,
    QUADMASK,
    TRUTH,
    EvalEntry,
    EvalManifest,
    perturbed_name,
)
from datagen.physics.perturb import write_perturbed
from datagen.sample import LAYERS, MASK, METADATA, PHYSICS, RGB_FULL, RGB_REMOVED, compose_sample
from datagen.spec import SceneSpec, World
from datagen.video import encode_rgb
from tests.datagen import synthetic

NUM_FRAMES, WIDTH, HEIGHT, FPS = 10, 96, 64, 12.0
NUM_PERTURBED = 3
SHIFT_M = 0.04  # of a perturbed box, to the right


def make_evalset(root: Path, keys: tuple[str, ...] = ("falling_a", "falling_b")) -> Path:
    """Write an eval set; the clips differ by their scene's seed alone."""
    entries = tuple(_write_clip(root, key, number) for number, key in enumerate(sorted(keys)))
    write_manifest(root, entries)
    return root


def write_manifest(root: Path, entries: tuple[EvalEntry, ...]) -> None:
    """Write the manifest of what lies there."""
    files = {
        str(path.relative_to(root)): sha256_file(path)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != EVAL_MANIFEST
    }
    manifest = EvalManifest(
        format_version=EVAL_FORMAT_VERSION, name="tiny", entries=entries, origins=(), licences={}, files=files
    )
    write_json(root / EVAL_MANIFEST, manifest)


def _write_clip(root: Path, key: str, number: int) -> EvalEntry:
    spec = synthetic.make_spec(key=key, width=WIDTH, height=HEIGHT, num_frames=NUM_FRAMES, seed=number)
    scratch = root.parent / f"{root.name}-scratch" / key
    scene = synthetic.make_scene(scratch, spec)
    truth = synthetic.make_worlds(spec)[World.COUNTERFACTUAL]
    shifts = SHIFT_M * np.arange(1, NUM_PERTURBED + 1)
    perturbed = np.stack([_shifted(truth.poses, shift) for shift in shifts])
    corners = dict.fromkeys(truth.names, synthetic.CORNERS)
    write_perturbed(scene.physics, truth.names, perturbed, truth.poses, corners)
    sample = compose_sample(spec, scene.physics, scene.render, scratch / "sample", {}).root
    inputs, judged = root / key, root / GROUND_TRUTH / key
    names = {RGB_FULL: INPUT_VIDEO, MASK: QUADMASK, PROMPT: PROMPT}
    for name, new in names.items():
        _copy(sample / name, inputs / new)
    for name in (LAYERS, PHYSICS, METADATA):
        _copy(sample / name, judged / name)
    _copy(sample / RGB_REMOVED, judged / TRUTH)
    encode_rgb(judged / HIDDEN, _draw(spec, None), FPS)
    for index, poses in enumerate(perturbed):
        encode_rgb(judged / perturbed_name(index), _draw(spec, poses), FPS)
    write_npz(judged / "segmentation.npz", _segmentation(spec))
    assert read_npz(judged / PHYSICS)["perturbed_poses"].shape[0] == NUM_PERTURBED
    return EvalEntry(
        key=key,
        source="humoto" if number % 2 == 0 else "kubric",
        family="synthetic",
        affected=("box",),
        labels=(),
        num_frames=NUM_FRAMES,
        fps=FPS,
        width=WIDTH,
        height=HEIGHT,
        num_perturbed=NUM_PERTURBED,
        hidden=True,
        segmentation=True,
    )


def _shifted(poses: np.ndarray, shift_m: float) -> np.ndarray:
    """The box (object 0) a little to the right."""
    moved = poses.copy()
    moved[:, 0, 0] += shift_m
    return moved


def _draw(spec: SceneSpec, box_and_stand: np.ndarray | None) -> np.ndarray:
    """Video of the box and the stand at these poses; of the factual ones for None. uint8 [num_frames, h, w, 3]."""
    held = synthetic.make_worlds(spec)[World.FACTUAL]
    frames = []
    for frame in range(spec.clip.num_frames):
        box = held.of("box")[frame] if box_and_stand is None else box_and_stand[frame, 0]
        poses = {"box": box, "stand": held.of("stand")[frame]}
        ids, key = synthetic._draw_ids(spec, poses), synthetic._draw_key(spec, poses)
        frames.append(synthetic._shade(ids, key, spec))
    return np.stack(frames)


def _segmentation(spec: SceneSpec) -> dict[str, np.ndarray]:
    worlds = synthetic.make_worlds(spec)
    found = {}
    for world, trajectory in worlds.items():
        frames = [
            synthetic._draw_ids(spec, {name: trajectory.of(name)[frame] for name in trajectory.names})
            for frame in range(spec.clip.num_frames)
        ]
        found[world.value] = np.stack(frames).astype(np.uint16)
    return found


def _copy(source: Path, dest: Path) -> None:
    dest.parent.mkdir(parents=True, exist_ok=True)
    dest.write_bytes(source.read_bytes())
