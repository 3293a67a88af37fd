"""How a long video is denoised in windows of latents that overlap, and how frame counts and latent counts belong.

The VAE makes 1 latent of the first frame and 1 of every 4 frames after it; the transformer pairs latents in time, so
their count has to be even: 8k + 5 frames. Each window is stepped by itself and the results are blended with linear
ramps (as the reference does: its "multidiffusion stride" of 16 frames is the overlap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from datagen.errors import ConfigError

FRAMES_A_LATENT = 4
FRAMES_A_PAIR = 2 * FRAMES_A_LATENT
FIRST_PAIR = FRAMES_A_LATENT + 1  # frames of the first two latents


@dataclass(frozen=True, kw_only=True)
class Window:
    """Latents `start:stop`, and over how many of them this window is blended with its neighbours."""

    start: int
    stop: int
    fade_in: int
    fade_out: int

    def weights(self) -> Tensor:
        """Weight of each latent of the window, float32 [stop - start]; neighbours' weights sum to one."""
        weights = torch.ones(self.stop - self.start)
        if self.fade_in:
            weights[: self.fade_in] = _ramp(self.fade_in)
        if self.fade_out:
            weights[-self.fade_out :] = _ramp(self.fade_out).flip(0)
        return weights


def padded_frames(num_frames: int, window_frames: int) -> int:
    """The least 8k + 5 frames that hold `num_frames` and fill one window."""
    wanted = max(num_frames, window_frames)
    return wanted + (FIRST_PAIR - wanted) % FRAMES_A_PAIR


def latents_of(num_frames: int) -> int:
    """Latents that 4n + 1 frames make."""
    return (num_frames - 1) // FRAMES_A_LATENT + 1


def check_window(window_frames: int, overlap_frames: int) -> None:
    """Refuse window settings that the model cannot run; raises `ConfigError`."""
    if window_frames < FIRST_PAIR or (window_frames - FIRST_PAIR) % FRAMES_A_PAIR:
        nearest = padded_frames(max(window_frames, FIRST_PAIR), FIRST_PAIR)
        raise ConfigError(
            f"window of {window_frames} frames: expected 8k + 5 (an even number of latents), for instance {nearest}"
        )
    if overlap_frames < 0 or overlap_frames % FRAMES_A_PAIR or overlap_frames > window_frames - FIRST_PAIR:
        raise ConfigError(
            f"windows that overlap by {overlap_frames} frames: expected a multiple of {FRAMES_A_PAIR} up to "
            f"{(window_frames - FIRST_PAIR) // FRAMES_A_PAIR * FRAMES_A_PAIR}"
        )


def windows_of(num_latents: int, window_latents: int, overlap_latents: int) -> list[Window]:
    """Windows that cover `num_latents` in order; the last one may be shorter."""
    spans, start = list[tuple[int, int]](), 0
    while True:
        stop = min(start + window_latents, num_latents)
        spans.append((start, stop))
        if stop == num_latents:
            break
        start = stop - overlap_latents
    return [
        Window(
            start=start,
            stop=stop,
            fade_in=overlap_latents if start > 0 else 0,
            fade_out=overlap_latents if stop < num_latents else 0,
        )
        for start, stop in spans
    ]


def blend(latents: Tensor, windows: list[Window], step: Callable[[Window], Tensor]) -> Tensor:
    """x_{t-1} of all latents [batch, num_latents, ...] from `step(window)`, each [batch, stop - start, ...]."""
    if len(windows) == 1:
        return step(windows[0])
    total = torch.zeros_like(latents)
    weight_of_all = torch.zeros(latents.shape[1], device=latents.device)
    for window, weights in _weighted(windows, latents):
        total[:, window.start : window.stop] += step(window) * weights[:, None, None, None]
        weight_of_all[window.start : window.stop] += weights
    return total / weight_of_all[:, None, None, None]


def _weighted(windows: list[Window], latents: Tensor) -> Iterator[tuple[Window, Tensor]]:
    for window in windows:
        yield window, window.weights().to(latents)


def _ramp(length: int) -> Tensor:
    """Rising weights strictly between 0 and 1: k / (length + 1)."""
    return torch.arange(1, length + 1) / (length + 1)
