"""What a run looks like: random frames of several runs on one sheet, or both worlds and the mask of a few scenes.

    .venv/bin/python benchmarks/look_sheet.py RUN... --out sheet.jpg [--count 24] [--seed 0] [--columns 4]
    .venv/bin/python benchmarks/look_sheet.py RUN... --out docs/worlds.jpg --worlds --count 6 --columns 3

Each run gives the same number of frames. Scenes are drawn by the seed, none twice before all were, and a frame of
each: any one, or with `--worlds` the one in which the mask holds most of what the removal changes. Captions say source,
room, light, lens and the pace that the camera took. Prints which frames were drawn, and what became of all planned
scenes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from datagen.codec import atomic_path, read_record
from datagen.errors import DataError, UserError
from datagen.gallery import GAP, INK, MARGIN, PAPER, TEXT_SIZE, font, overlay
from datagen.placement import Staging
from datagen.quadmask import Label
from datagen.runs import RunFolder, read_rows
from datagen.sample import MASK, RGB_FULL, RGB_REMOVED, STAGING, read_sample
from datagen.video import decode_mask, decode_rgb

CAPTION_HEIGHT = 20
CHANGED = (Label.AFFECTED, Label.OVERLAP)
QUALITY = 85  # of a JPEG


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One frame of a sample: what is shown of it, below each other, and what is said about it."""

    key: str
    frame: int
    caption: str
    pictures: tuple[np.ndarray, ...]  # uint8 [height, width, 3]


def draw_shots(runs: Sequence[RunFolder], count: int, seed: int, *, worlds: bool) -> Iterator[Shot]:
    """`count` frames, as many of each run; raises `DataError` for a run without samples."""
    generator = np.random.default_rng(seed)
    for number, run in enumerate(runs):
        keys = sorted(run.done("compose"))
        if not keys:
            raise DataError(f"{run.address}: holds no finished sample; `datagen run` makes some")
        order = generator.permutation(len(keys))
        for turn in range(count // len(runs) + (number < count % len(runs))):
            yield draw_shot(run, keys[order[turn % len(keys)]], generator, worlds=worlds)


def draw_shot(run: RunFolder, key: str, generator: np.random.Generator, *, worlds: bool) -> Shot:
    """A frame of one sample: as filmed, or with, without and mask."""
    sample = read_sample(run.folder("compose", key))
    full = decode_rgb(sample.path(RGB_FULL))
    if worlds:
        mask, removed = decode_mask(sample.path(MASK)), decode_rgb(sample.path(RGB_REMOVED))
        frame = int(np.isin(mask, CHANGED).mean(axis=(1, 2)).argmax())
        pictures = [full[frame], removed[frame], overlay(full[frame], mask[frame])]
    else:
        frame = int(generator.integers(len(full)))
        pictures = [full[frame]]
    return Shot(key=key, frame=frame, caption=caption_of(run, key), pictures=tuple(pictures))


def caption_of(run: RunFolder, key: str) -> str:
    """Source, room, light, lens and pace of a scene."""
    spec = read_sample(run.folder("compose", key)).metadata.spec
    pace = read_record(Staging, run.folder("simulate", key) / STAGING).pace
    return f"{spec.source}  {spec.room.kind}  {spec.light.kind}  {spec.camera.focal_length_mm:.0f} mm  {pace}"


def sheet_of(shots: Sequence[Shot], columns: int) -> Image.Image:
    """Shots side by side, so many in a row, each with its pictures below each other over its caption."""
    sizes = {picture.shape[:2] for shot in shots for picture in shot.pictures}
    if len(sizes) != 1:
        raise DataError(f"runs of different picture sizes {sorted(sizes)}; expected one size on a sheet")
    height, width = sizes.pop()
    cell = (width + GAP, len(shots[0].pictures) * (height + GAP) + CAPTION_HEIGHT)
    rows = -(-len(shots) // columns)
    image = Image.new("RGB", (2 * MARGIN + columns * cell[0] - GAP, 2 * MARGIN + rows * cell[1]), PAPER)
    draw = ImageDraw.Draw(image)
    for number, shot in enumerate(shots):
        x, y = MARGIN + number % columns * cell[0], MARGIN + number // columns * cell[1]
        for row, picture in enumerate(shot.pictures):
            image.paste(Image.fromarray(picture), (x, y + row * (height + GAP)))
        draw.text((x + 2, y + cell[1] - CAPTION_HEIGHT), shot.caption, fill=INK, font=font(TEXT_SIZE))
    return image


def outcome_of(run: RunFolder) -> str:
    """How many of a run's planned scenes were made, and why others were not."""
    rejected = read_rows(run.rejected)
    dark = sum("exposed" in str(row.get("message")) for row in rejected)
    return (
        f"{run.address}: {len(run.keys())} planned, {len(run.done('compose'))} made, "
        f"{len(rejected)} rejected ({dark} for exposure), {len(run.failed_keys())} failed"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worlds", action="store_true")
    options = parser.parse_args()
    runs = [RunFolder(root=path) for path in options.runs]
    try:
        shots = list(draw_shots(runs, options.count, options.seed, worlds=options.worlds))
        sheet = sheet_of(shots, options.columns)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    with atomic_path(options.out) as partial:
        sheet.save(partial, format="JPEG" if options.out.suffix == ".jpg" else "PNG", quality=QUALITY, optimize=True)
    print("\n".join(f"{number:2d}  {shot.key} frame {shot.frame}: {shot.caption}" for number, shot in enumerate(shots)))
    print("\n".join(outcome_of(run) for run in runs))


if __name__ == "__main__":
    main()
