"""Windows and frame counts, against arithmetic done here."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from datagen.errors import ConfigError
from inference.windows import Window, blend, check_window, latents_of, padded_frames, windows_of


@pytest.mark.parametrize("num_frames", range(1, 198))
def test_padded_to_the_next_even_count_of_latents(num_frames: int) -> None:
    allowed = [8 * k + 5 for k in range(10, 25)]  # 85 ... 197
    padded = padded_frames(num_frames, 85)
    assert padded == next(frames for frames in allowed if frames >= num_frames)
    assert latents_of(padded) % 2 == 0
    assert 4 * latents_of(padded) - 3 == padded  # what the VAE gives back


@pytest.mark.parametrize("num_latents", range(2, 102, 2))
def test_windows_cover_every_latent_and_their_weights_sum_to_one(num_latents: int) -> None:
    windows = windows_of(num_latents, 22, 4)
    total = torch.zeros(num_latents, dtype=torch.float64)
    for window in windows:
        assert len(window.weights()) == window.stop - window.start
        total[window.start : window.stop] += window.weights().double()
    torch.testing.assert_close(total, torch.ones(num_latents, dtype=torch.float64), atol=1e-6, rtol=0)
    assert windows[0].start == 0 and windows[-1].stop == num_latents
    for before, after in pairwise(windows):
        assert before.stop - after.start == 4 and before.stop - before.start == 22
    assert all((window.stop - window.start) % 2 == 0 for window in windows)


@pytest.mark.parametrize(
    ("num_latents", "spans"),
    [
        (22, [(0, 22)]),
        (24, [(0, 22), (18, 24)]),  # a last window of 6
        (40, [(0, 22), (18, 40)]),
        (50, [(0, 22), (18, 40), (36, 50)]),  # 197 frames
    ],
)
def test_spans(num_latents: int, spans: list[tuple[int, int]]) -> None:
    assert [(window.start, window.stop) for window in windows_of(num_latents, 22, 4)] == spans


def test_ramps_are_linear_and_never_zero() -> None:
    middle = Window(start=0, stop=12, fade_in=4, fade_out=4).weights()
    expected = [0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    torch.testing.assert_close(middle, torch.tensor(expected))


def test_blend_of_two_constants_is_a_ramp() -> None:
    latents = torch.zeros(1, 6, 1, 1, 1)
    windows = windows_of(6, 4, 2)
    blended = blend(latents, windows, lambda window: torch.full((1, 4, 1, 1, 1), float(window.start)))
    # The first window says 0, the second (from latent 2) says 2; over two latents 1/3 and 2/3 of it.
    torch.testing.assert_close(blended.flatten(), torch.tensor([0, 0, 2 / 3, 4 / 3, 2, 2]))


def test_blend_of_what_is_there_changes_nothing() -> None:
    latents = torch.randn(1, 50, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    blended = blend(latents, windows_of(50, 22, 4), lambda window: latents[:, window.start : window.stop])
    torch.testing.assert_close(blended, latents)


@pytest.mark.parametrize(
    ("window", "overlap", "message"),
    [
        (84, 16, r"8k \+ 5 .* for instance 85"),
        (81, 16, r"for instance 85"),
        (4, 0, r"for instance 5"),
        (85, 12, "a multiple of 8 up to 80"),
        (85, 88, "a multiple of 8 up to 80"),
        (85, -8, "a multiple of 8"),
    ],
)
def test_windows_that_cannot_run(window: int, overlap: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_window(window, overlap)


def test_published_windows_can_run() -> None:
    check_window(85, 16)
    check_window(13, 8)
    check_window(13, 0)
