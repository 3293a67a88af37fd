"""What is written comes back, from every reader."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import imageio.v2 as imageio
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datagen import video
from datagen.errors import DataError
from datagen.quadmask import Label
from datagen.video import decode_grey, decode_mask, decode_rgb, encode_mask, encode_rgb, probe, rate_of

LEVELS = [int(label) for label in Label]
SIZES = [(96, 64), (97, 63), (96, 63), (97, 64), (1, 1), (17, 16), (336, 192)]


def read_av(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def read_imageio(path: Path) -> np.ndarray:
    with warnings.catch_warnings(), imageio.get_reader(path) as reader:
        warnings.simplefilter("ignore", ResourceWarning)  # imageio leaves its pipes to the garbage collector
        frames = np.stack(list(reader.iter_data()))
        reader.close()
        del reader
        gc.collect()
        return frames


def read_opencv(path: Path) -> np.ndarray:
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        whole, frame = capture.read()
        if not whole:
            return np.stack(frames)
        frames.append(frame[..., ::-1])


READERS: list[Callable[[Path], np.ndarray]] = [read_av, read_imageio, read_opencv]


def random_mask(width: int, height: int, num_frames: int = 5) -> np.ndarray:
    """Noise above, blocks below: the worst and the usual case."""
    mask = np.random.default_rng(0).choice(np.array(LEVELS, dtype=np.uint8), size=(num_frames, height, width))
    mask[:, height // 2 :] = np.array(LEVELS, dtype=np.uint8)[np.arange(width) // 7 % 4]
    return mask


def colorful(width: int, height: int, num_frames: int = 6) -> np.ndarray:
    """Smooth ramps with saturated patches that move."""
    x, y = np.meshgrid(np.linspace(20, 230, width), np.linspace(30, 220, height))
    picture = np.stack([x, y, 255 - x], axis=2).astype(np.uint8)
    frames = np.repeat(picture[None], num_frames, axis=0)
    for frame in range(num_frames):
        frames[frame, 8:24, 8 + 2 * frame : 32 + 2 * frame] = (200, 30, 30)
        frames[frame, 40:56, 40:64] = (20, 60, 220)
    return frames


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("size", SIZES)
def test_masks_come_back_exactly(tmp_path: Path, size: tuple[int, int], reader: Callable[[Path], np.ndarray]) -> None:
    mask = random_mask(*size)
    encode_mask(tmp_path / "mask.mp4", mask, 12.0)
    assert np.array_equal(reader(tmp_path / "mask.mp4")[..., 0], mask)


def patchwork(width: int, height: int, cell: int, seed: int, num_frames: int = 2) -> np.ndarray:
    """Random labels in cells of `cell` pixels: noise at 1, areas above."""
    rows, columns = -(-height // cell), -(-width // cell)
    cells = np.random.default_rng(seed).choice(np.array(LEVELS, dtype=np.uint8), size=(num_frames, rows, columns))
    return np.ascontiguousarray(cells.repeat(cell, axis=1).repeat(cell, axis=2)[:, :height, :width])


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@example(width=32, height=32, cell=1, seed=0)
@example(width=1920, height=1080, cell=9, seed=1)
@example(width=1919, height=1079, cell=16, seed=2)
@example(width=33, height=1080, cell=1, seed=3)
@given(width=st.integers(32, 640), height=st.integers(32, 480), cell=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_any_mask_comes_back_from_every_reader(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, cell: int, seed: int
) -> None:
    mask = patchwork(width, height, cell, seed)
    path = tmp_path_factory.mktemp("mask") / "mask.mp4"
    encode_mask(path, mask, 12.0)
    assert np.array_equal(decode_mask(path), mask)
    for reader in READERS:
        found = reader(path)
        assert found.shape == (*mask.shape, 3)
        assert (found == mask[..., None]).all(), reader.__name__  # channel 0, and all others


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 50), st.integers(1, 50)).flatmap(
        lambda shape: arrays(np.uint8, shape, elements=st.sampled_from(LEVELS))
    ),
    st.sampled_from([1.0, 12.0, 24.0, 29.97, 30.0]),
)
def test_any_mask_comes_back(tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, fps: float) -> None:
    path = tmp_path_factory.mktemp("mask") / "mask.mp4"
    encode_mask(path, mask, fps)
    assert np.array_equal(decode_mask(path), mask)
    info = probe(path)
    assert (info.num_frames, info.height, info.width) == mask.shape and info.fps == pytest.approx(fps, rel=1e-4)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((3, 64, 96), r"mask\.mp4: the mask has no frame 3: the mask has 3 frames, the video 4"),
        ((5, 64, 96), r"mask\.mp4: the video has no frame 4: the mask has 5 frames, the video 4"),
        ((4, 32, 48), r"mask\.mp4: frame 0 is 48x32, the video 96x64"),
    ],
)
def test_a_mask_of_another_video_is_refused(tmp_path: Path, shape: tuple[int, int, int], told: str) -> None:
    encode_rgb(tmp_path / "rgb.mp4", colorful(96, 64, 4), 12.0)
    encode_mask(tmp_path / "mask.mp4", np.full(shape, Label.KEEP, dtype=np.uint8), 12.0)
    with pytest.raises(DataError, match=told):
        decode_mask(tmp_path / "mask.mp4", tmp_path / "rgb.mp4")
    encode_mask(tmp_path / "mask.mp4", random_mask(96, 64, 4), 12.0)
    assert np.array_equal(decode_mask(tmp_path / "mask.mp4", tmp_path / "rgb.mp4"), random_mask(96, 64, 4))


def test_a_coloured_mask_is_named_when_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.repeat(random_mask(32, 32, 3)[..., None], 3, axis=3)
    frames[2, 5, 7] = (255, 0, 0)
    monkeypatch.setattr(video, "iterate_rgb", lambda path, contents=None: iter(frames))
    with pytest.raises(
        DataError, match=r"m\.mp4: frame 2 is coloured in 1 pixels, e\.g\. \(255, 0, 0\) in row 5, column 7"
    ):
        decode_mask(Path("m.mp4"))


def test_frames_that_change_their_size_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6, 3), np.uint8), np.zeros((8, 6, 3), np.uint8)]
    monkeypatch.setattr(video, "iterate_rgb", lambda path, contents=None: iter(frames))
    for read in (decode_rgb, decode_grey, decode_mask):
        with pytest.raises(DataError, match=r"m\.mp4: frame 2 is 6x8, frame 0 6x4"):
            read(Path("m.mp4"))


@pytest.mark.parametrize("read", [decode_rgb, decode_grey, decode_mask, probe])
def test_a_video_of_no_frames_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with av.open(str(tmp_path / "none.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.start_encoding()
    with pytest.raises(DataError, match=r"none\.mp4: holds no video, or one of no frames"):
        read(tmp_path / "none.mp4")


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.full((2, 4, 4), 254, dtype=np.uint8), r"mask\.mp4: frame 0 holds values 254 in 16 pixels"),
        (np.zeros((0, 4, 4), dtype=np.uint8), r"mask\.mp4: .*a mask of no frames"),
        (np.full((1, 4, 4), 0.25), r"mask\.mp4: .*float64 \(1, 4, 4\); frame 0 holds values 0\.25"),
    ],
)
def test_what_is_no_mask_is_not_written(tmp_path: Path, mask: np.ndarray, told: str) -> None:
    with pytest.raises(DataError, match=told):
        encode_mask(tmp_path / "mask.mp4", mask, 12.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("size", [(96, 64), (97, 63)])
def test_colors_come_back(tmp_path: Path, size: tuple[int, int], reader: Callable[[Path], np.ndarray]) -> None:
    frames = colorful(*size)
    encode_rgb(tmp_path / "rgb.mp4", frames, 12.0)
    found = reader(tmp_path / "rgb.mp4")
    assert found.shape == frames.shape
    error = found.astype(float) - frames
    assert np.abs(error).mean() < 2.0 and np.abs(error.mean(axis=(0, 1, 2))).max() < 2.0  # readers round down
    patch = error[:, 44:52, 46:58]  # away from edges, where chroma is halved
    assert np.abs(patch).mean() < 3.0


def test_rgb_is_420_where_the_size_allows_it(tmp_path: Path) -> None:
    for size, expected in (((96, 64), "yuv420p"), ((97, 63), "yuv444p")):
        encode_rgb(tmp_path / "rgb.mp4", colorful(*size), 12.0)
        with av.open(str(tmp_path / "rgb.mp4")) as container:
            assert container.streams.video[0].pix_fmt == expected


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("first.mp4", "second.mp4"):
        encode_rgb(tmp_path / name, colorful(96, 64), 12.0)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()
    for name in ("first.mp4", "second.mp4"):
        encode_mask(tmp_path / name, random_mask(96, 64), 12.0)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


def test_a_codec_that_loses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lossy = video._Coding(pixel_format="yuv444p", full_range=True, options=(("crf", "30"),))
    monkeypatch.setattr(video, "MASK_CODING", lossy)
    with pytest.raises(DataError, match=r"frame 0 came back with values .*not lossless"):
        encode_mask(tmp_path / "mask.mp4", random_mask(96, 64), 12.0)
    assert not list(tmp_path.iterdir())


def test_lossy_masks_are_named_when_read(tmp_path: Path) -> None:
    encode_rgb(tmp_path / "mask.mp4", np.repeat(random_mask(96, 64)[..., None], 3, axis=3), 12.0)
    with pytest.raises(DataError, match=r"mask.mp4: frame 0 holds values .* a quadmask holds only \[0, 63, 127, 255\]"):
        decode_mask(tmp_path / "mask.mp4")


@pytest.mark.parametrize(
    "frames", [np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4, 3), np.float32), np.zeros((0, 4, 4, 3), np.uint8)]
)
def test_frames_of_another_kind_are_refused(tmp_path: Path, frames: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"expected frames uint8 \[num_frames, height, width, 3\]"):
        encode_rgb(tmp_path / "rgb.mp4", frames, 12.0)


def test_visible_loss_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="crf of 1 to 14"):
        encode_rgb(tmp_path / "rgb.mp4", colorful(96, 64), 12.0, crf=23)


@pytest.mark.parametrize("read", [decode_rgb, decode_grey, decode_mask, probe])
def test_what_is_no_video_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    (tmp_path / "text.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(DataError, match=r"text\.mp4: not a readable video"):
        read(tmp_path / "text.mp4")
    with pytest.raises(DataError, match=r"gone\.mp4: no such file"):
        read(tmp_path / "gone.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.mp4"):
        read(tmp_path / "empty.mp4")


def test_rates() -> None:
    assert (rate_of(12.0), rate_of(30000 / 1001).denominator) == (12, 1001)
    with pytest.raises(DataError, match="found 0"):
        rate_of(0.0)


def test_ffprobe_agrees(tmp_path: Path) -> None:
    if shutil.which("ffprobe") is None:
        if os.environ.get("CI"):
            pytest.fail("ffprobe is not installed; install ffmpeg")
        pytest.skip("ffprobe is not installed")
    encode_rgb(tmp_path / "rgb.mp4", colorful(96, 64, 7), 12.0)
    encode_mask(tmp_path / "mask.mp4", random_mask(96, 64, 7), 12.0)
    for name in ("rgb.mp4", "mask.mp4"):
        command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(tmp_path / name)]
        stream = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"][0]
        assert (stream["width"], stream["height"]) == (96, 64)
        assert stream["nb_frames"] == stream["nb_read_frames"] == "7"
        assert stream["r_frame_rate"] == stream["avg_frame_rate"] == "12/1"
        assert float(stream["start_time"]) == 0 and float(stream["duration"]) == pytest.approx(7 / 12, abs=1e-3)


@pytest.mark.parametrize("size", [(32, 48), (64, 64), (96, 96), (96, 160)])
def test_equal_frames_give_equal_bytes_each_time(tmp_path: Path, size: tuple[int, int]) -> None:
    """With x264's macroblock tree about a third of 20 files differed."""
    frames = np.random.default_rng(0).integers(40, 90, (13, *size, 3), dtype=np.uint8)
    written = set()
    for _ in range(20):
        encode_rgb(tmp_path / "tiny.mp4", frames.copy(), 12.0)
        written.add((tmp_path / "tiny.mp4").read_bytes())
    assert len(written) == 1
