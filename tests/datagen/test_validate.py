"""Planted faults are found and named; nothing ends in a traceback."""

from __future__ import annotations

import json
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_scene, make_spec

from datagen.codec import partial_of, read_npz, sha256_file, write_json, write_npz
from datagen.config import resolve_config
from datagen.mask_layers import read_layers, write_layers
from datagen.quadmask import Label, MaskLayers, Policy, compose_mask
from datagen.runs import open_run
from datagen.sample import LAYERS, METADATA, REQUIRED_FILES, compose_sample
from datagen.shards import write_shards
from datagen.validate import ValidationReport, validate_path
from datagen.video import decode_mask, decode_rgb, encode_mask, encode_rgb


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of two samples."""
    root = tmp_path_factory.mktemp("made") / "run"
    run = open_run(root, source="humoto", data=root, limit=None, config=resolve_config("preview"), versions={})
    for key in ("alpha", "beta"):
        scene = make_scene(root, make_spec(key, num_frames=4))
        write_json(run.spec_path(key), scene.spec)
        compose_sample(scene.spec, scene.physics, scene.render, run.folder("compose", key), {})
    write_shards(run.sample_paths(), run.shards, "humoto", 1)
    return root


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture
def sample(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "samples" / "alpha", tmp_path / "alpha"))


def told(report: ValidationReport) -> str:
    return "\n".join(f"{problem.where}: {problem.problem}" for problem in report.problems)


def rehash(sample: Path, **changes: object) -> None:
    """Make the metadata agree with the files again, so that only the deeper check can find the fault."""
    metadata = json.loads((sample / METADATA).read_text())
    metadata["files"] = {name: sha256_file(sample / name) for name in REQUIRED_FILES}
    (sample / METADATA).write_text(json.dumps(metadata | changes))


@pytest.mark.parametrize(
    ("place", "kind", "checked"),
    [
        (".", "run", 4),
        ("samples/alpha", "sample", 1),
        ("shards", "shards", 2),
        ("shards/humoto-000000.tar", "shard", 1),
    ],
)
def test_what_is_whole_passes(made: Path, place: str, kind: str, checked: int) -> None:
    report = validate_path(made / place)
    assert (report.kind, report.checked, told(report)) == (kind, checked, "") and report.valid


DIFFERS = "mask.mp4: differs from the mask that follows from layers.npz in 1 frames, first frame 2 in "


def drop_video(sample: Path) -> None:
    (sample / "rgb_full.mp4").unlink()


def truncate_video(sample: Path) -> None:
    path = sample / "rgb_full.mp4"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    rehash(sample)


def flip_mask_value(sample: Path) -> None:
    mask = decode_mask(sample / "mask.mp4")
    mask[2, 5, 7] = Label.AFFECTED
    encode_mask(sample / "mask.mp4", mask, 12.0)
    rehash(sample)


def swap_two_mask_pixels(sample: Path) -> None:
    mask = decode_mask(sample / "mask.mp4")
    rows, columns = np.nonzero(mask[2] == Label.AFFECTED)
    mask[2, rows[0], columns[0]], mask[2, 0, 0] = mask[2, 0, 0], mask[2, rows[0], columns[0]]
    encode_mask(sample / "mask.mp4", mask, 12.0)
    rehash(sample)


def lossy_mask(sample: Path) -> None:
    mask = decode_mask(sample / "mask.mp4")
    encode_rgb(sample / "mask.mp4", np.repeat(mask[..., None], 3, axis=3), 12.0)
    rehash(sample)


def shorten(sample: Path) -> None:
    encode_rgb(sample / "rgb_removed.mp4", decode_rgb(sample / "rgb_removed.mp4")[:3], 12.0)
    rehash(sample)


def slow_down(sample: Path) -> None:
    encode_rgb(sample / "rgb_removed.mp4", decode_rgb(sample / "rgb_removed.mp4"), 10.0)
    rehash(sample)


def crop(sample: Path) -> None:
    encode_rgb(sample / "rgb_removed.mp4", decode_rgb(sample / "rgb_removed.mp4")[:, :32], 12.0)
    rehash(sample)


def wrong_hash(sample: Path) -> None:
    metadata = json.loads((sample / METADATA).read_text())
    metadata["files"]["physics.npz"] = "0" * 64
    (sample / METADATA).write_text(json.dumps(metadata))


def unknown_metadata(sample: Path) -> None:
    rehash(sample, licens="CC0")


def incomplete_metadata(sample: Path) -> None:
    metadata = json.loads((sample / METADATA).read_text())
    del metadata["licence"]
    (sample / METADATA).write_text(json.dumps(metadata))


def another_key(sample: Path) -> None:
    rehash(sample, key="gamma")


def another_seed(sample: Path) -> None:
    metadata = json.loads((sample / METADATA).read_text())
    metadata["spec"]["seed"] += 1
    (sample / METADATA).write_text(json.dumps(metadata))


def poses_cut_short(sample: Path) -> None:
    arrays = read_npz(sample / "physics.npz")
    arrays["factual_poses"] = arrays["factual_poses"][:2]
    del arrays["world_from_camera"]
    write_npz(sample / "physics.npz", arrays)
    rehash(sample)


def another_prompt(sample: Path) -> None:
    write_json(sample / "prompt.json", {"bg": "a stick"})
    rehash(sample)


def leftover(sample: Path) -> None:
    partial_of(sample / "mask.mp4").write_bytes(b"")


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (drop_video, "rgb_full.mp4: no such file"),
        (truncate_video, "rgb_full.mp4: "),
        (flip_mask_value, DIFFERS + "1 pixels"),
        (swap_two_mask_pixels, DIFFERS + "2 pixels"),
        (lossy_mask, "mask.mp4: frame 0 holds values"),
        (shorten, "rgb_removed.mp4: frames decoded: expected 4, found 3"),
        (slow_down, "rgb_removed.mp4: frames per second: expected 12.0, found 10.0"),
        (crop, "rgb_removed.mp4: size: expected 96x64, found 96x32"),
        (wrong_hash, "physics.npz: sha256: expected 000000000000..., found"),
        (unknown_metadata, "metadata.json: unknown key 'licens'; did you mean 'licence'"),
        (incomplete_metadata, "metadata.json: key 'licence' is missing"),
        (another_key, "metadata.json: key: expected 'alpha', found 'gamma'"),
        (another_seed, "metadata.json: spec_sha256: expected"),
        (poses_cut_short, "physics.npz: 'factual_poses': expected 4 frames, found 2"),
        (poses_cut_short, "physics.npz: lacks the array 'world_from_camera'"),
        (another_prompt, "prompt.json: expected {'bg': 'A box falls"),
        (leftover, "mask.mp4.partial: left half-written"),
    ],
)
def test_faults_of_a_sample(sample: Path, plant: Callable[[Path], None], expected: str) -> None:
    plant(sample)
    assert expected in told(validate_path(sample))


@pytest.mark.parametrize("name", [METADATA, *REQUIRED_FILES])
def test_no_damage_ends_in_a_traceback(sample: Path, name: str) -> None:
    """Every file cut short, emptied, overwritten or turned into a folder is a problem in the report."""
    whole, chance = (sample / name).read_bytes(), random.Random(0)
    damages = [b"", b"\x00" * 64, b"[" * 5000, b'{"a": NaN}', whole[:-1]]
    for _ in range(6):
        damaged = bytearray(whole)
        for _ in range(8):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        damages += [bytes(damaged), whole[: chance.randrange(len(whole))]]
    for damage in damages:
        (sample / name).write_bytes(damage)
        valid = validate_path(sample).valid
        assert not valid or damage == whole or name == METADATA  # metadata has no hash of its own; a shard has
        if name != METADATA:
            rehash(sample)
            validate_path(sample)
            rehash(sample)
    (sample / name).unlink()
    (sample / name).mkdir()
    assert not validate_path(sample).valid


def test_a_wrong_key_in_a_tar(run: Path) -> None:
    shard = run / "shards" / "humoto-000000.tar"
    renamed = shard.with_suffix(".new")
    with tarfile.open(shard) as old, tarfile.open(renamed, "w") as new:
        for member in old:
            stream = old.extractfile(member)
            member.name = member.name.replace("alpha", "gamma")
            new.addfile(member, stream)
    renamed.replace(shard)
    found = told(validate_path(run / "shards"))
    assert "humoto-000000.tar:gamma/metadata.json: key: expected 'gamma', found 'alpha'" in found
    assert "keys: index.json says ('alpha',), found ('gamma',)" in found
    assert "humoto-000000.tar: sha256: index.json says" in found


def test_a_member_that_is_missing(run: Path) -> None:
    shard = run / "shards" / "humoto-000000.tar"
    renamed = shard.with_suffix(".new")
    with tarfile.open(shard) as old, tarfile.open(renamed, "w") as new:
        for member in old:
            if not member.name.endswith("mask.mp4"):
                new.addfile(member, old.extractfile(member))
    renamed.replace(shard)
    report = validate_path(shard)
    assert "humoto-000000.tar:alpha/mask.mp4: no such file" in told(report)


@pytest.mark.parametrize("contents", [b"", b"x" * 2000, None])
def test_a_damaged_shard(run: Path, contents: bytes | None) -> None:
    shard = run / "shards" / "humoto-000001.tar"
    shard.write_bytes(shard.read_bytes()[:5000] if contents is None else contents)
    assert "humoto-000001.tar: " in told(validate_path(shard))
    assert "humoto-000001.tar: bytes: index.json says" in told(validate_path(run / "shards"))


def test_faults_of_an_index(run: Path) -> None:
    shards = run / "shards"
    index = json.loads((shards / "index.json").read_text())
    index["totals"]["samples"] = 9
    index["shards"][1]["keys"] = ["alpha"]
    index["shards"].append({"file": "humoto-000007.tar", "bytes": 1, "sha256": "", "keys": []})
    (shards / "index.json").write_text(json.dumps(index))
    (shards / "extra-000000.tar").write_bytes(b"")
    found = told(validate_path(shards))
    for expected in (
        "totals.samples: expected 2, found 9",
        "the key 'alpha' occurs 2 times",
        "humoto-000007.tar: no such file",
        "extra-000000.tar: is not named in index.json",
    ):
        assert expected in found
    (shards / "index.json").write_text("{")
    assert "index.json: " in told(validate_path(shards))


def test_faults_of_a_run(run: Path) -> None:
    (run / "samples" / "beta.partial").mkdir()
    shutil.rmtree(run / "physics" / "alpha")
    (run / "specs" / "beta.json").rename(run / "specs" / "delta.json")
    (run / "run.json").write_text("{}")
    found = told(validate_path(run))
    for expected in (
        "samples/beta.partial: left half-written",
        "physics/alpha: no such folder",
        "specs/delta.json: key: expected 'delta' like the file's name, found 'beta'",
        "samples/beta: no such key among the run's specs",
        "run.json: key 'source' is missing",
    ):
        assert expected in found


def test_samples_that_were_not_packed(run: Path) -> None:
    write_shards([run / "samples" / "alpha"], run / "shards", "humoto", 1)
    assert "shards and samples differ in ['beta']; run `datagen pack" in told(validate_path(run))


@pytest.mark.parametrize("name", ["nothing", "empty", "text.txt"])
def test_what_is_nothing_of_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    report = validate_path(tmp_path / name)
    assert report.kind == "unknown" and "expected a run folder" in told(report) and report.checked == 0


def shift_pixels(layer: np.ndarray) -> np.ndarray:
    return np.roll(layer, 2, axis=2)


def shift_frames(layer: np.ndarray) -> np.ndarray:
    return np.roll(layer, 1, axis=0)


@pytest.mark.parametrize("shift", [shift_pixels, shift_frames])
def test_a_mask_that_lies_a_little_off_is_found(sample: Path, shift: Callable[[np.ndarray], np.ndarray]) -> None:
    """Mask, layers and statistics agree with each other; only the videos tell."""
    layers = MaskLayers(**{name: shift(layer) for name, layer in read_layers(sample / LAYERS).arrays().items()})
    write_layers(sample / LAYERS, layers)
    mask = compose_mask(layers, Policy.VOID)
    encode_mask(sample / "mask.mp4", mask, 12.0)
    metadata = json.loads((sample / METADATA).read_text())
    rehash(sample, mask=metadata["mask"] | {"share": {label.name: float((mask == label).mean()) for label in Label}})
    problems = validate_path(sample).problems
    assert problems and all("as if it lay a little off" in one.problem for one in problems), told(validate_path(sample))


@pytest.mark.parametrize(("reuse", "remedy"), [(True, False), (False, True)])
def test_videos_that_differ_where_nothing_changed_fail(sample: Path, reuse: bool, remedy: bool) -> None:
    metadata = json.loads((sample / METADATA).read_text())
    metadata["keep_difference"]["effects"] |= {"mean": 0.7, "p999": 9.0, "passed": False}
    metadata["spec"]["render"]["reuse_unchanged"] = reuse
    (sample / METADATA).write_text(json.dumps(metadata))
    (problem,) = [one.problem for one in validate_path(sample).problems if "KEEP differs" in one.problem]
    assert "found mean 0.7, 99.9th percentile 9" in problem
    assert ("render.reuse_unchanged=true" in problem) == remedy
