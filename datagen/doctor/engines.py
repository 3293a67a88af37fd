"""Engines, as far as it takes a process to know: Blender loads, Cycles sees a GPU, videos can be coded."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from datagen.doctor.packages import install_command, installed
from datagen.doctor.records import Finding, State
from datagen.elsewhere import call_elsewhere
from datagen.errors import DataError, SceneError
from datagen.gpu_kernels import compiled_kernels, nvidia_cards
from datagen.jobs import ListDevicesJob
from datagen.system_libraries import INSTALL_COMMAND, blender_error, lacks_library
from datagen.worker import run_engine

AREA = "Engines"
TIMEOUT_S = 120.0
ENCODER = "libx264"
MPS_FOLDER, MPS_FOLDER_VARIABLE = "/tmp/nvidia-mps", "CUDA_MPS_PIPE_DIRECTORY"  # as NVIDIA's documentation says
START_MPS = "nvidia-cuda-mps-control -d"


def look_at_blender() -> Iterator[Finding]:
    """Whether Blender's wheel loads here, and what its renderer could compute on."""
    there = installed("bpy")
    error = blender_error() if there else "bpy is not installed"
    remedy = INSTALL_COMMAND if lacks_library(error) else install_command("render") if error else ""
    yield Finding(
        area=AREA,
        name="Blender loads",
        state=State.MISSING if error else State.GOOD,
        found=error or f"bpy {there}, all its system libraries are there",
        needed_for="rendering, and reading recordings",
        remedy=remedy,
    )
    if not error:
        yield _cycles()


def _cycles() -> Finding:
    """What Cycles finds on this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "devices"
        try:
            run_engine("blender_scripts.list_devices", ListDevicesJob(), out, timeout_s=TIMEOUT_S, keep_log=False)
        except (SceneError, DataError) as error:
            return Finding(area=AREA, name="Cycles", state=State.DOUBTFUL, found=f"devices not listed: {error}")
        gpus = json.loads((out / "devices.json").read_text())["gpus"]
    words = [f"{kind}: {', '.join(names)}" for kind, names in gpus.items()]
    return Finding(area=AREA, name="Cycles", state=State.GOOD, found="; ".join([*words, "CPU"]))


def look_at_gpus() -> Iterator[Finding]:
    """NVIDIA's cards and driver, and whether Blender's wheel brings a compiled kernel for each."""
    cards = nvidia_cards()
    if not cards:
        found = "none found (nvidia-smi is absent or lists none): rendering and models run on the CPU"
        yield Finding(area="Machine", name="GPU", state=State.ABSENT, found=found, needed_for="speed")
    kernels = compiled_kernels()
    for card in cards:
        kernel = card.architecture
        ready = kernel in kernels
        words = f"with a compiled kernel ({kernel})" if ready else f"Blender brings no kernel for it ({kernel})"
        yield Finding(
            area="Machine",
            name=f"GPU {card.name}",
            state=State.GOOD if ready else State.DOUBTFUL,
            found=f"{card.memory}, driver {card.driver}, {words}",
            needed_for="rendering on the GPU: it is compiled before the first picture" * (not ready),
            remedy="datagen warm-gpu" * (not ready),
        )
    if cards:
        yield _sharing(sum(card.num_processes for card in cards))


def _sharing(num_processes: int) -> Finding:
    """Whether NVIDIA's MPS is there, without which a card serves one process at a time; and how many have room."""
    serving = (Path(os.environ.get(MPS_FOLDER_VARIABLE, MPS_FOLDER)) / "control").exists()
    return Finding(
        area="Machine",
        name="GPU sharing",
        state=State.GOOD if serving else State.ABSENT,
        found=("NVIDIA's MPS serves processes side by side" if serving else "MPS is not started: processes take turns")
        + f"; memory for about {num_processes} (--workers)" * bool(num_processes),
        needed_for="several workers on one card",
        remedy="" if serving else START_MPS,
    )


def look_at_encoders() -> Iterator[Finding]:
    """Whether PyAV codes H.264 without loss of exactness: masks need libx264."""
    try:
        missing = call_elsewhere(missing_encoder)
    except SceneError as error:
        missing = str(error)
    yield Finding(
        area=AREA,
        name="Video coding",
        state=State.MISSING if missing else State.GOOD,
        found=missing or f"PyAV {installed('av')} with {ENCODER}",
        needed_for="writing samples",
        remedy="pip install --force-reinstall --only-binary :all: av" if missing else "",
    )


def missing_encoder() -> str:
    """What is wrong with PyAV's encoders, "" if nothing is; runs in a process of its own."""
    import av

    return "" if ENCODER in av.codecs_available else f"this PyAV has no {ENCODER}"
