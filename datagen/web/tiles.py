"""Many views of one clip in one video.

Browsers keep two videos in step only roughly; views that are tiles of one frame cannot drift, cost one decoder, and
seek at once. The page cuts the tiles out again. H.264, 4:2:0, because that is what every browser plays: the lossless
4:4:4 of a quadmask is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from PIL import Image

from datagen.codec import atomic_path
from datagen.errors import DataError
from datagen.video import rate_of
from datagen.web.records import Tiles

GRID = 16  # pixels: views start at macroblocks, so that none bleeds into its neighbour
MAX_SIDE = (4096, 2304)  # of the whole picture: what phones decode in hardware
KEYFRAME_EVERY = 8  # frames: seeking decodes at most so many
OPTIONS = {"crf": "20", "preset": "veryfast", "g": str(KEYFRAME_EVERY), "bf": "0"}
POSTER_WIDTH = 240
POSTER_QUALITY = 80


def write_tiles(path: Path, views: Mapping[str, Iterable[np.ndarray]], *, fps: float, num_frames: int) -> Tiles:
    """Write views as one video and say where each is; frames uint8 [height, width, 3], all of one size.

    Read frame by frame, so that a dozen views cost the memory of one picture. Raises `DataError` for a view of another
    length or size.
    """
    names, streams = tuple(views), [iter(frames) for frames in views.values()]
    first = _next_pictures(names, streams, 0)
    height, width = first[0].shape[:2]
    tiles = layout(path.name, names, fps=fps, num_frames=num_frames, width=width, height=height)
    with atomic_path(path) as partial:
        _encode(partial, tiles, _atlases(tiles, first, streams))
    return tiles


def layout(file: str, views: tuple[str, ...], *, fps: float, num_frames: int, width: int, height: int) -> Tiles:
    """Where each view stands: as many columns as make the whole about twice as wide as high."""
    pitch = (-(-width // GRID) * GRID, -(-height // GRID) * GRID)
    fitting = max(1, MAX_SIDE[0] // pitch[0])
    wanted = max(1, round(math.sqrt(2 * len(views) * pitch[1] / pitch[0])))
    return Tiles(
        file=file,
        fps=fps,
        num_frames=num_frames,
        width=width,
        height=height,
        pitch=pitch,
        columns=min(len(views), wanted, fitting),
        views=views,
    )


def _next_pictures(names: tuple[str, ...], streams: list[Iterator[np.ndarray]], frame: int) -> list[np.ndarray]:
    """The next frame of every view."""
    pictures: list[np.ndarray] = []
    for name, stream in zip(names, streams, strict=True):
        picture = next(stream, None)
        if picture is None:
            raise DataError(f"view '{name}' ends before frame {frame}; the views of a clip must be of one length")
        if pictures and picture.shape != pictures[0].shape:
            found, expected = (f"{one.shape[1]}x{one.shape[0]}" for one in (picture, pictures[0]))
            raise DataError(f"view '{name}', frame {frame} is {found}, '{names[0]}' is {expected}; expected one size")
        pictures.append(picture)
    return pictures


def _atlases(tiles: Tiles, first: list[np.ndarray], streams: list[Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    """Whole pictures uint8; a view's edge pixels are repeated up to the next view."""
    across, down = tiles.pitch
    atlas = np.zeros((tiles.rows * down, tiles.columns * across, 3), dtype=np.uint8)
    padding = ((0, down - tiles.height), (0, across - tiles.width), (0, 0))
    for frame in range(tiles.num_frames):
        pictures = _next_pictures(tiles.views, streams, frame) if frame else first
        for number, picture in enumerate(pictures):
            y, x = number // tiles.columns * down, number % tiles.columns * across
            atlas[y : y + down, x : x + across] = np.pad(picture, padding, mode="edge")
        yield atlas


def _encode(path: Path, tiles: Tiles, atlases: Iterator[np.ndarray]) -> None:
    """Write pictures as MP4 without timestamps of the clock, in one thread: equal pictures give equal bytes."""
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=rate_of(tiles.fps), options=OPTIONS)
        context = stream.codec_context
        context.thread_count = 1
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.SMPTE170M
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.IEC61966_2_1
        stream.width, stream.height = tiles.columns * tiles.pitch[0], tiles.rows * tiles.pitch[1]
        stream.pix_fmt = "yuv420p"
        for atlas in atlases:
            picture = av.VideoFrame.from_ndarray(atlas, format="rgb24")
            container.mux(stream.encode(picture.reformat(format="yuv420p", dst_colorspace=Colorspace.SMPTE170M)))
        container.mux(stream.encode(None))


def write_poster(path: Path, picture: np.ndarray) -> None:
    """A small JPEG of a picture uint8 [height, width, 3]."""
    image = Image.fromarray(picture)
    width = min(POSTER_WIDTH, image.width)
    image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.BOX)
    with atomic_path(path) as partial:
        image.save(partial, format="JPEG", quality=POSTER_QUALITY)
