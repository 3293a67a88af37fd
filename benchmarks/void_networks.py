"""Full-size networks of VOID with random weights made on the device, their inputs, and how to time them.

`use_tiny()` shrinks everything, to rehearse a benchmark on a CPU before device time is spent on it.
"""

from __future__ import annotations

import copy
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel, DDIMScheduler
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch import Tensor, nn

from inference.checkpoints import BaseConfig
from inference.lean_vae import lean
from inference.pipeline import VoidPipeline
from inference.vae import correct_upsampling, decode, decode_chunks, encode, to_host, to_pictures

PARAMETERS = 5_571_462_784
TRANSFORMER: dict[str, Any] = {
    "num_attention_heads": 48,
    "num_layers": 42,
    "in_channels": 48,
    "patch_size_t": 2,
    "patch_bias": False,
    "sample_width": 300,
    "sample_height": 300,
    "sample_frames": 81,
    "use_rotary_positional_embeddings": True,
}
VAE: dict[str, Any] = {
    "down_block_types": ("CogVideoXDownBlock3D",) * 4,
    "up_block_types": ("CogVideoXUpBlock3D",) * 4,
    "block_out_channels": (128, 256, 256, 512),
    "layers_per_block": 3,
    "scaling_factor": 0.7,
}
T5_XXL = {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "vocab_size": 32128}
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "clip_sample": False,
    "timestep_spacing": "trailing",
}
SIZE = [384, 672]
STEPS = 50
GIB = 2**30
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

RESULTS: dict[str, Any] = {}
KEPT = list[Path]()  # where the figures go, after each one


def use_tiny() -> None:
    """Networks and pictures of a size that a CPU manages."""
    TRANSFORMER.update(num_attention_heads=3, attention_head_dim=16, num_layers=2, text_embed_dim=64, time_embed_dim=32)
    VAE.update(block_out_channels=(8, 8, 8, 8), norm_num_groups=2, layers_per_block=1)
    T5_XXL.update(d_model=64, d_ff=64, num_layers=1, num_heads=4, vocab_size=128)
    SIZE[:] = (64, 96)


def record(name: str, value: Any) -> None:
    """Keep a figure and show it."""
    RESULTS[name] = value
    print(f"{name}: {json.dumps(value)}", flush=True)
    for path in KEPT:
        path.write_text(json.dumps(RESULTS, indent=1))


def free() -> None:
    """Give back what nothing holds any more."""
    gc.collect()
    if DEVICE == "cuda":
        torch.cuda.empty_cache()


def wait() -> None:
    """Until the device has done what it was asked to."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def reset_peak() -> None:
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_gib() -> float:
    """Most memory that tensors held since `reset_peak` [GiB]."""
    return round(torch.cuda.max_memory_allocated() / GIB, 2) if DEVICE == "cuda" else 0.0


def attempt(name: str, run: Callable[[], Any]) -> None:
    """Run a section; a failure is a result too, and device time is too dear to lose the rest to it."""
    start = time.perf_counter()
    try:
        run()
    except Exception as error:  # noqa: BLE001
        record(f"FAILED {name}", f"{type(error).__name__}: {error}"[:600])
    free()
    record(f"seconds in {name}", round(time.perf_counter() - start, 1))


def timed(run: Callable[[], Any], repeats: int) -> float:
    """Median seconds of a call on the device, after one unmeasured call."""
    run()
    wait()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        wait()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def matmul_tflops(repeats: int = 20) -> float:
    """Rate of one 8192^3 product of random bf16 matrices."""
    side = 8192 if DEVICE == "cuda" else 256
    left, right = torch.randn(2, side, side, device=DEVICE, dtype=torch.bfloat16)
    return 2 * side**3 / timed(lambda: left @ right, repeats) / 1e12


def random_weights(network: nn.Module, seed: int) -> nn.Module:
    """Weights of realistic spread, in place: 0.8 / sqrt(fan in), log-normal over rows and weights (heavy tails)."""
    generator = torch.Generator(DEVICE).manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device=DEVICE, generator=generator)

    for name, parameter in network.named_parameters():
        if parameter.dim() > 1:
            rows = (0.4 * normal(len(parameter), *[1] * (parameter.dim() - 1))).exp()
            tails = (0.35 * normal(*parameter.shape)).exp_()
            values = tails.mul_(normal(*parameter.shape)).mul_(rows * 0.8 / parameter[0].numel() ** 0.5)
        else:
            values = 0.1 * normal(*parameter.shape) + ("norm" in name and name.endswith("weight"))
        parameter.data.copy_(values)
    return network.eval().requires_grad_(False)


def on_device(make: Callable[[], nn.Module]) -> Any:
    """A network built in bf16 on the device."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(DEVICE):
            return make()
    finally:
        torch.set_default_dtype(torch.float32)


def transformer(seed: int = 0) -> CogVideoXTransformer3DModel:
    """VOID's transformer; its size is asserted."""
    model = random_weights(on_device(lambda: CogVideoXTransformer3DModel(**TRANSFORMER)), seed)
    if TRANSFORMER["num_layers"] == 42:
        assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    return model


def autoencoder(*, stock: bool = False) -> AutoencoderKLCogVideoX:
    """The VAE as the product has it, or as diffusers has it but for the mended upsampling."""
    network = correct_upsampling(random_weights(on_device(lambda: AutoencoderKLCogVideoX(**VAE)), 1))
    return network if stock else lean(network)


def step_inputs(num_latents: int) -> dict[str, Any]:
    """Inputs of one step at 384x672."""
    generator = torch.Generator(DEVICE).manual_seed(2)
    height, width = SIZE[0] // 8, SIZE[1] // 8
    rotary = get_3d_rotary_pos_embed(
        TRANSFORMER.get("attention_head_dim", 64),
        None,
        (height // 2, width // 2),
        num_latents // 2,
        grid_type="slice",
        max_size=(150, 150),
        device=DEVICE,
    )
    shape = (1, num_latents, 48, height, width)
    return {
        "hidden_states": torch.randn(shape, device=DEVICE, generator=generator).bfloat16(),
        "encoder_hidden_states": torch.randn(1, 226, T5_XXL["d_model"], device=DEVICE, generator=generator).bfloat16(),
        "timestep": torch.tensor([500], device=DEVICE),
        "image_rotary_emb": rotary,
        "return_dict": False,
    }


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def run_step(network: nn.Module, given: dict[str, Any]) -> Tensor:
    with torch.inference_mode():
        return network(**given)[0]


def transformer_in_float32(network: nn.Module, given: dict[str, Any]) -> Tensor:
    """The same weights and inputs in float32 (no TF32)."""
    exact = copy.deepcopy(network).float()
    wide = given | {name: given[name].float() for name in ("hidden_states", "encoder_hidden_states")}
    return run_step(exact, wide)


def encode_all(network: AutoencoderKLCogVideoX, frames: Tensor) -> Tensor:
    with torch.inference_mode():
        return encode(network, frames)


def decode_all(network: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """Uint8 frames in main memory, as the pipeline takes them."""
    with torch.inference_mode():
        return to_host(torch.cat([to_pictures(chunk) for chunk in decode_chunks(network, latents)]))


def frames_of(network: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """The decoder's own numbers, on the device."""
    with torch.inference_mode():
        return decode(network, latents)


def pipeline(guidance: float = 1.0) -> VoidPipeline:
    """The product's own pipeline over random networks; prompts are remembered, so no tokenizer is needed."""
    scheduler = DDIMScheduler(**SCHEDULER) if guidance == 1 else CogVideoXDDIMScheduler(**SCHEDULER)
    return VoidPipeline(
        transformer=transformer(),
        vae=autoencoder(),
        text_encoder=None,
        tokenizer=None,
        scheduler=scheduler,
        base=BaseConfig(transformer={}, add_noise_to_source=True, scheduler={}, untrained=True),
        guidance=guidance,
        untrained=True,
        dtype=torch.bfloat16,
        device=torch.device(DEVICE),
        texts={name: torch.randn(226, T5_XXL["d_model"]).bfloat16() for name in ("", "a room")},
    )
