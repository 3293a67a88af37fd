"""Runs of many videos on the tiny model: resuming, failing, determinism, records; through the command itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_clips import FPS, HEIGHT, WIDTH, TinyModel, moving_square, write_eval_clip

from datagen.codec import read_record
from datagen.errors import ConfigError, DataError, RunFolderError, SceneFailed
from datagen.quadmask import Label
from datagen.runs import read_rows
from datagen.video import decode_rgb, encode_mask, encode_rgb, probe
from inference import cli, devices
from inference.inputs import Clip, find_clips
from inference.jobs import make_job, parse_settings
from inference.memory import MemoryMode
from inference.outputs import OutputRecord, fingerprint
from inference.pipeline import NonFiniteError, Pass, VoidPipeline
from inference.run import RunJob, run_clips
from inference.settings import Settings

SMALL = [f"height={HEIGHT}", f"width={WIDTH}", "steps=1", "window_frames=13", "overlap_frames=8"]


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.lines = list[tuple[str, ...]]()
        self.steps = 0

    def begin(self, stage: str, videos: int) -> None:
        self.lines.append(("begin", stage, str(videos)))

    def step(self, key: str, done: int, total: int) -> None:
        self.steps += 1

    def finished(self, key: str, seconds: float) -> None:
        self.lines.append(("finished", key))

    def failed(self, key: str, reason: str) -> None:
        self.lines.append(("failed", key, reason))


@pytest.fixture
def evalset(tmp_path: Path) -> Path:
    root = tmp_path / "evalset"
    for key, num_frames in (("a", 5), ("b", 2), ("c", 13)):
        write_eval_clip(root / key, num_frames)
    return root


def job_of(tiny: TinyModel, data: Path, out: Path, overrides: list[str] | None = None, pass2: bool = False) -> RunJob:
    clips = find_clips(data, out / "scratch")
    second = tiny.pass2 if pass2 else None
    settings = SMALL + (overrides or [])
    return make_job(clips, out, tiny.base, tiny.pass1, second, "", settings, 0, "full", "cpu")


def test_outputs_have_the_inputs_length_and_rate_and_a_record(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    notes = Notes()
    run_clips(job_of(tiny, evalset, tmp_path / "pred"), notes)
    for key, num_frames in (("a", 5), ("b", 2), ("c", 13)):
        info = probe(tmp_path / "pred" / f"{key}.mp4")
        assert (info.num_frames, info.fps, info.width, info.height) == (num_frames, FPS, WIDTH, HEIGHT)
        record = read_record(OutputRecord, tmp_path / "pred" / f"{key}.json")
        assert (record.key, record.num_frames, record.fps, record.prompt) == (key, num_frames, FPS, "a quiet room")
        assert record.method.untrained and record.method.name == "pass1" and record.method.dtype == "float32"
        assert record.method.settings["steps"] == 1 and record.method.checkpoint == fingerprint(tiny.pass1)
    assert notes.lines[0] == ("begin", "pass1", "3") and len(notes.lines) == 4 and notes.steps == 3


def test_a_second_run_makes_only_what_is_missing(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    pred = tmp_path / "pred"
    run_clips(job_of(tiny, evalset, pred), Notes())
    before = {path.name: path.read_bytes() for path in pred.glob("*.mp4")}
    (pred / "b.json").unlink()  # a crash between the video and its record
    (pred / "c.mp4.partial").write_bytes(b"half")
    notes = Notes()
    run_clips(job_of(tiny, evalset, pred), notes)
    assert [line for line in notes.lines if line[0] == "finished"] == [("finished", "b")]
    assert {path.name: path.read_bytes() for path in pred.glob("*.mp4")} == before
    assert not list(pred.glob("*.partial"))


def test_other_settings_are_not_mixed_in(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    pred = tmp_path / "pred"
    run_clips(job_of(tiny, evalset / "b", pred), Notes())
    with pytest.raises(RunFolderError, match=r"b\.json: made with other steps; choose another --out"):
        run_clips(job_of(tiny, evalset / "b", pred, ["steps=2"]), Notes())
    other = replace(tiny, pass1=tiny.pass2)
    with pytest.raises(RunFolderError, match="made with other checkpoint"):
        run_clips(job_of(other, evalset / "b", pred), Notes())


def test_results_do_not_depend_on_what_else_runs_or_where(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    whole = job_of(tiny, evalset, tmp_path / "whole")
    run_clips(whole, Notes())
    parts = devices.spread(replace(whole, out=tmp_path / "parts"), ["cpu", "cpu"])
    assert [[clip.key for clip in part.clips] for part in parts] == [["a", "c"], ["b"]]
    for part in reversed(parts):
        run_clips(part, Notes())
    for key in "abc":
        assert (tmp_path / "whole" / f"{key}.mp4").read_bytes() == (tmp_path / "parts" / f"{key}.mp4").read_bytes()
    assert decode_rgb(tmp_path / "whole/a.mp4")[:2].tobytes() != decode_rgb(tmp_path / "whole/b.mp4").tobytes()


def test_a_bad_video_costs_itself_alone(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    video, mask = moving_square(5, 64, 96)
    encode_rgb(evalset / "a/input_video.mp4", video, FPS)
    encode_mask(evalset / "a/quadmask_0.mp4", np.full_like(mask, Label.REMOVE), FPS)
    encode_mask(evalset / "b/quadmask_0.mp4", moving_square(3)[1], FPS)
    pred = tmp_path / "pred"
    with pytest.raises(SceneFailed, match="2 of 3 videos were not made; a: the quadmask removes 100 %"):
        run_clips(job_of(tiny, evalset, pred), Notes())
    assert (pred / "c.mp4").is_file() and not (pred / "a.mp4").exists() and not (pred / "b.json").exists()
    rows = read_rows(pred / "failures.jsonl")
    assert [row["key"] for row in rows] == ["a", "b"] and "2 frames, its quadmask 3" in rows[1]["message"]
    encode_mask(evalset / "a/quadmask_0.mp4", mask, FPS)
    encode_mask(evalset / "b/quadmask_0.mp4", moving_square(2)[1], FPS)
    run_clips(job_of(tiny, evalset, pred), Notes())
    assert (pred / "a.mp4").is_file() and read_rows(pred / "failures.jsonl") == []


def test_a_truncated_video_is_told(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    path = evalset / "b/input_video.mp4"
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(SceneFailed, match=r"b: .*input_video\.mp4: .*truncated"):
        run_clips(job_of(tiny, evalset / "b", tmp_path / "pred"), Notes())


def test_weights_that_overflow_stop_the_run_and_leave_nothing(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    weights = load_file(tiny.pass1)
    weights["proj_out.bias"][0] = torch.nan
    save_file(weights, tmp_path / "void_pass1.safetensors")
    broken = replace(tiny, pass1=tmp_path / "void_pass1.safetensors")
    with pytest.raises(NonFiniteError, match="a: the model's result is not finite after step 1 of 1"):
        run_clips(job_of(broken, evalset, tmp_path / "pred"), Notes())
    assert not list((tmp_path / "pred").glob("*.mp4*"))


def test_two_passes(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    """Pass 1 is kept beside; pass 2 says which weights of both made it, and comes out the same when resumed."""
    pred = tmp_path / "pred"
    run_clips(job_of(tiny, evalset / "c", pred, pass2=True), Notes())
    alone = tmp_path / "alone"
    run_clips(job_of(tiny, evalset / "c", alone), Notes())
    assert (pred / "pass1/c.mp4").read_bytes() == (alone / "c.mp4").read_bytes()
    second = (pred / "c.mp4").read_bytes()
    assert second != (alone / "c.mp4").read_bytes()
    record = read_record(OutputRecord, pred / "c.json")
    assert record.method.name == "pass2" and record.num_frames == 13
    assert record.method.checkpoint == f"{fingerprint(tiny.pass1)}+{fingerprint(tiny.pass2)}"
    (pred / "c.json").unlink()
    notes = Notes()
    run_clips(job_of(tiny, evalset / "c", pred, pass2=True), notes)
    assert notes.lines == [("begin", "pass1", "0"), ("begin", "pass2", "1"), ("finished", "c")]
    assert (pred / "c.mp4").read_bytes() == second


def test_a_baseline_runs_behind_the_same_interface(evalset: Path, tmp_path: Path) -> None:
    clips = find_clips(evalset, tmp_path)
    job = make_job(clips, tmp_path / "pred", None, None, None, "identity", SMALL, 0, "full", "cpu")
    run_clips(job, Notes())
    record = read_record(OutputRecord, tmp_path / "pred/c.json")
    assert record.method.name == "baseline:identity" and not record.method.untrained
    shown = decode_rgb(tmp_path / "pred/c.mp4").astype(int)
    assert np.abs(shown - decode_rgb(evalset / "c/input_video.mp4").astype(int)).mean() < 8  # coded once more
    with pytest.raises(ConfigError, match=r"unknown baseline 'identty'; did you mean 'identity'\?"):
        make_job(clips, tmp_path / "x", None, None, None, "identty", [], 0, "full", "cpu")


def test_settings_from_words() -> None:
    parsed = parse_settings(["steps=30", "mask_mode=quad", "composite=true"], seed=3)
    assert parsed == replace(Settings(), steps=30, mask_mode=parsed.mask_mode, composite=True, seed=3)
    assert str(parsed.mask_mode) == "quad"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stps=3", r"expected NAME=VALUE; did you mean 'steps'\?"),
        ("steps", "expected NAME=VALUE"),
        ("steps=many", "'steps': expected a valid integer"),
        ("steps=0", "expected 1 to 1000"),
        ("height=100", "expected a multiple of 16 from 32"),
        ("mask_mode=tri", "expected 'trimask', 'quad' or 'binary'"),
        ("window_frames=84", r"8k \+ 5"),
    ],
)
def test_settings_that_do_not_exist(override: str, message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        parse_settings([override], seed=0)


@pytest.mark.parametrize("lacking", ["base", "pass1"])
def test_weights_that_are_not_named(tiny: TinyModel, tmp_path: Path, lacking: str) -> None:
    given = {"base": tiny.base, "pass1": tiny.pass1, lacking: None}
    with pytest.raises(ConfigError, match=rf"--{lacking} is missing: .*tiny-model"):
        make_job([], tmp_path, given["base"], given["pass1"], None, "", [], 0, "full", "cpu")


def test_memory_modes_and_devices_by_name(tiny: TinyModel, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--memory ofload; did you mean 'offload'\?"):
        make_job([], tmp_path, tiny.base, tiny.pass1, None, "", [], 0, "ofload", "cpu")
    assert devices.pick_devices("cpu") == ["cpu"]
    with pytest.raises(ConfigError, match="there is no 'cuda:7'; there are cpu"):
        devices.pick_devices("cuda:7")


def test_too_little_memory_is_told_before_anything_is_loaded(
    tiny: TinyModel, evalset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU that has too little, the full-size model is not even read."""
    job = job_of(tiny, evalset, tmp_path / "pred")
    assert job.weights is not None
    big = replace(job, weights=replace(job.weights, untrained=False), device="cuda:0", memory=MemoryMode.FULL)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (6 * 2**30, 8 * 2**30))
    monkeypatch.setattr(VoidPipeline, "load", lambda *arguments: pytest.fail("loaded all the same"))
    with pytest.raises(ConfigError, match=r"full needs .* 6\.0 of 8\.0 GiB are free.*offload"):
        run_clips(big, Notes())


def typed(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """Exit code of `python -m inference WORDS`."""
    monkeypatch.setattr(sys, "argv", ["inference", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_makes_a_model_and_runs_it(
    evalset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, pred = tmp_path / "model", tmp_path / "pred"
    assert typed(monkeypatch, "tiny-model", model) == 0
    assert typed(monkeypatch, "tiny-model", model) == 2
    assert "is there already" in capsys.readouterr().err
    weights = ("--base", model / "CogVideoX-Fun-V1.5-5b-InP", "--pass1", model / "void_pass1.safetensors")
    small = [word for override in SMALL for word in ("--set", override)]
    assert typed(monkeypatch, "run", "--data", evalset, "--out", pred, *weights, *small) == 0
    said = capsys.readouterr().err
    assert "untrained" in said and "pass1 3/3 c: done" in said
    video, mask = evalset / "b/input_video.mp4", evalset / "b/quadmask_0.mp4"
    words = ("remove", video, mask, "--prompt", "a man", *weights, *small, "--out", tmp_path / "one" / "clean.mp4")
    assert typed(monkeypatch, *words) == 0
    assert "warning: clean: the prompt mentions 'man'" in capsys.readouterr().err
    assert json.loads((tmp_path / "one/clean.json").read_text())["num_frames"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (lambda tmp: ("run", "--data", tmp, "--out", tmp / "p"), "holds no videos"),
        (lambda tmp: ("run", "--data", tmp / "evalset", "--out", tmp / "p"), "--base is missing"),
        (lambda tmp: ("run", "--data", tmp / "evalset", "--out", tmp / "p", "--base", tmp), "--pass1 is missing"),
    ],
)
def test_a_users_mistake_is_one_line(
    evalset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: Callable[[Path], tuple[str | Path, ...]],
    message: str,
) -> None:
    data = tmp_path / "empty" if message == "holds no videos" else tmp_path
    data.mkdir(exist_ok=True)
    assert typed(monkeypatch, *words(data)) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ") and message in said and "\n" not in said


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_two_processes_make_what_one_makes(tiny: TinyModel, evalset: Path, tmp_path: Path) -> None:
    whole = job_of(tiny, evalset, tmp_path / "whole")
    run_clips(whole, Notes())
    notes = Notes()
    devices.run_spread(devices.spread(replace(whole, out=tmp_path / "parts"), ["cpu", "cpu"]), notes, "off")
    assert sorted(line[1] for line in notes.lines if line[0] == "finished") == ["a", "b", "c"]
    for key in "abc":
        assert (tmp_path / "whole" / f"{key}.mp4").read_bytes() == (tmp_path / "parts" / f"{key}.mp4").read_bytes()
    assert not (tmp_path / "parts" / devices.LOGS).exists()


@pytest.mark.parametrize("key", ["BigBen", "ducky-float", "moving_ball"])
def test_published_examples_through_the_tiny_model(
    shared_data: Path, tiny: TinyModel, pipeline: VoidPipeline, settings: Settings, tmp_path: Path, key: str
) -> None:
    [clip] = find_clips(shared_data / "void_samples" / key, tmp_path)
    first, num_frames = (0, 3) if key == "moving_ball" else (5, 13)  # 4K takes a second a frame to decode
    result = pipeline(
        islice(clip.frames(), first, first + num_frames),
        islice(clip.grey(), first, first + num_frames),
        clip.prompt,
        settings=settings,
        generator=torch.Generator().manual_seed(int(Pass.ONE)),
    )
    assert result.frames.shape == (num_frames, HEIGHT, WIDTH, 3) and result.frames.std() > 5
    shares = {label: float(np.mean(result.quadmask == label)) for label in Label}
    assert sum(shares.values()) == pytest.approx(1) and 0 < shares[Label.REMOVE] < 0.2 and shares[Label.KEEP] > 0.8


def test_a_clip_knows_its_rate(evalset: Path) -> None:
    clip = Clip(key="a", video=evalset / "a/input_video.mp4", quadmask=evalset / "a/quadmask_0.mp4", prompt="x")
    assert clip.fps() == FPS
