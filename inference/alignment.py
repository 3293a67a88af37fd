"""A prediction as a file becomes frames of the truth's length, rate and size; whatever is done to it is said.

In this order:

rate     A file with just the truth's number of frames is taken frame by frame, whatever rate its header names: many
         scripts write a default rate. Else, where the rates differ, each frame of the truth gets the prediction's frame
         that is nearest in time.
length   A longer one is cut. One that lacks a single frame repeats its last; one that lacks more is refused, because
         what it does not show cannot be judged.
size     Shrunk by area, enlarged by bicubic interpolation, each axis by itself. A prediction of another shape is
         stretched, which undoes what models do that squeeze their input; by more than 1.5 it is refused: another video.

A file that is missing, unreadable, cut short, or of one colour throughout is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from datagen.errors import DataError
from datagen.video import VideoInfo, iterate_rgb, probe
from inference.scores import Alignment

SAME_RATE = 0.005  # relative; 23.976 and 24 are the same rate
MAX_HELD_FRAMES = 1
MAX_STRETCH = 1.5
SHAPE_TOLERANCE = 0.02  # of the aspect ratio: below, a difference is rounding
MIN_CONTRAST = 2.0  # levels between the 1st and 99th percentile of the frame that has most
DARK = 16  # level of black in limited range; a picture below it is called black


class PredictionRefused(DataError):
    """A prediction that cannot be scored, with the reason."""


def align(path: Path, *, num_frames: int, fps: float, width: int, height: int) -> tuple[np.ndarray, Alignment]:
    """Frames uint8 [num_frames, height, width, 3] of a prediction, and what was done to it.

    Raises `PredictionRefused`.
    """
    if not path.is_file():
        raise PredictionRefused(f"missing: there is no {path.name} in {path.parent}")
    if path.stat().st_size == 0:
        raise PredictionRefused(f"broken: {path.name} is an empty file")
    info = _probe(path)
    _check_shape(info, width, height)
    rate_steps, wanted = _frames_in_time(info, num_frames, fps)
    frames, held = _read(path, info, wanted, width, height)
    _check_content(frames)
    steps = [*rate_steps, *_length_steps(info, wanted, num_frames, held), *_size_steps(info, width, height)]
    found = Alignment(
        num_frames=info.num_frames, fps=round(info.fps, 6), width=info.width, height=info.height, steps=tuple(steps)
    )
    return frames, found


def _probe(path: Path) -> VideoInfo:
    """The header, with frames counted where it does not say how many there are."""
    try:
        info = probe(path)
        if info.num_frames:
            return info
        counted = sum(1 for _ in iterate_rgb(path))
    except DataError as error:
        raise PredictionRefused(f"broken: {error}") from None
    return VideoInfo(num_frames=counted, fps=info.fps, width=info.width, height=info.height)


def _check_shape(info: VideoInfo, width: int, height: int) -> None:
    if min(info.width, info.height, info.num_frames) < 1:
        raise PredictionRefused(f"broken: {info.num_frames} frames of {info.width}x{info.height}")
    stretch = info.width * height / (info.height * width)
    if max(stretch, 1 / stretch) > MAX_STRETCH:
        raise PredictionRefused(
            f"wrong shape: {info.width}x{info.height} for {width}x{height}; no model squeezes a video that much"
        )


def _frames_in_time(info: VideoInfo, num_frames: int, fps: float) -> tuple[list[str], np.ndarray]:
    """What is said about the rate, and for each frame of the truth the prediction's frame, int [num_frames]."""
    every = np.arange(num_frames)
    if not info.fps:
        return [f"no rate in its header: taken as {fps:g} fps"], every
    if abs(info.fps / fps - 1) <= SAME_RATE:
        return [], every
    if info.num_frames == num_frames:
        return [f"rate {info.fps:g} fps of its header not used: it has the truth's {num_frames} frames"], every
    nearest = np.floor(every * (info.fps / fps) + 0.5).astype(int)
    return [f"resampled from {info.fps:g} to {fps:g} fps by the nearest frame"], nearest


def _read(path: Path, info: VideoInfo, wanted: np.ndarray, width: int, height: int) -> tuple[np.ndarray, int]:
    """Frames uint8 [num_frames, height, width, 3] in the truth's size, and how many at the end repeat the last."""
    out = np.empty((len(wanted), height, width, 3), dtype=np.uint8)
    filled, decoded = 0, 0
    try:
        with closing(_checked(path, info)) as pictures:
            for picture in pictures:
                resized = None
                while filled < len(wanted) and wanted[filled] == decoded:
                    resized = _resize(picture, width, height) if resized is None else resized
                    out[filled] = resized
                    filled += 1
                decoded += 1
                if filled == len(wanted):
                    break
    except DataError as error:
        raise PredictionRefused(f"broken: {error}") from None
    if filled < len(wanted) and decoded < info.num_frames:
        raise PredictionRefused(
            f"broken: its header says {info.num_frames} frames, {decoded} can be decoded; it is truncated"
        )
    held = len(wanted) - filled
    if held > MAX_HELD_FRAMES:
        raise PredictionRefused(f"too short: it covers {filled} of the truth's {len(wanted)} frames")
    out[filled:] = out[filled - 1]
    return out, held


def _checked(path: Path, info: VideoInfo) -> Generator[np.ndarray, None, None]:
    """Frames, refused where one has another size than the header."""
    for number, picture in enumerate(iterate_rgb(path)):
        if picture.shape[:2] != (info.height, info.width):
            size = f"{picture.shape[1]}x{picture.shape[0]}"
            raise DataError(f"frame {number} is {size}, the header says {info.width}x{info.height}")
        yield picture


def _resize(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Uint8 [height, width, 3]; an axis that shrinks by area, one that grows by bicubic interpolation."""
    for size in ((width, picture.shape[0]), (width, height)):
        before = (picture.shape[1], picture.shape[0])
        if size != before:
            shrinks = size[0] < before[0] or size[1] < before[1]
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return picture


def _check_content(frames: np.ndarray) -> None:
    """Refuse a video that shows one colour throughout."""
    contrast, level = 0.0, 0.0
    for frame in frames:
        low, high = np.percentile(frame.reshape(-1, 3), (1, 99), axis=0)
        contrast, level = max(contrast, float((high - low).max())), max(level, float(high.max()))
        if contrast >= MIN_CONTRAST and level > DARK:
            return
    if level <= DARK:
        raise PredictionRefused("all black")
    raise PredictionRefused("all of one colour")


def _length_steps(info: VideoInfo, wanted: np.ndarray, num_frames: int, held: int) -> list[str]:
    if held:
        return ["last frame repeated once"]
    surplus = info.num_frames - 1 - int(wanted[-1])
    frames_a_frame = max(1.0, int(wanted[-1]) / max(1, num_frames - 1))
    return [f"cut after {int(wanted[-1]) + 1} of {info.num_frames} frames"] if surplus >= frames_a_frame else []


def _size_steps(info: VideoInfo, width: int, height: int) -> list[str]:
    if (info.width, info.height) == (width, height):
        return []
    stretch = info.width * height / (info.height * width)
    how = "stretched" if abs(stretch - 1) > SHAPE_TOLERANCE else "resized"
    return [f"{how} from {info.width}x{info.height} to {width}x{height}"]
