"""Group norm with SiLU and spatial modulation in two passes over memory, in Triton; imported on a CUDA GPU only.

Values lie as [rows, channels], a row being one pixel of one frame. The first kernel sums each channel, the second one
scales, shifts, modulates and activates: two reads and one write, where separate operations take six tensors.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 4096  # values a program works on at once
SUM_PROGRAMS = 1056  # eight for each multiprocessor of an H100


def channel_sums(rows: Tensor) -> Tensor:
    """Float64 [2, channels]: sums and sums of squares of [rows, channels]; the number of channels is a power of two."""
    count, channels = rows.shape
    block = max(1, TILE // channels)
    steps = triton.cdiv(triton.cdiv(count, SUM_PROGRAMS), block)
    programs = triton.cdiv(count, steps * block)
    partial = torch.empty(programs, 2, channels, dtype=torch.float32, device=rows.device)
    _sum_kernel[(programs,)](rows, partial, count, steps, CHANNELS=channels, BLOCK=block)
    return partial.sum(0, dtype=torch.float64)


def modulate(
    rows: Tensor,
    out: Tensor,
    gain: Tensor,
    offset: Tensor,
    style: tuple[Tensor, Tensor, Tensor] | None,
    size: tuple[int, int, int, int],
) -> None:
    """out = silu((rows * gain + offset) * scale + shift); [rows, channels] both, rows of frames * height * width.

    gain, offset   float32 [channels]
    style          scale and shift [frames, h, w, channels] on the few pixels where they are known, and int32 [frames]:
                   which of their frames goes with each; None for no modulation
    size           height and width of the rows' pictures, then of the style's
    """
    count, channels = rows.shape
    block = max(1, TILE // channels)
    scale, shift, frame = style if style is not None else (gain, gain, gain)
    _modulate_kernel[(triton.cdiv(count, block),)](
        rows,
        out,
        gain,
        offset,
        scale,
        shift,
        frame,
        count,
        *size,
        CHANNELS=channels,
        BLOCK=block,
        STYLED=style is not None,
    )


def add_biased(rows: Tensor, other: Tensor, bias: Tensor) -> None:
    """rows += other + bias, in place; [rows, channels] twice, contiguous, and [channels]; rounded once."""
    count, channels = rows.numel(), rows.shape[1]
    _add_kernel[(triton.cdiv(count, TILE),)](rows, other, bias, count, CHANNELS=channels, BLOCK=TILE)


@triton.jit
def _add_kernel(rows, other, bias, count, CHANNELS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < count
    values = tl.load(rows + place, mask=inside, other=0.0).to(tl.float32)
    values += tl.load(other + place, mask=inside, other=0.0).to(tl.float32)
    values += tl.load(bias + place % CHANNELS).to(tl.float32)
    tl.store(rows + place, values.to(rows.dtype.element_ty), mask=inside)


@triton.jit
def _sum_kernel(rows, partial, count, steps, CHANNELS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
    program = tl.program_id(0)
    channel = tl.arange(0, CHANNELS)
    total = tl.zeros([BLOCK, CHANNELS], dtype=tl.float32)  # threads meet once, at the end
    squares = tl.zeros([BLOCK, CHANNELS], dtype=tl.float32)
    for step in range(steps):
        row = (program * steps + step) * BLOCK + tl.arange(0, BLOCK)
        place = row.to(tl.int64)[:, None] * CHANNELS + channel[None, :]
        values = tl.load(rows + place, mask=row[:, None] < count, other=0.0).to(tl.float32)
        total += values
        squares += values * values
    tl.store(partial + program * 2 * CHANNELS + channel, tl.sum(total, axis=0))
    tl.store(partial + (program * 2 + 1) * CHANNELS + channel, tl.sum(squares, axis=0))


@triton.jit
def _modulate_kernel(  # type: ignore[no-untyped-def]
    rows,
    out,
    gain,
    offset,
    scale,
    shift,
    frame,
    count,
    height,
    width,
    style_height,
    style_width,
    CHANNELS: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
    STYLED: tl.constexpr,  # noqa: N803
):
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = row < count
    channel = tl.arange(0, CHANNELS)
    place = row.to(tl.int64)[:, None] * CHANNELS + channel[None, :]
    values = tl.load(rows + place, mask=inside[:, None], other=0.0).to(tl.float32)
    values = values * tl.load(gain + channel)[None, :] + tl.load(offset + channel)[None, :]
    if STYLED:
        picture = row // (height * width)
        y = (row // width) % height * style_height // height
        x = row % width * style_width // width
        pixel = (tl.load(frame + picture, mask=inside, other=0) * style_height + y) * style_width + x
        there = pixel[:, None] * CHANNELS + channel[None, :]
        values = values * tl.load(scale + there, mask=inside[:, None], other=0.0).to(tl.float32)
        values += tl.load(shift + there, mask=inside[:, None], other=0.0).to(tl.float32)
    values = values * tl.sigmoid(values)
    tl.store(out + place, values.to(out.dtype.element_ty), mask=inside[:, None])
