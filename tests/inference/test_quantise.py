"""Eight bits with row scales: small weights survive, and the error is what the format allows."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from datagen.errors import ConfigError
from inference.quantise import FP8, Float8, Float8Linear, dequantised, quantise, to_float8


def linear() -> nn.Linear:
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(256, 128).bfloat16().requires_grad_(False)
    rows = torch.logspace(-6, 0, 128)[:, None]
    layer.weight.copy_(torch.randn(128, 256, generator=generator) * rows)
    return layer


def test_rows_of_any_size_keep_three_bits() -> None:
    rows = linear().weight.float()
    small, scale = to_float8(rows)
    relative = (small.float() * scale - rows).norm(dim=1) / rows.norm(dim=1)
    assert relative.max() < 2**-4  # half a step of a 3-bit mantissa
    assert relative.min() > 1e-3  # and it is no copy


def test_a_row_of_zeros_stays_zero() -> None:
    small, scale = to_float8(torch.zeros(2, 4))
    assert torch.equal(small.float() * scale, torch.zeros(2, 4))


def test_the_layer_computes_nearly_what_it_did() -> None:
    layer = linear()
    values = torch.randn(3, 5, 256, generator=torch.Generator().manual_seed(1)).bfloat16()
    exact = nn.functional.linear(values.float(), layer.weight.float(), layer.bias.float())
    found = dequantised(Float8Linear(layer, Float8.MATMULS), values)
    assert found.shape == exact.shape
    assert 0.005 < (found - exact).norm() / exact.norm() < 0.05


def test_weights_alone_are_unpacked_to_what_they_nearly_were() -> None:
    layer = linear()
    values = torch.randn(3, 5, 256, generator=torch.Generator().manual_seed(1)).bfloat16()
    small = Float8Linear(layer, Float8.WEIGHTS)
    assert small.weight.dtype is FP8 and small.weight.nbytes * 2 == layer.weight.nbytes
    unpacked = small.weight.float() * small.scale.T
    expected = nn.functional.linear(values.float(), unpacked, layer.bias.float())
    assert (small(values).float() - expected).norm() / expected.norm() < 2**-7  # rounding to bf16
    assert 0.005 < (small(values) - layer(values)).norm() / layer(values).norm() < 0.05


def test_large_layers_alone_are_quantised() -> None:
    transformer = nn.Module()
    transformer.transformer_blocks = nn.ModuleList([nn.ModuleDict({"to_q": linear(), "norm1": linear()})])
    quantise(transformer, Float8.WEIGHTS)
    block = transformer.transformer_blocks[0]
    assert type(block["to_q"]) is Float8Linear and type(block["norm1"]) is nn.Linear
    assert all(type(tensor) is torch.Tensor for tensor in block["to_q"].state_dict().values())  # nothing but plain ones


def test_products_need_a_gpu_that_has_them() -> None:
    transformer = nn.Module()
    transformer.transformer_blocks = nn.ModuleList([linear()])
    with pytest.raises(ConfigError, match="fp8 matrix products need"):
        quantise(transformer, Float8.MATMULS)
