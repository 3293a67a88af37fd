"""One tiny sequence, and a run of its scenes that nobody disturbed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.chaos import demo_sequence, run_command

SCENES = 4


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One acted sequence."""
    return demo_sequence(tmp_path_factory.mktemp("demo") / "data")


@pytest.fixture(scope="session")
def quiet_run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of tiny scenes by plain processes."""
    root = tmp_path_factory.mktemp("quiet") / "run"
    subprocess.run(run_command(tiny_data, root, SCENES, "off"), check=True, capture_output=True)
    return root
