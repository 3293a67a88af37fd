"""Files that peers read, one function a kind; each writes one clip's at a path of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from datagen.codec import write_npz
from datagen.exports.peer import FittedClip
from datagen.video import encode_mask, encode_rgb

WHITE = 255


def video(path: Path, clip: FittedClip) -> None:
    """The factual video, H.264."""
    encode_rgb(path, clip.frames, clip.fps)


def quadmask(path: Path, clip: FittedClip) -> None:
    """The quadmask, exact."""
    encode_mask(path, clip.quadmask, clip.fps)


def binary_video(path: Path, clip: FittedClip) -> None:
    """What is removed, white on black, exact."""
    encode_mask(path, clip.removed.astype(np.uint8) * WHITE, clip.fps)


def binary_pngs(path: Path, clip: FittedClip) -> None:
    """A folder of 00000.png ..., what is removed white on black."""
    path.mkdir(parents=True)
    for frame, removed in enumerate(clip.removed):
        Image.fromarray(removed.astype(np.uint8) * WHITE).save(path / f"{frame:05d}.png")


def mask_array(path: Path, clip: FittedClip) -> None:
    """An npz whose `arr_0` [num_frames, height, width] is 1 where something is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_npz(path, {"arr_0": clip.removed.astype(np.uint8)})


def prompt(path: Path, clip: FittedClip) -> None:
    """{"bg": what remains and what happens}"""
    path.write_text(json.dumps({"bg": clip.prompt}, ensure_ascii=False) + "\n")


def instruction(path: Path, clip: FittedClip) -> None:
    """For a model without masks: what to remove, and what remains."""
    path.write_text(f"Remove the {clip.removed_words} from the video. What remains: {clip.prompt}\n")
