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
FIXED_POINT = 2.0**34  # steps of one in sums whose order must not matter


@dataclass(frozen=True, kw_only=True)
class NoiseField:
    """Noise of one frame at pixel centres; N = height * width, row by row.

    values   float32 [channels, N]
    weight   float32 [N], the share of the image that this noise came from; mean 1
    offset   float32 [2, N], (x, y) from the pixel centre to where the noise really lies [px], within 0.5
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
        values=torch.randn(channels, num_pixels, generator=generator, device=device),
        weight=torch.ones(num_pixels, device=device),
        offset=torch.zeros(2, num_pixels, device=device),
    )


def advect(field: NoiseField, flow: torch.Tensor, generator: torch.Generator) -> NoiseField:
    """The next frame's noise; flow float32 [2, height, width] [px] on the field's own grid."""
    height, width = flow.shape[1:]
    pixels = height * width
    grid, motion = _pixel_grid(height, width, flow.device), flow.flatten(1)

    reached = grid + field.offset + motion
    offset = reached - reached.round()
    target, inside = _pixel_index(reached, height, width)
    movers = inside.nonzero()[:, 0]
    target = target[movers]
    hits = _counts(target, pixels)

    holes = (hits == 0).nonzero()[:, 0]
    source, known = _pixel_index((grid - motion)[:, holes], height, width)
    fresh, pulled, source = holes[~known], holes[known], source[known]
    copies = _counts(source, pixels) + inside  # of each pixel of the frame before

    origin = torch.zeros(pixels, dtype=torch.int64, device=flow.device)  # what lies there; of several, one
    origin[target] = movers
    origin[pulled] = source
    split, pullers, apart = _split(field.values, inside, source, copies, generator)
    share = field.weight / copies.clamp(min=1)
    landed = NoiseField(
        values=split[:, origin],
        weight=share[origin],
        offset=torch.where(hits > 0, offset[:, origin], 0.0),
    )
    landed.values[:, pulled[pullers]] = apart
    _meet(landed, split, share, offset, movers, target, hits)
    landed.values[:, fresh] = torch.randn(len(split), len(fresh), generator=generator, device=flow.device)
    landed.weight[fresh] = 1.0
    # Shares only matter relative to each other; the floor keeps endless expansion from ending in 0 / 0.
    weight = (landed.weight / landed.weight.mean()).clamp(min=SMALLEST_WEIGHT)
    return NoiseField(values=landed.values, weight=weight, offset=landed.offset)


def _split(
    values: torch.Tensor, inside: torch.Tensor, source: torch.Tensor, copies: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Independent noise for pixels of the next frame that show the same one of [channels, N].

    inside, copies  [N]: whether a pixel moves to one of the next frame; how many show it there
    source          int64 [M]: the pixels that others pull
    Returns the noise of those that move [channels, N]; which of the M are not alone, and their noise.
    """
    shared = copies > 1
    movers, pullers = (shared & inside).nonzero()[:, 0], shared[source].nonzero()[:, 0]
    shown = torch.cat([movers, source[pullers]])
    extra = torch.randn(len(values), len(shown), generator=generator, device=values.device)
    group, count = (shared.cumsum(0) - 1)[shown], copies[shown].to(values.dtype)
    mean = _sums(extra, group, int(shared.sum()))[:, group] / count
    apart = values[:, shown] / count.sqrt() + extra - mean
    split = values.clone()
    split[:, movers] = apart[:, : len(movers)]
    return split, pullers, apart[:, len(movers) :]


def _meet(
    landed: NoiseField,
    values: torch.Tensor,
    weight: torch.Tensor,
    offset: torch.Tensor,
    movers: torch.Tensor,
    target: torch.Tensor,
    hits: torch.Tensor,
) -> None:
    """Where several pixels landed, put their sums.

    Pixel movers[i] of [..., N] landed on target[i]; hits [N] counts them.
    """
    crowded = hits > 1
    among = crowded[target].nonzero()[:, 0]
    movers, pixels = movers[among], crowded.nonzero()[:, 0]
    group = (crowded.cumsum(0) - 1)[target[among]]
    heaviest = weight.new_zeros(len(pixels)).scatter_reduce_(0, group, weight[movers], "amax")
    part = weight[movers] / heaviest[group]  # within 0..1, as sums in fixed point need it
    sums = _sums(
        torch.cat([values[:, movers] * part, offset[:, movers] * part, part[None], part[None] ** 2]), group, len(pixels)
    )
    noise, place, total, squared = sums.split([len(values), 2, 1, 1])
    landed.values[:, pixels] = noise / squared.sqrt()
    landed.offset[:, pixels] = place / total
    landed.weight[pixels] = heaviest * total[0]


def _counts(index: torch.Tensor, size: int) -> torch.Tensor:
    """Int32 [size]: how often each number occurs in `index`."""
    ones = torch.ones(1, dtype=torch.int32, device=index.device).expand(len(index))
    return torch.zeros(size, dtype=torch.int32, device=index.device).index_add_(0, index, ones)


def _sums(columns: torch.Tensor, group: torch.Tensor, groups: int) -> torch.Tensor:
    """Float32 [rows, groups]: the columns [rows, n] of each group, summed as integers.

    A GPU adds in any order; sums of integers do not depend on it. 2^24 values of up to 16 stay within int64.
    """
    whole = (columns * FIXED_POINT).to(torch.int64)
    sums = whole.new_zeros(len(columns), groups).index_add_(1, group, whole)
    return (sums.double() / FIXED_POINT).to(columns.dtype)


def _pixel_grid(height: int, width: int, device: torch.device) -> torch.Tensor:
    """Float32 [2, N], (x, y) of every pixel."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)]).to(torch.float32)


def _pixel_index(position: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Index of the nearest pixel (int64) and whether it is in the image, for (x, y) positions [2, M]."""
    # Clamped before the cast: a huge float has no int64.
    x = position[0].round().clamp(-1, width).to(torch.int64)
    y = position[1].round().clamp(-1, height).to(torch.int64)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return y * width + x, inside


def _to_latent(values: torch.Tensor, height: int, width: int, block: int) -> torch.Tensor:
    """[channels, height / block, width / block]: block means times the block's side, so that the variance stays one."""
    return values.view(-1, height // block, block, width // block, block).mean(dim=(2, 4)) * block


def _released_crop(flow: torch.Tensor) -> torch.Tensor:
    """Flow as the released script sees it: the video resized to cover 480x720 and cropped about its centre."""
    height, width = flow.shape[2:]
    tall, wide = RELEASED_SIZE
    factor = max(tall / height, wide / width)
    size = (max(tall, math.ceil(height * factor)), max(wide, math.ceil(width * factor)))
    large = F.interpolate(flow, size=size, mode="bilinear", align_corners=False) * factor
    top, left = (size[0] - tall) // 2, (size[1] - wide) // 2
    return large[:, :, top : top + tall, left : left + wide].contiguous()
