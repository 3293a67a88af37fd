"""A disk that fills while shards are written: a clean line, nothing torn, and the same command goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from datagen.codec import sha256_file, write_json
from datagen.config import Config
from datagen.packing import pack
from datagen.runs import RunFolder, open_run
from datagen.sample import compose_sample
from datagen.validate import validate_path
from tests.datagen.synthetic import make_scene, make_spec

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")


@pytest.fixture
def composed(tmp_path: Path) -> RunFolder:
    """A run with two samples and no shards."""
    run = open_run(tmp_path / "run", source="humoto", data="", limit=None, config=Config(), versions={})
    for number in range(2):
        scene = make_scene(tmp_path / "scenes", make_spec(key=f"box-{number}", num_frames=4))
        write_json(run.spec_path(scene.spec.key), scene.spec)
        shutil.copytree(scene.physics, run.folder("simulate", scene.spec.key))
        compose_sample(scene.spec, scene.physics, scene.render, run.folder("compose", scene.spec.key), {})
    return run


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def test_a_disk_that_is_full_while_packing(composed: RunFolder, disk: Path) -> None:
    root = disk / "run"
    shutil.copytree(composed.root, root)
    used = os.statvfs(disk)
    resize(disk, str((used.f_blocks - used.f_bfree) * used.f_frsize + 12 * 1024))  # room for the lock, not for a shard
    command = [sys.executable, "-m", "datagen.cli", "pack", str(root)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert "No space left" in line and "same command again" in line
    left = [path for path in root.rglob("*") if path.name.endswith(".partial") or "lock" in path.name]
    assert not left and not list(root.glob("shards/*.tar"))
    resize(disk, "50m")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    pack(composed)
    assert validate_path(root / "shards").valid
    for path in composed.shards.iterdir():
        assert sha256_file(path) == sha256_file(root / "shards" / path.name)
