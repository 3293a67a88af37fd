"""Engines and devices: what is asked for is there, or a line says so before a scene is begun."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from datagen.quadmask import Label
from datagen.runs import RunFolder, read_rows
from datagen.video import decode_mask, decode_rgb
from tests.pipeline.conftest import datagen, run_arguments

pytestmark = pytest.mark.blender

NO_EGL = {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent"}


def test_device_that_is_not_there(demo_data: Path, tmp_path: Path) -> None:
    """No machine has Metal and CUDA: one of both is absent."""
    from datagen.gpu_kernels import nvidia_cards

    absent = "metal" if nvidia_cards() else "cuda"
    run = tmp_path / "run"
    told = datagen(*run_arguments(demo_data, run, "--limit", "1", "--ray", "off", "--set", f"render.device={absent}"))
    assert told.returncode == 2
    (line,) = [line for line in told.stderr.splitlines() if "error" in line]
    assert f"render.device = {absent}: Cycles finds no such device here, only: cpu" in line
    assert "render.device=auto" in line
    assert not (run / "renders").exists() and not RunFolder(root=run).sample_paths()


def test_where_a_card_is_by_the_name_that_cycles_gives_it() -> None:
    from blender_scripts.devices import pci_address  # Blender stays out of the collection of tests

    assert pci_address("CUDA_NVIDIA H100 80GB HBM3_0000:65:00") == "0000:65:00"
    assert pci_address("CUDA_NVIDIA GeForce RTX 4090_0000:01:00_OptiX") == "0000:01:00"
    assert pci_address("CPU") == ""


def test_a_context_that_cannot_be_kept_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_scripts import cuda

    assert not cuda.keep_context("ffff:ff:ff")  # with a driver, no such card
    monkeypatch.setattr(cuda, "DRIVER", "libno-such-driver.so")
    assert not cuda.keep_context("ffff:ff:fe")


def test_engine_that_cannot_start(demo_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NO_EGL.items():
        monkeypatch.setenv(name, value)
    run = tmp_path / "run"
    told = datagen(*run_arguments(demo_data, run, "--limit", "1", "--ray", "off", "--set", "render.engine=eevee"))
    assert told.returncode == 2
    (line,) = [line for line in told.stderr.splitlines() if "error" in line]
    assert "render.engine = eevee cannot start without a screen here" in line and "render.engine=cycles" in line
    assert not (run / "renders").exists()


def test_device_is_told_and_recorded(finished_run: Path) -> None:
    run = RunFolder(root=finished_run)
    devices = {row["device"] for row in read_rows(run.events) if row.get("stage") == "render"}
    recorded = {json.loads((path / "metadata.json").read_text())["device"] for path in run.sample_paths()}
    assert devices == recorded and all(devices)


@pytest.mark.slow
def test_pictures_by_eevee_masks_by_cycles(finished_run: Path, demo_data: Path, tmp_path: Path) -> None:
    """Other pictures; masks differ where the pictures themselves show a trace beside a silhouette."""
    root = tmp_path / "run"
    arguments = run_arguments(demo_data, root, "--limit", "1", "--ray", "off", "--set", "render.engine=eevee")
    told = datagen(*arguments)
    if told.returncode == 2 and "cannot start without a screen" in told.stderr and "CI" not in os.environ:
        pytest.skip("EEVEE needs OpenGL through EGL (libegl1 and libegl-mesa0)")
    assert told.returncode == 0, told.stderr
    (made,) = RunFolder(root=root).sample_paths()
    other = finished_run / "samples" / made.name
    masks = [decode_mask(folder / "mask.mp4") for folder in (made, other)]
    assert (masks[0] != masks[1]).mean() < 0.005 and np.array_equal(masks[0] == Label.REMOVE, masks[1] == Label.REMOVE)
    pictures = [decode_rgb(folder / "rgb_full.mp4").astype(float) for folder in (made, other)]
    apart = np.abs(pictures[0] - pictures[1]).mean()
    assert 0.5 < apart < 60 and 40 < pictures[0].mean() < 200
    assert "EEVEE" in json.loads((made / "metadata.json").read_text())["device"]
