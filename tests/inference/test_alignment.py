"""A prediction's file becomes frames of the truth's length, rate and size, or a reason."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from datagen.video import decode_rgb, encode_rgb
from inference.alignment import PredictionRefused, align
from inference.scores import Alignment

NUM_FRAMES, FPS, WIDTH, HEIGHT = 12, 12.0, 96, 64


def counted(num_frames: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Frame n is as bright as 10 + 4 n, with a white left half: every frame tells its number."""
    video = np.empty((num_frames, height, width, 3), dtype=np.uint8)
    video[:] = (10 + 4 * np.arange(num_frames))[:, None, None, None]
    video[:, :, : width // 2] = 230
    return video


def numbers(frames: np.ndarray) -> list[int]:
    """Which frame of `counted` each one is."""
    return [round((float(frame[10:-10, -20:-10].mean()) - 10) / 4) for frame in frames]


def aligned(path: Path, num_frames: int = NUM_FRAMES, fps: float = FPS) -> tuple[np.ndarray, Alignment]:
    return align(path, num_frames=num_frames, fps=fps, width=WIDTH, height=HEIGHT)


@pytest.mark.parametrize(
    ("found", "rate", "expected", "step"),
    [
        (12, 12.0, list(range(12)), ""),
        (20, 12.0, list(range(12)), "cut after 12 of 20 frames"),
        (11, 12.0, [*range(11), 10], "last frame repeated once"),
        (24, 24.0, list(range(0, 24, 2)), "resampled from 24 to 12 fps by the nearest frame"),
        (8, 8.0, [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7], "resampled from 8 to 12 fps by the nearest frame"),
        (12, 30.0, list(range(12)), "rate 30 fps of its header not used: it has the truth's 12 frames"),
        (12, 11.99, list(range(12)), ""),
    ],
)
def test_length_and_rate(tmp_path: Path, found: int, rate: float, expected: list[int], step: str) -> None:
    encode_rgb(tmp_path / "a.mp4", counted(found), rate)
    frames, alignment = aligned(tmp_path / "a.mp4")
    assert frames.shape == (NUM_FRAMES, HEIGHT, WIDTH, 3) and frames.dtype == np.uint8
    assert numbers(frames) == expected
    assert alignment.steps == ((step,) if step else ())
    assert alignment.num_frames == found and alignment.fps == pytest.approx(rate, rel=1e-3)


def test_both_rate_and_length(tmp_path: Path) -> None:
    encode_rgb(tmp_path / "a.mp4", counted(40), 24.0)
    frames, alignment = aligned(tmp_path / "a.mp4")
    assert numbers(frames) == list(range(0, 24, 2))
    assert alignment.steps == ("resampled from 24 to 12 fps by the nearest frame", "cut after 23 of 40 frames")


@pytest.mark.parametrize(
    ("width", "height", "step"),
    [
        (192, 128, "resized from 192x128 to 96x64"),
        (48, 32, "resized from 48x32 to 96x64"),
        (96, 80, "stretched from 96x80 to 96x64"),
        (95, 63, "resized from 95x63 to 96x64"),
    ],
)
def test_size(tmp_path: Path, width: int, height: int, step: str) -> None:
    video = counted(NUM_FRAMES, width, height)
    encode_rgb(tmp_path / "a.mp4", video, FPS)
    frames, alignment = aligned(tmp_path / "a.mp4")
    assert frames.shape == (NUM_FRAMES, HEIGHT, WIDTH, 3)
    assert alignment.steps == (step,) and (alignment.width, alignment.height) == (width, height)
    assert numbers(frames) == list(range(NUM_FRAMES))
    assert frames[:, :, : WIDTH // 2 - 4].mean() == pytest.approx(230, abs=2)  # the edge stays in the middle
    assert frames[:, :, WIDTH // 2 + 4 :].max() < 70


def test_shrinking_averages_areas(tmp_path: Path) -> None:
    """Single white columns become grey, not a pattern of black and white: nothing is aliased."""
    video = np.zeros((NUM_FRAMES, HEIGHT, 2 * WIDTH, 3), dtype=np.uint8)
    video[:, :, ::2] = 200
    video[:, :10] = 255
    encode_rgb(tmp_path / "a.mp4", np.repeat(video, 2, axis=1), FPS)
    frames, _ = aligned(tmp_path / "a.mp4")
    assert frames[:, 20:].std() < 3 and frames[:, 20:].mean() == pytest.approx(100, abs=8)


def test_equal_files_pass_unchanged(tmp_path: Path) -> None:
    video = np.random.default_rng(0).integers(0, 255, (NUM_FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    encode_rgb(tmp_path / "a.mp4", video, FPS)
    assert np.array_equal(aligned(tmp_path / "a.mp4")[0], decode_rgb(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    ("video", "rate", "reason"),
    [
        (counted(10), 12.0, "too short: it covers 10 of the truth's 12 frames"),
        (counted(6), 8.0, "too short: it covers 9 of the truth's 12 frames"),
        (np.zeros((12, HEIGHT, WIDTH, 3), np.uint8), 12.0, "all black"),
        (np.full((12, HEIGHT, WIDTH, 3), (180, 40, 90), np.uint8), 12.0, "all of one colour"),
        (counted(12, 64, 96), 12.0, "wrong shape: 64x96 for 96x64"),
    ],
)
def test_refused(tmp_path: Path, video: np.ndarray, rate: float, reason: str) -> None:
    encode_rgb(tmp_path / "a.mp4", video, rate)
    with pytest.raises(PredictionRefused, match=reason):
        aligned(tmp_path / "a.mp4")


def test_a_dark_scene_with_a_light_is_not_black(tmp_path: Path) -> None:
    video = np.full((NUM_FRAMES, HEIGHT, WIDTH, 3), 6, dtype=np.uint8)
    for frame in video[-1:]:
        cv2.circle(frame, (40, 30), 12, (90, 90, 90), -1)
    encode_rgb(tmp_path / "a.mp4", video, FPS)
    assert aligned(tmp_path / "a.mp4")[0].max() > 60


def test_missing_empty_and_no_video(tmp_path: Path) -> None:
    with pytest.raises(PredictionRefused, match=r"missing: there is no a\.mp4 in"):
        aligned(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").touch()
    with pytest.raises(PredictionRefused, match="empty file"):
        aligned(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_text("an error message of a download")
    with pytest.raises(PredictionRefused, match=r"broken: .*not a readable video"):
        aligned(tmp_path / "a.mp4")


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_file_is_said_to_be_broken(tmp_path: Path, share: float) -> None:
    video = np.random.default_rng(0).integers(0, 255, (NUM_FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    encode_rgb(tmp_path / "whole.mp4", video, FPS)
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: int(share * len(data))])
    with pytest.raises(PredictionRefused, match="broken: "):
        aligned(tmp_path / "a.mp4")
