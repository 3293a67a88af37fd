"""void-train: what VOID's loader reads, completed when it is run again, refused over other things."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from datagen.cli import app
from datagen.codec import sha256_file, write_json
from datagen.errors import DataError, RunFolderError
from datagen.exports.void_train import CLIPS, ENTRIES, NOISES, export_void_train
from datagen.sample import METADATA, read_sample
from datagen.video import decode_grey, decode_rgb
from tests.datagen.packed_run import make_packed_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packed_run(tmp_path_factory.mktemp("void-train") / "run", 3, 2, num_frames=5).root


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def load_as_void_does(dest: Path, entry: dict[str, str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three videos, indexed with one set of frame numbers; the mask is channel 0."""
    folder = dest / entry["file_path"]
    full, removed = decode_rgb(folder / "rgb_full.mp4"), decode_rgb(folder / "rgb_removed.mp4")
    frames = np.linspace(0, len(full) - 1, len(full), dtype=int)
    return full[frames], removed[frames], decode_grey(folder / "mask.mp4")[frames]


def test_entries_and_clips_are_what_the_loader_reads(run: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out"
    made = export_void_train([run], dest)
    assert (made.num_clips, made.num_new, made.num_noises) == (3, 3, 0)
    entries = json.loads((dest / ENTRIES).read_text())
    assert [sorted(entry) for entry in entries] == [["file_path", "text", "type"]] * 3
    assert {entry["type"] for entry in entries} == {"video_mask_tuple"}
    for entry in entries:
        full, removed, mask = load_as_void_does(dest, entry)
        assert full.shape == removed.shape == (*mask.shape, 3) and set(np.unique(mask)) <= {0, 63, 127, 255}
        metadata = read_sample(dest / entry["file_path"]).metadata
        assert entry["text"] == metadata.caption
        names = {path.name for path in (dest / entry["file_path"]).iterdir()}
        assert names == {"rgb_full.mp4", "rgb_removed.mp4", "mask.mp4", METADATA}


def test_equal_runs_give_equal_bytes_and_again_does_nothing(run: Path, tmp_path: Path) -> None:
    def contents(root: Path) -> dict[str, str]:
        return {str(path.relative_to(root)): sha256_file(path) for path in root.rglob("*") if path.is_file()}

    export_void_train([run], tmp_path / "first")
    export_void_train([run], tmp_path / "second")
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    assert export_void_train([run], tmp_path / "first").num_new == 0


def test_an_export_that_was_stopped_goes_on(run: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out"

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_void_train([run], dest, report=lambda line: stop(line) if "sample-001" in line else None)
    assert not (dest / ENTRIES).is_file()
    (dest / CLIPS / "sample-000" / "mask.mp4").write_bytes(b"damaged")
    made = export_void_train([run], dest)
    assert made.num_clips == 3 and len(json.loads((dest / ENTRIES).read_text())) == 3
    assert not list(dest.rglob("*.partial"))


def test_warped_noise_is_normal_for_every_frame_and_made_once(run: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out"
    lines: list[str] = []
    made = export_void_train([run], dest, warped_noise=True, noise_scale=1, report=lines.append)
    assert made.num_noises == 3 and sum("noise written" in line for line in lines) == 3
    for entry in json.loads((dest / ENTRIES).read_text()):
        noise = np.load(dest / entry["warped_noise_path"] / "noises.npy")
        assert noise.dtype == np.float16 and noise.shape == (5, 16, 64 // 8, 96 // 8)
        values = noise.astype(np.float32)
        assert abs(values.mean()) < 0.1 and abs(values.std() - 1) < 0.1
        assert (
            np.corrcoef(values[0].ravel(), values[1].ravel())[0, 1] > 0.8
        )  # it moves with the video, which hardly does
    stamp = (dest / NOISES / "sample-000" / "noises.npy").stat().st_mtime_ns
    shutil.rmtree(dest / NOISES / "sample-001")
    lines.clear()
    export_void_train([run], dest, warped_noise=True, noise_scale=1, report=lines.append)
    assert lines == ["sample-001: noise written"]
    assert (dest / NOISES / "sample-000" / "noises.npy").stat().st_mtime_ns == stamp


def test_other_things_are_refused_and_left_alone(run: Path, tmp_path: Path) -> None:
    dest = tmp_path / "mine"
    dest.mkdir()
    (dest / "thesis.txt").write_text("years of work")
    result = CliRunner().invoke(app, ["export", "void-train", str(run), str(dest)])
    assert isinstance(result.exception, RunFolderError) and "holds other files" in str(result.exception)
    assert [path.name for path in dest.iterdir()] == ["thesis.txt"]
    other = make_packed_run(tmp_path / "other", 5, 5)
    export_void_train([other.root], tmp_path / "out")
    with pytest.raises(RunFolderError, match="2 clips that these runs lack"):
        export_void_train([run], tmp_path / "out")
    with pytest.raises(RunFolderError, match="is a file"):
        export_void_train([run], dest / "thesis.txt")


def test_odd_sizes_have_no_noise_and_noise_that_fails_keeps_the_clips(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DataError, match="run the same command again"):
        export_void_train([run], tmp_path / "out", warped_noise=True)
    assert len(list((tmp_path / "out" / CLIPS).iterdir())) == 3
    sample = run / "samples" / "sample-000"
    metadata = read_sample(sample).metadata
    write_json(sample / METADATA, dataclasses.replace(metadata, width=100))
    with pytest.raises(DataError, match="sides in steps of 8"):
        export_void_train([run], tmp_path / "odd", warped_noise=True)
    assert not (tmp_path / "odd").exists()


def test_noise_of_a_folder_without_clips_is_one_line(tmp_path: Path) -> None:
    from inference.training_noise import fill_noise

    with pytest.raises(DataError, match="no clips in training_data"):
        list(fill_noise(tmp_path, 1, 0, "cpu"))


def test_the_option_belongs_to_this_format(run: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", "void-eval", str(run), str(tmp_path / "out"), "--warped-noise"])
    assert "--warped-noise belongs to" in str(result.exception)
    result = CliRunner().invoke(app, ["export", "void-train", str(run), str(tmp_path / "out")])
    assert result.exit_code == 0 and "3 clips (3 of them new)" in result.stdout
