"""What VOID costs on a GPU, with the full-size networks and random weights made on the device; no checkpoint is needed.

    python benchmarks/void_gpu.py [--out FILE.json] [--only card,step,vae,noise,video,memory] [--steps-197 50]

The floor of a step is its floating-point operations (counted by torch) over the bf16 rate of one 8192^3 matrix product,
measured on the card at rest and again right after each variant, when the card has slowed down under its power limit.
Errors are relative L2 distances of the transformer's output from the same weights run in float32.
A section that fails is reported as failed and the others go on.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel, DDIMScheduler
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import T5Config, T5EncoderModel

from inference.attention import Attention
from inference.checkpoints import BaseConfig
from inference.compile import compile_blocks, join_blocks
from inference.memory import MemoryMode, place
from inference.noise import warped_noise
from inference.pipeline import VoidPipeline
from inference.quantise import Float8, quantise
from inference.settings import Settings
from inference.speed import Speed, speed_up
from inference.vae import correct_upsampling, decode_chunks, drop_idle_caches, encode

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
SIZE = (384, 672)
STEPS = 50
GIB = 2**30

RESULTS: dict[str, Any] = {}


def record(name: str, value: Any) -> None:
    """Keep a figure and show it."""
    RESULTS[name] = value
    print(f"{name}: {json.dumps(value)}", flush=True)


def attempt(name: str, run: Callable[[], Any]) -> None:
    """Run a section; a failure is a result too, and device time is too dear to lose the rest to it."""
    start = time.perf_counter()
    try:
        run()
    except Exception as error:  # noqa: BLE001
        record(f"FAILED {name}", f"{type(error).__name__}: {error}"[:600])
    gc.collect()
    torch.cuda.empty_cache()
    record(f"seconds in {name}", round(time.perf_counter() - start, 1))


def timed(run: Callable[[], Any], repeats: int) -> float:
    """Median seconds of a call on the device, after one unmeasured call."""
    run()
    seconds = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        seconds.append(start.elapsed_time(end) / 1e3)
    return statistics.median(seconds)


def matmul_tflops(repeats: int = 20) -> float:
    """Rate of one 8192^3 product of random bf16 matrices."""
    left, right = torch.randn(2, 8192, 8192, device="cuda", dtype=torch.bfloat16)
    return 2 * 8192**3 / timed(lambda: left @ right, repeats) / 1e12


def random_weights(network: nn.Module, seed: int) -> nn.Module:
    """Weights of realistic spread, in place: 0.8 / sqrt(fan in), log-normal over rows and weights (heavy tails)."""
    generator = torch.Generator("cuda").manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, device="cuda", generator=generator)

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
    """A network built in bf16 on the GPU."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda"):
            return make()
    finally:
        torch.set_default_dtype(torch.float32)


def transformer(seed: int = 0) -> CogVideoXTransformer3DModel:
    model = random_weights(on_device(lambda: CogVideoXTransformer3DModel(**TRANSFORMER)), seed)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    return model


def autoencoder() -> AutoencoderKLCogVideoX:
    return drop_idle_caches(correct_upsampling(random_weights(on_device(lambda: AutoencoderKLCogVideoX(**VAE)), 1)))


def step_inputs(num_latents: int) -> dict[str, Any]:
    """Inputs of one step at 384x672."""
    generator = torch.Generator("cuda").manual_seed(2)
    height, width = SIZE[0] // 8, SIZE[1] // 8
    rotary = get_3d_rotary_pos_embed(
        64, None, (height // 2, width // 2), num_latents // 2, grid_type="slice", max_size=(150, 150), device="cuda"
    )
    shape = (1, num_latents, 48, height, width)
    return {
        "hidden_states": torch.randn(shape, device="cuda", generator=generator).bfloat16(),
        "encoder_hidden_states": torch.randn(1, 226, 4096, device="cuda", generator=generator).bfloat16(),
        "timestep": torch.tensor([500], device="cuda"),
        "image_rotary_emb": rotary,
        "return_dict": False,
    }


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def run_step(network: nn.Module, given: dict[str, Any]) -> Tensor:
    with torch.inference_mode():
        return network(**given)[0]


def card() -> None:
    record("card", torch.cuda.get_device_name())
    record("torch", torch.__version__)
    record("matmul TFLOP/s, card at rest", round(matmul_tflops(), 1))


def step() -> None:
    """Seconds, warm-up, peak and error of one step, by variant."""
    given = step_inputs(22)
    network = transformer()
    with FlopCounterMode(display=False) as counter:
        run_step(network, given)
    tflop = counter.get_total_flops() / 1e12
    record("TFLOP a step", round(tflop, 2))
    exact = transformer_in_float32(network, given)
    half = run_step(network, given)

    def measure(name: str, given: dict[str, Any] = given, exact: Tensor | None = exact) -> None:
        torch.cuda.synchronize()
        start = time.perf_counter()
        found = run_step(network, given)
        torch.cuda.synchronize()
        warm = time.perf_counter() - start
        torch.cuda.reset_peak_memory_stats()
        seconds = timed(lambda: run_step(network, given), 12)
        row: dict[str, Any] = {"seconds": round(seconds, 4), "first_call_s": round(warm, 1)}
        row |= {"peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2)}
        if exact is not None:
            hot = matmul_tflops()
            row |= {"tflops": round(tflop / seconds), "hot_matmul_tflops": round(hot)}
            row |= {"share_of_rest": round(tflop / seconds / RESULTS["matmul TFLOP/s, card at rest"], 3)}
            row |= {"share_of_hot": round(tflop / seconds / hot, 3)}
            row |= {"error_to_float32": round(error(found, exact), 5), "distance_to_bf16": round(error(found, half), 5)}
        record(f"step {name}", row)

    def joint(name: str, kernel: Attention) -> None:
        def run() -> None:
            join_blocks(network, kernel)
            compile_again(network)
            measure(f"{name} joint compiled {kernel}")

        attempt(f"{name} {kernel}", run)

    measure("bf16 eager")
    stock = copy.deepcopy(network.transformer_blocks)
    joint("bf16", Attention.SDPA)
    attempt("window of 14 latents", lambda: measure("bf16 joint compiled sdpa, 14 latents", step_inputs(14), None))
    joint("bf16", Attention.FLASH4)
    quantise(network, Float8.MATMULS)
    joint("fp8 products", Attention.SDPA)
    joint("fp8 products", Attention.FLASH4)
    torch._dynamo.reset()
    network.transformer_blocks = stock
    quantise(network, Float8.WEIGHTS)
    attempt("fp8 weights", lambda: measure("fp8 weights eager"))


def compile_again(network: nn.Module) -> None:
    """Compile afresh: nothing is reused of the variant before but the compiler's own cache of equal kernels."""
    torch._dynamo.reset()
    compile_blocks(network)


def transformer_in_float32(network: nn.Module, given: dict[str, Any]) -> Tensor:
    """The same weights and inputs in float32 (no TF32)."""
    exact = copy.deepcopy(network).float()
    wide = given | {name: given[name].float() for name in ("hidden_states", "encoder_hidden_states")}
    return run_step(exact, wide)


def vae() -> None:
    """Encoding and decoding 85 frames."""
    network = autoencoder()
    frames = torch.rand(1, 3, 85, *SIZE, device="cuda").bfloat16() * 2 - 1
    latents = encode_all(network, frames)
    torch.cuda.reset_peak_memory_stats()
    row: dict[str, Any] = {"encode_s": round(timed(lambda: encode_all(network, frames), 3), 3)}
    row |= {"encode_peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2)}
    torch.cuda.reset_peak_memory_stats()
    row |= {"decode_s": round(timed(lambda: decode_all(network, latents), 3), 3)}
    row |= {"decode_peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2)}
    record("vae", row)


def encode_all(network: AutoencoderKLCogVideoX, frames: Tensor) -> Tensor:
    with torch.inference_mode():
        return encode(network, frames)


def decode_all(network: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """Frames on the CPU, as the pipeline takes them."""
    with torch.inference_mode():
        return torch.cat([chunk.cpu() for chunk in decode_chunks(network, latents)], dim=2)


def noise() -> None:
    """Warping the noise of 85 frames along a zoom with a jitter."""
    y, x = torch.meshgrid(*(torch.arange(float(side)) - side / 2 for side in SIZE), indexing="ij")
    flow = torch.stack([x, y]) * 0.01 + 0.3 * torch.randn(84, 2, *SIZE, generator=torch.Generator().manual_seed(3))
    flow = flow.cuda()
    for scale in (1, 2, 4):

        def warp(scale: int = scale) -> Tensor:
            return warped_noise(flow, 22, generator=torch.Generator().manual_seed(4), device="cuda", scale=scale)

        torch.cuda.reset_peak_memory_stats()
        values = warp()
        row = {
            "seconds": round(timed(warp, 3), 3),
            "mean": round(float(values.mean()), 4),
            "std": round(float(values.std()), 4),
        }
        row |= {
            "peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2),
            "repeatable": bool(torch.equal(values, warp())),
        }
        record(f"noise warp, scale {scale}", row)


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
        device=torch.device("cuda"),
        texts={name: torch.randn(226, 4096).bfloat16() for name in ("", "a room")},
    )


def make_video(pipe: VoidPipeline, num_frames: int, steps: int) -> dict[str, Any]:
    """Seconds of one video: all, and from the first step's end to the last one's a step."""
    drawn = np.random.default_rng(5)
    video = drawn.integers(0, 256, (num_frames, *SIZE, 3), np.uint8)
    mask = np.full((num_frames, *SIZE), 255, np.uint8)
    mask[:, 100:200, 200:400] = 0
    marks = list[float]()

    peaks = list[float]()  # of encoding and the first step, of each later step, of decoding

    def peak() -> None:
        peaks.append(round(torch.cuda.max_memory_allocated() / GIB, 2))
        torch.cuda.reset_peak_memory_stats()

    def mark(_done: int, _of: int) -> None:
        torch.cuda.synchronize()
        marks.append(time.perf_counter())
        peak()

    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    pipe(
        video, mask, "a room", settings=Settings(steps=steps), generator=torch.Generator().manual_seed(6), on_step=mark
    )
    total = time.perf_counter() - start
    a_step = (marks[-1] - marks[0]) / (len(marks) - 1)
    row = {
        "steps": steps,
        "total_s": round(total, 2),
        "s_a_step": round(a_step, 4),
        "other_s": round(total - steps * a_step, 2),
    }
    peak()
    return row | {"peak_gib": max(peaks), "step_peak_gib": max(peaks[1:-1]), "decode_peak_gib": peaks[-1]}


def video(steps_197: int, kernel: Attention) -> None:
    """Whole videos through the product's pipeline: pass 1, compiled bf16."""
    pipe = pipeline()
    join_blocks(pipe.transformer, kernel)
    compile_again(pipe.transformer)
    make_video(pipe, 85, 2)  # compiles
    record(f"video of 85 frames, pass 1, {kernel}", make_video(pipe, 85, STEPS))
    make_video(pipe, 197, 2)
    row = make_video(pipe, 197, steps_197)
    if steps_197 != STEPS:
        row["50 steps, extrapolated as steps x measured step + the rest"] = round(
            STEPS * row["s_a_step"] + row["other_s"], 1
        )
    record(f"video of 197 frames, pass 1, {kernel}", row)


SPEEDS = {
    MemoryMode.FULL: (Speed.EXACT, Speed.COMPILED),
    MemoryMode.OFFLOAD: (Speed.EXACT, Speed.COMPILED, Speed.FP8),
    MemoryMode.OFFLOAD_FP8: (Speed.EXACT,),
}


def memory() -> None:
    """Peaks of each memory mode, by speed: text, then encoding, two steps with guidance and decoding of 85 frames."""
    for mode in reversed(MemoryMode):
        attempt(f"memory {mode}", lambda: memory_of(mode))  # noqa: B023


def memory_of(mode: MemoryMode) -> None:
    """One mode, from the most exact speed to the fastest; the same networks throughout."""
    pipe = pipeline(guidance=6.0)
    pipe.transformer.cpu()
    config = T5Config(**T5_XXL, feed_forward_proj="gated-gelu")
    pipe.text_encoder = random_weights(on_device(lambda: T5EncoderModel(config)), 7).cpu()
    gc.collect()
    torch.cuda.empty_cache()
    place(pipe, mode, "cuda")
    torch.cuda.reset_peak_memory_stats()
    with torch.inference_mode(), pipe._working(pipe.text_encoder):
        pipe.text_encoder(torch.zeros(2, 226, dtype=torch.int64, device="cuda"))
    record(f"memory {mode}, text: peak_gib", round(torch.cuda.max_memory_allocated() / GIB, 2))
    pipe.text_encoder = None
    for speed in SPEEDS[mode]:
        torch._dynamo.reset()
        speed_up(pipe.transformer, speed, "cuda")
        gc.collect()
        torch.cuda.empty_cache()
        record(f"memory {mode}, speed {speed}", make_video(pipe, 85, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="card,step,vae,noise,video,memory")
    parser.add_argument(
        "--steps-197", type=int, default=STEPS, help="steps of the 197-frame video; the rest is extrapolated"
    )
    parser.add_argument(
        "--attention", type=Attention, default=Attention.SDPA, choices=list(Attention), help="of the videos"
    )
    options = parser.parse_args()
    sections: dict[str, Callable[[], Any]] = {
        "card": card,
        "step": step,
        "vae": vae,
        "noise": noise,
        "video": lambda: video(options.steps_197, options.attention),
        "memory": memory,
    }
    for name in options.only.split(","):
        attempt(name, sections[name])
        if options.out:
            options.out.write_text(json.dumps(RESULTS, indent=1))


if __name__ == "__main__":
    main()
