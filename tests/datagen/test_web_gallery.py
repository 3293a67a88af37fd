"""A run becomes a page: what is shown, what is made again, what a broken run gives."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_scene, make_spec

from datagen.codec import read_npz, write_json
from datagen.config import resolve_config
from datagen.errors import DataError, RunFolderError, UserError
from datagen.gallery_physics import certificate_table, plot_groups, speeds
from datagen.runs import RunFolder, append_row, open_run
from datagen.sample import METADATA, PHYSICS, compose_sample, read_sample
from datagen.web_gallery import detail_lines, write_gallery


def make_run(root: Path, *keys: str) -> RunFolder:
    folder = open_run(root, source="humoto", data=root, limit=None, config=resolve_config("preview"), versions={})
    for key in keys:
        scene = make_scene(root, make_spec(key))
        write_json(folder.spec_path(key), scene.spec)
        compose_sample(scene.spec, scene.physics, scene.render, folder.folder("compose", key), {})
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("gallery") / "run", "alpha", "beta")


def stamps(files: Path) -> dict[str, int]:
    return {
        str(path.relative_to(files)): path.stat().st_mtime_ns for path in sorted(files.rglob("*")) if path.is_file()
    }


def test_it_is_made_once_and_again_for_what_changed(run: RunFolder, tmp_path: Path) -> None:
    page, files = tmp_path / "page.html", tmp_path / "page_files"
    assert write_gallery(run.root, page, 2).samples == 2
    names = ("clip.js", "filmed.jpg", "views.mp4", "without.jpg")
    before, text = stamps(files), page.read_bytes()
    assert list(before) == [f"{key}/{name}" for key in ("alpha", "beta") for name in names]
    write_gallery(run.root, page)
    assert stamps(files) == before and page.read_bytes() == text
    sample = run.folder("compose", "beta")
    metadata = read_sample(sample).metadata
    write_json(sample / METADATA, replace(metadata, caption="Something else."))
    write_gallery(run.root, page)
    after = stamps(files)
    assert {name for name in after if after[name] != before[name]} == {f"beta/{name}" for name in names}
    assert b"Something else." in page.read_bytes()


def test_a_run_without_samples_shows_what_was_rejected(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    with pytest.raises(UserError, match="nothing to show yet"):
        write_gallery(folder.root, tmp_path / "page.html")
    append_row(folder.rejected, {"key": "x", "stage": "simulate", "message": "x: too deep", "details": {}})
    assert write_gallery(folder.root, tmp_path / "page.html").rejected == 1
    assert "too deep" in (tmp_path / "page.html").read_text()


def test_broken_samples_are_named_and_the_others_shown(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "torn", "whole", "worthless")
    video = folder.folder("compose", "torn") / "rgb_removed.mp4"
    os.truncate(video, video.stat().st_size // 2)
    (folder.folder("compose", "worthless") / METADATA).write_text("{")
    report = write_gallery(folder.root, tmp_path / "page.html")
    assert report.samples == 1 and len(report.broken) == 2
    assert "rgb_removed.mp4" in report.broken[0] and METADATA in report.broken[1]
    assert [path.name for path in (tmp_path / "page_files").iterdir()] == ["whole"]


def test_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is no run folder"):
        write_gallery(tmp_path, tmp_path / "page.html")


def test_a_run_whose_record_is_damaged_is_one_line(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "whole")
    record = folder.root / "run.json"
    os.truncate(record, record.stat().st_size // 2)
    with pytest.raises(DataError, match=r"run\.json: not JSON .* the file is damaged or was cut short"):
        write_gallery(folder.root, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_rows_that_a_crash_cut_short_are_left_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "whole")
    append_row(folder.failures, {"key": "x", "stage": "render", "message": "x: crashed", "details": {}})
    with folder.failures.open("a") as stream:
        stream.write('{"key": "y", "sta')
    report = write_gallery(folder.root, tmp_path / "page.html")
    assert report.samples == 1 and report.failed == 1


def test_heights_and_speeds_are_those_of_the_simulation(run: RunFolder) -> None:
    sample = run.folder("compose", "alpha")
    groups = plot_groups(read_sample(sample).metadata, read_npz(sample / PHYSICS))
    assert groups[0].name == "box"
    height, speed = groups[0].plots
    lines = {line.name: np.array(line.values) for line in height.lines}
    assert np.allclose(lines["with"], 1.2)
    times = np.arange(6) / 12
    assert np.allclose(lines["without"], np.maximum(1.2 - 9.81 / 2 * times**2, 0.15), atol=1e-4)
    falling = {line.name: line.values for line in speed.lines}["without"]
    assert falling[2] == pytest.approx(9.81 * times[2], abs=1e-3)  # a central difference is exact for a parabola


def test_speed_of_a_single_frame_is_none() -> None:
    assert speeds(np.zeros((1, 3)), 12.0).tolist() == [0.0]


def test_failed_checks_come_first(run: RunFolder) -> None:
    certificate = read_sample(run.folder("compose", "alpha")).metadata.certificate
    failed = replace(certificate.checks[0], name="sinks", passed=False, gate=True)
    table = certificate_table(replace(certificate, checks=(*certificate.checks, failed)))
    assert [(row[0].text, row[4].text) for row in table.rows] == [("sinks", "failed"), ("effect", "passed")]


def test_details_tell_figures_against_limits() -> None:
    check = {"name": "speed", "value": 14.2, "limit": 12.0, "unit": "m/s", "passed": False, "note": ""}
    passed = check | {"name": "clock", "passed": True}
    details = {"measured": [passed, check], "checks": {"speed": "..."}, "log": "x" * 2000}
    lines = list(detail_lines(details))
    assert lines[0].startswith("speed: 14.2 m/s, limit 12 m/s") and len(lines) == 2 and len(lines[1]) < 700
