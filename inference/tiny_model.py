"""A folder in the exact layout of VOID's weights, tiny and untrained: for tests, and to try commands without weights.

DEST/
  CogVideoX-Fun-V1.5-5b-InP/{vae,text_encoder,tokenizer,scheduler}/, transformer/config.json     the base folder
  void_pass1.safetensors  void_pass2.safetensors

All weights are drawn by seed. Whatever this model makes is noise; its files and outputs say "untrained".
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from transformers import T5Config, T5EncoderModel

from datagen.codec import atomic_folder, write_json
from datagen.errors import DataError
from datagen.seeding import seed_for
from inference.checkpoints import (
    IN_CHANNELS,
    TEXT_TOKENS,
    TRANSFORMER_CONFIG,
    UNTRAINED_KEY,
    VAE_WEIGHTS,
)

BASE_NAME = "CogVideoX-Fun-V1.5-5b-InP"
PASS1_NAME, PASS2_NAME = "void_pass1.safetensors", "void_pass2.safetensors"
TEXT_DIM = 32
SENTENCES = (
    "a ball rolls off the table and falls to the floor",
    "an empty room with a shelf and two boxes in bright light",
    "water moves slowly below the bridge; five quick brown foxes jump over a lazy dog",
)

TRANSFORMER = {
    "_class_name": "CogVideoXTransformer3DModel",
    "add_noise_in_inpaint_model": True,
    "attention_bias": True,
    "attention_head_dim": 16,
    "in_channels": 33,  # the base model's; VOID's weights have IN_CHANNELS
    "max_text_seq_length": TEXT_TOKENS,
    "num_attention_heads": 3,
    "num_layers": 2,
    "out_channels": 16,
    "patch_size": 2,
    "patch_size_t": 2,
    "sample_height": 300,
    "sample_width": 300,
    "text_embed_dim": TEXT_DIM,
    "time_embed_dim": 32,
    "use_rotary_positional_embeddings": True,
    UNTRAINED_KEY: True,
}
VAE = {
    "_class_name": "AutoencoderKLCogVideoX",
    "block_out_channels": [8, 8, 8, 8],
    "latent_channels": 16,
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "scaling_factor": 0.7,
    "temporal_compression_ratio": 4,
}
SCHEDULER = {
    "_class_name": "CogVideoXDDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "set_alpha_to_one": True,
    "snr_shift_scale": 1.0,
    "steps_offset": 0,
    "timestep_spacing": "trailing",
}


def make_tiny_model(dest: Path, seed: int = 0) -> None:
    """Write the folder DEST; equal seeds give equal weights. Raises `DataError` where DEST is already something."""
    if dest.exists():
        raise DataError(f"{dest} is there already; choose a new folder, or remove it first")
    with atomic_folder(dest) as partial:
        base = partial / BASE_NAME
        write_json(base / TRANSFORMER_CONFIG, TRANSFORMER)
        write_json(base / "scheduler" / "scheduler_config.json", SCHEDULER)
        _write_vae(base / "vae", seed)
        _write_text_encoder(base, seed)
        for name in (PASS1_NAME, PASS2_NAME):
            _write_transformer(partial / name, seed_for(seed, name))


def _write_vae(folder: Path, seed: int) -> None:
    write_json(folder / "config.json", VAE)
    vae = AutoencoderKLCogVideoX.from_config(VAE)
    save_file(_drawn(vae, seed_for(seed, "vae")), folder / VAE_WEIGHTS, metadata={"format": "pt"})


def _write_transformer(path: Path, seed: int) -> None:
    config = {
        key: value for key, value in TRANSFORMER.items() if key not in ("add_noise_in_inpaint_model", UNTRAINED_KEY)
    }
    model = CogVideoXTransformer3DModel.from_config({**config, "in_channels": IN_CHANNELS})
    save_file(_drawn(model, seed), path, metadata={"format": "pt", UNTRAINED_KEY: "true"})


def _write_text_encoder(base: Path, seed: int) -> None:
    """T5 encoder and a sentencepiece tokenizer trained on three sentences."""
    tokens = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_writer=tokens,
        vocab_size=100,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    tokenizer = base / "tokenizer"
    settings: dict[str, Any] = {
        "tokenizer_class": "T5Tokenizer",
        "extra_ids": 20,
        "model_max_length": TEXT_TOKENS,
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    write_json(tokenizer / "tokenizer_config.json", settings)
    (tokenizer / "spiece.model").write_bytes(tokens.getvalue())
    config = T5Config(
        vocab_size=128, d_model=TEXT_DIM, d_kv=8, d_ff=64, num_layers=1, num_heads=4, feed_forward_proj="gated-gelu"
    )
    encoder = T5EncoderModel(config)
    encoder.load_state_dict(_drawn(encoder, seed_for(seed, "text")), strict=False)
    encoder.save_pretrained(base / "text_encoder")


def _drawn(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """The model's weights drawn anew: matrices of unit gain, gains of norms near 1, biases near 0."""
    generator = Generator().manual_seed(seed)
    return {name: _draw(name, weight, generator) for name, weight in model.named_parameters()}


def _draw(name: str, weight: Tensor, generator: Generator) -> Tensor:
    values = torch.randn(weight.shape, generator=generator)
    if weight.ndim > 1:
        return values / weight[0].numel() ** 0.5
    return 0.1 * values + (1.0 if name.endswith("weight") else 0.0)
