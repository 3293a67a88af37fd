"""An evaluation becomes a page: of what was scored, as it was scored."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_evalset import make_evalset

from datagen.codec import read_record, sha256_file, write_json
from datagen.errors import DataError
from datagen.evalset import EVAL_MANIFEST
from datagen.evalset_files import read_evalset
from datagen.video import decode_rgb, encode_rgb
from inference.alignment import align
from inference.metrics.api import Direction, Metric, Track
from inference.report import write_report
from inference.report_data import page_data
from inference.report_variants import track_plots
from inference.scores import (
    SCORES_FORMAT_VERSION,
    SCORES_JSON,
    Cell,
    Row,
    RowKind,
    Scores,
    cell_path,
    info_of,
    stored_track,
)
from inference.summaries import summarise

MARGIN = Metric(
    name="margin",
    group="margin",
    title="margin",
    unit="",
    direction=Direction.HIGHER,
    low=-1.0,
    high=1.0,
    definition="d",
    source="",
)
ROWS = ("good", "gone")


def cell_of(report: Path, evalset: Path, row: str, key: str, value: float) -> Cell:
    """A cell of a row whose video is the truth, at half the size; row "gone" could not be scored."""
    if row == "gone":
        failure, video, alignment = "missing: there is none", "", None
    else:
        truth = decode_rgb(evalset / "ground_truth" / key / "rgb_removed.mp4")
        path = report / "rows" / row / f"{key}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        encode_rgb(path, np.ascontiguousarray(truth[:, ::2, ::2]), 12.0)
        size = {"num_frames": len(truth), "height": truth.shape[1], "width": truth.shape[2]}
        failure, video, alignment = "", f"rows/{row}/{key}.mp4", align(path, fps=12.0, **size)[1]
    values = {"margin": None if failure else value}
    return Cell(
        format_version=SCORES_FORMAT_VERSION,
        row=row,
        key=key,
        video=video,
        inputs_sha256="",
        failure=failure,
        alignment=alignment,
        values=values,
        notes={},
    )


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An eval set, and a report folder with the scores of two rows."""
    root = tmp_path_factory.mktemp("report")
    evalset, report = make_evalset(root / "set"), root / "out"
    manifest, items = read_evalset(evalset)
    clips = tuple(item.entry for item in items)
    cells = [
        cell_of(report, evalset, row, clip.key, value)
        for row in ROWS
        for clip, value in zip(clips, (0.25, 0.75), strict=True)
    ]
    for cell in cells:
        write_json(cell_path(report, cell.row, cell.key), cell)
    rows = tuple(Row(name=name, kind=RowKind.PREDICTION, title="", method="", untrained=False) for name in ROWS)
    scores = Scores(
        format_version=SCORES_FORMAT_VERSION,
        data=str(evalset),
        name=manifest.name,
        manifest_sha256=sha256_file(evalset / EVAL_MANIFEST),
        licences={"B, A": "", "A": ""},
        seed=0,
        metrics=(info_of(MARGIN),),
        rows=rows,
        clips=clips,
        cells=tuple(cells),
        summaries=summarise(cells, clips, ["margin"], 0),
        comparisons=(),
        versions={},
    )
    write_json(report / SCORES_JSON, scores)
    return evalset, report


def clip_of(report: Path, key: str) -> dict:
    """What a clip's script holds."""
    text = (report / "report_files" / key / "clip.js").read_text().split("\n", 1)[1]
    return json.loads(text.removeprefix("receiveClip(").removesuffix(");\n"))


def test_a_page_of_all_rows_and_clips(scored: tuple[Path, Path]) -> None:
    _, report = scored
    assert write_report(report) == report / "report.html"
    clip = clip_of(report, "falling_a")
    good, gone = clip["variants"]
    assert good["note"] == "resized from 48x32 to 96x64" and "row good" in clip["video"]["views"]
    assert (gone["note"], gone["tone"]) == ("Not scored: missing: there is none", "bad")
    assert [pane["title"] for pane in gone["panes"]] == ["Input", "Truth", "Mask", "Hidden (no physics)"]
    files = {path.name for path in (report / "report_files" / "falling_a").iterdir()}
    assert files == {"views.mp4", "clip.js", "input.jpg", "truth.jpg", "good.jpg"}


def test_predictions_are_shown_as_they_were_scored(scored: tuple[Path, Path]) -> None:
    evalset, report = scored
    write_report(report)
    video = clip_of(report, "falling_a")["video"]
    frames = decode_rgb(report / "report_files" / "falling_a" / "views.mp4")
    row, column = divmod(video["views"].index("row good"), video["columns"])
    y, x = row * video["pitch"][1], column * video["pitch"][0]
    truth = decode_rgb(evalset / "ground_truth" / "falling_a" / "rgb_removed.mp4").astype(float)
    hidden = decode_rgb(evalset / "ground_truth" / "falling_a" / "hidden.mp4").astype(float)
    shown = frames[:, y : y + 64, x : x + 96]
    differs = np.abs(truth - hidden).max(axis=3) > 30
    assert differs.any()
    assert np.abs(shown - truth)[differs].mean() < np.abs(shown - hidden)[differs].mean() / 4


def test_a_clip_is_made_again_when_its_score_changes(scored: tuple[Path, Path]) -> None:
    _, report = scored
    write_report(report)
    scripts = {key: report / "report_files" / key / "clip.js" for key in ("falling_a", "falling_b")}
    before = {key: path.stat().st_mtime_ns for key, path in scripts.items()}
    path = cell_path(report, "good", "falling_b")
    cell = read_record(Cell, path)
    write_json(path, replace(cell, values={"margin": 0.5}))
    write_report(report)
    assert {key for key, path in scripts.items() if path.stat().st_mtime_ns != before[key]} == {"falling_b"}
    write_json(path, cell)


def test_figures_of_the_page_are_those_of_the_scores(scored: tuple[Path, Path]) -> None:
    _, report = scored
    data = page_data(read_record(Scores, report / SCORES_JSON))
    assert data["values"] == {"good": {"margin": [0.25, 0.75]}, "gone": {"margin": [None, None]}}
    assert data["summaries"]["good"]["margin"]["mean"] == 0.5
    assert data["summaries"]["gone"]["margin"] == {"count": 0, "mean": None, "low": None, "high": None}
    assert data["failures"]["gone"] == ["missing: there is none"] * 2


def test_another_eval_set_is_refused(scored: tuple[Path, Path], tmp_path: Path) -> None:
    evalset, report = scored
    with pytest.raises(DataError, match="--data DIR"):
        write_report(report, tmp_path / "nowhere")
    other = shutil.copytree(evalset, tmp_path / "other")
    (other / EVAL_MANIFEST).write_text((other / EVAL_MANIFEST).read_text() + "\n")
    with pytest.raises(DataError, match="not the eval set that was scored"):
        write_report(report, other)


def test_courses_count_upwards_and_bands_skip_what_was_not_seen() -> None:
    truth = np.array([[1.0, 60.0], [2.0, 50.0]])
    perturbed = np.array([[[3.0, 58.0], [np.nan, np.nan]]])
    lost = np.full((2, 2), np.nan)
    track = Track(name="box", prediction_px=lost, truth_px=truth, hidden_px=truth, perturbed_px=perturbed)
    across, up = track_plots(stored_track(track), height=64).plots
    assert (across.low, across.high) == ((1.0, 2.0), (3.0, 2.0))
    assert (up.low, up.high) == ((4.0, 14.0), (6.0, 14.0))
    assert {line.name: line.values for line in up.lines}["prediction"] == (None, None)
