"""Optical flow by RAFT (Teed and Deng, ECCV 2020): torchvision's network, with weights that the user brings.

torchvision is no dependency, since its wheel breaks diffusers beside a CPU build of torch. Where it is, it is used.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad

from datagen.errors import ConfigError, DataError

MULTIPLE = 8  # the network works at an eighth of the size
LEAST = 128  # its correlation pyramid needs this many pixels a side
SMALL_CHANNELS = 32  # of the small network's first convolution; the large one has 64
FIRST = "feature_encoder.convnormrelu.0.weight"


def raft_flow(video: np.ndarray, weights: Path, device: str = "cpu") -> np.ndarray:
    """Float32 [num_frames - 1, height, width, 2], (x, y) [px], of a video uint8 [num_frames, height, width, 3].

    weights: torchvision's state of `raft_large` or `raft_small`, as .pth or .safetensors. Raises `ConfigError` without
    torchvision, `DataError` for a file that is not such a state.
    """
    network = load_raft(weights).to(device).eval()
    frames = torch.from_numpy(video).permute(0, 3, 1, 2).float() / 127.5 - 1
    height, width = frames.shape[2:]
    bottom, right = (_padded(size) - size for size in (height, width))
    frames = pad(frames, (0, right, 0, bottom), mode="replicate")
    flows = []
    with torch.inference_mode():
        for now, then in pairwise(frames.split(1)):
            flow = network(now.to(device), then.to(device))[-1]
            flows.append(flow[0, :, :height, :width].permute(1, 2, 0).float().cpu().numpy())
    return np.stack(flows) if flows else np.empty((0, height, width, 2), np.float32)


def load_raft(weights: Path) -> Any:
    """The network that a file of weights belongs to."""
    state = read_state(weights)
    try:
        from torchvision.models.optical_flow import raft_large, raft_small
    except (ImportError, RuntimeError) as error:  # RuntimeError: a wheel that was built for another torch
        raise ConfigError(
            f"RAFT weights {weights}: RAFT needs torchvision, which cannot be imported ({error}); install the "
            "version that belongs to your torch, or leave the setting out to use OpenCV's DIS flow"
        ) from None
    small = FIRST in state and len(state[FIRST]) == SMALL_CHANNELS
    network = (raft_small if small else raft_large)(weights=None)
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[1:2] or [str(error)]
        raise DataError(
            f"{weights}: expected the state of torchvision's raft_large or raft_small, found another "
            f"({reason[0].strip()[:200]})"
        ) from None
    return network


def read_state(weights: Path) -> dict[str, Any]:
    """Names and tensors of a file; nothing but tensors is unpickled."""
    if not weights.is_file():
        raise DataError(f"{weights}: no such file; expected RAFT weights of torchvision (.pth or .safetensors)")
    try:
        if weights.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(weights))
        return dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:  # noqa: BLE001  torch raises anything for a file that is none
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DataError(f"{weights}: not a readable file of weights ({reason})") from None


def _padded(size: int) -> int:
    return max(LEAST, -(-size // MULTIPLE) * MULTIPLE)
