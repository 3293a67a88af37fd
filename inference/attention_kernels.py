"""Attention, what precedes it, and GELU as the fast blocks need them, in Triton and cuBLAS; for a CUDA GPU only.

Softmax usually subtracts the largest logit, since exp might overflow. VOID's queries and keys are normed, so their
logits are bounded before they are known (`inference.attention.logit_bound`): no maximum is sought, and
the exponential is all that is left between the two products.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

QUERIES, KEYS, WARPS, STAGES = 64, 64, 4, 3  # the fastest of those in docs/VOID_SPEED.md, on an H100
GELU_WARPS = 8
ROTATED_ROWS = 64  # heads of a token are rows


@torch.library.custom_op("voidgen::attend_bounded", mutates_args=())
def attend_bounded(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Sum of values by 2^(query . key), normalised; [batch, tokens, heads, head_dim] each, heads contiguous."""
    query, key, value = (_heads_side_by_side(part) for part in (query, key, value))
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


@attend_bounded.register_fake
def _(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.empty(query.shape, dtype=value.dtype, device=value.device)


@torch.library.custom_op("voidgen::norm_and_rotate", mutates_args=())
def norm_and_rotate(
    heads: Tensor,
    gain: Tensor,
    offset: Tensor,
    epsilon: float,
    cosines: Tensor,
    sines: Tensor,
    text: int,
    factor: float,
) -> Tensor:
    """A layer norm over each head, then rotary embedding of neighbouring pairs, times `factor`; rounded once.

    heads           [batch, tokens, heads, head_dim]
    gain, offset    [head_dim], of the norm
    cosines, sines  float32 [tokens - text, head_dim]; the first `text` tokens are not turned
    """
    heads, cosines, sines = _heads_side_by_side(heads), cosines.contiguous(), sines.contiguous()
    batch, tokens, number, size = heads.shape
    out = torch.empty_like(heads, memory_format=torch.contiguous_format)
    rows = tokens * number
    for one in range(batch):
        _rotate_kernel[(triton.cdiv(rows, ROTATED_ROWS),)](
            heads[one],
            out[one],
            gain,
            offset,
            cosines,
            sines,
            rows,
            number,
            text,
            heads.stride(1),
            epsilon,
            factor,
            SIZE=size,
            ROWS=ROTATED_ROWS,
        )
    return out


@norm_and_rotate.register_fake
def _(
    heads: Tensor,
    gain: Tensor,
    offset: Tensor,
    epsilon: float,
    cosines: Tensor,
    sines: Tensor,
    text: int,
    factor: float,
) -> Tensor:
    return heads.new_empty(heads.shape)


def _heads_side_by_side(part: Tensor) -> Tensor:
    return part if part.stride()[2:] == (part.shape[3], 1) else part.contiguous()


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
    front = triton.next_power_of_2(width) // 2
    rest = triton.next_power_of_2(width - front)
    _gelu_kernel[(rows,)](values, out, scale, width, FRONT=front, REST=rest, num_warps=GELU_WARPS)
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
    weight = tl.zeros([QUERIES, 4], dtype=tl.float32)
    keys_at = key + head + column[None, :] * key_stride + part[:, None]
    values_at = value + head + column[:, None] * value_stride + part[None, :]
    whole = tokens // KEYS
    for _ in range(0, whole):
        keys = tl.load(keys_at)
        values = tl.load(values_at)
        share = tl.exp2(tl.dot(queries, keys))
        weight += _sums_by_thread(share)
        total = tl.dot(share.to(values.dtype), values, total)
        keys_at += KEYS * key_stride
        values_at += KEYS * value_stride
    if whole * KEYS < tokens:
        there = whole * KEYS + column
        keys = tl.load(keys_at, mask=there[None, :] < tokens, other=0.0)
        values = tl.load(values_at, mask=there[:, None] < tokens, other=0.0)
        share = tl.where(there[None, :] < tokens, tl.exp2(tl.dot(queries, keys)), 0.0)
        weight += _sums_by_thread(share)
        total = tl.dot(share.to(values.dtype), values, total)
    total = total / tl.sum(weight, 1)[:, None]
    place = out + head + row[:, None].to(tl.int64) * out_stride + part[None, :]
    tl.store(place, total.to(out.dtype.element_ty), mask=mine)


@triton.jit
def _sums_by_thread(share):  # type: ignore[no-untyped-def]
    """[rows, columns] -> [rows, 4]: of eight columns of a product, each of four threads holds two: nothing is sent."""
    parts = tl.reshape(share, [share.shape[0], share.shape[1] // 8, 4, 2])
    return tl.sum(tl.sum(parts, 3), 1)


@triton.jit
def _rotate_kernel(  # type: ignore[no-untyped-def]
    heads,
    out,
    gain,
    offset,
    cosines,
    sines,
    rows,
    number,
    text,
    stride,
    epsilon,
    factor,
    SIZE: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = (row < rows)[:, None]
    part = tl.arange(0, SIZE)
    token = row // number
    place = token.to(tl.int64)[:, None] * stride + (row % number)[:, None] * SIZE + part[None, :]
    values = tl.load(heads + place, mask=inside, other=0.0).to(tl.float32)
    values -= (tl.sum(values, 1) / SIZE)[:, None]
    values *= tl.rsqrt(tl.sum(values * values, 1) / SIZE + epsilon)[:, None]
    values = values * tl.load(gain + part)[None, :].to(tl.float32) + tl.load(offset + part)[None, :].to(tl.float32)
    angle = (token - text)[:, None] * SIZE + part[None, :]
    turns = inside & (token >= text)[:, None]
    even, odd = tl.split(tl.reshape(values, [ROWS, SIZE // 2, 2]))
    turned = tl.reshape(tl.join(-odd, even), [ROWS, SIZE])
    values *= tl.load(cosines + angle, mask=turns, other=1.0)
    values = (values + turned * tl.load(sines + angle, mask=turns, other=0.0)) * factor
    tl.store(out + row.to(tl.int64)[:, None] * SIZE + part[None, :], values.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _gelu_kernel(values, out, scale, width, FRONT: tl.constexpr, REST: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
    row = tl.program_id(0).to(tl.int64)
    values, out = values + row * width, out + row * width
    column, later = tl.arange(0, FRONT), FRONT + tl.arange(0, REST)
    inside = later < width
    front = _gelu(tl.load(values + column))
    rest = _gelu(tl.load(values + later, mask=inside, other=0.0))
    largest = tl.maximum(tl.max(tl.abs(front), 0), tl.max(tl.abs(rest), 0))
    largest = tl.maximum(largest, 1e-12) / 448.0  # as inference.quantise: SMALLEST_SCALE, LARGEST
    tl.store(scale + row, largest)
    inverse = 1.0 / largest
    tl.store(out + column, (front * inverse).to(out.dtype.element_ty))
    tl.store(out + later, (rest * inverse).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _gelu(values):  # type: ignore[no-untyped-def]
    """In float32: 1 + tanh(u) = 2 / (1 + 2^(-2 log2(e) u)) with u = sqrt(2 / pi) (x + 0.044715 x^3)."""
    x = values.to(tl.float32)
    return x / (1 + tl.exp2(x * (-2.302208198 - 0.1029432397 * x * x)))
