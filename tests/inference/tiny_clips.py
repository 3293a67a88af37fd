"""Where the tiny model is, and clips to run it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.codec import write_json
from datagen.quadmask import Label
from datagen.video import encode_mask, encode_rgb

HEIGHT, WIDTH = 32, 48
FPS = 12.0


@dataclass(frozen=True, kw_only=True)
class TinyModel:
    """Paths of a tiny model."""

    base: Path
    pass1: Path
    pass2: Path


def moving_square(num_frames: int, height: int = HEIGHT, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    """A bright square that crosses noise, uint8 [num_frames, height, width, 3], and its quadmask of all labels."""
    video = np.random.default_rng(0).integers(40, 90, (num_frames, height, width, 3), dtype=np.uint8)
    mask = np.full((num_frames, height, width), Label.KEEP, dtype=np.uint8)
    for frame in range(num_frames):
        left = 4 + frame % (width // 2)
        video[frame, 8:20, left : left + 10] = (220, 180, 40)
        mask[frame, 8:24, left : left + 14] = Label.AFFECTED
        mask[frame, 8:20, left : left + 10] = Label.REMOVE
        mask[frame, 16:20, left : left + 10] = Label.OVERLAP
    return video, mask


def write_eval_clip(folder: Path, num_frames: int = 13, prompt: str = "a quiet room") -> Path:
    """One key of a void-eval folder."""
    video, mask = moving_square(num_frames)
    encode_rgb(folder / "input_video.mp4", video, FPS)
    encode_mask(folder / "quadmask_0.mp4", mask, FPS)
    write_json(folder / "prompt.json", {"bg": prompt})
    return folder
