"""What this project works around in Kubric."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from datagen.errors import DataError
from kubric_jobs import kubric_compat
from kubric_jobs.furniture import block_parts, build
from kubric_jobs.kubric_compat import CachedAssetSource, without_tensorflow

PROBE = """
import importlib.util, sys
import kubric_jobs.kubric_compat
assert "tensorflow" not in sys.modules
assert importlib.util.find_spec("tensorflow") is None
assert "bpy" not in sys.modules and "torch" not in sys.modules
"""


def test_no_tensorflow_is_left_behind() -> None:
    assert importlib.util.find_spec("tensorflow") is None
    subprocess.run([sys.executable, "-c", PROBE], check=True)


def test_the_stand_in_leaves_with_an_error_too() -> None:
    with pytest.raises(RuntimeError), without_tensorflow():
        assert "tensorflow" in sys.modules
        raise RuntimeError
    assert "tensorflow" not in sys.modules


def test_the_stand_in_copies_and_opens_files(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("x")
    with without_tensorflow():
        gfile = sys.modules["tensorflow"].io.gfile
    gfile.copy(source, target)
    with pytest.raises(FileExistsError):
        gfile.copy(source, target)
    gfile.copy(source, target, overwrite=True)
    with gfile.GFile(str(target)) as stream:
        assert stream.read() == "x"


def test_creating_an_object_leaves_the_manifest_as_it_is(tmp_path: Path) -> None:
    shape = build(tmp_path / "block", "wooden_block", block_parts((0.1, 0.1, 0.1)), tmp_path)
    source = CachedAssetSource("set", {"block": shape.entry}, {"block": shape.folder})
    first = source.create("block", name="first", friction=0.1, scale=2.0)
    second = source.create("block", name="second")
    assert first.friction == pytest.approx(0.1) and second.friction == pytest.approx(0.5)
    assert second.scale.tolist() == [1.0, 1.0, 1.0]
    assert second.simulation_filename == str(shape.folder / "object.urdf")
    assert set(shape.entry["kwargs"]) == {"render_filename", "simulation_filename"}
    source.close()
    assert shape.folder.is_dir()
    with pytest.raises(DataError, match="no asset 'ball'"):
        source.create("ball")


def test_kubric_itself_still_has_the_bug_that_this_works_around(tmp_path: Path) -> None:
    shape = build(tmp_path / "block", "wooden_block", block_parts((0.1, 0.1, 0.1)), tmp_path)
    source = CachedAssetSource("set", {"block": shape.entry}, {"block": shape.folder})
    original = kubric_compat._asset_source.AssetSource.create
    original(source, "block", name="first", friction=0.1)
    assert original(source, "block").friction == pytest.approx(0.1)


def test_a_missing_kubric_says_how_to_install_it() -> None:
    with pytest.raises(DataError, match=r"pip install --no-deps -r requirements-nodeps.txt"):
        kubric_compat._import("kubric.no_such_module")
