"""The Triton kernels against PyTorch, in its interpreter: `TRITON_INTERPRET=1 pytest tests/inference/test_kernels.py`.

Skipped otherwise: CPU builds of torch come without Triton, and the variable counts before anything imports it.
"""

from __future__ import annotations

import importlib.util
import os

import pytest
import torch
from torch import Tensor, nn

if importlib.util.find_spec("triton") is None or os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("needs Triton and TRITON_INTERPRET=1", allow_module_level=True)

from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXSpatialNorm3D

from inference import attention_kernels, lean_vae, norm_kernels
from inference.attention import Attention, query_scale
from inference.compile import _rotate, _with_still_text
from inference.quantise import to_float8

pytestmark = pytest.mark.filterwarnings("ignore:Conversion of an array")  # by the interpreter


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
@pytest.mark.parametrize("tokens", [40, 128, 150])
def test_attention_without_a_maximum(tokens: int) -> None:
    query, key, value = drawn(2, tokens, 3, 2, 64).unbind(2)
    expected = nn.functional.scaled_dot_product_attention(*(one.transpose(1, 2) for one in (query, key, value)))
    found = attention_kernels.attend_bounded(query * query_scale(Attention.BOUNDED, 64), key, value)
    torch.testing.assert_close(found, expected.transpose(1, 2), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_norm_and_rotation_of_heads() -> None:
    text, tokens = 3, 10
    heads = drawn(2, tokens, 3, 5, 64)[:, :, 1]  # strided, as a part of the stacked projections
    norm = nn.LayerNorm(64, eps=1e-6)
    nn.init.normal_(norm.weight, 1, 0.3)
    nn.init.normal_(norm.bias, 0, 0.3)
    rotary = (drawn(tokens - text, 64, seed=1).cos(), drawn(tokens - text, 64, seed=1).sin())
    expected = _rotate(norm(heads), _with_still_text(rotary, text), 0.7)
    found = attention_kernels.norm_and_rotate(heads, norm.weight, norm.bias, 1e-6, *rotary, text, 0.7)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("width", [96, 128])
def test_gelu_in_eight_bits(width: int) -> None:
    small, scale = attention_kernels.gelu_to_float8(drawn(5, width))
    rows, expected = to_float8(nn.functional.gelu(drawn(5, width), approximate="tanh"))
    torch.testing.assert_close(scale, expected)
    # Triton's interpreter cuts where a GPU rounds.
    assert (small.float() - rows.float()).norm() < 0.1 * rows.float().norm()


@torch.inference_mode()
@pytest.mark.parametrize(("frames", "known"), [(1, 1), (4, 2), (5, 3)])
@pytest.mark.parametrize("styled", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_norms(frames: int, known: int, styled: bool, biased: bool) -> None:
    bias = 3 * drawn(16, seed=2) if biased else None
    video = 2 * drawn(1, 16, frames, 6, 10) + 1
    norm = CogVideoXSpatialNorm3D(16, 16, groups=4) if styled else nn.GroupNorm(4, 16, eps=1e-6)
    group = norm.norm_layer if styled else norm
    nn.init.normal_(group.weight, 1, 0.3)
    latents = drawn(1, 16, known, 3, 5, seed=1)
    given = video if bias is None else video + bias[:, None, None, None]
    expected = nn.functional.silu(norm(given, latents)[0] if styled else norm(given))
    maps = (norm.conv_y.conv(latents), norm.conv_b.conv(latents)) if styled else None
    out = lean_vae.empty_video(video, frames + 2).fill_(torch.nan)
    lean_vae._norm_by_kernels(out[:, :, 2:], lean_vae.channels_last(video), bias, group, maps)
    torch.testing.assert_close(out[:, :, 2:], expected, atol=1e-5, rtol=1e-5)
    assert out[:, :, :2].isnan().all()  # and nothing else is written


@torch.inference_mode()
def test_the_sum_of_two_videos_and_a_bias() -> None:
    rows, other, bias = drawn(301, 32), drawn(301, 32, seed=1), drawn(32, seed=2)
    expected = rows + other + bias
    norm_kernels.add_biased(rows, other, bias)
    torch.testing.assert_close(rows, expected)
