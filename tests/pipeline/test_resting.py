"""No accepted sample in which a resting object that nobody touched moves more than 1 mm."""

from __future__ import annotations

from pathlib import Path

import pytest

from datagen.jobs import DemoJob
from datagen.physics.untouched import untouched_moves_mm
from datagen.worker import run_engine
from tests.pipeline.conftest import datagen

LIMIT_MM = 1.0
DEMO = ("take_box_from_shelf_and_hand_over-006", "stand_beside_table_and_gesture-004")
REAL = "pour_from*.fbx"  # the one shared recording with things that nobody touches, however indirectly

pytestmark = [pytest.mark.blender, pytest.mark.timeout(900)]


def ways_mm(root: Path) -> list[float]:
    """How far each resting object that nobody touched moves, over all accepted scenes of a run."""
    folders = [file.parent for file in sorted((root / "physics").glob("*/certificate.json"))]
    assert folders, "no scene was accepted"
    return [way for folder in folders for way in untouched_moves_mm(folder).values()]


def simulated(data: Path, root: Path, limit: int) -> Path:
    """A run whose scenes are planned and simulated, by the commands."""
    settings = ("--config", "preview", "--set", "humoto.split=all", "--limit", str(limit))
    for arguments in (
        ("plan", "humoto", "--data", data, "--out", root, *settings),
        ("simulate", root, "--ray", "off"),
    ):
        result = datagen(*arguments, timeout_s=800)
        assert result.returncode == 0, result.stderr
    return root


def test_what_nobody_touches_stays(finished_run: Path) -> None:
    assert max(ways_mm(finished_run)) < LIMIT_MM


def test_what_nobody_touches_stays_in_the_demo_data(tmp_path: Path) -> None:
    run_engine("blender_scripts.demo_data", DemoJob(sequences=DEMO, seed=0), tmp_path / "data", timeout_s=120)
    ways = ways_mm(simulated(tmp_path / "data", tmp_path / "run", limit=4))
    assert len(ways) >= 8 and max(ways) < LIMIT_MM


@pytest.mark.slow
def test_what_nobody_touches_stays_in_a_real_recording(shared_data: Path, tmp_path: Path) -> None:
    (file,) = (shared_data / "humoto").glob(REAL)
    ways = ways_mm(simulated(file, tmp_path / "run", limit=3))
    assert len(ways) >= 2 and max(ways) < LIMIT_MM
