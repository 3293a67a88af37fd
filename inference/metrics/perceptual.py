"""Distances by a network's features: not computed until the user brings the network.

No wheel ships the weights of LPIPS, DISTS or of FVD's I3D, and none is downloaded behind the user's back. What can be
brought is a TorchScript file that maps two batches float32 [n, 3, height, width] in [-1, 1] to distances [n]; LPIPS and
DISTS become one in a few lines with their own packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datagen.errors import ConfigError, did_you_mean
from inference.metrics.api import Direction, Metric

if TYPE_CHECKING:
    import torch

BATCH = 8  # frames at a time
NOT_COMPUTED = "not computed: give --backbone {name}=PATH"
OF_A_SET = "not computed: it compares sets of clips, not one with another; export the videos to your own FVD"


def _metric(name: str, title: str, definition: str, source: str) -> Metric:
    return Metric(
        name=name,
        group="appearance",
        title=title,
        unit="",
        direction=Direction.LOWER,
        low=0.0,
        high=float("inf"),
        definition=definition,
        source=source,
    )


METRICS: tuple[Metric, ...] = (
    _metric("lpips", "LPIPS", "distance of deep features, mean over frames", "Zhang et al., CVPR 2018"),
    _metric("dists", "DISTS", "structure and texture of deep features, mean over frames", "Ding et al., TPAMI 2020"),
    _metric("fvd", "FVD", "Frechet distance of video features of whole sets", "Unterthiner et al. 2018"),
)
FRAMEWISE = ("lpips", "dists")


def check_backbones(backbones: Mapping[str, Path]) -> None:
    """Raise `ConfigError` for a network of another name, or a file that is not there."""
    for name, path in backbones.items():
        if name not in FRAMEWISE:
            raise ConfigError(f"--backbone {name}: no metric takes such a network{did_you_mean(name, FRAMEWISE)}")
        if not path.is_file():
            raise ConfigError(f"--backbone {name}={path}: no such file; expected a TorchScript module")


def perceptual(
    prediction: np.ndarray, truth: np.ndarray, backbones: Mapping[str, Path]
) -> tuple[dict[str, float], dict[str, str]]:
    """Values and notes for all of `METRICS` of two videos uint8 [num_frames, height, width, 3]."""
    values = {metric.name: float("nan") for metric in METRICS}
    notes = {name: NOT_COMPUTED.format(name=name) for name in FRAMEWISE if name not in backbones} | {"fvd": OF_A_SET}
    for name, path in backbones.items():
        values[name] = _framewise(prediction, truth, path)
    return values, notes


def _framewise(prediction: np.ndarray, truth: np.ndarray, path: Path) -> float:
    import torch  # here, because reading what metrics there are must not cost seconds

    try:
        network = torch.jit.load(str(path), map_location="cpu").eval()
        with torch.inference_mode():
            distances = [
                network(_batch(prediction, start), _batch(truth, start)).reshape(-1).float().numpy()
                for start in range(0, len(truth), BATCH)
            ]
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ConfigError(
            f"--backbone {path}: expected TorchScript that maps two float32 [n, 3, h, w] to [n]: {reason}"
        ) from None
    return float(np.concatenate(distances).mean())


def _batch(video: np.ndarray, start: int) -> torch.Tensor:
    import torch

    frames = torch.from_numpy(np.ascontiguousarray(video[start : start + BATCH]))
    return frames.permute(0, 3, 1, 2).float() / 127.5 - 1
