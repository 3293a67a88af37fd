"""Which kernel computes attention: PyTorch's choice, or our own for logits that are known to be bounded."""

from __future__ import annotations

import math
from enum import StrEnum

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

LARGEST_LOGIT = 60.0  # 2^(60 log2(e)) times 2^14 keys is far below float32's and bf16's largest


class Attention(StrEnum):
    """Kernels for softmax(q k^T / sqrt(d)) v without a mask; equal up to the rounding of bf16."""

    SDPA = "sdpa"  # PyTorch chooses: cuDNN's on Hopper
    BOUNDED = "bounded"  # `inference.attention_kernels`, without a running maximum


def attention(query: Tensor, key: Tensor, value: Tensor, kernel: Attention) -> Tensor:
    """[batch, tokens, heads, head_dim] each, and so the result; the query is scaled by `query_scale` before."""
    if kernel is Attention.BOUNDED:
        from inference.attention_kernels import attend_bounded

        return attend_bounded(query, key, value)
    heads_first = (part.transpose(1, 2) for part in (query, key, value))
    return F.scaled_dot_product_attention(*heads_first).transpose(1, 2)


def query_scale(kernel: Attention, head_dim: int) -> float:
    """What the query is multiplied by while it is still float32: BOUNDED takes powers of two of plain products."""
    return math.log2(math.e) / math.sqrt(head_dim) if kernel is Attention.BOUNDED else 1.0


def suitable_kernel(norm_q: nn.Module, norm_k: nn.Module) -> Attention:
    """BOUNDED for bf16 on a CUDA GPU where the weights of the norms keep logits small enough, SDPA elsewhere."""
    weight = norm_q.weight
    on_gpu = weight.dtype is torch.bfloat16 and torch.cuda.is_available()
    return Attention.BOUNDED if on_gpu and logit_bound(norm_q, norm_k) <= LARGEST_LOGIT else Attention.SDPA


def logit_bound(norm_q: nn.Module, norm_k: nn.Module) -> float:
    """No |q . k| / sqrt(d) is larger: a normed vector has length sqrt(d) at most, and rotation keeps lengths."""
    lengths = []
    for norm in (norm_q, norm_k):
        gain, offset = norm.weight.detach().float(), norm.bias.detach().float()
        lengths.append(float(math.sqrt(len(gain)) * gain.abs().max() + offset.norm()))
    return lengths[0] * lengths[1] / math.sqrt(len(norm_q.weight))
