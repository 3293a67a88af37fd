"""Distances by a network's features: not computed until the user brings the network.

No wheel ships the weights of LPIPS, DISTS or of FVD's I3D, and none is downloaded behind the user's back. What can be
brought is a .pt2 file of `torch.export.save`: a network that maps two pictures float32 [1, 3, height, width] in
[-1, 1], of the clips' size, to their distance [1]. LPIPS and DISTS become one in a few lines with their own packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from datagen.errors import ConfigError, did_you_mean
from inference.metrics.api import Direction, Metric

if TYPE_CHECKING:
    import torch

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
            raise ConfigError(f"--backbone {name}={path}: no such file; expected a .pt2 of torch.export.save")


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
    import torch  # late: most evaluations need no network

    try:
        network = torch.export.load(str(path)).module()
        with torch.inference_mode():
            pairs = zip(prediction, truth, strict=True)
            return float(np.mean([float(network(_picture(now), _picture(then)).mean()) for now, then in pairs]))
    except (RuntimeError, ValueError, TypeError, AssertionError, OSError, BadZipFile) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"--backbone {path}: expected a .pt2 of torch.export.save that maps two pictures float32 "
            f"[1, 3, {truth.shape[1]}, {truth.shape[2]}] to their distance [1]: {reason}"
        ) from None


def _picture(frame: np.ndarray) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float() / 127.5 - 1
