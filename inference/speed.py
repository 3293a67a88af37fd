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


def default_speed(memory: MemoryMode, device: torch.device | str) -> Speed:
    """COMPILED on a CUDA GPU where the memory mode allows it, EXACT elsewhere."""
    on_gpu = torch.device(device).type == "cuda"
    return Speed.COMPILED if on_gpu and memory is not MemoryMode.OFFLOAD_FP8 else Speed.EXACT


def check_speed(speed: Speed, memory: MemoryMode, device: torch.device | str) -> None:
    """Raise ConfigError for a speed that the memory mode or the device cannot have; to be called before loading."""
    if speed is Speed.EXACT:
        return
    device = torch.device(device)
    if memory is MemoryMode.OFFLOAD_FP8:
        raise ConfigError(
            f"--speed {speed} does not go with --memory {memory}, whose weights are unpacked before each product; "
            f"choose --memory {MemoryMode.OFFLOAD}, or --speed {Speed.EXACT}"
        )
    if device.type != "cuda":
        raise ConfigError(f"--speed {speed} needs an NVIDIA GPU, not {device}; choose --speed {Speed.EXACT}")
    if speed is Speed.FP8:
        check_can_multiply(device)


def speed_up(transformer: nn.Module, speed: Speed, device: torch.device | str) -> None:
    """Make the transformer compute at this speed on `device`, in place; its weights may still be elsewhere."""
    if speed is Speed.EXACT:
        return
    join_blocks(transformer)
    if speed is Speed.FP8:
        quantise(transformer, Float8.MATMULS, device)
    compile_blocks(transformer)
