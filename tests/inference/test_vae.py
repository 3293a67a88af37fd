"""Decoding any number of latents, against the stock decoder where that is right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers import AutoencoderKLCogVideoX
from tiny_clips import TinyModel
from torch import Tensor, nn

from inference import lean_vae
from inference.checkpoints import load_vae
from inference.vae import correct_upsampling, decode, decode_chunks, encode


@pytest.fixture(scope="module")
def vae(tiny: TinyModel) -> AutoencoderKLCogVideoX:
    return load_vae(tiny.base, torch.float32)


@pytest.fixture(scope="module")
def stock(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    """diffusers' own VAE with the same weights."""
    untouched = AutoencoderKLCogVideoX.from_config(dict(vae.config)).eval().requires_grad_(False)
    untouched.load_state_dict(vae.state_dict())
    return untouched


@pytest.fixture
def without_norms(vae: AutoencoderKLCogVideoX, stock: AutoencoderKLCogVideoX) -> Iterator[None]:
    """Group norms run over a chunk; without them decoding in chunks is the same function as decoding at once."""
    norms = [module for model in (vae, stock) for module in model.modules() if isinstance(module, nn.GroupNorm)]
    for norm in norms:
        norm.forward = lambda values: 0.5 * values  # type: ignore[method-assign]
    yield
    for norm in norms:
        del norm.forward


def latents_of_noise(count: int, height: int = 1, width: int = 2) -> Tensor:
    return torch.randn(1, count, 16, height, width, generator=torch.Generator().manual_seed(count))


@torch.inference_mode()
def test_1_to_50_latents_give_4n_minus_3_frames(vae: AutoencoderKLCogVideoX) -> None:
    for count in range(1, 51):
        lengths = [chunk.shape[2] for chunk in decode_chunks(vae, latents_of_noise(count, 1, 1))]
        assert sum(lengths) == 4 * count - 3
        assert lengths == [1] + [8] * ((count - 1) // 2) + [4] * ((count - 1) % 2)


@torch.inference_mode()
def test_the_stock_decoder_is_still_wrong_for_even_counts(stock: AutoencoderKLCogVideoX) -> None:
    """If this fails, diffusers has mended it, and `correct_upsampling` may go."""
    assert stock.decode(latents_of_noise(22).transpose(1, 2)).sample.shape[2] == 88


@torch.inference_mode()
@pytest.mark.parametrize("count", [1, 3, 5, 9])
def test_odd_counts_equal_the_stock_decoder_at_once(
    vae: AutoencoderKLCogVideoX, stock: AutoencoderKLCogVideoX, without_norms: None, count: int
) -> None:
    latents = latents_of_noise(count, 2, 3)
    at_once, _ = stock.decoder(latents.transpose(1, 2) / 0.7)
    torch.testing.assert_close(decode(vae, latents), at_once, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("count", [2, 4, 22])
def test_even_counts_equal_the_beginning_of_the_next_odd_count(
    vae: AutoencoderKLCogVideoX, stock: AutoencoderKLCogVideoX, without_norms: None, count: int
) -> None:
    """The decoder is causal: what follows a latent changes nothing before it."""
    latents = latents_of_noise(count + 1)
    at_once, _ = stock.decoder(latents.transpose(1, 2) / 0.7)
    found = decode(vae, latents[:, :count])
    assert found.shape[2] == 4 * count - 3
    torch.testing.assert_close(found, at_once[:, :, : 4 * count - 3], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_one_latent_equals_the_stock_decoder(vae: AutoencoderKLCogVideoX, stock: AutoencoderKLCogVideoX) -> None:
    latents = latents_of_noise(1, 4, 6)
    torch.testing.assert_close(decode(vae, latents), stock.decode(latents.transpose(1, 2) / 0.7).sample)


@torch.inference_mode()
def test_later_pairs_change_nothing_before_them(vae: AutoencoderKLCogVideoX) -> None:
    latents = latents_of_noise(9, 2, 2)
    assert torch.equal(decode(vae, latents)[:, :, :17], decode(vae, latents[:, :5]))


@torch.inference_mode()
def test_encoding_is_the_scaled_mode(vae: AutoencoderKLCogVideoX, stock: AutoencoderKLCogVideoX) -> None:
    frames = torch.randn(1, 3, 21, 16, 16, generator=torch.Generator().manual_seed(0))
    found = encode(vae, frames)
    assert found.shape == (1, 6, 16, 2, 2)  # 21 = 4 * 6 - 3
    moments = stock.encode(frames).latent_dist.parameters
    torch.testing.assert_close(found, (moments[:, :16] * 0.7).transpose(1, 2))


def test_weights_keep_their_names(vae: AutoencoderKLCogVideoX, stock: AutoencoderKLCogVideoX) -> None:
    assert list(vae.state_dict()) == list(stock.state_dict())
    before = [*vae.decoder.modules()]
    assert [*correct_upsampling(vae).decoder.modules()] == before  # a second time changes nothing


@torch.inference_mode()
@pytest.mark.parametrize("count", [1, 5, 13])
def test_lean_blocks_compute_what_the_stock_ones_do(
    vae: AutoencoderKLCogVideoX, stock: AutoencoderKLCogVideoX, count: int
) -> None:
    """Chunk by chunk, norms and caches included; `stock` has its upsampling mended here, and nothing else."""
    latents = latents_of_noise(count, 2, 3)
    correct_upsampling(stock)
    torch.testing.assert_close(decode(vae, latents), decode(stock, latents), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("frames", [5, 9, 12])
def test_long_inputs_are_convolved_in_parts(monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    convolution = nn.Conv3d(4, 6, 3, padding=(0, 1, 1))
    video = torch.randn(1, 4, frames, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = convolution(video) - convolution.bias[:, None, None, None]
    monkeypatch.setattr(lean_vae, "LARGEST_INPUT", 5 * video[0, :, 0].numel())
    torch.testing.assert_close(lean_vae.without_bias(convolution, video), expected, atol=1e-5, rtol=1e-5)
