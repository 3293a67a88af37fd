"""Unpacking, sharing and making assets."""

from __future__ import annotations

import io
import json
import multiprocessing
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datagen.assets import AssetManifest, check_unpacked, read_manifest
from datagen.codec import sha256_file
from datagen.errors import DataError
from datagen.meshes import read_obj
from kubric_jobs.assets import Palette, unpacked
from kubric_jobs.default_assets import recipes
from kubric_jobs.furniture import bin_parts, block_parts, build, ramp_parts
from kubric_jobs.solids import solid_of

NUM_PROCESSES = 4


def packed_set(
    folder: Path, change: Callable[[tarfile.TarFile], None] | None = None, nested: bool = False
) -> AssetManifest:
    """A set with one archive, "block", to which `change` may add members."""
    shape = build(folder / "source" / "block", "wooden_block", block_parts((0.1, 0.2, 0.3)), folder / "cache")
    with tarfile.open(folder / "block.tar.gz", "w:gz") as tar:
        for file in sorted(shape.folder.iterdir()):
            tar.add(file, f"block/{file.name}" if nested else file.name)
        if change:
            change(tar)
    (folder / "manifest.json").write_text(json.dumps({"assets": {"block": shape.entry}}))
    return read_manifest(folder / "manifest.json")


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, 3 if kind == tarfile.REGTYPE else 0
        tar.addfile(info, io.BytesIO(b"abc"))

    return add


@pytest.mark.parametrize("nested", [False, True])
def test_archives_are_unpacked_once(tmp_path: Path, nested: bool) -> None:
    (asset,) = packed_set(tmp_path, nested=nested).assets
    folder = unpacked(asset, tmp_path / "cache")
    check_unpacked("block", folder)
    before = (folder / "object.urdf").stat().st_mtime_ns
    assert unpacked(asset, tmp_path / "cache") == folder and (folder / "object.urdf").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change",
    [
        member("../escaped"),
        member("/tmp/escaped"),
        member("block/../../escaped"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("hard", tarfile.LNKTYPE, "../escaped"),
    ],
)
def test_members_that_climb_out_are_refused(tmp_path: Path, change: Callable[[tarfile.TarFile], None]) -> None:
    (asset,) = packed_set(tmp_path / "set", change).assets
    with pytest.raises(DataError, match="leads out of it"):
        unpacked(asset, tmp_path / "cache")
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert all(path.suffix == ".lock" for path in left) and not (tmp_path / "escaped").exists()


@pytest.mark.parametrize(("content", "message"), [(b"", "no readable"), (b"\x1f\x8b broken", "no readable")])
def test_broken_archives_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (asset,) = packed_set(tmp_path).assets
    Path(asset.location).write_bytes(content)
    with pytest.raises(DataError, match=message):
        unpacked(asset, tmp_path / "cache")


def test_cut_archives_are_refused(tmp_path: Path) -> None:
    (asset,) = packed_set(tmp_path).assets
    whole = Path(asset.location).read_bytes()
    Path(asset.location).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="no readable"):
        unpacked(asset, tmp_path / "cache")


def _fetch(manifest: Path, cache: Path, results: multiprocessing.Queue) -> None:
    (asset,) = read_manifest(manifest).assets
    folder = unpacked(asset, cache)
    solid = solid_of(folder, cache)
    results.put((str(folder), solid.volume, sorted(sha256_file(file) for file in folder.iterdir())))


def test_processes_share_a_cache(tmp_path: Path) -> None:
    packed_set(tmp_path)
    shutil.rmtree(tmp_path / "cache")
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_fetch, args=(tmp_path / "manifest.json", tmp_path / "cache", results))
        for _ in range(NUM_PROCESSES)
    ]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    assert all(worker.exitcode == 0 for worker in workers)
    assert all(one == found[0] for one in found)
    assert not list((tmp_path / "cache").rglob("*.partial"))


def test_a_spoilt_asset_of_many_is_skipped_and_named(tmp_path: Path) -> None:
    manifest = packed_set(tmp_path)
    Path(manifest.assets[0].location).write_bytes(b"")
    palette = Palette(assets=manifest.assets, cache=tmp_path / "cache", own=tmp_path / "own")
    assert palette.pick(np.random.default_rng(0), lambda solid: True, set()) is None
    assert "no readable" in palette.skipped["block"]


def test_the_embedded_set_is_whole(embedded: AssetManifest, asset_cache: Path) -> None:
    assert len(embedded.assets) == len(recipes()) >= 25 and not embedded.problems
    textured = [asset for asset in embedded.assets if (Path(asset.location) / "texture.png").is_file()]
    assert len(textured) >= 8
    for asset in embedded.assets:
        solid = solid_of(Path(asset.location), asset_cache)
        assert np.abs(solid.centre).max() < 1e-6, asset.id
        assert 0.1 < solid.size.max() < 0.35, asset.id
        text = (Path(asset.location) / "visual_geometry.obj").read_text()
        assert text.count("\no ") == 1 and "mtllib visual_geometry.mtl" in text


def test_furniture_collides_as_it_is_drawn(tmp_path: Path) -> None:
    parts = {"ramp": ramp_parts(0.6, 0.3, 0.5), "bin": bin_parts(0.4, 0.3, 0.1, 0.014), "block": block_parts((1, 2, 3))}
    for name, pieces in parts.items():
        shape = build(tmp_path / name, f"wooden_{name}", pieces, tmp_path / "cache")
        check_unpacked(name, shape.folder)
        drawn, solid = (read_obj(shape.folder / f"{kind}_geometry.obj") for kind in ("visual", "collision"))
        assert len(solid.groups) == len(pieces)
        assert {tuple(row) for row in drawn.vertices.round(6)} == {tuple(row) for row in solid.vertices.round(6)}
        corners = drawn.vertices[drawn.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        volume = float(np.sum(corners[:, 0] * normals) / 6)  # divergence theorem: positive if faces look outwards
        assert volume == pytest.approx(shape.solid.volume, rel=1e-6)
    block = build(tmp_path / "cube", "wooden_block", block_parts((0.1, 0.1, 0.1)), tmp_path / "cache")
    assert block.solid.inertia / block.solid.volume == pytest.approx([0.1**2 / 6] * 3)
    assert block.mass_kg(1.0) == pytest.approx(0.6)
