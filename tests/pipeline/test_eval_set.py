"""An eval set of both sources, made by the commands themselves, and read by what judges and what models read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from scipy import ndimage

from datagen.codec import read_npz
from datagen.evalset import EvalItem, EvalManifest
from datagen.evalset_files import read_evalset, verify_evalset
from datagen.runs import RunFolder
from datagen.splits import split_of
from datagen.validate import validate_path
from datagen.video import decode_rgb, probe
from inference.inputs import find_clips
from tests.pipeline.conftest import SMALL, datagen

pytestmark = [pytest.mark.blender, pytest.mark.slow]

FAMILIES = "kubric.families=launch"


def arguments(source: str, out: Path, *more: str | Path) -> list[str | Path]:
    settings = [part for value in (*SMALL, FAMILIES, "layers.perturbed=2") for part in ("--set", value)]
    return ["run", source, "--out", out, "--config", "preview", "--config", "eval", *settings, "--ray", "off", *more]


@pytest.fixture(scope="module")
def runs(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One scene of each source."""
    root = tmp_path_factory.mktemp("runs")
    humoto = ("--data", demo_data, "--limit", "1", "--set", "humoto.split=all")
    for made in (
        datagen(*arguments("humoto", root / "humoto", *humoto)),
        datagen(*arguments("kubric", root / "kubric", "--limit", "1", "--seed", "7")),
    ):
        assert made.returncode == 0, made.stderr
    return root / "humoto", root / "kubric"


@pytest.fixture(scope="module")
def root(runs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets") / "eval"
    result = datagen("export", "void-eval", *runs, root)
    assert result.returncode == 0, result.stderr
    assert "2 clips (2 of them new)" in result.stdout
    assert "humoto: inputs of the split 'all'; not held out" in result.stderr
    return root


def read(root: Path) -> tuple[EvalManifest, dict[str, EvalItem]]:
    manifest, items = read_evalset(root)
    return manifest, {item.entry.source: item for item in items}


def test_it_holds_both_sources_whole(root: Path) -> None:
    manifest, items = read(root)
    assert verify_evalset(root) == manifest and set(items) == {"humoto", "kubric"}
    assert validate_path(root).valid
    for item in items.values():
        assert item.entry.hidden and item.entry.segmentation and item.entry.num_perturbed == 2
        videos = [item.truth / "rgb_removed.mp4", item.hidden, *item.perturbed(), item.inputs / "input_video.mp4"]
        assert {(info.num_frames, info.fps, info.width, info.height) for info in map(probe, videos)} == {(5, 5, 96, 64)}


def test_samples_with_further_worlds_are_valid_and_packed(runs: tuple[Path, Path]) -> None:
    for run in runs:
        report = validate_path(run)
        assert report.valid, report.problems
        (shard,) = (run / "shards").glob("*.tar")
        assert b".hidden.mp4" in shard.read_bytes() and b".perturbed_1.mp4" in shard.read_bytes()


@pytest.mark.parametrize("source", ["humoto", "kubric"])
def test_hidden_moves_as_filmed_without_what_was_removed(root: Path, source: str) -> None:
    item = read(root)[1][source]
    filmed, true = decode_rgb(item.inputs / "input_video.mp4"), decode_rgb(item.truth / "rgb_removed.mp4")
    assert item.hidden is not None
    hidden = decode_rgb(item.hidden)
    ids = read_npz(item.truth / "segmentation.npz")
    numbers = names_to_ids(item)
    affected = np.isin(ids["factual"], [numbers[name] for name in item.entry.affected])
    affected &= ids["factual"] != ids["counterfactual"]
    assert affected.any(), "something is seen where the truth has it not"
    apart = {name: np.abs(filmed.astype(int) - video)[affected].mean() for name, video in (("H", hidden), ("C", true))}
    assert apart["H"] < 0.6 * apart["C"], "where things moved, H shows what was filmed"
    removed = np.isin(ids["factual"], [numbers[name] for name in removed_names(item)])
    removed &= ~near_moved(item)
    if removed.any():
        assert np.abs(hidden.astype(int) - true)[removed].mean() < 3, "where nothing moved, H is the truth"
        assert np.abs(filmed.astype(int) - true)[removed].mean() > 12


def names_to_ids(item: EvalItem) -> dict[str, int]:
    arrays = read_npz(item.truth / "physics.npz")
    return dict(zip(arrays["object_names"].tolist(), arrays["object_ids"].tolist(), strict=True))


def removed_names(item: EvalItem) -> list[str]:
    return [str(name) for name in read_npz(item.truth / "physics.npz")["removed_names"]]


def near_moved(item: EvalItem) -> np.ndarray:
    """Where something that stays is seen elsewhere in the other world, and some pixels around."""
    ids = read_npz(item.truth / "segmentation.npz")
    removed = [names_to_ids(item)[name] for name in removed_names(item)]
    differ = (ids["factual"] != ids["counterfactual"]) & ~np.isin(ids["factual"], removed)
    return np.asarray(ndimage.binary_dilation(differ, np.ones((1, 3, 3)), iterations=12))


def test_held_out_things_are_held_out(root: Path, runs: tuple[Path, Path]) -> None:
    _, items = read(root)
    spec = json.loads((items["kubric"].truth / "metadata.json").read_text())["spec"]
    scanned = [Path(thing["geometry"]["file"]).parent.name for thing in spec["objects"]]
    from_set = [name for name in scanned if name.startswith("bullet_")]
    assert from_set and all(split_of(name) == "test" for name in from_set)
    environment = RunFolder(root=runs[1]).spec(items["kubric"].entry.key).light.environment
    assert environment == "" or split_of(environment) == "test"


def test_a_second_export_is_the_same_and_the_first_is_left_as_it_is(
    root: Path, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    assert datagen("export", "void-eval", *runs, tmp_path / "again").returncode == 0
    assert (tmp_path / "again" / "manifest.json").read_bytes() == (root / "manifest.json").read_bytes()
    again = datagen("export", "void-eval", *runs, root)
    assert again.returncode == 0 and "2 clips (0 of them new)" in again.stdout
    refused = datagen("export", "void-eval", runs[0], root)
    assert refused.returncode == 2 and "is another eval set" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_models_read_it(root: Path, tmp_path: Path) -> None:
    keys = [item.entry.key for item in read_evalset(root)[1]]
    assert [clip.key for clip in find_clips(root, tmp_path)] == keys
    command = [sys.executable, "-m", "inference", "run", "--data", str(root), "--baseline", "identity"]
    done = subprocess.run([*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / "out" / f"{key}.mp4").is_file() for key in keys)


def test_empty_splits_say_what_to_do(demo_data: Path, tmp_path: Path) -> None:
    empty = datagen(*arguments("humoto", tmp_path / "a", "--data", demo_data, "--limit", "1"))
    assert empty.returncode == 2
    assert "none of its 1 sequences is in the split 'test'" in empty.stderr and "humoto.split=all" in empty.stderr
    (tmp_path / "maps").mkdir()
    radiance = np.ones((16, 32, 3), dtype=np.float32)
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": radiance}) as file:
        file.write(str(tmp_path / "maps" / "courtyard_2k.exr"))
    assert split_of("courtyard") == "train"
    unlit = datagen(*arguments("kubric", tmp_path / "b", "--limit", "1", "--hdri", tmp_path / "maps"))
    assert unlit.returncode == 2 and "none of its 1 environment maps is in the split 'test'" in unlit.stderr
    wrong = datagen(*arguments("kubric", tmp_path / "c", "--limit", "1", "--set", "kubric.split=tset"))
    assert wrong.returncode == 2 and "'kubric.split': no split 'tset'; did you mean 'test'" in wrong.stderr
    many = datagen(*arguments("kubric", tmp_path / "d", "--limit", "1", "--set", "layers.perturbed=9"))
    assert many.returncode == 2 and "cannot render 9 perturbed simulations of 4" in many.stderr
    assert not any((tmp_path / name).exists() for name in "abcd")
