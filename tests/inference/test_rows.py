"""Where the videos of a row are, and those that the command makes itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_evalset import FPS, HEIGHT, NUM_FRAMES, WIDTH, make_evalset

from datagen.codec import write_json
from datagen.errors import UserError
from datagen.evalset import EvalItem
from datagen.evalset_files import read_evalset
from datagen.video import decode_rgb, encode_rgb, probe
from inference.inputs import find_clips
from inference.jobs import make_job
from inference.rows import EVERY_ROW, RowSource, generated_rows, make_video, prediction_rows, video_of
from inference.run import run_clips
from inference.scores import RowKind


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> EvalItem:
    root = make_evalset(tmp_path_factory.mktemp("eval") / "set", ("falling_a",))
    return read_evalset(root)[1][0]


def one_row(name: str) -> RowSource:
    (row,) = generated_rows([name])
    return row


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(first.astype(float) - second).mean()))


def test_bounds_are_the_eval_sets_own_videos(item: EvalItem, tmp_path: Path) -> None:
    expected = {"identity": "input_video.mp4", "hidden": "hidden.mp4", "truth_perturbed": "perturbed_0.mp4"}
    for name, file in expected.items():
        path = make_video(one_row(name), item, tmp_path)
        assert path.name == file and path.is_relative_to(item.root)
    assert not any(tmp_path.iterdir())  # nothing is copied


def test_the_coded_truth_is_near_the_truth_and_smaller(item: EvalItem, tmp_path: Path) -> None:
    path = make_video(one_row("truth_reencoded"), item, tmp_path)
    truth = item.truth / "rgb_removed.mp4"
    assert 25 < psnr(decode_rgb(path), decode_rgb(truth)) < 60
    assert path.stat().st_size < truth.stat().st_size
    assert probe(path) == probe(truth)


def test_a_baseline_is_what_inference_run_writes(item: EvalItem, tmp_path: Path) -> None:
    row = one_row("telea")
    path = make_video(row, item, tmp_path / "report")
    overrides = [f"height={HEIGHT}", f"width={WIDTH}"]
    clips = find_clips(item.root, tmp_path / "scratch")
    job = make_job(clips, tmp_path / "pred", None, None, None, "telea", overrides, 0, "full", "cpu")
    run_clips(job, Quiet())
    mine, theirs = (decode_rgb(one).astype(int) for one in (path, tmp_path / "pred" / "falling_a.mp4"))
    assert np.abs(mine - theirs).max() <= 8  # equal frames; x264 may code them a little differently in one process
    assert np.abs(mine - decode_rgb(item.inputs / "input_video.mp4")).max() > 60  # and it is a baseline's work
    stamp = path.stat().st_mtime_ns
    assert make_video(row, item, tmp_path / "report").stat().st_mtime_ns == stamp  # kept


class Quiet:
    def begin(self, stage: str, videos: int) -> None: ...

    def step(self, key: str, done: int, total: int) -> None: ...

    def finished(self, key: str, seconds: float) -> None: ...

    def failed(self, key: str, reason: str) -> None: ...


def test_rows_by_name_keep_the_tables_order() -> None:
    assert [one.row.name for one in generated_rows(["telea", "identity"])] == ["identity", "telea"]
    assert [one.row for one in generated_rows(None)] == list(EVERY_ROW)
    assert generated_rows([]) == []


def test_predictions_tell_how_they_were_made(item: EvalItem, tmp_path: Path) -> None:
    folder = tmp_path / "pred"
    video = np.zeros((NUM_FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    encode_rgb(folder / "falling_a.mp4", video, FPS)
    (bare,) = prediction_rows([f"mine={folder}"], ["falling_a"])
    assert (bare.row.kind, bare.row.method, bare.row.untrained) == (RowKind.PREDICTION, "", False)
    write_json(folder / "falling_a.json", {"method": {"name": "pass1", "untrained": True}, "more": 1})
    (told,) = prediction_rows([f"mine={folder}"], ["falling_a"])
    assert (told.row.method, told.row.untrained, told.row.title) == ("pass1", True, "pass1, untrained")
    write_json(folder / "falling_a.json", ["of another program"])
    assert prediction_rows([f"mine={folder}"], ["falling_a"])[0].row.method == ""


def test_other_containers_are_found(item: EvalItem, tmp_path: Path) -> None:
    (tmp_path / "falling_a.webm").touch()
    (row,) = prediction_rows([f"mine={tmp_path}"], ["falling_a"])
    assert video_of(row, item, tmp_path).name == "falling_a.webm"


@pytest.mark.parametrize("text", ["mine", "mine=", "=folder", "a/b=folder", ".a=folder", "a b=folder"])
def test_names_of_predictions(text: str) -> None:
    with pytest.raises(UserError, match="expected NAME=DIR"):
        prediction_rows([text], ["falling_a"])
