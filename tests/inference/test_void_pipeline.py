"""The recipe, done a second time here by hand in float64 formulas, and what the pipeline promises about its output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from tiny_clips import HEIGHT, WIDTH, TinyModel, moving_square
from torch import Tensor

from datagen.errors import DataError
from datagen.quadmask import Label
from inference.conditioning import MaskMode
from inference.pipeline import GUIDANCE, SCHEDULERS, NonFiniteError, Pass, VoidPipeline
from inference.settings import Settings
from inference.vae import decode

PROMPT = "a quiet room"


def alpha_bars() -> np.ndarray:
    """Cumulative signal shares of 1000 training steps, float64: scaled-linear betas, rescaled to zero terminal SNR."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=np.float64) ** 2
    root = np.sqrt(np.cumprod(1 - betas))
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


def denoise_by_hand(start: Tensor, predict: Callable[[Tensor, int], Tensor], steps: int) -> Tensor:
    """Deterministic DDIM on v-prediction (Song et al. 2021, eq. 12), trailing timesteps, float64."""
    bars, now = alpha_bars(), start.double()
    for step in range(steps):
        timestep = round(1000 - step * 1000 / steps) - 1
        signal = bars[timestep]
        later = timestep - 1000 // steps
        next_signal = bars[later] if later >= 0 else 1.0
        velocity = predict(now, timestep).double()
        clean = signal**0.5 * now - (1 - signal) ** 0.5 * velocity
        noise = signal**0.5 * velocity + (1 - signal) ** 0.5 * now
        now = next_signal**0.5 * clean + (1 - next_signal) ** 0.5 * noise
    return now


@pytest.mark.parametrize("number", Pass)
@pytest.mark.parametrize("steps", [2, 30, 50])
def test_both_schedulers_are_ddim(pipeline: VoidPipeline, number: Pass, steps: int) -> None:
    start = torch.randn(1, 2, 16, 4, 6, generator=torch.Generator().manual_seed(1))

    def predict(now: Tensor, timestep: int) -> Tensor:
        return torch.tanh(now) * (0.3 + timestep / 2000)

    scheduler = SCHEDULERS[number].from_config(pipeline.base.scheduler)
    scheduler.set_timesteps(steps)
    now = start
    for timestep in scheduler.timesteps.tolist():
        now = scheduler.step(predict(now, timestep), timestep, now, return_dict=False)[0]
    torch.testing.assert_close(now.double(), denoise_by_hand(start, predict, steps), atol=2e-4, rtol=2e-4)
    assert scheduler.init_noise_sigma == 1


def test_passes_differ_as_published() -> None:
    assert GUIDANCE == {Pass.ONE: 1.0, Pass.TWO: 6.0}
    assert [SCHEDULERS[number].__name__ for number in Pass] == ["DDIMScheduler", "CogVideoXDDIMScheduler"]


@torch.inference_mode()
def by_hand(pipeline: VoidPipeline, video: np.ndarray, mask: np.ndarray, settings: Settings, seed: int) -> np.ndarray:
    """One window of VOID for a video that needs no resizing and no padding; numpy and stock parts only."""
    generator = torch.Generator().manual_seed(seed)
    levels = np.select([mask <= 31, mask <= 95, mask <= 191], [0.0, 0.0, 1 - 127 / 255], 1.0)
    keep = torch.from_numpy(np.repeat(levels[None], 3, axis=0)[None]).float()
    source = torch.from_numpy(video).float().permute(3, 0, 1, 2)[None] / 255 * 2 - 1
    noise = torch.randn(13, 3, HEIGHT, WIDTH, generator=generator).transpose(0, 1)[None]
    source = source + 0.0563 * noise
    encoded = [pipeline.vae.encode(part).latent_dist.mode() * 0.7 for part in (keep, source)]
    condition = torch.cat([part.permute(0, 2, 1, 3, 4) for part in encoded], dim=2)
    start = torch.randn(1, 4, 16, HEIGHT // 8, WIDTH // 8, generator=generator)
    texts = {}
    for text in ("", PROMPT):
        ids = pipeline.tokenizer(text).input_ids
        padded = torch.tensor([ids + [0] * (226 - len(ids))])
        texts[text] = pipeline.text_encoder(padded).last_hidden_state
    rotary = get_3d_rotary_pos_embed(16, None, (2, 3), 2, grid_type="slice", max_size=(150, 150))

    def predict(now: Tensor, timestep: int) -> Tensor:
        given = torch.cat([now.float(), condition], dim=2)
        time = torch.tensor([timestep])
        velocities = {
            text: pipeline.transformer(given, states, time, image_rotary_emb=rotary).sample
            for text, states in texts.items()
        }
        return velocities[""] + pipeline.guidance * (velocities[PROMPT] - velocities[""])

    clean = denoise_by_hand(start, predict, settings.steps).float()
    frames = (decode(pipeline.vae, clean)[0] / 2 + 0.5).clamp(0, 1) * 255
    return frames.permute(1, 2, 3, 0).round().byte().numpy()


@pytest.mark.parametrize("number", Pass)
def test_the_recipe_by_hand(tiny: TinyModel, pipeline: VoidPipeline, settings: Settings, number: Pass) -> None:
    checkpoint = tiny.pass1 if number is Pass.ONE else tiny.pass2
    one = VoidPipeline.load(tiny.base, checkpoint, torch.float32, stage=number)
    video, mask = moving_square(13)
    found = one(video, mask, PROMPT, settings=settings, generator=torch.Generator().manual_seed(5)).frames
    expected = by_hand(one, video, mask, settings, 5)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    assert found.std() > 10  # and it is not all clipped to black or white


@pytest.mark.parametrize(("num_frames", "height", "width"), [(1, 32, 48), (2, 45, 51), (13, 32, 48), (29, 40, 60)])
def test_as_many_frames_out_as_in(
    pipeline: VoidPipeline, settings: Settings, num_frames: int, height: int, width: int
) -> None:
    video, mask = moving_square(num_frames, height, width)
    result = run(pipeline, video, mask, settings)
    assert result.frames.shape == (num_frames, HEIGHT, WIDTH, 3) and result.frames.dtype == np.uint8
    assert result.quadmask.shape == (num_frames, HEIGHT, WIDTH)
    assert set(np.unique(result.quadmask)) <= {int(label) for label in Label}


def run(pipeline: VoidPipeline, video: np.ndarray, mask: np.ndarray, settings: Settings, seed: int = 0, **more):
    return pipeline(video, mask, PROMPT, settings=settings, generator=torch.Generator().manual_seed(seed), **more)


def test_same_seed_same_bytes_and_another_seed_others(pipeline: VoidPipeline, settings: Settings) -> None:
    video, mask = moving_square(13)
    first = run(pipeline, video, mask, settings).frames
    assert np.array_equal(first, run(pipeline, iter(video), iter(mask), settings).frames)
    assert not np.array_equal(first, run(pipeline, video, mask, settings, seed=1).frames)


def test_every_input_matters(pipeline: VoidPipeline, settings: Settings) -> None:
    video, mask = moving_square(13)
    first = run(pipeline, video, mask, settings).frames
    assert not np.array_equal(first, run(pipeline, video[::-1], mask, settings).frames)
    assert not np.array_equal(first, run(pipeline, video, mask[::-1], settings).frames)
    quad = replace(settings, mask_mode=MaskMode.QUAD)
    assert not np.array_equal(first, run(pipeline, video, mask, quad).frames)
    other = pipeline(video, mask, "a ball", settings=settings, generator=torch.Generator().manual_seed(0))
    assert not np.array_equal(first, other.frames)


def test_trimask_does_not_tell_overlap_from_remove(pipeline: VoidPipeline, settings: Settings) -> None:
    video, mask = moving_square(13)
    merged = np.where(mask == Label.OVERLAP, np.uint8(Label.REMOVE), mask)
    assert np.array_equal(run(pipeline, video, mask, settings).frames, run(pipeline, video, merged, settings).frames)


def test_initial_noise_is_used_and_cut(pipeline: VoidPipeline, settings: Settings) -> None:
    video, mask = moving_square(13)
    noise = torch.randn(1, 6, 16, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(3))
    first = run(pipeline, video, mask, settings, noise=noise).frames
    assert np.array_equal(first, run(pipeline, video, mask, settings, noise=noise[:, :4]).frames)
    assert not np.array_equal(first, run(pipeline, video, mask, settings, noise=noise[:, 2:]).frames)
    with pytest.raises(DataError, match=r"expected \[1, 4, 16, 4, 6\]"):
        run(pipeline, video, mask, settings, noise=noise[:, :3])


def test_composite_keeps_pixels(pipeline: VoidPipeline, settings: Settings) -> None:
    video, mask = moving_square(13)
    plain = run(pipeline, video, mask, settings).frames
    kept = run(pipeline, video, mask, replace(settings, composite=True)).frames
    keep = mask == Label.KEEP
    assert np.array_equal(kept[keep], video[keep]) and not np.array_equal(plain[keep], video[keep])
    assert np.array_equal(kept[~keep], plain[~keep])


def test_steps_are_told(pipeline: VoidPipeline, settings: Settings) -> None:
    steps = list[tuple[int, int]]()
    run(pipeline, *moving_square(13), replace(settings, steps=3), on_step=lambda *step: steps.append(step))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_inputs_that_do_not_belong_together(pipeline: VoidPipeline, settings: Settings) -> None:
    video, mask = moving_square(13)
    with pytest.raises(DataError, match="13 frames, its quadmask 12"):
        run(pipeline, video, mask[:12], settings)
    with pytest.raises(DataError, match="13 frames; VOID was trained on up to 12"):
        run(pipeline, video, mask, replace(settings, max_frames=12))
    with pytest.raises(DataError, match="likely inverted"):
        video, mask = moving_square(13, 64, 96)
        run(pipeline, video, 255 - mask, settings)


def test_not_finite_is_an_error(tiny: TinyModel, settings: Settings) -> None:
    broken = VoidPipeline.load(tiny.base, tiny.pass1, torch.float32)
    broken.transformer.proj_out.weight[0, 0] = torch.inf
    with pytest.raises(NonFiniteError, match="not finite after step 1 of 2"):
        run(broken, *moving_square(13), settings)


def test_offloading_changes_nothing(tiny: TinyModel, pipeline: VoidPipeline, settings: Settings) -> None:
    video, mask = moving_square(5)
    other = replace(pipeline, offload=True, texts={})
    assert np.array_equal(run(other, video, mask, settings).frames, run(pipeline, video, mask, settings).frames)
