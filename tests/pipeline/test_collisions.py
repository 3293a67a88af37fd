"""Collision scenes from plan to shards, small and real."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen.assets import read_manifest
from datagen.cache import default_assets
from datagen.codec import sha256_file
from datagen.runs import RunFolder
from datagen.splits import split_of
from tests.pipeline.conftest import SMALL, datagen

pytestmark = [pytest.mark.blender, pytest.mark.slow]


def kubric(out: Path, *more: str) -> list[str]:
    """`datagen run kubric` with the smallest settings."""
    settings = [part for value in SMALL for part in ("--set", value)]
    fixed = ["--set", "kubric.null_share=0", "--set", "clips.num_frames=9", "--ray", "off"]
    return ["run", "kubric", "--out", str(out), "--config", "preview", *settings, *fixed, *more]


@pytest.fixture(scope="module")
def eval_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes of test-split assets."""
    root = tmp_path_factory.mktemp("collisions") / "run"
    families = "kubric.families=launch,domino"
    result = datagen(*kubric(root, "--limit", "2", "--seed", "7", "--set", families, "--set", "kubric.split=test"))
    assert result.returncode == 0, result.stderr
    return root


def test_samples_are_valid_and_show_an_effect(eval_set: Path) -> None:
    assert datagen("validate", eval_set).returncode == 0
    samples = RunFolder(root=eval_set).sample_paths()
    assert len(samples) == 2
    for sample in samples:
        metadata = json.loads((sample / "metadata.json").read_text())
        assert metadata["source"] == "kubric" and metadata["affected"] and metadata["mask"]["share"]["REMOVE"] > 0
        licences = {thing["licence"] for thing in metadata["spec"]["objects"]}
        assert all(licences) and metadata["licence"]["name"] == ", ".join(sorted(licences))
        removed = set(metadata["spec"]["removed"])
        with np.load(sample / "physics.npz") as physics:
            assert removed <= set(physics["factual_names"]) and not removed & set(physics["counterfactual_names"])


def test_an_eval_set_holds_test_assets_alone_and_can_be_made_again(eval_set: Path, tmp_path: Path) -> None:
    manifest = json.loads((eval_set / "manifest.json").read_text())
    known = {asset.id for asset in read_manifest(default_assets()).assets}
    used = {one["file"].split("/")[0] for sample in manifest["samples"] for one in sample["objects"]}
    assert used & known and all(split_of(asset) == "test" for asset in used & known)
    again = tmp_path / "again"
    families = "kubric.families=launch,domino"
    arguments = kubric(again, "--limit", "2", "--seed", "7", "--set", families, "--set", "kubric.split=test")
    assert datagen(*arguments).returncode == 0
    assert sha256_file(again / "manifest.json") == sha256_file(eval_set / "manifest.json")


def test_a_spoilt_asset_is_a_row_and_the_others_are_used(tmp_path: Path) -> None:
    source = default_assets()
    folder = tmp_path / "assets"
    folder.mkdir()
    for asset in sorted(path for path in source.iterdir() if path.is_dir())[:4]:
        (folder / asset.name).symlink_to(asset)
    spoilt = folder / "spoilt"
    spoilt.mkdir()
    (spoilt / "data.json").write_text("{")
    result = datagen("plan", "kubric", "--gso", folder, "--out", tmp_path / "run", "--limit", "1")
    rows = [json.loads(line) for line in (tmp_path / "run" / "failures.jsonl").read_text().splitlines()]
    assert result.returncode == 0 and [row["key"] for row in rows] == ["spoilt"]
    assert "not JSON" in rows[0]["message"]


def test_an_unusable_texture_is_a_row_and_the_others_are_used(tmp_path: Path) -> None:
    textures = tmp_path / "textures"
    textures.mkdir()
    Image.new("RGB", (64, 64), (120, 90, 60)).save(textures / "slate_color.png")
    (textures / "oak_color.jpg").write_text("no picture")
    arguments = ("plan", "kubric", "--textures", textures, "--out", tmp_path / "run", "--limit", "6")
    told = datagen(*arguments, "--set", "kubric.split=all")
    rows = [json.loads(line) for line in (tmp_path / "run" / "failures.jsonl").read_text().splitlines()]
    assert told.returncode == 0 and [(row["key"], row["stage"]) for row in rows] == [("oak", "plan")]
    assert f"plan: left out: {textures / 'oak_color.jpg'}: not a readable picture" in told.stderr
    specs = [json.loads(path.read_text()) for path in (tmp_path / "run" / "specs").iterdir()]
    used = {spec["floor"]["texture"]["name"] for spec in specs if spec["floor"]["texture"]}
    assert used == {"slate"}
