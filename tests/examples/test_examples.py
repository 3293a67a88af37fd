"""Every example runs, takes a training step for every sample, and gets there in ten lines."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datagen.exports.huggingface import export_huggingface
from tests.datagen.packed_run import make_packed_run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAMPLES = 4
MAX_LINES = 10


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A packed run, and its export."""
    root = tmp_path_factory.mktemp("examples")
    run = make_packed_run(root / "run", SAMPLES, 2)
    export_huggingface([run.root], root / "hub")
    return run.root, root / "hub"


def run_example(name: str, *arguments: str, tmp_path: Path) -> list[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(EXAMPLES.parent)}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLES / name), *arguments],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return [line for line in result.stdout.splitlines() if line.startswith("loss ")]


def test_our_loader(folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert len(run_example("train_pairs.py", str(folders[0]), tmp_path=tmp_path)) == SAMPLES // 2


def test_plain_webdataset(folders: tuple[Path, Path], tmp_path: Path) -> None:
    shards = [str(path) for path in sorted((folders[0] / "shards").glob("*.tar"))]
    lines = run_example("read_webdataset.py", *shards, tmp_path=tmp_path)
    assert sorted(line.split(": ")[1] for line in lines) == [
        f"A box of sample-{one:03d} falls." for one in range(SAMPLES)
    ]


def test_hugging_face_datasets(folders: tuple[Path, Path], tmp_path: Path) -> None:
    lines = run_example("read_datasets.py", str(folders[1]), tmp_path=tmp_path)
    assert sorted(line.split(": ")[1] for line in lines) == [
        f"A box of sample-{one:03d} falls." for one in range(SAMPLES)
    ]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_from_shards_to_a_training_step_in_ten_lines(path: Path) -> None:
    text = path.read_text().splitlines()
    body = [node for node in ast.parse(path.read_text()).body if not isinstance(node, ast.Import | ast.ImportFrom)]
    step = next(number for number, line in enumerate(text, start=1) if "loss.backward()" in line)
    assert step - body[1].lineno + 1 <= MAX_LINES  # body[0] is the docstring
