"""The report of a run counts accepted and rejected scenes, and its plot shows them."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from datagen.codec import write_json
from datagen.config import Config
from datagen.errors import UserError
from datagen.physics.records import Check
from datagen.physics_report import plot_report, print_report, report_of
from datagen.runs import RunFolder, append_row, open_run
from tests.datagen.synthetic import make_certificate, make_spec


def check(value: float | None, passed: bool = True) -> Check:
    return Check(name="speed", value=value, limit=12.0, unit="m/s", passed=passed, gate=True)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Three accepted scenes and one that is rejected."""
    folder = open_run(tmp_path / "run", source="humoto", data="", limit=None, config=Config(), versions={})
    certificate = make_certificate(make_spec())
    for number, value in enumerate((1.0, 3.0, None)):
        path = folder.root / "physics" / f"scene-{number}"
        path.mkdir(parents=True)
        write_json(path / "certificate.json", replace(certificate, checks=(check(value),), labels=("chaotic",)))
    details = {"checks": {"speed": {"value": 20.0}}, "measured": [asdict(check(20.0, False))], "labels": ["chaotic"]}
    append_row(folder.rejected, {"key": "bad", "stage": "simulate", "message": "bad: too fast", "details": details})
    return folder


def test_figures_are_those_of_all_scenes(run: RunFolder) -> None:
    report = report_of(run.root)
    assert (report.accepted, report.rejected, report.failed) == (3, 1, 0)
    assert report.labels == {"chaotic": 3} and report.reasons == {"speed": 1}
    (speed,) = report.checks
    assert (speed.scenes, speed.count, speed.min, speed.median, speed.max) == (4, 3, 1.0, 3.0, 20.0)
    assert speed.failed_share == 0.25


def test_it_prints_and_draws(run: RunFolder, tmp_path: Path) -> None:
    console = Console(record=True, width=120)
    print_report(report_of(run.root), console)
    text = console.export_text()
    assert "3 accepted, 1 rejected" in text and "rejected for speed: 1" in text and "25%" in text
    plot_report(run.root, report_of(run.root), tmp_path / "plot.png")
    picture = np.asarray(Image.open(tmp_path / "plot.png").convert("RGB")).reshape(-1, 3)
    blue, red = (
        int((np.abs(picture.astype(int) - colour) < 3).all(axis=1).sum()) for colour in ((72, 120, 168), (196, 78, 82))
    )
    assert blue > 100 and red > 100  # accepted and rejected bars


def test_nothing_simulated_is_said(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "run", source="humoto", data="", limit=None, config=Config(), versions={})
    with pytest.raises(UserError, match="nothing is simulated yet"):
        report_of(folder.root)
