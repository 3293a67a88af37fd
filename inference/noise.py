"""Gaussian noise that moves with a video and stays Gaussian: the initial latents of VOID's second pass.

Method: Burgert et al., "Go-with-the-Flow" (CVPR 2025), section 3. Every frame's noise follows from the frame before:

    shrink   each pixel moves along the flow to the nearest pixel; where several meet, sum(n w) / sqrt(sum w^2)
    expand   a pixel that nothing reached takes the noise that lies backward along the flow, or fresh noise from outside
    split    k pixels that show one source pixel get n / sqrt(k) + (e - mean(e)) with fresh e, weight w / k

A split leaves k independent unit normals whose sum is still n sqrt(k); a meeting of disjoint groups is one unit normal
again. So every frame is white and N(0, 1), whatever the flow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812

from datagen.errors import DataError
from inference.settings import NoiseResample

LATENT_STRIDE = 8  # pixels a latent, each way
FRAMES_PER_LATENT = 4
RELEASED_SCALE = 4  # the released script: flow of frames at half size, times 8
RELEASED_SIZE = (480, 720)
SMALLEST_WEIGHT = 1e-6


@dataclass(frozen=True, kw_only=True)
class NoiseField:
    """Noise of one frame at pixel centres; N = height * width, row by row.

    values   float32 [N, channels]
    weight   float32 [N], the share of the image that this noise came from; mean 1
    offset   float32 [N, 2], (x, y) from the pixel centre to where the noise really lies [px], within 0.5
    """

    values: torch.Tensor
    weight: torch.Tensor
    offset: torch.Tensor


def warped_noise(
    flow: torch.Tensor,
    num_latent_frames: int,
    channels: int = 16,
    *,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    scale: int = RELEASED_SCALE,
    noise_resample: NoiseResample = NoiseResample.ALIGNED,
    frames_per_latent: int = FRAMES_PER_LATENT,
) -> torch.Tensor:
    """Float32 [1, num_latent_frames, channels, height / 8, width / 8], every frame N(0, 1) and white.

    flow        float32 [num_frames - 1, 2, height, width], (x, y) [px]: what is at p in frame t is at p + flow[t, :, p]
                in frame t + 1
    scale       noise pixels a video pixel, each way; 4 as in the released script, 1 is sixteen times cheaper and
                follows slow motion less smoothly
    generator   seeds a generator on `device`, so the result depends on the kind of device, not on which one
    REFERENCE repeats the released resampling (crop to 480x720, bilinear to the latents' size): std 0.66 and misaligned
    """
    frames, two, height, width = flow.shape
    needed = frames_per_latent * (num_latent_frames - 1)
    if two != 2 or height % LATENT_STRIDE or width % LATENT_STRIDE or scale < 1:
        raise DataError(
            f"flow for noise: expected [num_frames - 1, 2, height, width] with sides in steps of {LATENT_STRIDE} and a "
            f"scale of at least 1; found {tuple(flow.shape)} and scale {scale}"
        )
    if frames < needed:
        raise DataError(f"flow for noise: {num_latent_frames} latents need {needed} flow fields; found {frames}")
    drawn = torch.Generator(device).manual_seed(
        int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    )
    flow = flow[:needed].to(device, torch.float32)
    if not torch.isfinite(flow).all():
        raise DataError("flow for noise: a value is not finite; compute the flow again")
    if noise_resample == NoiseResample.ALIGNED:
        return _warp(flow, channels, drawn, scale, frames_per_latent)
    noise = _warp(_released_crop(flow), channels, drawn, scale, frames_per_latent)[0]
    size = (height // LATENT_STRIDE, width // LATENT_STRIDE)
    return F.interpolate(noise, size=size, mode="bilinear", align_corners=False)[None]


def _warp(
    flow: torch.Tensor, channels: int, generator: torch.Generator, scale: int, frames_per_latent: int
) -> torch.Tensor:
    """Noise at `scale` times the flow's size, carried through all fields; some frames, brought to latent size."""
    height, width = (side * scale for side in flow.shape[2:])
    block = LATENT_STRIDE * scale
    field = initial_noise(height * width, channels, generator)
    latents = [_to_latent(field.values, height, width, block)]
    for index, small in enumerate(flow, start=1):
        large = F.interpolate(small[None], size=(height, width), mode="bilinear", align_corners=False)[0] * scale
        field = advect(field, large, generator)
        if index % frames_per_latent == 0:
            latents.append(_to_latent(field.values, height, width, block))
    return torch.stack(latents)[None]


def initial_noise(num_pixels: int, channels: int, generator: torch.Generator) -> NoiseField:
    """Unit normals on every pixel."""
    device = generator.device
    return NoiseField(
        values=torch.randn(num_pixels, channels, generator=generator, device=device),
        weight=torch.ones(num_pixels, device=device),
        offset=torch.zeros(num_pixels, 2, device=device),
    )


def advect(field: NoiseField, flow: torch.Tensor, generator: torch.Generator) -> NoiseField:
    """The next frame's noise; flow float32 [2, height, width] [px] on the field's own grid."""
    height, width = flow.shape[1:]
    grid = _pixel_grid(height, width, flow.device)
    motion = flow.reshape(2, -1).T

    reached = grid + field.offset + motion
    target, inside = _pixel_index(reached, height, width)
    movers = inside.nonzero()[:, 0]
    target = target[movers]
    empty = torch.ones(height * width, dtype=torch.bool, device=flow.device)
    empty[target] = False

    holes = empty.nonzero()[:, 0]
    source, known = _pixel_index((grid - motion)[holes], height, width)
    fresh, pulled, source = holes[~known], holes[known], source[known]

    copies = torch.zeros(height * width, dtype=torch.int64, device=flow.device)
    copies[movers] = 1
    copies.index_add_(0, source, torch.ones_like(source))
    shown = torch.cat([movers, source])  # for every copy, the source pixel that it shows
    values = _split(field.values, shown, copies, generator)
    weight = (field.weight / copies.clamp(min=1))[shown]

    moved = len(movers)
    landed = _meet(
        values[:moved], weight[:moved], (reached - reached.round())[movers], target, num_pixels=height * width
    )
    landed.values[pulled], landed.weight[pulled] = values[moved:], weight[moved:]
    landed.values[fresh] = torch.randn(len(fresh), values.shape[1], generator=generator, device=flow.device)
    landed.weight[fresh] = 1.0
    # Shares only matter relative to each other; the floor keeps endless expansion from ending in 0 / 0.
    weight = (landed.weight / landed.weight.mean()).clamp(min=SMALLEST_WEIGHT)
    return NoiseField(values=landed.values, weight=weight, offset=landed.offset)


def _split(values: torch.Tensor, shown: torch.Tensor, copies: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise of every copy [num_copies, channels]: independent unit normals, also where copies show one source pixel."""
    out = values[shown]
    shared = (copies[shown] > 1).nonzero()[:, 0]
    group = shown[shared]
    extra = torch.randn(len(shared), values.shape[1], generator=generator, device=values.device)
    count = copies[group].to(values.dtype)[:, None]
    mean = _scatter_add(torch.zeros_like(values), group, extra)[group] / count
    out[shared] = out[shared] / count.sqrt() + extra - mean
    return out


def _meet(
    values: torch.Tensor, weight: torch.Tensor, offset: torch.Tensor, target: torch.Tensor, *, num_pixels: int
) -> NoiseField:
    """What lies on each pixel after all copies [num_copies, ...] landed on their target; zero where none did."""
    column = weight[:, None]
    stacked = torch.cat([values * column, offset * column, column, column**2], dim=1)
    sums = _scatter_add(stacked.new_zeros(num_pixels, stacked.shape[1]), target, stacked)
    channels = values.shape[1]
    total, squared = sums[:, channels + 2], sums[:, channels + 3]
    floor = torch.finfo(values.dtype).tiny
    return NoiseField(
        values=sums[:, :channels] / squared.clamp(min=floor).sqrt()[:, None],
        weight=total,
        offset=sums[:, channels : channels + 2] / total.clamp(min=floor)[:, None],
    )


def _scatter_add(into: torch.Tensor, index: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """`into[index] += rows` with repeated indices, in a fixed order: index_add_ on a GPU sums in any order."""
    if into.is_cuda:
        return into.index_put_((index,), rows, accumulate=True)
    return into.index_add_(0, index, rows)


def _pixel_grid(height: int, width: int, device: torch.device) -> torch.Tensor:
    """Float32 [N, 2], (x, y) of every pixel."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=1).to(torch.float32)


def _pixel_index(position: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Index of the nearest pixel (int64) and whether it is in the image, for (x, y) positions [M, 2]."""
    # Clamped before the cast: a huge float has no int64.
    x = position[:, 0].round().clamp(-1, width).to(torch.int64)
    y = position[:, 1].round().clamp(-1, height).to(torch.int64)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return y * width + x, inside


def _to_latent(values: torch.Tensor, height: int, width: int, block: int) -> torch.Tensor:
    """[channels, height / block, width / block]: block means times the block's side, so that the variance stays one."""
    blocks = values.view(height // block, block, width // block, block, -1)
    return blocks.mean(dim=(1, 3)).permute(2, 0, 1) * block


def _released_crop(flow: torch.Tensor) -> torch.Tensor:
    """Flow as the released script sees it: the video resized to cover 480x720 and cropped about its centre."""
    height, width = flow.shape[2:]
    tall, wide = RELEASED_SIZE
    factor = max(tall / height, wide / width)
    size = (max(tall, math.ceil(height * factor)), max(wide, math.ceil(width * factor)))
    large = F.interpolate(flow, size=size, mode="bilinear", align_corners=False) * factor
    top, left = (size[0] - tall) // 2, (size[1] - wide) // 2
    return large[:, :, top : top + tall, left : left + wide].contiguous()
