"""Contact sheets: a sample's videos, mask and difference over time, to be looked at."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from datagen.codec import atomic_path
from datagen.errors import DataError
from datagen.evalset import HIDDEN, perturbed_name
from datagen.metadata import SampleMetadata
from datagen.quadmask import Label
from datagen.runs import RUN_FILE, RunFolder
from datagen.sample import MASK, METADATA, RGB_FULL, RGB_REMOVED, extra_videos, read_sample
from datagen.shards import INDEX_FILE, read_index, read_shard, unpack_sample
from datagen.video import decode_mask, decode_rgb

MAX_SAMPLES = 8
CELL_WIDTH = 256
MARGIN, GAP, LABEL_WIDTH = 12, 4, 92
TITLE_SIZE, TEXT_SIZE = 18, 13
LINE = 18
INK, PAPER, FAINT = (24, 24, 28), (250, 250, 248), (110, 110, 115)
OVERLAY = {Label.REMOVE: (230, 40, 40), Label.OVERLAP: (170, 60, 220), Label.AFFECTED: (40, 190, 70)}
OPACITY = 0.6
FURTHER_WORLDS = (HIDDEN, perturbed_name(0))
AMPLIFIED = 4  # times, in the row of differences


@dataclass(frozen=True, kw_only=True)
class Band:
    """One sample's part of a sheet."""

    metadata: SampleMetadata
    frames: tuple[int, ...]
    rows: tuple[tuple[str, tuple[np.ndarray, ...]], ...]  # label, and a picture uint8 [height, width, 3] for each frame


def contact_sheet(path: Path, out: Path, num_frames: int = 6, max_samples: int = MAX_SAMPLES) -> Path:
    """Draw a sample, or the first samples of a run, a shard or a folder of shards, into the PNG `out`, and return it.

    Rows: rgb_full, rgb_removed, the hidden and the first perturbed video where there are, the mask over rgb_full,
    |rgb_full - rgb_removed| amplified. Columns: frames from the first to the last. Raises `DataError` where there is no
    sample.
    """
    if num_frames < 1 or max_samples < 1:
        raise DataError(f"contact sheet: expected at least 1 frame and 1 sample, found {num_frames} and {max_samples}")
    with _samples_at(path, max_samples) as samples:
        if not samples:
            raise DataError(f"{path}: holds no finished sample to show")
        sheet = _stack([_draw_band(read_band(sample, num_frames)) for sample in samples])
    with atomic_path(out) as partial:
        sheet.save(partial, format="PNG")
    return out


@contextmanager
def _samples_at(path: Path, limit: int) -> Iterator[list[Path]]:
    """Sample folders at a path, those of shards unpacked for a while."""
    if (path / METADATA).is_file():
        yield [path]
    elif (path / RUN_FILE).is_file():
        yield RunFolder(root=path).sample_paths()[:limit]
    else:
        with tempfile.TemporaryDirectory() as scratch:
            packed = islice((sample for shard in _shards_at(path) for sample in read_shard(shard)), limit)
            yield [unpack_sample(sample, Path(scratch) / sample.key) for sample in packed]


def _shards_at(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if (path / INDEX_FILE).is_file():
        return [path / entry.file for entry in read_index(path).shards]
    raise DataError(f"{path}: expected a run folder, a sample folder, a .tar shard or a folder of shards")


def read_band(sample: Path, num_frames: int) -> Band:
    """What a sheet shows of a sample."""
    metadata = read_sample(sample).metadata
    full, removed, mask = decode_rgb(sample / RGB_FULL), decode_rgb(sample / RGB_REMOVED), decode_mask(sample / MASK)
    shown = [name for name in FURTHER_WORLDS if name in extra_videos(metadata.spec.layers)]
    others = {Path(name).stem.replace("_", "\n"): decode_rgb(sample / name) for name in shown}
    if not full.shape == removed.shape == (*mask.shape, 3) or any(one.shape != full.shape for one in others.values()):
        raise DataError(f"{sample}: videos differ in length or size; see `datagen validate {sample}`")
    frames = tuple(sorted({round(at) for at in np.linspace(0, len(full) - 1, num_frames)}))
    return Band(
        metadata=metadata,
        frames=frames,
        rows=(
            ("full", tuple(full[frame] for frame in frames)),
            ("removed", tuple(removed[frame] for frame in frames)),
            *((label, tuple(one[frame] for frame in frames)) for label, one in others.items()),
            ("mask", tuple(overlay(full[frame], mask[frame]) for frame in frames)),
            (f"difference\nx {AMPLIFIED}", tuple(difference(full[frame], removed[frame]) for frame in frames)),
        ),
    )


def overlay(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture uint8 [height, width, 3], greyed, with the labels of a mask [height, width] over it in colour."""
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
    for label, color in OVERLAY.items():
        where = mask == label
        grey[where] = (1 - OPACITY) * grey[where] + OPACITY * np.array(color)
    return np.asarray(np.rint(grey), dtype=np.uint8)


def difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """|first - second| of two pictures uint8, amplified."""
    distance = np.abs(first.astype(np.int16) - second)
    return np.asarray(np.minimum(distance * AMPLIFIED, 255), dtype=np.uint8)


def _draw_band(band: Band) -> Image.Image:
    """Title, times, and the rows of pictures."""
    height, width = band.rows[0][1][0].shape[:2]
    cell = (CELL_WIDTH, round(height * CELL_WIDTH / width))
    sheet_width = 2 * MARGIN + LABEL_WIDTH + len(band.frames) * (cell[0] + GAP)
    lines = _title_lines(band.metadata, (sheet_width - 2 * MARGIN) // 7)
    top = MARGIN + TITLE_SIZE + 8 + LINE * len(lines) + 8
    image = Image.new("RGB", (sheet_width, top + LINE + len(band.rows) * (cell[1] + GAP) + MARGIN), PAPER)
    draw = ImageDraw.Draw(image)
    _draw_title(draw, band.metadata.key, lines, sheet_width)
    for column, frame in enumerate(band.frames):
        at = (MARGIN + LABEL_WIDTH + column * (cell[0] + GAP), top)
        draw.text(at, f"frame {frame}   {frame / band.metadata.fps:.2f} s", fill=FAINT, font=font(TEXT_SIZE))
    for row, (label, pictures) in enumerate(band.rows):
        y = top + LINE + row * (cell[1] + GAP)
        draw.text((MARGIN, y + 4), label, fill=INK, font=font(TEXT_SIZE))
        for column, picture in enumerate(pictures):
            x = MARGIN + LABEL_WIDTH + column * (cell[0] + GAP)
            image.paste(_fit(picture, cell), (x, y))
    return image


def _fit(picture: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Large pictures smoothly smaller, small ones larger without blur."""
    method = Image.Resampling.NEAREST if size[0] > picture.shape[1] else Image.Resampling.BOX
    return Image.fromarray(picture).resize(size, method)


def _title_lines(metadata: SampleMetadata, num_letters: int) -> list[str]:
    """What a viewer should know, in lines of at most so many letters."""
    removed = ", ".join(f"{thing.name} ({thing.kind})" for thing in metadata.removed)
    labels = ", ".join((metadata.certificate.verdict.value, *metadata.labels))
    keep = metadata.keep_difference[metadata.mask.policy]
    shares = "  ".join(f"{name} {100 * share:.1f} %" for name, share in metadata.mask.share.items())
    lines = [
        f"removed: {removed}.  without: {metadata.caption}",
        f"verdict: {labels};  policy {metadata.mask.policy}:  {shares};  "
        f"effect visible in {100 * metadata.effect.visible_frames:.0f} % of the frames;  "
        f"KEEP differs by {keep.mean:.2f} (99.9 %: {keep.p999:.0f}) of 255",
    ]
    return [part for line in lines for part in textwrap.wrap(line, max(20, num_letters))]


def _draw_title(draw: ImageDraw.ImageDraw, key: str, lines: Sequence[str], width: int) -> None:
    """Key, legend of the mask colours, and the lines below."""
    draw.text((MARGIN, MARGIN), key, fill=INK, font=font(TITLE_SIZE))
    x = width - MARGIN - 100 * len(OVERLAY)
    for label, color in OVERLAY.items():
        draw.rectangle((x, MARGIN + 3, x + 13, MARGIN + 16), fill=color)
        draw.text((x + 18, MARGIN + 2), label.name, fill=INK, font=font(TEXT_SIZE))
        x += 100
    for number, line in enumerate(lines):
        y = MARGIN + TITLE_SIZE + 8 + number * LINE
        draw.text((MARGIN, y), line, fill=FAINT, font=font(TEXT_SIZE))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _stack(bands: Sequence[Image.Image]) -> Image.Image:
    """Bands below each other."""
    sheet = Image.new("RGB", (max(band.width for band in bands), sum(band.height for band in bands)), PAPER)
    y = 0
    for band in bands:
        sheet.paste(band, (0, y))
        y += band.height
    return sheet
