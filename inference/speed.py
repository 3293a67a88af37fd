"""How the transformer is computed: as diffusers does it, compiled, or compiled with eight-bit matrix products."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import nn

from datagen.errors import ConfigError
from inference.compile import compile_blocks, join_blocks
from inference.memory import MemoryMode
from inference.quantise import Float8, check_can_multiply, quantise


class Speed(StrEnum):
    """From the most exact to the fastest; docs/VOID_SPEED.md has seconds and errors."""

    EXACT = "exact"  # diffusers' own blocks, nothing compiled
    COMPILED = "compiled"  # joint blocks, one of them compiled; as near to float32 as EXACT
    FP8 = "fp8"  # the same with products of eight-bit numbers; further from float32, so only when asked for


def default_speed(device: torch.device | str) -> Speed:
    """COMPILED on a CUDA GPU, EXACT elsewhere."""
    return Speed.COMPILED if torch.device(device).type == "cuda" else Speed.EXACT


def check_speed(speed: Speed, device: torch.device | str) -> None:
    """Raise ConfigError for a speed that the device cannot have; to be called before loading."""
    if speed is Speed.EXACT:
        return
    device = torch.device(device)
    if device.type != "cuda":
        raise ConfigError(f"--speed {speed} needs an NVIDIA GPU, not {device}; choose --speed {Speed.EXACT}")
    if speed is Speed.FP8:
        check_can_multiply(device)


def prepare(transformer: nn.Module, speed: Speed, memory: MemoryMode, device: torch.device | str) -> None:
    """Make the transformer compute at this speed on `device`, in place; its weights may still be elsewhere.

    Memory mode OFFLOAD_FP8 stores the large weights in eight bits at every speed; Speed.FP8 multiplies them so too.
    """
    if speed is not Speed.EXACT:
        join_blocks(transformer)
    if speed is Speed.FP8:
        quantise(transformer, Float8.MATMULS, device)
    elif memory is MemoryMode.OFFLOAD_FP8:
        quantise(transformer, Float8.WEIGHTS, device)
    if speed is not Speed.EXACT:
        compile_blocks(transformer)
