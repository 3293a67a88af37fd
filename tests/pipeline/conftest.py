"""A small data set and a finished small run, made once a session by the commands themselves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datagen.jobs import DemoJob
from datagen.worker import run_engine

SMALL = (
    "clips.num_frames=5",
    "clips.fps=5",
    "render.width=96",
    "render.height=64",
    "render.samples=1",
    "render.light_samples=2",
    "render.fine_light_samples=16",
)
HELD = "carry_mug_with_right_hand_and_set_down_on_table-001"
Datagen = Callable[..., subprocess.CompletedProcess[str]]


def datagen(*arguments: str | Path, timeout_s: float = 280) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "datagen.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def run_arguments(data: Path, out: Path, *more: str | Path) -> list[str | Path]:
    """`datagen run` with the smallest settings that still show everything."""
    settings = [part for value in SMALL for part in ("--set", value)]
    return ["run", "humoto", "--data", data, "--out", out, "--config", "preview", *settings, *more]


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One acted sequence: a person carries a mug."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    run_engine("blender_scripts.demo_data", DemoJob(sequences=(HELD,), seed=0), folder, timeout_s=120)
    return folder


@pytest.fixture(scope="session")
def finished_run(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two scenes of the sequence, from plan to shards, by plain processes."""
    root = tmp_path_factory.mktemp("runs") / "first"
    result = datagen(*run_arguments(demo_data, root, "--limit", "2", "--ray", "off", "--keep-renders"))
    assert result.returncode == 0, result.stderr
    return root
