"""VOID on stock diffusers: one call that reads as the recipe. Numerically the model's own; see docs/VOID.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel, DDIMScheduler
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch import Tensor, nn
from transformers import T5EncoderModel, T5Tokenizer

from datagen.errors import DataError
from datagen.quadmask import Label
from inference import vae as vae_steps
from inference.checkpoints import (
    TEXT_TOKENS,
    BaseConfig,
    is_untrained,
    load_text_encoder,
    load_tokenizer,
    load_transformer,
    load_vae,
    read_base,
)
from inference.conditioning import check_labels, mask_levels, mirror_in_time, resized, snap_to_labels, with_pixel_noise
from inference.memory import visiting
from inference.settings import Settings
from inference.windows import Window, blend, latents_of, padded_frames, windows_of

LATENT_CHANNELS = 16
SPATIAL_SCALE = 8
OnStep = Callable[[int, int], None]  # steps done, steps in all


class NonFiniteError(DataError):
    """The model's numbers overflowed; no other video will fare better."""


class Pass(IntEnum):
    """VOID's two passes; they differ in weights, scheduler, guidance and initial noise."""

    ONE = 1
    TWO = 2


SCHEDULERS = {Pass.ONE: DDIMScheduler, Pass.TWO: CogVideoXDDIMScheduler}
GUIDANCE = {Pass.ONE: 1.0, Pass.TWO: 6.0}


@dataclass(frozen=True, kw_only=True)
class VoidResult:
    """Frames uint8 [num_frames, height, width, 3] without the object, and the quadmask as the model saw it,
    uint8 [num_frames, height, width]; as many as came in."""

    frames: np.ndarray
    quadmask: np.ndarray


@dataclass(kw_only=True)
class VoidPipeline:
    """The models of one pass and where they work.

    `device` is where tensors are; with `offload` every model is on it only while it is used (`inference.memory.place`).
    """

    transformer: CogVideoXTransformer3DModel
    vae: AutoencoderKLCogVideoX
    text_encoder: T5EncoderModel | None  # None once all prompts are remembered
    tokenizer: T5Tokenizer
    scheduler: DDIMScheduler | CogVideoXDDIMScheduler
    base: BaseConfig
    guidance: float
    untrained: bool
    dtype: torch.dtype
    device: torch.device
    offload: bool = False
    texts: dict[str, Tensor] = field(default_factory=dict)  # T5 states by prompt, on the CPU

    @classmethod
    def load(
        cls,
        base_dir: Path,
        checkpoint: Path,
        dtype: torch.dtype = torch.bfloat16,
        device: torch.device | str = "cpu",
        stage: Pass = Pass.ONE,
        texts: Mapping[str, Tensor] | None = None,
    ) -> VoidPipeline:
        """Read the base folder and one pass's weights, strictly; `DataError` names whatever is wrong with them.

        The models are on the CPU afterwards. With `texts` of another pass the text encoder is not read at all.
        """
        base = read_base(base_dir)
        return cls(
            transformer=load_transformer(base, checkpoint, dtype),
            vae=load_vae(base_dir, dtype),
            text_encoder=None if texts else load_text_encoder(base_dir, dtype),
            tokenizer=load_tokenizer(base_dir),
            scheduler=SCHEDULERS[stage].from_config(base.scheduler),
            base=base,
            guidance=GUIDANCE[stage],
            untrained=base.untrained or is_untrained(checkpoint),
            dtype=dtype,
            device=torch.device(device),
            texts=dict(texts or {}),
        )

    @torch.inference_mode()
    def __call__(
        self,
        video: Iterable[np.ndarray],
        quadmask: Iterable[np.ndarray],
        prompt: str,
        *,
        settings: Settings,
        generator: torch.Generator,
        noise: Tensor | None = None,
        on_step: OnStep | None = None,
    ) -> VoidResult:
        """Remove what the quadmask marks.

        video      frames uint8 [height, width, 3], one by one or as an array; at most `settings.max_frames`
        quadmask   as many frames uint8 [height, width] of grey values; snapped to the four labels after resizing
        prompt     what remains and what happens, never the removed object
        generator  of the CPU, so that the result does not depend on the device
        noise      initial latents [1, n, 16, height / 8, width / 8] for at least the padded video's latents (pass 2)

        Raises `DataError` for inputs that do not belong together and for results that are not finite.
        """
        # 1. Size: area-resize first, then snap the mask to its four values.
        source = resized(video, settings.height, settings.width)
        labels = snap_to_labels(resized(quadmask, settings.height, settings.width)[:, 0])
        num_frames = _same_length(source, labels, settings)
        check_labels(labels.numpy())

        # 2. Time: mirror to 8k + 5 frames, so that latents pair up.
        padded = padded_frames(num_frames, settings.window_frames)
        source_padded, labels_padded = mirror_in_time(source, padded), mirror_in_time(labels, padded)

        # 3. Text.
        texts = self.encode_prompts([prompt] if self.guidance == 1 else ["", prompt])

        # 4. Condition: the mask's levels and the whole source video, through the VAE.
        levels = mask_levels(labels_padded, settings.mask_mode)[:, None].expand(-1, 3, -1, -1)
        condition = self._condition(levels, source_padded, generator)

        # 5. Noise, or pass 1's motion as noise.
        latents = self._initial_latents(condition, noise, generator)

        # 6. Denoise, window by window.
        latents = self._denoise(latents, condition, texts, settings, on_step)

        # 7. Decode, and cut back to the frames that came in.
        frames = self._decode(latents)[:num_frames]

        # 8. Kept pixels from the input, if asked for.
        if settings.composite:
            frames = torch.where(labels[..., None] == Label.KEEP, source.permute(0, 2, 3, 1).round().byte(), frames)
        return VoidResult(frames=frames.numpy(), quadmask=labels.numpy())

    @torch.inference_mode()
    def encode_prompts(self, prompts: list[str]) -> Tensor:
        """T5 states [len(prompts), 226, text_dim] on the device; each prompt is encoded once and remembered."""
        unknown = sorted(set(prompts) - self.texts.keys())
        if unknown:
            if self.text_encoder is None:
                raise ValueError(f"the text encoder was freed before {unknown[0]!r} was encoded")
            tokens = self.tokenizer(
                unknown, padding="max_length", max_length=TEXT_TOKENS, truncation=True, return_tensors="pt"
            )
            # No attention mask: VOID was trained with padding attended to.
            with self._working(self.text_encoder):
                states = self.text_encoder(tokens.input_ids.to(self.device))[0].cpu()
            self.texts.update(zip(unknown, states, strict=True))
        return torch.stack([self.texts[prompt] for prompt in prompts]).to(self.device, self.dtype)

    def _condition(self, levels: Tensor, source: Tensor, generator: torch.Generator) -> Tensor:
        """[1, num_latents, 32, h, w] float32: mask and source latents, of levels and frames [n, 3, height, width]."""
        video = source / 127.5 - 1
        if self.base.add_noise_to_source:
            video = with_pixel_noise(video, generator)
        with self._working(self.vae):
            return torch.cat([self._encode(levels), self._encode(video)], dim=2)

    def _encode(self, frames: Tensor) -> Tensor:
        batch = frames.transpose(0, 1)[None].to(self.device, self.dtype)
        return vae_steps.encode(self.vae, batch).float()

    def _initial_latents(self, condition: Tensor, noise: Tensor | None, generator: torch.Generator) -> Tensor:
        shape = (1, condition.shape[1], LATENT_CHANNELS, *condition.shape[3:])
        if noise is None:
            noise = torch.randn(shape, generator=generator, dtype=torch.float32)
        elif noise.shape[1] < shape[1] or noise[:, : shape[1]].shape != shape:
            raise DataError(f"initial noise of shape {list(noise.shape)}: expected {list(shape)}")
        return noise[:, : shape[1]].to(self.device, torch.float32) * self.scheduler.init_noise_sigma

    def _denoise(
        self, latents: Tensor, condition: Tensor, texts: Tensor, settings: Settings, on_step: OnStep | None
    ) -> Tensor:
        """x_0 [1, n, 16, h, w] float32 of x_T; every step moves every window, then blends them."""
        self.scheduler.set_timesteps(settings.steps)
        windows = windows_of(latents.shape[1], latents_of(settings.window_frames), settings.overlap_frames // 4)
        with self._working(self.transformer):
            for number, timestep in enumerate(self.scheduler.timesteps.tolist(), start=1):
                latents = blend(latents, windows, self._stepper(latents, condition, texts, timestep))
                _check_finite(torch.isfinite(latents).all(), f"step {number} of {settings.steps}")
                if on_step:
                    on_step(number, settings.steps)
        return latents

    def _stepper(self, latents: Tensor, condition: Tensor, texts: Tensor, timestep: int) -> Callable[[Window], Tensor]:
        """One scheduler step of one window; positions in time begin anew in each."""

        def step(window: Window) -> Tensor:
            now = latents[:, window.start : window.stop]
            given = torch.cat([now, condition[:, window.start : window.stop]], dim=2).to(self.dtype)
            predicted = self._predict(given, texts, timestep)
            return self.scheduler.step(predicted, timestep, now, return_dict=False)[0]

        return step

    def _predict(self, given: Tensor, texts: Tensor, timestep: int) -> Tensor:
        """v [1, n, 16, h, w] float32; with guidance the two texts go one after the other, in half the memory."""
        time = torch.tensor([timestep], device=self.device)
        positions = self._rotary(given.shape[1], *given.shape[3:])
        outputs = [
            self.transformer(
                hidden_states=given,
                encoder_hidden_states=text[None],
                timestep=time,
                image_rotary_emb=positions,
                return_dict=False,
            )[0].float()
            for text in texts
        ]
        if len(outputs) == 1:
            return outputs[0]
        without, with_text = outputs
        return without + self.guidance * (with_text - without)

    def _rotary(self, num_latents: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines of integer positions, as CogVideoX 1.5 takes them."""
        config: Any = self.transformer.config
        patch = config.patch_size
        cosines, sines = get_3d_rotary_pos_embed(
            embed_dim=config.attention_head_dim,
            crops_coords=None,
            grid_size=(height // patch, width // patch),
            temporal_size=num_latents // config.patch_size_t,
            grid_type="slice",
            max_size=(config.sample_height // patch, config.sample_width // patch),
            device=self.device,
        )
        return cosines, sines

    def _decode(self, latents: Tensor) -> Tensor:
        """Frames uint8 [4n - 3, height, width, 3] on the CPU."""
        chunks, finite = [], torch.tensor(True, device=self.device)
        with self._working(self.vae):
            for chunk in vae_steps.decode_chunks(self.vae, latents.to(self.dtype)):
                finite &= torch.isfinite(chunk).all()
                chunks.append(vae_steps.to_pictures(chunk))
        _check_finite(finite, "decoding")
        return vae_steps.to_host(torch.cat(chunks))  # the device is waited for once

    @contextmanager
    def _working(self, model: nn.Module) -> Iterator[None]:
        """With offloading, `model` is on the device for this block."""
        if not self.offload:
            yield
            return
        with visiting(model, self.device):
            yield


def _same_length(source: Tensor, labels: Tensor, settings: Settings) -> int:
    """Frames of the video; `DataError` where the quadmask has another number or there are too many."""
    if len(source) != len(labels):
        raise DataError(f"the video has {len(source)} frames, its quadmask {len(labels)}; they have to belong together")
    if len(source) > settings.max_frames:
        raise DataError(
            f"the video has {len(source)} frames; VOID was trained on up to {settings.max_frames}: cut it, or raise "
            "--max-frames"
        )
    return len(source)


def _check_finite(finite: Tensor, where: str) -> None:
    if not finite:
        raise NonFiniteError(
            f"the model's result is not finite after {where}; the weights are damaged or were converted through fp16: "
            "download them again (nothing was written)"
        )
