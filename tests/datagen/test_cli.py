"""The command as a user meets it: one clear line for a mistake, exit code 2, nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def datagen(*arguments: str | Path, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "datagen.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def assert_one_line(result: subprocess.CompletedProcess[str], message: str) -> None:
    """A user's mistake: exit code 2 and a single line that holds `message`."""
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    assert message in lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nowhere"), "nowhere"),
        (("--data", ".", "--set", "render.sampels=3"), "did you mean 'render.samples'"),
        (("--data", ".", "--set", "render.samples=many"), "expected a whole number"),
        (("--data", ".", "--config", "prevew"), "did you mean 'preview'"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    assert_one_line(datagen("plan", "humoto", "--out", tmp_path / "run", *arguments), message)
    assert not (tmp_path / "run").exists()


def test_an_unknown_source_is_named(tmp_path: Path) -> None:
    result = datagen("plan", "humotto", "--data", tmp_path, "--out", tmp_path / "run")
    assert_one_line(result, "did you mean 'humoto'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--limit", "2", "--gso", "nowhere.json"), "nowhere.json: no such file or folder"),
        (("--limit", "2", "--gso", "gs://bucket/manifest.json"), "gcsfs"),
        (("--limit", "2", "--set", "kubric.families=lunch"), "did you mean 'launch'"),
        (("--limit", "2", "--hdri", "nowhere"), "expected a folder with .exr or .hdr files"),
        ((), "say how many with --limit N"),
    ],
)
def test_mistakes_with_collision_scenes(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    assert_one_line(datagen("plan", "kubric", "--out", tmp_path / "run", *arguments), message)
    assert not (tmp_path / "run").exists()


def test_humoto_needs_data(tmp_path: Path) -> None:
    assert_one_line(datagen("plan", "humoto", "--out", tmp_path / "run"), "--data is missing")


def test_an_empty_folder_says_which_layouts_are_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    result = datagen("run", "humoto", "--data", tmp_path / "data", "--out", tmp_path / "run")
    assert_one_line(result, str(tmp_path / "data"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["simulate", "render", "compose", "pack", "status"])
def test_stages_want_a_run_folder(tmp_path: Path, command: str) -> None:
    assert_one_line(datagen(command, tmp_path), "is no run folder")


def test_every_command_has_help() -> None:
    listing = datagen("--help").stdout
    for command in ("demo-data", "plan", "simulate", "render", "compose", "pack", "run", "status", "validate", "show"):
        assert command in listing
        assert datagen(command, "--help").returncode == 0


def test_versions_are_told() -> None:
    lines = dict(line.split(" ", 1) for line in datagen("--version").stdout.splitlines())
    assert lines["bpy"].startswith("4.5") and "voidgen" in lines


def test_garbage_is_invalid_and_json_says_why(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"not a tar")
    result = datagen("validate", tmp_path / "x.tar", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["problems"]
