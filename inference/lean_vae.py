"""The VAE's blocks laid out for a GPU: the same weights and sums as diffusers' blocks, fewer passes over memory.

Everything lies as [frames, height, width, channels]: a GPU's convolutions want it so, and would copy. A norm, its
modulation and its activation are one pass, written straight behind the frames that a causal convolution remembers. What
modulates a pixel is computed on the latents' few pixels and looked up, and pictures that the temporal upsampler repeats
are convolved once. A convolution's bias, for which PyTorch passes over the result once more, goes into the norm or
the sum that reads the result. Rounding differs: one rounding to bf16 stands where diffusers has four.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import (
    CogVideoXCausalConv3d,
    CogVideoXResnetBlock3D,
    CogVideoXSpatialNorm3D,
)
from diffusers.models.downsampling import CogVideoXDownsample3D
from torch import Tensor, nn
from torch.nn import functional

Cache = Mapping[str, Any]
HISTORY = 2  # frames that a causal convolution over three frames remembers
LARGEST_INPUT = 2**30  # values of a convolution's input that cuDNN takes at once; diffusers splits there too


def lean(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    """`vae` itself with lean blocks and norms; the weights keep their names."""
    for module in vae.modules():
        for stock, ours in LEAN.items():
            if type(module) is stock:
                module.__class__ = ours
        if isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last_3d)
        elif isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last)
    # Norms within blocks are read by their block; the one at the end of the decoder is called, and activates too.
    vae.decoder.norm_out.__class__ = ActivatedNorm
    vae.decoder.conv_act = nn.Identity()
    return vae


class LeanResnet(CogVideoXResnetBlock3D):
    """A block of the encoder (`zq` None) or of the decoder; all tensors [1, channels, frames, height, width]."""

    def forward(
        self, inputs: Tensor, temb: None = None, zq: Tensor | None = None, conv_cache: Cache | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The block's result, and what its two convolutions remember."""
        cache = conv_cache or {}
        inputs = channels_last(inputs)
        hidden, first = normed_convolution(inputs, None, self.norm1, self.conv1, zq, cache.get("conv1"))
        bias = self.conv1.conv.bias
        hidden, second = normed_convolution(hidden, bias, self.norm2, self.conv2, zq, cache.get("conv2"))
        bias = self.conv2.conv.bias
        if self.in_channels != self.out_channels:
            inputs = without_bias(self.conv_shortcut, inputs)
            bias = bias.float() + self.conv_shortcut.bias
        return added(hidden, inputs, bias), {"conv1": first, "conv2": second}


class ActivatedNorm(CogVideoXSpatialNorm3D):
    """The decoder's last norm, with the activation that follows it."""

    def forward(self, f: Tensor, zq: Tensor, conv_cache: Cache | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """As diffusers', activated; remembers nothing."""
        f = channels_last(f)
        out = empty_video(f, f.shape[2])
        norm_into(out, f, None, self, zq)
        return out, {}


class LeanDownsample(CogVideoXDownsample3D):
    """Halves height and width, and the frames after an odd first one to their means by two."""

    def forward(self, x: Tensor) -> Tensor:
        """[1, channels, frames, height, width] -> the same, smaller."""
        x = channels_last(x)
        if self.compress_time:
            alone = x.shape[2] % 2
            pairs = x[:, :, alone:]
            means = (pairs[:, :, ::2] + pairs[:, :, 1::2]).mul_(0.5)
            x = torch.cat([x[:, :, :alone], means], dim=2) if alone else means
        pictures = functional.pad(pictures_of(x), (0, 1, 0, 1))
        return video_of(self.conv(pictures))


LEAN = {CogVideoXResnetBlock3D: LeanResnet, CogVideoXDownsample3D: LeanDownsample}


def normed_convolution(
    video: Tensor,
    bias: Tensor | None,
    norm: nn.Module,
    convolution: CogVideoXCausalConv3d,
    zq: Tensor | None,
    history: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Norm of video + bias, activation and causal convolution without its bias; and the last frames that it read."""
    padded = empty_video(video, video.shape[2] + HISTORY)
    now = padded[:, :, HISTORY:]
    norm_into(now, video, bias, norm, zq)
    padded[:, :, :HISTORY] = now[:, :, :1] if history is None else history
    return without_bias(convolution.conv, padded), padded[:, :, -HISTORY:].clone()


def without_bias(convolution: nn.Conv3d, video: Tensor) -> Tensor:
    """The convolution's products of a video, without its bias; channels last."""
    reach = convolution.kernel_size[0] - 1
    frames = max(1, LARGEST_INPUT // video[0, :, 0].numel() - reach)
    parts = [
        functional.conv3d(video[:, :, start : start + frames + reach], convolution.weight, padding=convolution.padding)
        for start in range(0, video.shape[2] - reach, frames)
    ]
    return channels_last(parts[0] if len(parts) == 1 else torch.cat(parts, dim=2))


def added(video: Tensor, other: Tensor, bias: Tensor) -> Tensor:
    """`video` itself, with `other` and `bias` [channels] added."""
    if not video.is_cuda:
        return video.copy_(video.float() + other + bias[:, None, None, None])
    from inference.norm_kernels import add_biased

    add_biased(rows_of(video), rows_of(other), bias)
    return video


def norm_into(out: Tensor, video: Tensor, bias: Tensor | None, norm: nn.Module, zq: Tensor | None) -> None:
    """Write the activated norm of `video` + `bias` to `out`; both [1, channels, frames, height, width], channels last.

    With `zq` [1, 16, frames, h, w] the norm is spatial: modulated by two maps of the nearest latent pixel.
    """
    group = norm if zq is None else norm.norm_layer
    maps = None if zq is None else (norm.conv_y.conv(zq), norm.conv_b.conv(zq))
    if video.is_cuda and is_power_of_two(video.shape[1]):
        _norm_by_kernels(out, video, bias, group, maps)
        return
    values = group(video if bias is None else video + bias[:, None, None, None])
    if maps is not None:
        frames = nearest_frames(video.shape[2], maps[0].shape[2], video.device)
        scale, shift = (functional.interpolate(one[:, :, frames], size=video.shape[2:]) for one in maps)
        values = values * scale + shift
    out.copy_(functional.silu(values))


def _norm_by_kernels(
    out: Tensor, video: Tensor, bias: Tensor | None, group: nn.GroupNorm, maps: tuple[Tensor, Tensor] | None
) -> None:
    from inference.norm_kernels import channel_sums, modulate

    rows, written = rows_of(video), rows_of(out)
    gain, offset = gain_and_offset(channel_sums(rows), len(rows), bias, group)
    size, style = (*video.shape[3:], 1, 1), None
    if maps is not None:
        size = (*video.shape[3:], *maps[0].shape[3:])
        scale, shift = (one.permute(0, 2, 3, 4, 1).contiguous() for one in maps)
        style = (scale, shift, nearest_frames(video.shape[2], maps[0].shape[2], video.device))
    modulate(rows, written, gain, offset, style, size)


def gain_and_offset(sums: Tensor, count: int, bias: Tensor | None, group: nn.GroupNorm) -> tuple[Tensor, Tensor]:
    """Float32 [channels] each: the group norm of value + bias as gain * value + offset.

    sums    float64 [2, channels]: of the values and of their squares, over `count` values of each channel
    """
    channels = sums.shape[1]
    if bias is None:
        bias = sums.new_zeros(channels)
    bias = bias.double()
    sums = torch.stack([sums[0] + count * bias, sums[1] + (2 * sums[0] + count * bias) * bias])
    first, second = sums.view(2, group.num_groups, -1).sum(2) / (count * channels // group.num_groups)
    spread = (second - first * first).clamp(min=0).add(group.eps).rsqrt()
    repeat = channels // group.num_groups
    gain = spread.repeat_interleave(repeat) * group.weight
    return gain.float(), (group.bias + (bias - first.repeat_interleave(repeat)) * gain).float()


@lru_cache(maxsize=64)
def nearest_frames(frames: int, known: int, device: torch.device) -> Tensor:
    """Int32 [frames]: which of `known` latent frames goes with each; of an odd number the first one stands alone."""
    alone = int(frames > 1 and frames % 2 == 1)
    places = [t * (known - alone) // (frames - alone) for t in range(frames - alone)]
    with torch.inference_mode(False):
        return torch.tensor([0] * alone + [alone + place for place in places], dtype=torch.int32, device=device)


def channels_last(video: Tensor) -> Tensor:
    """The same values, lying as [1, frames, height, width, channels]."""
    return video.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)


def empty_video(like: Tensor, frames: int) -> Tensor:
    """[1, channels, frames, height, width] of the type of `like`, lying as `channels_last` has it."""
    batch, channels, _, height, width = like.shape
    return like.new_empty(batch, frames, height, width, channels).permute(0, 4, 1, 2, 3)


def pictures_of(video: Tensor) -> Tensor:
    """[frames, channels, height, width], no copy."""
    return video[0].transpose(0, 1)


def video_of(pictures: Tensor) -> Tensor:
    """[1, channels, frames, height, width], no copy."""
    return pictures.transpose(0, 1)[None]


def rows_of(video: Tensor) -> Tensor:
    """[frames * height * width, channels], no copy."""
    return video[0].permute(1, 2, 3, 0).flatten(0, 2)


def is_power_of_two(number: int) -> bool:
    """What the kernels need of the number of channels."""
    return number & (number - 1) == 0
