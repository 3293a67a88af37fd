"""From a scene's physics and render to a sample, and back to its parts."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic import CAMERA, SceneFolders, draw_frame, make_scene, make_worlds, rectangle

from datagen.codec import read_npz, read_record, sha256_file, write_json
from datagen.errors import DataError
from datagen.figures import keep_difference
from datagen.jobs import ComposeJob
from datagen.mask_layers import read_layers, write_layers
from datagen.metadata import EffectVisibility, SampleMetadata
from datagen.physics.records import PhysicsCertificate
from datagen.quadmask import Label, Policy
from datagen.sample import LAYERS, METADATA, PHYSICS, REQUIRED_FILES, compose_sample, labels_of, mask_of, read_sample
from datagen.spec import World
from datagen.video import decode_mask, decode_rgb


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SceneFolders:
    return make_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def sample(scene: SceneFolders) -> Path:
    out = scene.physics.parent.parent / "samples" / scene.spec.key
    return compose_sample(scene.spec, scene.physics, scene.render, out, {"data_set": "demo", "run": 1}).root


def test_the_folder_is_complete(sample: Path) -> None:
    assert sorted(path.name for path in sample.iterdir()) == sorted([*REQUIRED_FILES, METADATA])


def test_the_videos_show_both_worlds(scene: SceneFolders, sample: Path) -> None:
    full, removed = decode_rgb(sample / "rgb_full.mp4"), decode_rgb(sample / "rgb_removed.mp4")
    assert full.shape == removed.shape == (6, 64, 96, 3)
    last = draw_frame(scene.spec, 5)
    assert np.abs(full[5].astype(int) - last["rgb_factual"]).mean() < 2
    assert np.abs(removed[5].astype(int) - last["rgb_counterfactual"]).mean() < 2


def test_the_mask_sits_on_what_changes(scene: SceneFolders, sample: Path) -> None:
    mask, worlds = decode_mask(sample / "mask.mp4"), make_worlds(scene.spec)
    for frame in range(6):
        stick = rectangle(scene.spec, worlds[World.FACTUAL].of("stick")[frame])
        assert (mask[frame][stick] == Label.REMOVE).all()
        for world in World:
            box = rectangle(scene.spec, worlds[world].of("box")[frame])
            inner = mask[frame][box][2:-2, 2:-2]
            assert (inner == (Label.KEEP if frame == 0 else Label.AFFECTED)).all()
        stand = rectangle(scene.spec, worlds[World.FACTUAL].of("stand")[frame])
        assert (mask[frame][stand][:6] == Label.KEEP).all()


def test_under_policy_effects_keep_means_keep(sample: Path) -> None:
    metadata = read_sample(sample).metadata
    effects, void = metadata.keep_difference["effects"], metadata.keep_difference["void"]
    assert effects.passed and effects.mean == 0 and effects.p999 == 0
    assert not void.passed and void.num_pixels > effects.num_pixels


def test_any_policy_follows_from_the_evidence(scene: SceneFolders, sample: Path, tmp_path: Path) -> None:
    assert np.array_equal(mask_of(sample, Policy.VOID), decode_mask(sample / "mask.mp4"))
    other = compose_sample(scene.spec, scene.physics, scene.render, tmp_path / "other", {}, policy="effects")
    assert np.array_equal(mask_of(sample, Policy.EFFECTS), decode_mask(other.path("mask.mp4")))
    assert other.metadata.mask.policy == "effects"


def test_metadata_says_what_it_is(scene: SceneFolders, sample: Path) -> None:
    metadata = read_record(SampleMetadata, sample / METADATA)
    assert metadata.key == scene.spec.key and metadata.spec == scene.spec
    assert metadata.caption == "A box falls to the floor beside a stand."
    assert [(one.name, one.kind, one.category) for one in metadata.removed] == [("stick", "object", "stick")]
    assert metadata.licence.name == "Adobe Research License" and metadata.provenance == {"data_set": "demo", "run": 1}
    assert metadata.certificate.seconds == {} and metadata.certificate.bodies[0].mass_kg == 1.5
    assert sum(metadata.mask.share.values()) == pytest.approx(1) and metadata.mask.num_frames["REMOVE"] == 6
    assert metadata.effect.visible and len(metadata.effect.share_per_frame) == 6
    assert metadata.files == {name: sha256_file(sample / name) for name in REQUIRED_FILES}
    assert json.loads((sample / "prompt.json").read_text()) == {"bg": metadata.caption}


def test_humotos_licence_is_the_default_of_its_source(scene: SceneFolders, tmp_path: Path) -> None:
    made = compose_sample(scene.spec, scene.physics, scene.render, tmp_path / "out", {})
    assert made.metadata.licence.name == "Adobe Research License"
    assert "non-commercial" in made.metadata.licence.note


@pytest.mark.parametrize(
    ("labels", "visible", "expected"),
    [
        (("chaotic",), True, ("chaotic",)),
        (("chaotic",), False, ("chaotic", "null_effect")),
        (("null_effect",), False, ("null_effect",)),
    ],
)
def test_an_effect_that_nobody_sees_is_none(
    scene: SceneFolders, labels: tuple[str, ...], visible: bool, expected: tuple[str, ...]
) -> None:
    certificate = read_record(PhysicsCertificate, scene.physics / "certificate.json")
    effect = EffectVisibility(share_per_frame=(), visible_frames=0.0, visible=visible)
    assert labels_of(dataclasses.replace(certificate, labels=labels), effect) == expected


def test_physics_holds_both_worlds_and_the_camera(scene: SceneFolders, sample: Path) -> None:
    arrays, worlds = read_npz(sample / PHYSICS), make_worlds(scene.spec)
    for world, trajectory in worlds.items():
        assert tuple(arrays[f"{world}_names"]) == trajectory.names
        assert np.array_equal(arrays[f"{world}_poses"], trajectory.poses)
        assert np.array_equal(arrays[f"{world}_linear_velocity"], trajectory.linear_velocity)
    assert dict(zip(arrays["object_names"], arrays["object_ids"], strict=True)) == scene.spec.ids()
    assert np.array_equal(arrays["object_mass_kg"], [np.nan, 1.5, np.nan], equal_nan=True)
    assert arrays["object_divergence_frame"].tolist() == [-1, 1, -1] and arrays["divergence_frame"] == 1
    assert np.allclose(arrays["world_from_camera"], CAMERA)
    assert arrays["camera_pace"] == "static" and arrays["camera_path_scale"] == 0
    assert np.allclose(arrays["camera_matrix"], [[96 * 35 / 36, 0, 48], [0, 96 * 35 / 36, 32], [0, 0, 1]])
    assert arrays["contacts_frame"].tolist() == [0, 1, 2]


def test_equal_inputs_give_equal_bytes(scene: SceneFolders, sample: Path, tmp_path: Path) -> None:
    """The second time in a process of its own, with physics that took longer."""
    job = tmp_path / "job.json"
    physics = make_scene(tmp_path).physics
    certificate = read_record(PhysicsCertificate, physics / "certificate.json")
    write_json(physics / "certificate.json", dataclasses.replace(certificate, seconds={"simulate": 99.0}))
    write_json(tmp_path / "spec.json", scene.spec)
    record = ComposeJob(
        spec=str(tmp_path / "spec.json"),
        physics=str(physics),
        render=str(scene.render),
        provenance={"data_set": "demo", "run": 1},
    )
    write_json(job, record)
    command = [sys.executable, "-m", "datagen.compose_scene", str(job), str(tmp_path / "out")]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    for name in (*REQUIRED_FILES, METADATA):
        assert (tmp_path / "out" / name).read_bytes() == (sample / name).read_bytes(), name


def test_layers_come_back_at_one_bit_a_pixel(sample: Path, tmp_path: Path) -> None:
    layers = read_layers(sample / LAYERS)
    write_layers(tmp_path / "again.npz", layers)
    for name, layer in read_layers(tmp_path / "again.npz").arrays().items():
        assert np.array_equal(layer, layers.arrays()[name])
    assert read_npz(tmp_path / "again.npz")["removed"].shape == (6, 96 * 64 // 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "other"}, "falling_box|other: certificate's key: expected other, found falling_box"),
        ({"clip": {"num_frames": 5}}, "render's length: expected 5, found 6"),
        ({"clip": {"fps": 24.0}}, "factual trajectory's rate: expected 24.0, found 12.0"),
        ({"render": {"width": 100}}, r"render's size: expected \(100, 64\), found \(96, 64\)"),
    ],
)
def test_folders_of_another_scene_are_refused(
    scene: SceneFolders, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    changed = {
        name: dataclasses.replace(getattr(scene.spec, name), **value) if isinstance(value, dict) else value
        for name, value in change.items()
    }
    with pytest.raises(DataError, match=message):
        compose_sample(dataclasses.replace(scene.spec, **changed), scene.physics, scene.render, tmp_path / "out", {})
    assert not list(tmp_path.iterdir())


def test_an_unfinished_physics_folder_is_named(scene: SceneFolders, tmp_path: Path) -> None:
    physics = make_scene(tmp_path).physics
    (physics / "staging.json").unlink()
    with pytest.raises(DataError, match=r"staging\.json: no such file"):
        compose_sample(scene.spec, physics, scene.render, tmp_path / "out", {})
    assert not (tmp_path / "out").exists()


def test_no_sample_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no sample \(it has no metadata.json\)"):
        read_sample(tmp_path)


def test_keep_difference_against_numpy() -> None:
    rng = np.random.default_rng(0)
    full, removed = rng.integers(0, 256, (2, 3, 20, 30, 3), dtype=np.uint8)
    mask = rng.choice(np.array([0, 255], dtype=np.uint8), (3, 20, 30))
    values = np.abs(full.astype(int) - removed)[mask == Label.KEEP]
    found = keep_difference(full, removed, mask)
    assert found.num_pixels == (mask == Label.KEEP).sum() and found.mean == pytest.approx(values.mean())
    assert found.p999 == np.percentile(values, 99.9, method="inverted_cdf")
    nothing = keep_difference(full, removed, np.zeros_like(mask))
    assert (nothing.num_pixels, nothing.mean, nothing.p999) == (0, 0.0, 0.0)
