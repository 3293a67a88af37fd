"""Faster transformer blocks: the same arithmetic as diffusers' CogVideoXBlock, laid out for the compiler.

diffusers' block keeps text and video apart and joins, splits and joins them again; here a block works on one sequence,
its three projections are one matrix product, and text rows take the identity as their rotary angle. One block is
compiled and its code reused by all, so that compiling costs seconds, not minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from inference.attention import Attention, attention, query_scale, suitable_kernel
from inference.quantise import Float8, Float8Linear

Rotary = tuple[torch.Tensor, torch.Tensor]

SHAPES = 64  # compiled lengths of a window that are kept at most


class JointBlock(nn.Module):
    """One CogVideoXBlock over text and video in one sequence; takes over its weights and its call.

    The result equals the block's: each output element is the same sum of the same rounded factors. Only which
    matrix kernel the library picks can differ, as it does between any two shapes.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        attention = block.attn1
        self.kernel = suitable_kernel(attention.norm_q, attention.norm_k)
        self.heads = attention.heads
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.norm_q, self.norm_k = attention.norm_q, attention.norm_k
        self.to_qkv = _stacked(attention.to_q, attention.to_k, attention.to_v)
        self.to_out = attention.to_out[0]
        self.ff_in, self.ff_out = block.ff.net[0].proj, block.ff.net[2]

    def forward(
        self,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        temb: torch.Tensor,
        image_rotary_emb: Rotary | None = None,
        attention_kwargs: Mapping[str, Any] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(video [batch, tokens, dim], text [batch, 226, dim]), as CogVideoXBlock; `attention_kwargs` must be empty."""
        text = encoder_hidden_states.shape[1]
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        is_text = (torch.arange(tokens.shape[1], device=tokens.device) < text)[None, :, None]

        normed, gate = _modulated(self.norm1, tokens, temb, is_text)
        tokens = tokens + gate * self.attend(normed, text, image_rotary_emb)
        normed, gate = _modulated(self.norm2, tokens, temb, is_text)
        tokens = tokens + gate * self.feed_forward(normed)
        return tokens[:, text:], tokens[:, :text]

    def attend(self, tokens: torch.Tensor, text: int, rotary: Rotary | None) -> torch.Tensor:
        """Self-attention over the whole sequence [batch, tokens, dim]; no mask, as the model was trained."""
        batch, length, _ = tokens.shape
        query, key, value = self.to_qkv(tokens).view(batch, length, 3, self.heads, -1).unbind(2)
        kernel = self.kernel if tokens.is_cuda else Attention.SDPA
        scale = query_scale(kernel, query.shape[-1])
        if rotary is None:
            query, key = self.norm_q(query) * scale, self.norm_k(key)
        elif kernel is Attention.BOUNDED:
            query = _normed_and_rotated(query, self.norm_q, rotary, text, scale)
            key = _normed_and_rotated(key, self.norm_k, rotary, text, 1.0)
        else:
            angles = _with_still_text(rotary, text)
            query, key = _rotate(self.norm_q(query), angles, scale), _rotate(self.norm_k(key), angles)
        return self.to_out(attention(query, key, value, kernel).reshape(batch, length, -1))

    def feed_forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[batch, tokens, dim] -> the same, through GELU by its tanh formula."""
        if tokens.is_cuda and type(self.ff_in) is nn.Linear:
            from inference.attention_kernels import linear_gelu

            inner = linear_gelu(tokens.flatten(0, 1), self.ff_in.weight, self.ff_in.bias)
            return self.ff_out(inner).view(tokens.shape)
        inner = self.ff_in(tokens)
        if tokens.is_cuda and isinstance(self.ff_out, Float8Linear) and self.ff_out.kind is Float8.MATMULS:
            from inference.attention_kernels import gelu_to_float8

            rows, scale = gelu_to_float8(inner.flatten(0, 1))
            return self.ff_out.multiply(rows, scale, tokens.dtype).view(tokens.shape)
        return self.ff_out(F.gelu(inner, approximate="tanh"))


def join_blocks(transformer: nn.Module, kernel: Attention | None = None) -> None:
    """Replace all blocks by joint ones, in place; the weights' names change, so load checkpoints before.

    kernel  of attention; by default what suits the device and the weights
    """
    blocks = transformer.transformer_blocks
    for index in range(len(blocks)):
        if not isinstance(blocks[index], JointBlock):
            blocks[index] = JointBlock(blocks[index])
        if kernel is not None:
            blocks[index].kernel = kernel


def compile_blocks(transformer: nn.Module, mode: str | None = None) -> None:
    """Compile the repeated block, in place: the first call compiles, all blocks share the code.

    Shapes are static: a last window of another length compiles once more. Videos of many lengths have more such
    windows than the compiler expects of one function; past its limit it would raise.
    """
    dynamo = torch._dynamo.config
    dynamo.recompile_limit = max(dynamo.recompile_limit, SHAPES)
    for block in transformer.transformer_blocks:
        block.compile(fullgraph=True, dynamic=False, mode=mode)


def _stacked(*layers: nn.Linear) -> nn.Linear:
    """One linear layer whose output is the layers' outputs in a row; releases the parts as it goes."""
    first = layers[0]
    with torch.device("meta"):
        joined = nn.Linear(first.in_features, sum(layer.out_features for layer in layers), bias=first.bias is not None)
    joined.weight = nn.Parameter(torch.cat([layer.weight for layer in layers]), requires_grad=False)
    if first.bias is not None:
        joined.bias = nn.Parameter(torch.cat([layer.bias for layer in layers]), requires_grad=False)
    return joined


def _modulated(
    norm: nn.Module, tokens: torch.Tensor, temb: torch.Tensor, is_text: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normed, scaled and shifted tokens and the gate, as CogVideoXLayerNormZero, text and video each by their own."""
    parts = norm.linear(norm.silu(temb))[:, None].chunk(6, dim=-1)
    shift, scale, gate = (torch.where(is_text, parts[i + 3], parts[i]) for i in range(3))
    return norm.norm(tokens) * (1 + scale) + shift, gate


def _normed_and_rotated(heads: torch.Tensor, norm: nn.Module, rotary: Rotary, text: int, scale: float) -> torch.Tensor:
    """`_rotate(norm(heads), ...)` in one kernel, without the rounding between the two."""
    from inference.attention_kernels import norm_and_rotate

    return norm_and_rotate(heads, norm.weight, norm.bias, norm.eps, *rotary, text, scale)


def _with_still_text(rotary: Rotary, text: int) -> Rotary:
    """(cos, sin) [tokens, 1, head_dim] with rows (1, 0) for the text in front."""
    cos, sin = rotary
    ones = cos.new_ones(text, cos.shape[1])
    return torch.cat([ones, cos])[:, None], torch.cat([torch.zeros_like(ones), sin])[:, None]


def _rotate(heads: torch.Tensor, rotary: Rotary, scale: float = 1.0) -> torch.Tensor:
    """Rotary embedding of neighbouring pairs in float32, as diffusers does it, times `scale`; rounded once, at the end.

    heads  [batch, tokens, heads, head_dim]
    """
    cos, sin = rotary
    even, odd = heads.unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack([-odd, even], dim=-1).flatten(-2)
    rotated = heads.float() * cos + turned.float() * sin
    return (rotated if scale == 1 else rotated * scale).to(heads.dtype)
