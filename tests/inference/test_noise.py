"""Warped noise stays white and N(0, 1) in every frame, and moves with the flow."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from datagen.errors import DataError
from inference.noise import _sums, warped_noise
from inference.settings import NoiseResample

HEIGHT, WIDTH, FIELDS = 64, 96, 8


def flow_of(name: str) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(HEIGHT) - 32.0, torch.arange(WIDTH) - 48.0, indexing="ij")
    fields = {
        "zero": torch.zeros(2, HEIGHT, WIDTH),
        "shift": torch.tensor([2.0, 0.0])[:, None, None].expand(2, HEIGHT, WIDTH),
        "fraction": torch.tensor([0.4, -0.7])[:, None, None].expand(2, HEIGHT, WIDTH),
        "zoom_in": torch.stack([x, y]) * 0.06,
        "zoom_out": torch.stack([x, y]) * -0.06,
        "random": torch.randn(2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)) * 3,
    }
    return fields[name].expand(FIELDS, 2, HEIGHT, WIDTH).contiguous()


def warp(flow: torch.Tensor, seed: int = 0, channels: int = 64, **options: object) -> torch.Tensor:
    return warped_noise(flow, 3, channels, generator=torch.Generator().manual_seed(seed), scale=1, **options)[0]


@pytest.mark.parametrize("name", ["zero", "shift", "fraction", "zoom_in", "zoom_out", "random"])
def test_every_frame_is_white_and_normal(name: str) -> None:
    for frame in warp(flow_of(name)):  # [channels, 8, 12]
        values = frame.flatten()
        spread = 5 / len(values) ** 0.5
        assert abs(values.mean()) < spread
        assert abs(values.std() - 1) < spread
        assert abs(float(stats.kurtosis(values.numpy()))) < 2 * 5**0.5 * spread
        assert stats.kstest(values.numpy(), "norm").pvalue > 1e-4
        for one, other in ((frame[:, 1:], frame[:, :-1]), (frame[:, :, 1:], frame[:, :, :-1]), (frame[1:], frame[:-1])):
            assert abs((one * other).mean()) < spread * 1.1


def test_no_motion_keeps_the_noise() -> None:
    first, second, third = warp(flow_of("zero"))
    assert torch.equal(first, second)
    assert torch.equal(first, third)


def test_noise_goes_where_the_flow_goes() -> None:
    first, second, _ = warp(flow_of("shift"))  # 2 px a frame, 4 frames: one latent to the right
    assert torch.allclose(second[:, :, 1:], first[:, :, :-1], atol=1e-5)
    against = (second[:, :, :-1] * first[:, :, 1:]).mean()
    assert abs(against) < 0.08
    entering = (second[:, :, 0] * first[:, :, 0]).mean()
    assert abs(entering) < 0.25


def test_motion_of_fractions_of_a_pixel_adds_up() -> None:
    flow = torch.zeros(FIELDS, 2, HEIGHT, WIDTH)
    flow[:, 0] = 1.0 / 3
    still = warp(torch.zeros_like(flow))
    moved = warped_noise(flow, 3, 64, generator=torch.Generator().manual_seed(0), scale=4)[0]
    # 8 fields of 1/3 px move 2.7 of 8 px: a third of each block has left it.
    overlap = (moved[2] * moved[0])[:, :, 1:-1].mean()
    assert abs(float(overlap) - (1 - 8 / 3 / 8)) < 0.1
    assert float((still[2] * still[0]).mean()) == pytest.approx(1, abs=0.1)


def test_the_generator_decides() -> None:
    flow = flow_of("random")
    assert torch.equal(warp(flow, seed=3, channels=4), warp(flow, seed=3, channels=4))
    assert not torch.equal(warp(flow, seed=3, channels=4), warp(flow, seed=4, channels=4))


def test_the_released_resampling_loses_a_third_of_the_spread() -> None:
    flow = torch.zeros(4, 2, 384, 672)
    noise = warped_noise(
        flow, 2, generator=torch.Generator().manual_seed(0), scale=1, noise_resample=NoiseResample.REFERENCE
    )
    assert noise.shape == (1, 2, 16, 48, 84)
    assert float(noise.std()) == pytest.approx(0.66, abs=0.03)


@pytest.mark.parametrize("shape", [(8, 2, 60, 96), (8, 3, 64, 96), (7, 2, 64, 96)])
def test_flow_that_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="flow for noise"):
        warp(torch.zeros(shape))


def test_flow_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        warp(torch.full((8, 2, 64, 96), float("nan")))


def test_sums_of_groups_do_not_depend_on_the_order() -> None:
    """A GPU adds in any order: the same bits must come out."""
    drawn = torch.Generator().manual_seed(5)
    rows, group = torch.randn(3, 5000, generator=drawn), torch.randint(7, (5000,), generator=drawn)
    order = torch.randperm(5000, generator=drawn)
    found = _sums(rows, group, 7)
    assert torch.equal(found, _sums(rows[:, order], group[order], 7))
    expected = torch.zeros(3, 7, dtype=torch.float64).index_add_(1, group, rows.double())
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-6)
