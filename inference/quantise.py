"""Eight-bit floating point for the transformer's large matrices; everything else stays bf16.

Row scales throughout: one an output channel of a weight, and for matrix products one a token of the activation.
An unscaled cast loses a quarter of a small weight; row scales stay near the precision of the format. The modulation
layers stay bf16: they run once a step on one row, and their error would touch every token.
"""

from __future__ import annotations

from enum import StrEnum

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchao.quantization import Float8WeightOnlyConfig, quantize_

from datagen.errors import ConfigError

FP8_CAPABILITY = (8, 9)
FP8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FP8).max
SMALLEST_SCALE = 1e-12


class Float8(StrEnum):
    """What eight bits are used for."""

    WEIGHTS = "weights"  # storage only: unpacked to bf16 before each product; saves memory
    MATMULS = "matmuls"  # weights and activations: the product itself runs in fp8; saves time and memory


def quantise(transformer: nn.Module, kind: Float8, device: torch.device | str | None = None) -> None:
    """Turn the large linear layers of `transformer.transformer_blocks` into fp8 (e4m3), in place.

    device  where the products will run; by default where the weights are
    """
    blocks = transformer.transformer_blocks
    if kind is Float8.WEIGHTS:
        quantize_(blocks, Float8WeightOnlyConfig(), filter_fn=is_large_linear)
        return
    check_can_multiply(torch.device(device) if device else next(blocks.parameters()).device)
    for name, module in list(blocks.named_modules()):
        if is_large_linear(module, name):
            parent, _, child = name.rpartition(".")
            setattr(blocks.get_submodule(parent), child, Float8Linear(module))


def is_large_linear(module: nn.Module, name: str) -> bool:
    """A linear layer that every token passes through: attention and feed-forward, not modulation."""
    return isinstance(module, nn.Linear) and not any(part.startswith("norm") for part in name.split("."))


class Float8Linear(nn.Module):
    """A linear layer whose product runs in fp8 with float32 sums; made from one in bf16.

    torchao's tensor subclass computes the same; the compiler needs a minute and a half for that one, seconds for this.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        weight, scale = to_float8(linear.weight.detach())
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale.T.contiguous())
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, values: Tensor) -> Tensor:
        """[..., in] -> [..., out], of the same dtype."""
        rows, scale = to_float8(values.reshape(-1, values.shape[-1]))
        product = torch._scaled_mm(  # the only public way to it is a tensor subclass
            rows, self.weight.T, scale, self.scale, bias=self.bias, out_dtype=values.dtype, use_fast_accum=True
        )
        return product.view(*values.shape[:-1], -1)


def to_float8(rows: Tensor) -> tuple[Tensor, Tensor]:
    """(fp8 [n, k], float32 scale [n, 1]) of a matrix [n, k]: rows = fp8 * scale, a row's largest at the end."""
    wide = rows.float()
    scale = wide.abs().amax(dim=1, keepdim=True).clamp(min=SMALLEST_SCALE) / LARGEST
    return (wide / scale).clamp(-LARGEST, LARGEST).to(FP8), scale


def dequantised(linear: Float8Linear, values: Tensor) -> Tensor:
    """What the layer computes, in float32 on any device: the yardstick of its tests."""
    rows, scale = to_float8(values.reshape(-1, values.shape[-1]))
    bias = None if linear.bias is None else linear.bias.float()
    return F.linear(rows.float() * scale, linear.weight.float() * linear.scale.T, bias).view(*values.shape[:-1], -1)


def check_can_multiply(device: torch.device) -> None:
    """Raise ConfigError where the device has no fp8 matrix products."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < FP8_CAPABILITY:
        needed = ".".join(map(str, FP8_CAPABILITY))
        raise ConfigError(
            f"fp8 matrix products need an NVIDIA GPU of compute capability {needed} or newer; the transformer is on "
            f"{device}; use fp8 for the weights only (--memory offload+fp8)"
        )
