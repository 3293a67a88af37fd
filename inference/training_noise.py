"""Flow-warped noise for training data: one `noises.npy` beside every clip of a `datagen export void-train` folder.

The flow is that of the counterfactual, as the noise of the second pass is. A frame of noise is kept for every
frame of video: VOID's training takes every fourth of those that its clip holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from datagen.codec import atomic_folder
from datagen.errors import DataError
from datagen.seeding import seed_for
from datagen.video import decode_rgb
from inference.flow import estimate_flow
from inference.noise import warped_noise

CLIPS, VIDEO = "training_data", "rgb_removed.mp4"
NOISES, NOISE_FILE = "training_warped_noise", "noises.npy"


def fill_noise(export: Path, scale: int, seed: int, device: str) -> Iterator[str]:
    """Make what is missing, and yield the key of each clip when its noise is there.

    Raises `DataError` where `export` holds no clips.
    """
    clips = sorted(path.parent for path in (export / CLIPS).glob(f"*/{VIDEO}") if path.parent.suffix != ".partial")
    if not clips:
        raise DataError(f"{export}: no clips in {CLIPS}/<key>/{VIDEO}; make them with `datagen export void-train`")
    for clip in clips:
        folder = export / NOISES / clip.name
        if folder.is_dir():
            continue
        noise = noise_of(decode_rgb(clip / VIDEO), scale, seed_for("warped noise", seed, clip.name), device)
        with atomic_folder(folder) as partial:
            np.save(partial / NOISE_FILE, noise)
        yield clip.name


def noise_of(video: np.ndarray, scale: int, seed: int, device: str = "cpu") -> np.ndarray:
    """Float16 [num_frames, 16, height / 8, width / 8], N(0, 1), of a video uint8 [num_frames, height, width, 3]."""
    flow = torch.from_numpy(np.ascontiguousarray(estimate_flow(video, device=device).transpose(0, 3, 1, 2)))
    noise = warped_noise(
        flow,
        len(video),
        generator=torch.Generator().manual_seed(seed),
        device=device,
        scale=scale,
        frames_per_latent=1,
    )
    return noise[0].to("cpu", torch.float16).numpy()
