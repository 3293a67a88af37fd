"""Encoding to and decoding from latents with the stock VAE, right for every number of latents.

diffusers decodes an even count of latents wrongly: 22 latents give 88 shifted frames. Its temporal upsampler tells the
start of a video by an odd frame count, which a last single latent has too. Here latent 0 is decoded alone, then pairs,
with the cache of the causal convolutions, and the upsampler is told which of the two it sees: n latents, 4n - 3 frames,
as in the code that VOID was trained with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.upsampling import CogVideoXUpsample3D
from torch import Tensor
from torch.nn import functional

from inference.lean_vae import pictures_of, video_of

LATENTS_A_CHUNK = 2  # what the VAE was trained with; group norms run over a chunk, so another number changes the result


def encode(vae: AutoencoderKLCogVideoX, frames: Tensor) -> Tensor:
    """Scaled latents [1, num_latents, 16, height / 8, width / 8] of frames [1, 3, 8k + 5, height, width]."""
    latents = vae.encode(frames).latent_dist.mode() * vae.config.scaling_factor
    return latents.transpose(1, 2)


def decode(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """Frames [1, 3, 4n - 3, 8 height, 8 width] of scaled latents [1, n, 16, height, width]."""
    return torch.cat(list(decode_chunks(vae, latents)), dim=2)


def decode_chunks(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Iterator[Tensor]:
    """Frames of latent 0, then of each pair that follows, in order: 1, then 8 each, 4 for a last single one."""
    scaled = (latents / vae.config.scaling_factor).transpose(1, 2)
    if vae.post_quant_conv is not None:
        scaled = vae.post_quant_conv(scaled)
    cache = None
    first, *rest = scaled.split([1, scaled.shape[2] - 1], dim=2)
    chunks = [first, *(chunk for later in rest if later.shape[2] for chunk in later.split(LATENTS_A_CHUNK, dim=2))]
    for number, chunk in enumerate(chunks):
        with _chunk_position(vae, first=number == 0):
            frames, cache = vae.decoder(chunk, conv_cache=cache)
        cache = _once(cache)
        yield frames


def to_pictures(frames: Tensor) -> Tensor:
    """Uint8 [num_frames, height, width, 3] of frames [1, 3, num_frames, height, width] in [-1, 1]; on their device."""
    return ((frames[0].float() / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 3, 0)


def to_host(values: Tensor) -> Tensor:
    """`values` in main memory; from a GPU into pages that stay in place, ten times faster than into fresh ones."""
    if not values.is_cuda:
        return values
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return host.copy_(values)


def correct_upsampling(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    """`vae` itself, its temporal upsamplers replaced by ones that are told where in the video they are.

    The weights stay where they are, under the same names.
    """
    for block in vae.decoder.up_blocks:
        for index, layer in enumerate(block.upsamplers or ()):
            if layer.compress_time and not isinstance(layer, ToldUpsample):
                block.upsamplers[index] = ToldUpsample(layer)
    return vae


class Once(dict[str, Any]):
    """A cache of the convolutions that lets go of each entry as it is read: old and new are not kept side by side."""

    def get(self, key: str, default: Any = None) -> Any:
        return self.pop(key, default)


def _once(cache: Mapping[str, Any]) -> Once:
    return Once({key: _once(value) if isinstance(value, dict) else value for key, value in cache.items()})


class ToldUpsample(CogVideoXUpsample3D):
    """Doubles height and width, and the frame count too unless the chunk is the first one of a video."""

    def __init__(self, stock: CogVideoXUpsample3D) -> None:
        torch.nn.Module.__init__(self)
        self.conv = stock.conv
        self.compress_time = True
        self.first_chunk = True

    def forward(self, inputs: Tensor) -> Tensor:
        """[1, channels, frames, height, width] -> the same, larger; a picture that is repeated is convolved once."""
        pictures = functional.interpolate(pictures_of(inputs), scale_factor=2)
        grown = video_of(self.conv(pictures))
        return grown if self.first_chunk else grown.repeat_interleave(2, dim=2)


@contextmanager
def _chunk_position(vae: AutoencoderKLCogVideoX, *, first: bool) -> Iterator[None]:
    """Tell the upsamplers, for one chunk."""
    told = [layer for layer in vae.decoder.modules() if isinstance(layer, ToldUpsample)]
    for layer in told:
        layer.first_chunk = first
    yield
