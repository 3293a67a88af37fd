"""Attention and GELU as the fast blocks need them, in Triton and cuBLAS; imported on a CUDA GPU only.

Softmax usually subtracts the largest logit, since exp might overflow. VOID's queries and keys are normed, so their
logits are bounded before they are known (`inference.attention.logit_bound`): no maximum is sought, and
the exponential, which bounds heads of size 64, is all that is left between the two products.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

QUERIES, KEYS, WARPS, STAGES = 64, 64, 4, 3  # the fastest of those in docs/VOID_SPEED.md, on an H100
GELU_WARPS = 8


@torch.library.custom_op("voidgen::attend_bounded", mutates_args=())
def attend_bounded(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Sum of values by 2^(query . key), normalised; [batch, tokens, heads, head_dim] each, heads contiguous."""
    query, key, value = (
        part if part.stride()[2:] == (part.shape[3], 1) else part.contiguous() for part in (query, key, value)
    )
    batch, tokens, heads, size = query.shape
    out = torch.empty_like(query, dtype=value.dtype, memory_format=torch.contiguous_format)
    for one in range(batch):
        _attend_kernel[(triton.cdiv(tokens, QUERIES), heads)](
            query[one],
            key[one],
            value[one],
            out[one],
            tokens,
            query.stride(1),
            key.stride(1),
            value.stride(1),
            out.stride(1),
            SIZE=size,
            QUERIES=QUERIES,
            KEYS=KEYS,
            num_warps=WARPS,
            num_stages=STAGES,
        )
    return out


def _heads_side_by_side(part: Tensor) -> Tensor:
    return part if part.stride()[2:] == (part.shape[3], 1) else part.contiguous()


@attend_bounded.register_fake
def _(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.empty(query.shape, dtype=value.dtype, device=value.device)


@torch.library.custom_op("voidgen::linear_gelu", mutates_args=())
def linear_gelu(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """gelu(values @ weight.T + bias) by its tanh formula, in the epilogue of the product; [rows, in] -> [rows, out]."""
    return torch._addmm_activation(bias, values, weight.T, use_gelu=True)


@linear_gelu.register_fake
def _(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return values.new_empty(values.shape[0], weight.shape[0])


@torch.library.custom_op("voidgen::gelu_to_float8", mutates_args=())
def gelu_to_float8(values: Tensor) -> tuple[Tensor, Tensor]:
    """`to_float8(gelu(values))` of [rows, width] in one reading: fp8 [rows, width] and float32 [rows, 1]."""
    rows, width = values.shape
    out = torch.empty(rows, width, dtype=torch.float8_e4m3fn, device=values.device)
    scale = torch.empty(rows, 1, dtype=torch.float32, device=values.device)
    _gelu_kernel[(rows,)](values, out, scale, width, BLOCK=triton.next_power_of_2(width), num_warps=GELU_WARPS)
    return out, scale


@gelu_to_float8.register_fake
def _(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.new_empty(values.shape, dtype=torch.float8_e4m3fn), values.new_empty(
        values.shape[0], 1, dtype=torch.float32
    )


@triton.jit
def _attend_kernel(  # type: ignore[no-untyped-def]
    query,
    key,
    value,
    out,
    tokens,
    query_stride,
    key_stride,
    value_stride,
    out_stride,
    SIZE: tl.constexpr,  # noqa: N803
    QUERIES: tl.constexpr,  # noqa: N803
    KEYS: tl.constexpr,  # noqa: N803
):
    head = tl.program_id(1) * SIZE
    row = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    column = tl.arange(0, KEYS)
    part = tl.arange(0, SIZE)
    mine = row[:, None] < tokens
    queries = tl.load(query + head + row[:, None].to(tl.int64) * query_stride + part[None, :], mask=mine, other=0.0)
    total = tl.zeros([QUERIES, SIZE], dtype=tl.float32)
    weight = tl.zeros([QUERIES], dtype=tl.float32)
    keys_at = key + head + column[None, :] * key_stride + part[:, None]
    values_at = value + head + column[:, None] * value_stride + part[None, :]
    whole = tokens // KEYS
    for _ in range(0, whole):
        keys = tl.load(keys_at)
        values = tl.load(values_at)
        share = tl.exp2(tl.dot(queries, keys))
        weight += tl.sum(share, 1)
        total = tl.dot(share.to(values.dtype), values, total)
        keys_at += KEYS * key_stride
        values_at += KEYS * value_stride
    if whole * KEYS < tokens:
        there = whole * KEYS + column
        keys = tl.load(keys_at, mask=there[None, :] < tokens, other=0.0)
        values = tl.load(values_at, mask=there[:, None] < tokens, other=0.0)
        share = tl.where(there[None, :] < tokens, tl.exp2(tl.dot(queries, keys)), 0.0)
        weight += tl.sum(share, 1)
        total = tl.dot(share.to(values.dtype), values, total)
    total = total / weight[:, None]
    place = out + head + row[:, None].to(tl.int64) * out_stride + part[None, :]
    tl.store(place, total.to(out.dtype.element_ty), mask=mine)


@triton.jit
def _gelu_kernel(values, out, scale, width, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    x = tl.load(values + row * width + column, mask=inside, other=0.0).to(tl.float32)
    inner = 0.7978845608028654 * (x + 0.044715 * x * x * x)  # sqrt(2 / pi)
    x = (x * tl.sigmoid(2 * inner)).to(values.dtype.element_ty).to(tl.float32)
    largest = tl.maximum(tl.max(tl.abs(x), 0), 1e-12) / 448.0  # as inference.quantise: SMALLEST_SCALE, LARGEST
    tl.store(scale + row, largest)
    tl.store(out + row * width + column, (x / largest).to(out.dtype.element_ty), mask=inside)
