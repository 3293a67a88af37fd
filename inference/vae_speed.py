"""The stock VAE laid out for a GPU: the same sums in another order. An experiment; the pipeline does not use it.

Equal to the stock one on a CPU. On a GPU the compiled form did not return within minutes (docs/VOID_SPEED.md).

Three things cost most in the stock VAE: group norms that give each group to one block of threads, conversions
between memory layouts around every convolution, and modulations computed at full size although their input is a small
latent. Here everything stays channels-last, modulations are computed at the latent's size (a 1x1x1 convolution commutes
with nearest upsampling), and norm, modulation and SiLU are one compiled function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXResnetBlock3D, CogVideoXSpatialNorm3D
from torch import Tensor, nn

from inference.vae import ToldUpsample

LAST_3D = torch.channels_last_3d


def speed_up_vae(vae: AutoencoderKLCogVideoX, *, compiled: bool = True) -> AutoencoderKLCogVideoX:
    """`vae` itself with faster layers, in place; weights keep their values, and their modules' names.

    Call it after `inference.vae.correct_upsampling`. `compiled` needs a working compiler for the device.
    """
    run = torch.compile(norm_silu, dynamic=True, fullgraph=True) if compiled else norm_silu
    for half in (vae.encoder, vae.decoder):
        half.norm_out, half.conv_act = _fused(half.norm_out, run), nn.Identity()
        for module in list(half.modules()):
            if isinstance(module, CogVideoXResnetBlock3D):
                module.norm1, module.norm2 = _fused(module.norm1, run), _fused(module.norm2, run)
                module.nonlinearity = nn.Identity()
            elif isinstance(module, ToldUpsample):
                module.__class__ = ChannelsLastUpsample
            elif isinstance(module, nn.Conv3d):
                module.weight.data = module.weight.data.contiguous(memory_format=LAST_3D)
            elif isinstance(module, nn.Conv2d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return vae


def norm_silu(
    values: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, gain: Tensor | None, shift: Tensor | None
) -> Tensor:
    """silu(group_norm(values) * gain + shift) for values [batch, channels, frames, height, width], channels-last.

    gain, shift   [batch, channels, frames, height / k, width / k], repeated k times each way; None: no modulation
    Moments are taken per channel, then combined over each group: the channels lie next to each other in memory.
    """
    wide = values.float()
    variance, mean = torch.var_mean(wide, dim=(2, 3, 4), correction=0)
    batch, channels = mean.shape
    by_group = (batch, groups, channels // groups)
    centre = mean.view(by_group).mean(2, keepdim=True)
    spread = variance.view(by_group).mean(2, keepdim=True) + (mean.view(by_group) - centre).square().mean(
        2, keepdim=True
    )
    scale = weight.float() * (spread + eps).rsqrt().expand(by_group).reshape(batch, channels)
    offset = bias.float() - centre.expand(by_group).reshape(batch, channels) * scale
    normed = wide * scale[:, :, None, None, None] + offset[:, :, None, None, None]
    if gain is not None and shift is not None:
        size = values.shape[2:]
        normed = normed * F.interpolate(gain.float(), size=size) + F.interpolate(shift.float(), size=size)
    return F.silu(normed).to(values.dtype)


class FusedNorm(nn.GroupNorm):
    """A group norm followed by SiLU; takes over a norm's weights."""

    def __init__(self, norm: nn.GroupNorm, run: Callable[..., Tensor]) -> None:
        nn.Module.__init__(self)
        self.num_groups, self.num_channels, self.eps, self.affine = norm.num_groups, norm.num_channels, norm.eps, True
        self.weight, self.bias = norm.weight, norm.bias
        self.run = run

    def forward(self, values: Tensor) -> Tensor:
        """[batch, channels, frames, height, width] -> the same, channels-last."""
        values = values.contiguous(memory_format=LAST_3D)
        return self.run(values, self.weight, self.bias, self.num_groups, self.eps, None, None)


class FusedSpatialNorm(nn.Module):
    """A spatially modulated group norm followed by SiLU; takes over a CogVideoXSpatialNorm3D's weights and its call."""

    def __init__(self, norm: CogVideoXSpatialNorm3D, run: Callable[..., Tensor]) -> None:
        super().__init__()
        self.norm_layer, self.conv_y, self.conv_b = norm.norm_layer, norm.conv_y, norm.conv_b
        self.run = run

    def forward(self, f: Tensor, zq: Tensor, conv_cache: dict[str, Any] | None = None) -> tuple[Tensor, dict[str, Any]]:
        """(values as `f`, channels-last, {}); `zq` is the latent. A 1x1x1 convolution needs no cache."""
        frames = f.shape[2]
        gain, shift = (_in_time(conv.conv(zq), frames) for conv in (self.conv_y, self.conv_b))
        norm = self.norm_layer
        values = f.contiguous(memory_format=LAST_3D)
        return self.run(values, norm.weight, norm.bias, norm.num_groups, norm.eps, gain, shift), {}


class ChannelsLastUpsample(ToldUpsample):
    """`ToldUpsample` that keeps channels last: nearest upsampling as one strided copy."""

    def forward(self, inputs: Tensor) -> Tensor:
        """[batch, channels, frames, height, width] -> the same, larger."""
        in_time = 1 if self.first_chunk else 2
        batch, channels, frames, height, width = inputs.shape
        last = inputs.permute(0, 2, 3, 4, 1)[:, :, None, :, None, :, None]
        grown = last.expand(batch, frames, in_time, height, 2, width, 2, channels)
        pictures = grown.reshape(batch * frames * in_time, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)
        convolved = self.conv(pictures)
        return convolved.unflatten(0, (batch, frames * in_time)).transpose(1, 2)


def _fused(norm: nn.Module, run: Callable[..., Tensor]) -> nn.Module:
    if isinstance(norm, CogVideoXSpatialNorm3D):
        return FusedSpatialNorm(norm, run)
    return FusedNorm(norm, run) if isinstance(norm, nn.GroupNorm) else norm


def _in_time(values: Tensor, frames: int) -> Tensor:
    """Nearest in time only, as the stock norm does it: of an odd count, the first frame stands for itself."""
    if frames == values.shape[2]:
        return values
    size = values.shape[3:]
    if frames > 1 and frames % 2 == 1:
        rest = F.interpolate(values[:, :, 1:], size=(frames - 1, *size))
        return torch.cat([values[:, :, :1], rest], dim=2)
    return F.interpolate(values, size=(frames, *size))
