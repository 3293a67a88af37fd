"""Eight-bit floating point for the transformer's large matrices; everything else stays bf16.

Row scales throughout: one an output channel of a weight, and for matrix products one a token of the activation. An unscaled cast loses a quarter of a small weight, row scales stay near the precision of the format. The
modulation layers stay bf16: they run once a step on one row, and their error would touch every token.
"""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import nn
from torchao.quantization import (
    Float8DynamicActivationFloat8WeightConfig,
    Float8WeightOnlyConfig,
    PerRow,
    quantize_,
)

from datagen.errors import ConfigError

FP8_CAPABILITY = (8, 9)


class Float8(StrEnum):
    """What eight bits are used for."""

    WEIGHTS = "weights"  # storage only: unpacked to bf16 before each product; saves memory
    MATMULS = "matmuls"  # weights and activations: the product itself runs in fp8; saves time and memory


def quantise(transformer: nn.Module, kind: Float8) -> None:
    """Turn the large linear layers of `transformer.transformer_blocks` into fp8 (e4m3), in place."""
    blocks = transformer.transformer_blocks
    if kind is Float8.MATMULS:
        _check_can_multiply(next(blocks.parameters()).device)
        config = Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    else:
        config = Float8WeightOnlyConfig()
    quantize_(blocks, config, filter_fn=is_large_linear)


def is_large_linear(module: nn.Module, name: str) -> bool:
    """A linear layer that every token passes through: attention and feed-forward, not modulation."""
    return isinstance(module, nn.Linear) and not any(part.startswith("norm") for part in name.split("."))


def _check_can_multiply(device: torch.device) -> None:
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < FP8_CAPABILITY:
        raise ConfigError(
            f"fp8 matrix products need an NVIDIA GPU of compute capability {'.'.join(map(str, FP8_CAPABILITY))} or newer; "
            f"the transformer is on {device}; use fp8 for the weights only"
        )
