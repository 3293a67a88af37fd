"""What goes wrong while a scene is rendered costs that scene alone, in one line, and is tried again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from datagen.runs import RunFolder, read_rows
from tests.pipeline.conftest import SMALL, datagen

pytestmark = [pytest.mark.blender, pytest.mark.slow]

# Every Python process of the run loads this: Cycles loses its denoising device in the render of one scene, and stops as
# it does when any device is gone; light and marks have been drawn by then.
LOSES_ITS_DEVICE = """
import os, sys
if "blender_scripts.render_scene" in sys.orig_argv and f"/{os.environ['VOIDGEN_TEST_SCENE']}." in sys.orig_argv[-1]:
    os.environ["OIDN_DEVICE_CPU"] = "0"
"""


@pytest.fixture(scope="module")
def simulated(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two scenes with the user's textures and map, ready to be rendered."""
    folder = tmp_path_factory.mktemp("stops")
    (folder / "maps").mkdir()
    (folder / "textures").mkdir()
    write_map(folder / "maps" / "hall.exr", 1.0)
    Image.new("RGB", (64, 64), (120, 90, 60)).save(folder / "textures" / "slate_color.png")
    Image.new("RGB", (64, 64), (150, 150, 140)).save(folder / "textures" / "plaster_color.png")
    root = folder / "run"
    settings = [part for value in (*SMALL, "humoto.split=all") for part in ("--set", value)]
    own = ("--hdri", folder / "maps", "--textures", folder / "textures")
    planned = datagen("plan", "humoto", "--data", demo_data, "--out", root, "--limit", "2", *own, *settings)
    assert planned.returncode == 0, planned.stderr
    assert datagen("simulate", root, "--ray", "off").returncode == 0
    return RunFolder(root=root)


@pytest.fixture
def run(simulated: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of its own."""
    shutil.copytree(simulated.root, tmp_path / "run")
    return RunFolder(root=tmp_path / "run")


@pytest.fixture
def own_file(simulated: RunFolder) -> Iterator[dict[str, Path]]:
    """The user's files, put back afterwards."""
    files = {path.stem: path for name in ("maps", "textures") for path in (simulated.root.parent / name).iterdir()}
    before = {path: path.read_bytes() for path in files.values()}
    yield files
    for path, content in before.items():
        path.write_bytes(content)


def write_map(path: Path, radiance: float) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"RGB": np.full((16, 32, 3), radiance, dtype=np.float32)}) as file:
        file.write(str(path))


def render(run: RunFolder, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datagen.cli", "render", str(run.root), "--ray", "off", "--workers", "1"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=250, env={**os.environ, **environment}
    )


def told(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Rows of failed scenes; each is one line, and nothing half-made is left."""
    rows = {str(row["key"]): row for row in read_rows(run.failures)}
    assert all("\n" not in row["message"] and row["stage"] == "render" for row in rows.values())
    assert not list(run.root.rglob("*.partial")) and not rows.keys() & run.done("render")
    return rows


def test_a_device_that_is_lost_costs_its_scene_alone(run: RunFolder, tmp_path: Path) -> None:
    lost, other = run.keys()
    (tmp_path / "sitecustomize.py").write_text(LOSES_ITS_DEVICE)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = render(run, PYTHONPATH=path, VOIDGEN_TEST_SCENE=lost)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert run.done("render") == {other}
    message = told(run)[lost]["message"]
    assert message.startswith(f"{lost}: frame 0 could not be rendered on ")
    assert "unsupported device type" in message and "then try the scene again" in message
    assert "failed 1x render" in datagen("status", run.root).stdout

    again = datagen("retry", run.root, "--failed", "--ray", "off", "--keep-renders")
    assert again.returncode == 0, again.stderr
    assert not told(run) and run.done("render") == {lost, other}
    assert [path.name for path in run.sample_paths()] == [lost]
    assert datagen("validate", run.root).returncode == 0


def test_a_map_that_changed_or_is_gone(run: RunFolder, own_file: dict[str, Path]) -> None:
    write_map(own_file["hall"], 2.0)
    assert render(run).returncode == 0
    rows = told(run)
    assert set(rows) == set(run.keys())
    assert {row["message"] for row in rows.values()} == {
        f"{own_file['hall']}: has changed since the scene was planned with it; plan another run"
    }
    own_file["hall"].unlink()
    again = datagen("retry", run.root, "--failed", "--ray", "off")
    assert again.returncode == 0 and set(told(run)) == set(run.keys())
    gone = f"{own_file['hall']}: no such environment map; put it back"
    assert all(gone in row["message"] for row in told(run).values())


def test_a_texture_that_vanishes_while_it_is_drawn(run: RunFolder, own_file: dict[str, Path]) -> None:
    """Cycles alone would go on, in magenta."""
    key, *others = sorted(run.keys(), key=lambda key: run.spec(key).floor.texture is None)
    assert run.spec(key).floor.texture is not None
    for other in others:
        run.spec_path(other).unlink()
    command = [sys.executable, "-m", "datagen.cli", "render", str(run.root), "--ray", "off", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(run.root.glob("renders/*.partial/rgb_factual")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        own_file["slate_color"].unlink()
    assert process.returncode == 0
    row = told(run)[key]
    assert row["type"] == "DataError" and f"{own_file['slate_color']}: no such file" in row["message"]
