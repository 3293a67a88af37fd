"""Command lines of the documentation, run as they stand where all that they name is there; plans are made smaller."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer import TyperException

from datagen.codec import read_npz
from datagen.runs import RunFolder
from datagen.sample import PHYSICS
from tests.docs.documents import commands, group_of, parse, python_blocks
from tests.pipeline.conftest import SMALL

pytestmark = [pytest.mark.blender, pytest.mark.slow]

LOOKS = {"status", "validate", "show", "gallery", "explain", "physics-report", "view", "pack", "recompose", "retry"}
STAGES = {"simulate", "render", "compose"}
MODELS = {"tiny-model", "run"}  # of python -m inference
HERE = "runs/first"
SETTINGS = [part for value in SMALL for part in ("--set", value)]
WITH_RAY = {"pack", "retry", "run", *STAGES}


def runnable(text: str) -> bool:
    """Whether a line names only what the workspace has, and is done in seconds."""
    try:
        name, parameters = parse(text)
    except (AssertionError, TyperException):  # tests/docs says so
        return False
    if text.startswith("datagen"):
        return name in LOOKS | STAGES and HERE in text
    baseline = parameters.get("baseline") == "background_median"
    return (name in MODELS and "runs/tiny" in text) or (name == "run" and baseline and HERE in text)


LINES = list(dict.fromkeys(line.text.split("  #")[0].strip() for line in commands() if runnable(line.text)))


@pytest.fixture(scope="module")
def workspace(finished_run: Path, demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run and demo data, where the documentation has them."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "runs").mkdir()
    shutil.copytree(finished_run, folder / HERE)
    (folder / "runs" / "demo-data").symlink_to(demo_data)
    return folder


def run_line(text: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a line in a folder."""
    found = group_of(text)
    assert found is not None
    module = "datagen.cli" if text.startswith("datagen") else "inference"
    command = [sys.executable, "-m", module, *found[1], *more]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )


def test_most_commands_are_among_them() -> None:
    names = {parse(text)[0] for text in LINES}
    assert names >= LOOKS | STAGES | MODELS


@pytest.mark.parametrize("text", LINES)
def test_a_documented_line_works(text: str, workspace: Path) -> None:
    key = RunFolder(root=workspace / HERE).keys()[0]
    more = ["--ray", "off"] if parse(text)[0] in WITH_RAY and text.startswith("datagen") else []
    if text.startswith("python") and "tiny-model" not in text and "runs/tiny" in text:
        tiny = run_line("python -m inference tiny-model runs/tiny --if-missing", workspace)
        assert tiny.returncode == 0, tiny.stderr
    result = run_line(text.replace("KEY", key), workspace, *more)
    assert result.returncode == 0, result.stdout + result.stderr
    out = parse(text)[1].get("out")
    assert out is None or (workspace / out).exists()


@pytest.mark.parametrize(
    "text",
    [
        "datagen run humoto --data runs/demo-data --out runs/first --config preview --limit 4",
        "datagen run kubric --out runs/collisions --config preview --limit 6",
    ],
)
def test_a_documented_run_works(text: str, workspace: Path, tmp_path: Path) -> None:
    assert text in {line.text.split("  #")[0].strip() for line in commands()}
    smaller = ["--limit", "1", "--ray", "off", *SETTINGS, "--out", str(tmp_path / "run")]
    result = run_line(text, workspace, *smaller)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("1 samples: shards in")


def test_the_python_example_reads_a_sample(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    block = next(block for block in python_blocks("docs/FORMATS.md") if "read_sample" in block)
    names: dict[str, object] = {"key": RunFolder(root=workspace / HERE).keys()[0]}
    exec(block, names)
    assert names["mask"].shape[0] == 5  # type: ignore[attr-defined]


def test_every_array_of_physics_is_documented(workspace: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "FORMATS.md").read_text()
    table = page[page.index("<!-- physics -->") : page.index("<!-- end of physics -->")]
    key = RunFolder(root=workspace / HERE).keys()[0]
    for name in read_npz(workspace / HERE / "samples" / key / PHYSICS):
        generic = name.replace("counterfactual_", "<world>_").replace("factual_", "<world>_")
        assert f"`{generic}`" in table or f"`{name}`" in table, name
