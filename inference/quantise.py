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

    device  where the layers will work; by default where the weights are. The conversion runs there too, layer by layer,
            and the result goes to where the weights were
    """
    blocks = transformer.transformer_blocks
    at = torch.device(device) if device else next(blocks.parameters()).device
    if kind is Float8.MATMULS:
        check_can_multiply(at)
    for name, module in list(blocks.named_modules()):
        if is_large_linear(module, name):
            parent, _, child = name.rpartition(".")
            setattr(blocks.get_submodule(parent), child, Float8Linear(module, kind, at))


def is_large_linear(module: nn.Module, name: str) -> bool:
    """A linear layer that every token passes through: attention and feed-forward, not modulation."""
    return isinstance(module, nn.Linear) and not any(part.startswith("norm") for part in name.split("."))


class Float8Linear(nn.Module):
    """A linear layer with its weight in fp8; made from one in bf16.

    weight and scale are plain tensors, so that offloading can move them and the compiler sees ordinary operations;
    torchao's tensor subclass computes the same, cannot be moved back under inference mode, and compiles for 90 s.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Module, kind: Float8, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self.kind = kind
        home = linear.weight.device
        weight, scale = to_float8(linear.weight.detach().to(device))
        self.register_buffer("weight", weight.to(home))
        self.register_buffer("scale", scale.T.contiguous().to(home))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, values: Tensor) -> Tensor:
        """[..., in] -> [..., out], of the same dtype."""
        if self.kind is Float8.WEIGHTS:
            unpacked = self.weight.to(values.dtype) * self.scale.T.to(values.dtype)
            return F.linear(values, unpacked, self.bias)
        rows, scale = to_float8(values.reshape(-1, values.shape[-1]))
        return self.multiply(rows, scale, values.dtype).view(*values.shape[:-1], -1)

    def multiply(self, rows: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        """[n, in] of fp8 and its float32 scales [n, 1] -> [n, out] of `dtype`."""
        return torch._scaled_mm(  # the only public way to it is a tensor subclass
            rows, self.weight.T, scale, self.scale, bias=self.bias, out_dtype=dtype, use_fast_accum=True
        )


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
