"""Verdicts of a whole sequence over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from datagen import explain
from datagen.errors import DataError, RunFolderError
from datagen.sequence import write_sequence
from tests.datagen.physics.scenes import MOCAP_FPS, pose, sequence_of


def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one sequence: a box that is held at first, and from the middle on lies on the floor."""
    poses = np.repeat(pose(0, 0, 1.0)[None], 60, axis=0)
    poses[30:, 2] = 0.05
    hand = np.repeat([[0.0, 0.0, 1.052]], 60, axis=0)
    write_sequence(tmp_path / "extracted", sequence_of({"box": ((0.1, 0.1, 0.1), poses)}, hand))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "drop_box.fbx").write_bytes(b"")
    monkeypatch.setattr(explain, "extracted_sequence", lambda file: tmp_path / "extracted")
    monkeypatch.setattr(explain, "hull_cache", lambda: tmp_path / "hulls")
    return tmp_path / "data"


def test_verdicts_follow_the_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = data_folder(tmp_path, monkeypatch)
    moments = explain.explain_sequence(
        data, "drop_box", times=2, step_s=None, mocap_fps=MOCAP_FPS, console=Console(quiet=True)
    )
    assert [moment.objects[0].verdict for moment in moments] == ["dynamic", "static"]
    assert capfd.readouterr() == ("", ""), "Bullet's greetings are no part of the answer"
    assert moments[0].objects[0].part == "RightHand"
    lines = list(explain.markdown_lines(moments))
    assert lines[2].startswith("| 0.47 | box | 2.0 | RightHand |")


def test_an_unknown_sequence_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_folder(tmp_path, monkeypatch)
    with pytest.raises(DataError, match="did you mean 'drop_box'"):
        explain.explain_sequence(
            data, "drop_bux", times=1, step_s=None, mocap_fps=MOCAP_FPS, console=Console(quiet=True)
        )


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError):
        explain.explain_scene(tmp_path, "some-key")
