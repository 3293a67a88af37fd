"""Videos: RGB as it looks, masks as they are.

RGB is H.264, visually lossless, 4:2:0. The matrix is BT.601 with BT.709 primaries, and the file says so: OpenCV ignores
the tag and always decodes with BT.601, so this is the one choice with which every reader returns the right colours.

Masks are lossless H.264 in full-range 4:4:4 with neutral chroma: the grey levels then come back exactly as channel 0 of
any RGB reader, and for odd sizes too (4:2:0 has no odd sizes; OpenCV tears 4:0:0 of odd heights). What was written is
decoded again and refused if it does not come back.

Colours are converted here in integers and x264 runs in one thread: equal frames of an even size give equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.plane import VideoPlane
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from datagen.codec import atomic_path
from datagen.errors import DataError
from datagen.quadmask import check_grey, check_mask

DEFAULT_CRF = 12
MAX_CRF = 14
PUBLISHED_CRF = 23  # x264's own default, and that of most that is published
PRESET = "medium"
# x264's macroblock tree reads memory that nobody wrote: at some sizes one encoding in four came out different.
STEADY = ("x264-params", "no-mbtree=1")
SHIFT = 16  # fixed-point bits of the colour conversion
NEUTRAL = 128
# ITU-R BT.601, from (red, green, blue) of 0 to 255: Y' of 219 levels; (Cb, Cr) of 224, [3, 2].
LUMA = np.array([0.299, 0.587, 0.114]) * (219 / 255)
CHROMA = np.array([[-0.299 / 1.772, 0.5], [-0.587 / 1.772, -0.587 / 1.402], [0.5, -0.114 / 1.402]]) * (224 / 255)


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What a video's header says."""

    num_frames: int
    fps: float
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class _Coding:
    """How frames are stored."""

    pixel_format: str
    full_range: bool
    options: tuple[tuple[str, str], ...]


MASK_CODING = _Coding(pixel_format="yuv444p", full_range=True, options=(("qp", "0"), ("preset", PRESET)))


def encode_rgb(path: Path, frames: np.ndarray, fps: float, crf: int = DEFAULT_CRF) -> None:
    """Write uint8 [num_frames, height, width, 3] sRGB as H.264: yuv420p, or yuv444p where width or height is odd."""
    if not 0 < crf <= MAX_CRF:
        raise DataError(f"{path}: expected a crf of 1 to {MAX_CRF} (visually lossless), found {crf}")
    _encode_rgb(path, frames, fps, crf)


def encode_published(path: Path, frames: np.ndarray, fps: float) -> None:
    """Like `encode_rgb`, with the loss that videos usually have where they are published; for comparisons alone."""
    _encode_rgb(path, frames, fps, PUBLISHED_CRF)


def _encode_rgb(path: Path, frames: np.ndarray, fps: float, crf: int) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        found = f"{frames.dtype} {frames.shape}"
        raise DataError(f"{path}: expected frames uint8 [num_frames, height, width, 3], found {found}")
    even = frames.shape[1] % 2 == 0 and frames.shape[2] % 2 == 0
    coding = _Coding(
        pixel_format="yuv420p" if even else "yuv444p",
        full_range=False,
        options=(("crf", str(crf)), ("preset", PRESET), STEADY),
    )
    pictures = (_picture(_yuv_of(frame, halve_chroma=even), coding) for frame in frames)
    with atomic_path(path) as partial:
        _encode(partial, pictures, frames.shape[2], frames.shape[1], fps, coding)


def encode_mask(path: Path, mask: np.ndarray, fps: float) -> None:
    """Write a quadmask uint8 [num_frames, height, width] so that its four values come back exactly.

    Raises `DataError` for a mask with other values, and for a file that does not decode to what was put in.
    """
    check_mask(mask, str(path))
    chroma = np.full(mask.shape[1:], NEUTRAL, dtype=np.uint8)
    pictures = (_picture((frame, chroma, chroma), MASK_CODING) for frame in mask)
    with atomic_path(path) as partial:
        _encode(partial, pictures, mask.shape[2], mask.shape[1], fps, MASK_CODING)
        _refuse_changed(partial, mask)


def decode_rgb(path: Path, contents: bytes | None = None) -> np.ndarray:
    """All frames, uint8 [num_frames, height, width, 3] sRGB; of `contents`, which `path` then only names."""
    return _stacked(path, iterate_rgb(path, contents))


def decode_mask(path: Path, video: Path | None = None, contents: bytes | None = None) -> np.ndarray:
    """The quadmask of a video, uint8 [num_frames, height, width]; of `contents`, which `path` then only names.

    video: the one that the mask belongs to; its length and size are compared.

    Raises `DataError` that names the first frame with other values, with colours, or without its counterpart.
    """
    info = probe(video) if video is not None else None
    like = (info.num_frames, info.height, info.width) if info is not None else None
    channels, coloured = [], None
    for frame, picture in enumerate(iterate_rgb(path, contents)):
        if coloured is None and (picture != picture[..., :1]).any():
            coloured = (picture, frame)
        channels.append(picture[..., 0].copy())
    mask = check_mask(_stacked(path, channels), str(path), like)
    if coloured is not None:
        check_grey(*coloured, str(path))
    return mask


def decode_grey(path: Path) -> np.ndarray:
    """Channel 0 of all frames, as any RGB reader sees it, uint8 [num_frames, height, width]."""
    return _stacked(path, (frame[..., 0].copy() for frame in iterate_rgb(path)))


def iterate_rgb(path: Path, contents: bytes | None = None) -> Iterator[np.ndarray]:
    """Frames one by one, uint8 [height, width, 3] sRGB; of `contents`, which `path` then only names."""
    try:
        with av.open(str(path) if contents is None else io.BytesIO(contents)) as container:
            for frame in container.decode(_video_stream(container, path)):
                yield frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, OSError) as error:
        raise _unreadable(path, error) from None


def probe(path: Path) -> VideoInfo:
    """What the header says; the frames are not decoded."""
    try:
        with av.open(str(path)) as container:
            stream = _video_stream(container, path)
            return VideoInfo(
                num_frames=stream.frames,
                fps=float(stream.average_rate or 0),
                width=stream.width,
                height=stream.height,
            )
    except (av.FFmpegError, OSError) as error:
        raise _unreadable(path, error) from None


def rate_of(fps: float) -> Fraction:
    """Frames per second as a fraction that a video file can hold."""
    if not 0 < fps <= 1000:
        raise DataError(f"expected a rate of 0 to 1000 frames per second, found {fps}")
    return Fraction(fps).limit_denominator(1001)


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream; raises `DataError` where there is none that can be decoded."""
    for stream in container.streams.video[:1]:
        if stream.codec_context is not None:
            return stream
        raise DataError(f"{path}: a video of {stream.frames} frames that cannot be decoded; make it again")
    raise DataError(f"{path}: holds no video, or one of no frames; make it again")


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file; expected a video")
    reason = getattr(error, "strerror", None) or str(error)
    return DataError(f"{path}: not a readable video ({reason}); it may be truncated: make it again")


def _stacked(path: Path, frames: Iterable[np.ndarray]) -> np.ndarray:
    pictures = list(frames)
    if not pictures:
        raise DataError(f"{path}: holds no frames; it may be truncated: make it again")
    for index, picture in enumerate(pictures):
        if picture.shape != pictures[0].shape:
            size, first = (f"{one.shape[1]}x{one.shape[0]}" for one in (picture, pictures[0]))
            raise DataError(f"{path}: frame {index} is {size}, frame 0 {first}; expected one size")
    return np.stack(pictures)


def _refuse_changed(path: Path, mask: np.ndarray) -> None:
    """Compare what was stored, plane by plane: with neutral chroma every RGB reader shows the luma as it is."""
    count = 0
    with av.open(str(path)) as container:
        for frame in container.decode(_video_stream(container, path)):
            luma, *chroma = (_pixels(plane) for plane in frame.planes)
            if count == len(mask) or any(plane.shape != mask.shape[1:] for plane in (luma, *chroma)):
                found = f"frame {count} as {frame.format.name} {luma.shape}"
                raise DataError(f"{path}: wrote a mask of shape {mask.shape}, read back {found}")
            if (luma != mask[count]).any() or any((plane != NEUTRAL).any() for plane in chroma):
                values = np.unique(luma).tolist()
                raise DataError(f"{path}: frame {count} came back with values {values[:8]}; the codec is not lossless")
            count += 1
    if count != len(mask):
        raise DataError(f"{path}: wrote a mask of {len(mask)} frames, read back {count}; the codec is not lossless")


def _yuv_of(rgb: np.ndarray, halve_chroma: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Limited-range Y'CbCr planes uint8 of sRGB uint8 [height, width, 3], by ITU-R BT.601, in fixed point."""
    height, width = rgb.shape[:2]
    luma = _weighted(rgb, LUMA, 16)
    if halve_chroma:
        rows = np.add(rgb[0::2], rgb[1::2], dtype=np.uint16)
        height, width = height // 2, width // 2
        chroma = _weighted(rows.reshape(height, width, 6), np.tile(CHROMA / 4, (2, 1)), NEUTRAL)
    else:
        chroma = _weighted(rgb, CHROMA, NEUTRAL)
    return luma, chroma[..., 0], chroma[..., 1]


def _weighted(values: np.ndarray, weights: np.ndarray, offset: int) -> np.ndarray:
    """Rounded weighted sums over the last axis plus offset, uint8; the same on every machine.

    Every product and partial sum is a multiple of 2^-`SHIFT` below 256, so float32 holds it exactly, in whatever order
    it is summed.
    """
    fixed = (np.rint(weights * (1 << SHIFT)) / (1 << SHIFT)).astype(np.float32)
    total = values @ fixed
    total += np.float32(offset + 0.5)
    return total.astype(np.uint8)


def _picture(planes: tuple[np.ndarray, np.ndarray, np.ndarray], coding: _Coding) -> av.VideoFrame:
    """A frame that holds these planes as they are."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, coding.pixel_format)
    for plane, values in zip(frame.planes, planes, strict=True):
        _pixels(plane)[:] = values
    return frame


def _pixels(plane: VideoPlane) -> np.ndarray:
    """The memory of a frame's plane, uint8 [height, width]."""
    return np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _encode(
    path: Path, pictures: Iterable[av.VideoFrame], width: int, height: int, fps: float, coding: _Coding
) -> None:
    """Write frames as MP4 without timestamps of the clock."""
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate_of(fps), options=dict(coding.options))
        stream.width, stream.height, stream.pix_fmt = width, height, coding.pixel_format
        context = stream.codec_context
        context.thread_count = 1
        context.color_range = ColorRange.JPEG if coding.full_range else ColorRange.MPEG
        context.colorspace = Colorspace.SMPTE170M
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.IEC61966_2_1
        for picture in pictures:
            picture.color_range = context.color_range
            picture.colorspace = context.colorspace
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
