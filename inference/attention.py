"""Which kernel computes attention: PyTorch's choice, or FlashAttention 4 where the user has installed it."""

from __future__ import annotations

import importlib.util
from enum import StrEnum

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from datagen.errors import ConfigError


class Attention(StrEnum):
    """Kernels for softmax(q k^T / sqrt(d)) v without a mask; equal up to the rounding of bf16."""

    SDPA = "sdpa"  # PyTorch chooses: cuDNN's on Hopper
    FLASH4 = "flash4"  # the package flash-attn-4, for GPUs of compute capability 9.0 and 10.0


def attention(query: Tensor, key: Tensor, value: Tensor, kernel: Attention) -> Tensor:
    """[batch, tokens, heads, head_dim] each, and so the result."""
    if kernel is Attention.FLASH4:
        return _flash4(query, key, value)
    heads_first = (part.transpose(1, 2) for part in (query, key, value))
    return F.scaled_dot_product_attention(*heads_first).transpose(1, 2)


def check_kernel(kernel: Attention) -> None:
    """Raise ConfigError if the kernel's package is not installed."""
    if kernel is Attention.FLASH4 and importlib.util.find_spec("flash_attn") is None:
        raise ConfigError("attention flash4 needs the package flash-attn-4: `pip install flash-attn-4`, or use sdpa")


@torch.library.custom_op("voidgen::flash4", mutates_args=())
def _flash4(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """A custom operator, so that the compiler calls the kernel and does not look inside."""
    from flash_attn.cute import flash_attn_func  # type: ignore[import-not-found,unused-ignore]

    result = flash_attn_func(query, key, value)
    return result[0] if isinstance(result, tuple) else result


@_flash4.register_fake
def _(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.empty(query.shape, dtype=query.dtype, device=query.device)
