"""`python -m inference evaluate` on a tiny eval set: rows, failures, resuming, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_evalset import FPS, HEIGHT, NUM_FRAMES, WIDTH, make_evalset, write_manifest

from datagen.codec import read_record, write_json
from datagen.errors import UserError
from datagen.evalset import EVAL_MANIFEST, EvalManifest
from datagen.video import encode_rgb
from inference.cli import app
from inference.scores import CELLS, Scores

CHEAP = ("--metrics", "margin", "--no-page")
KEYS = ("falling_a", "falling_b")


@pytest.fixture(scope="module")
def evalset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_evalset(tmp_path_factory.mktemp("eval") / "set", KEYS)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "inference", "evaluate", *map(str, arguments)]


def evaluate(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def write_predictions(folder: Path, *keys: str) -> Path:
    for key in keys:
        video = np.random.default_rng(0).integers(0, 255, (NUM_FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
        encode_rgb(folder / f"{key}.mp4", video, FPS)
    return folder


def cell_times(report: Path) -> dict[str, int]:
    return {str(path.relative_to(report)): path.stat().st_mtime_ns for path in report.glob(f"{CELLS}/*/*.json")}


@pytest.fixture(scope="module")
def finished(evalset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A report of every row and metric on the tiny set, with what was printed."""
    report = tmp_path_factory.mktemp("report") / "all"
    done = evaluate("--data", evalset, "--out", report, "--workers", 2, "--compare", "hidden", "truth_reencoded")
    assert done.returncode == 0, done.stderr
    return report, done.stdout


def test_truth_leads_and_hidden_trails(finished: tuple[Path, str]) -> None:
    report, printed = finished
    scores = read_record(Scores, report / "scores.json")
    margins = {one.row: one.mean for one in scores.summaries if one.metric == "margin" and one.subset == "all"}
    assert (margins["truth_reencoded"] or 0) > 0.95 and (margins["hidden"] or 0) < -0.95
    names = [row.name for row in scores.rows]
    assert names[:2] == ["truth_reencoded", "truth_perturbed"] and names[-1] == "hidden" and len(names) == 7
    lines = [line.split()[0] for line in printed.splitlines() if line.split()]
    assert [line for line in lines if line in names][: len(names)] == names
    assert len(scores.cells) == 14 and not any(cell.failure for cell in scores.cells)


def test_scores_csv_holds_the_cells(finished: tuple[Path, str]) -> None:
    report, _ = finished
    scores = read_record(Scores, report / "scores.json")
    with (report / "scores.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["row"], line["key"]) for line in lines] == [(cell.row, cell.key) for cell in scores.cells]
    for line, cell in zip(lines, scores.cells, strict=True):
        for name, value in cell.values.items():
            assert (float(line[name]) if line[name] else None) == value


def test_every_missing_figure_says_why(finished: tuple[Path, str]) -> None:
    scores = read_record(Scores, finished[0] / "scores.json")
    missing = [
        (cell.row, name)
        for cell in scores.cells
        for name, value in cell.values.items()
        if value is None and name not in cell.notes
    ]
    assert not missing


def test_the_same_command_again_does_nothing_and_writes_the_same(evalset: Path, finished: tuple[Path, str]) -> None:
    report, _ = finished
    before, times = (report / "scores.json").read_bytes(), cell_times(report)
    done = evaluate("--data", evalset, "--out", report, "--compare", "hidden", "truth_reencoded")
    assert done.returncode == 0 and "nothing left to do" in done.stderr
    assert (report / "scores.json").read_bytes() == before and cell_times(report) == times


def test_bad_predictions_are_rows_with_reasons(evalset: Path, tmp_path: Path) -> None:
    folder = write_predictions(tmp_path / "pred", "falling_a")
    (folder / "falling_b.mp4").write_bytes(b"not a video")
    arguments = ("--data", evalset, "--predictions", f"mine={folder}", "--rows", "", "--out", tmp_path / "r", *CHEAP)
    done = evaluate(*arguments)
    assert done.returncode == 0
    assert "not scored: mine, falling_b: broken" in done.stderr and "1 failed" in done.stdout
    assert evaluate(*arguments, "--strict").returncode == 1
    (folder / "falling_b.mp4").unlink()
    done = evaluate(*arguments)
    assert "not scored: mine, falling_b: missing: there is no falling_b.mp4" in done.stderr
    write_predictions(folder, "falling_b")  # mended: scored now, and the other is left as it was
    times = cell_times(tmp_path / "r")
    done = evaluate(*arguments, "--strict")
    assert done.returncode == 0 and "evaluate 1/1 falling_b (1 rows): done" in done.stderr
    assert cell_times(tmp_path / "r")["cells/mine/falling_a.json"] == times["cells/mine/falling_a.json"]


def test_a_run_that_is_killed_goes_on(evalset: Path, tmp_path: Path) -> None:
    """SIGKILL after the first cell: no half-written cell, no process left, and the finished cell is not made again."""
    report = tmp_path / "r"
    arguments = ("--data", evalset, "--out", report, "--rows", "identity,hidden,telea,truth_reencoded", "--workers", 1)
    process = subprocess.Popen(command(*arguments, *CHEAP), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not cell_times(report) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1.0)  # the kernel ends the worker with its parent
    times = cell_times(report)
    assert 1 <= len(times) < 8
    for name in times:
        json.loads((report / name).read_text())
    done = evaluate(*arguments, *CHEAP, "--strict")
    assert done.returncode == 0, done.stderr
    after = cell_times(report)
    assert len(after) == 8 and all(after[name] == stamp for name, stamp in times.items())
    assert not (report / ".workers").exists()


def test_ctrl_c_is_one_line(evalset: Path, tmp_path: Path) -> None:
    report = tmp_path / "r"
    process = subprocess.Popen(
        command("--data", evalset, "--out", report, "--rows", "identity,hidden", "--workers", 1, *CHEAP),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (report / ".workers").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted; run the same command again" in printed
    assert "Traceback" not in printed


def test_a_crashed_clip_costs_itself_alone(evalset: Path, tmp_path: Path) -> None:
    """A worker that dies at once leaves rows with the reason; the other clip is scored."""
    report = tmp_path / "r"
    code = (
        "import os, sys, inference.evaluation as evaluation\n"
        "run = evaluation.run_engine\n"
        "def limited(module, job, out, **options):\n"
        "    return run('no.such.module' if job.entry.key == 'falling_a' else module, job, out, **options)\n"
        "evaluation.run_engine = limited\n"
        "from inference.cli import main\n"
        "main()\n"
    )
    arguments = command("--data", evalset, "--out", report, "--rows", "hidden", *CHEAP)[3:]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert "not scored: hidden, falling_a: scoring failed" in done.stderr
    scores = read_record(Scores, report / "scores.json")
    assert {cell.key: bool(cell.failure) for cell in scores.cells} == {"falling_a": True, "falling_b": False}


def test_mistakes_are_one_line(evalset: Path, tmp_path: Path) -> None:
    known = write_predictions(tmp_path / "known", "falling_a")
    stray = write_predictions(tmp_path / "stray", "falling_a", "fallen_b")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    other = copy_of(evalset, tmp_path / "other")
    change_manifest(other, format_version=99)
    changed = copy_of(evalset, tmp_path / "changed")
    with (changed / "ground_truth" / "falling_b" / "hidden.mp4").open("ab") as stream:
        stream.write(b"x")
    cases: list[tuple[tuple[object, ...], str]] = [
        (("--data", tmp_path / "none"), "is no eval set"),
        (("--data", other), "format_version: expected 1, found 99"),
        (("--data", changed), "sha256: expected"),
        (
            ("--data", evalset, "--metrics", "physic_iq"),
            "unknown metric or group 'physic_iq'; did you mean 'physics_iq'?",
        ),
        (("--data", evalset, "--metrics", "margim"), "unknown metric or group 'margim'; did you mean 'margin'?"),
        (("--data", evalset, "--rows", "hiden"), "unknown row 'hiden'; did you mean 'hidden'?"),
        (("--data", evalset, "--predictions", known), "expected NAME=DIR"),
        (("--data", evalset, "--predictions", f"telea={known}"), "there is a row 'telea' already"),
        (("--data", evalset, "--predictions", f"a={tmp_path / 'none'}"), "no such folder"),
        (("--data", evalset, "--predictions", f"a={tmp_path / 'empty'}"), "holds no videos"),
        (
            ("--data", evalset, "--predictions", f"a={stray}"),
            "fallen_b.mp4 is of no clip in this eval set; did you mean",
        ),
        (("--data", evalset, "--rows", ""), "nothing to score"),
        (("--data", evalset, "--compare", "hidden", "void"), "--compare: unknown row 'void'"),
        (("--data", evalset, "--compare", "telea", "telea"), "expected two different rows"),
        (("--data", evalset, "--out", tmp_path / "file"), "is a file; expected a folder"),
    ]
    for number, (arguments, expected) in enumerate(cases):
        out = () if "--out" in arguments else ("--out", tmp_path / f"r{number}")
        with pytest.raises(UserError, match=re.escape(expected)) as caught:
            app(["evaluate", *map(str, (*arguments, *out))], standalone_mode=False)
        assert len(str(caught.value).splitlines()) == 1


def test_a_mistake_on_the_command_line(evalset: Path, tmp_path: Path) -> None:
    done = evaluate("--data", evalset, "--rows", "hiden", "--out", tmp_path / "r")
    assert done.returncode == 2 and not done.stdout
    told = "error: --rows: unknown row 'hiden'; did you mean 'hidden'? (see docs/TROUBLESHOOTING.md#settings)\n"
    assert done.stderr == told


def test_a_report_is_of_one_eval_set_that_may_grow(evalset: Path, tmp_path: Path) -> None:
    report = tmp_path / "r"
    small = copy_of(evalset, tmp_path / "small")
    manifest = read_record(EvalManifest, small / EVAL_MANIFEST)
    shutil.rmtree(small / "falling_b")
    shutil.rmtree(small / "ground_truth" / "falling_b")
    write_manifest(small, manifest.entries[:1])
    arguments = ("--out", report, "--rows", "hidden", *CHEAP)
    assert evaluate("--data", small, *arguments).returncode == 0
    grown = evaluate("--data", evalset, *arguments)
    assert grown.returncode == 0 and "evaluate 1/1 falling_b" in grown.stderr
    (small / "falling_a" / "prompt.json").write_text('{"bg": "another clip"}')
    write_manifest(small, manifest.entries[:1])
    done = evaluate("--data", small, *arguments)
    assert done.returncode == 2 and "clip falling_a has other files" in done.stderr


def copy_of(evalset: Path, dest: Path) -> Path:
    return Path(shutil.copytree(evalset, dest))


def change_manifest(root: Path, **changes: object) -> None:
    path = root / EVAL_MANIFEST
    write_json(path, json.loads(path.read_text()) | changes)
