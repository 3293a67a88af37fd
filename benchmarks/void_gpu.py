"""What VOID costs on a GPU, with the full-size networks and random weights made on the device; no checkpoint is needed.

    python benchmarks/void_gpu.py [--out FILE.json] [--only card,step,vae,noise,video,memory,modes]
        [--steps-197 50] [--memory offload+fp8,offload,full] [--tiny]

The floor of a step is its floating-point operations (counted by torch) over the bf16 rate of one 8192^3 matrix product,
measured on the card at rest and again right after each variant, when the card has slowed down under its power limit.
Errors are relative L2 distances of the transformer's output from the same weights run in float32.
A section that fails is reported as failed and the others go on; FILE.json holds what is known so far. `--tiny`
rehearses it on a CPU.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import void_networks as nets
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import T5Config, T5EncoderModel
from void_networks import DEVICE, SIZE, STEPS, attempt, record

from inference.attention import Attention
from inference.compile import compile_blocks, join_blocks
from inference.memory import MemoryMode, place
from inference.noise import warped_noise
from inference.pipeline import VoidPipeline
from inference.quantise import Float8, quantise
from inference.settings import Settings
from inference.speed import Speed, prepare


def card() -> None:
    """Which card, and its matrix rate."""
    record("card", torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu")
    record("torch", torch.__version__)
    record("matmul TFLOP/s, card at rest", round(nets.matmul_tflops(), 1))


def step() -> None:
    """Seconds, warm-up, peak and error of one step, by variant."""
    given = nets.step_inputs(22)
    network = nets.transformer()
    with FlopCounterMode(display=False) as counter:
        nets.run_step(network, given)
    tflop = counter.get_total_flops() / 1e12
    record("TFLOP a step", round(tflop, 2))
    exact = nets.transformer_in_float32(network, given)
    nets.free()
    half = nets.run_step(network, given)
    reached = {"tflop": tflop, "exact": exact, "half": half}

    measure_step("bf16 eager", network, given, reached)
    stock = copy.deepcopy(network.transformer_blocks)
    join_blocks(network)
    compile_again(network)
    attempt("bf16", lambda: measure_step("bf16 joint compiled", network, given, reached))
    attempt("14 latents", lambda: measure_step("bf16 joint compiled, 14 latents", network, nets.step_inputs(14), {}))
    if DEVICE == "cuda":
        quantise(network, Float8.MATMULS)
        compile_again(network)
        attempt("fp8", lambda: measure_step("fp8 products joint compiled", network, given, reached))
    network.transformer_blocks = stock
    join_blocks(network, Attention.SDPA)
    compile_again(network)
    attempt("bf16 sdpa", lambda: measure_step("bf16 joint compiled, PyTorch's attention", network, given, reached))
    join_blocks(network, Attention.BOUNDED)
    quantise(network, Float8.WEIGHTS)
    compile_again(network)
    attempt("fp8 weights", lambda: measure_step("fp8 weights joint compiled", network, given, reached))


def measure_step(name: str, network: Any, given: dict[str, Any], reached: dict[str, Any]) -> None:
    """One variant; `reached` has the operations of a step and the results in float32 and bf16, or nothing."""
    nets.wait()
    start = time.perf_counter()
    found = nets.run_step(network, given)
    nets.wait()
    row: dict[str, Any] = {"first_call_s": round(time.perf_counter() - start, 1)}
    nets.reset_peak()
    seconds = nets.timed(lambda: nets.run_step(network, given), 12)
    row |= {"seconds": round(seconds, 4), "peak_gib": nets.peak_gib()}
    if reached:
        hot, rate = nets.matmul_tflops(), reached["tflop"] / seconds
        row |= {"tflops": round(rate), "hot_matmul_tflops": round(hot), "share_of_hot": round(rate / hot, 3)}
        if rest := nets.RESULTS.get("matmul TFLOP/s, card at rest"):
            row |= {"share_of_rest": round(rate / rest, 3)}
        row |= {"error_to_float32": round(nets.error(found, reached["exact"]), 5)}
        row |= {"distance_to_bf16": round(nets.error(found, reached["half"]), 5)}
    record(f"step {name}", row)


def compile_again(network: Any) -> None:
    """Compile afresh: nothing is reused of the variant before but the compiler's own cache of equal kernels."""
    torch._dynamo.reset()
    if DEVICE == "cuda":
        compile_blocks(network)


def vae() -> None:
    """Encoding and decoding 85 frames, as diffusers lays it out and as the product does; both against float32."""
    frames = (torch.rand(1, 3, 85, *SIZE, generator=torch.Generator().manual_seed(8)) * 2 - 1).to(DEVICE).bfloat16()
    lean = nets.autoencoder()
    latents = measure_vae("lean", lean, frames, None)
    stock = nets.autoencoder(stock=True)
    attempt("vae stock", lambda: measure_vae("stock", stock, frames, latents))
    attempt("vae errors", lambda: vae_errors(lean, stock, frames[:, :, :13, :192, :320], latents[:, :4, :, :24, :40]))


def measure_vae(name: str, network: Any, frames: Tensor, latents: Tensor | None) -> Tensor:
    """Seconds and peaks of one VAE; the latents that it made."""
    start = time.perf_counter()
    made = nets.encode_all(network, frames)
    latents = made if latents is None else latents
    nets.decode_all(network, latents)
    row: dict[str, Any] = {"first_calls_s": round(time.perf_counter() - start, 1)}
    nets.reset_peak()
    row |= {"encode_s": round(nets.timed(lambda: nets.encode_all(network, frames), 2), 3)}
    row |= {"encode_peak_gib": nets.peak_gib()}
    nets.reset_peak()
    row |= {"decode_s": round(nets.timed(lambda: nets.decode_all(network, latents), 2), 3)}
    row |= {"decode_peak_gib": nets.peak_gib()}
    record(f"vae {name}", row)
    return made


def vae_errors(lean: Any, stock: Any, frames: Tensor, latents: Tensor) -> None:
    """Distances of both bf16 networks from float32, on 13 small frames: float32 convolutions are slow."""
    exact = copy.deepcopy(stock).float()
    codes, pictures = nets.encode_all(exact, frames.float()), nets.frames_of(exact, latents.float())
    row = {}
    for name, network in (("lean", lean), ("stock", stock)):
        row[f"{name} encode"] = round(nets.error(nets.encode_all(network, frames), codes), 5)
        row[f"{name} decode"] = round(nets.error(nets.frames_of(network, latents), pictures), 5)
    record("vae error to float32", row)


def noise() -> None:
    """Warping the noise of 85 frames along a zoom with a jitter."""
    y, x = torch.meshgrid(*(torch.arange(float(side)) - side / 2 for side in SIZE), indexing="ij")
    flow = torch.stack([x, y]) * 0.01 + 0.3 * torch.randn(84, 2, *SIZE, generator=torch.Generator().manual_seed(3))
    flow = flow.to(DEVICE)
    for scale in (1, 2, 4):

        def warp(scale: int = scale) -> Tensor:
            return warped_noise(flow, 22, generator=torch.Generator().manual_seed(4), device=DEVICE, scale=scale)

        nets.reset_peak()
        values = warp()
        row = {"seconds": round(nets.timed(warp, 3), 3), "peak_gib": nets.peak_gib()}
        row |= {"mean": round(float(values.mean()), 4), "std": round(float(values.std()), 4)}
        record(f"noise warp, scale {scale}", row | {"repeatable": bool(torch.equal(values, warp()))})


def make_video(pipe: VoidPipeline, num_frames: int, steps: int) -> dict[str, Any]:
    """Seconds of one video: all, and from the first step's end to the last one's a step."""
    drawn = np.random.default_rng(5)
    video = drawn.integers(0, 256, (num_frames, *SIZE, 3), np.uint8)
    mask = np.full((num_frames, *SIZE), 255, np.uint8)
    mask[:, SIZE[0] // 4 : SIZE[0] // 2, SIZE[1] // 3 : SIZE[1] // 2] = 0
    marks = list[float]()
    peaks = list[float]()  # of encoding and the first step, of each later step, of decoding

    def mark(_done: int, _of: int) -> None:
        nets.wait()
        marks.append(time.perf_counter())
        peaks.append(nets.peak_gib())
        nets.reset_peak()

    nets.reset_peak()
    start = time.perf_counter()
    pipe(
        video,
        mask,
        "a room",
        settings=Settings(height=SIZE[0], width=SIZE[1], steps=steps),
        generator=torch.Generator().manual_seed(6),
        on_step=mark,
    )
    total = time.perf_counter() - start
    a_step = (marks[-1] - marks[0]) / (len(marks) - 1)
    row = {"steps": steps, "total_s": round(total, 2), "s_a_step": round(a_step, 4)}
    row |= {"other_s": round(total - steps * a_step, 2), "encode_peak_gib": peaks[0]}
    return row | {"step_peak_gib": max(peaks[1:]), "decode_peak_gib": nets.peak_gib()}


def video(steps: int, steps_197: int) -> None:
    """Whole videos through the product's pipeline: pass 1, compiled bf16."""
    pipe = nets.pipeline()
    join_blocks(pipe.transformer)
    compile_again(pipe.transformer)
    make_video(pipe, 85, 2)  # compiles
    record("video of 85 frames, pass 1", make_video(pipe, 85, steps))
    if steps_197:
        make_video(pipe, 197, 2)
        record("video of 197 frames, pass 1", make_video(pipe, 197, steps_197))


def memory(modes: list[MemoryMode], speeds: list[Speed]) -> None:
    """Peaks of memory modes, by speed: text, then encoding, two steps with guidance and decoding of 85 frames."""
    for mode in modes:
        attempt(f"memory {mode}", lambda: memory_of(mode, speeds))  # noqa: B023


def memory_of(mode: MemoryMode, speeds: list[Speed]) -> None:
    """One mode: its peak with the text encoder, then that of each speed, with weights made anew."""
    pipe = nets.pipeline(guidance=6.0)
    pipe.transformer.cpu()
    config = T5Config(**nets.T5_XXL, feed_forward_proj="gated-gelu")
    pipe.text_encoder = nets.random_weights(nets.on_device(lambda: T5EncoderModel(config)), 7).cpu()
    nets.free()
    place(pipe, mode, DEVICE)
    nets.reset_peak()
    with torch.inference_mode(), pipe._working(pipe.text_encoder):
        pipe.text_encoder(torch.zeros(2, 226, dtype=torch.int64, device=DEVICE))
    record(f"memory {mode}, text: peak_gib", nets.peak_gib())
    pipe.text_encoder = None
    for number, speed in enumerate(speeds):

        def run(speed: Speed = speed, fresh: bool = number > 0) -> None:
            if fresh:
                pipe.transformer = None
                nets.free()
                pipe.transformer = nets.transformer().cpu()
            torch._dynamo.reset()
            place(pipe, mode, DEVICE)
            prepare(pipe.transformer, speed, mode, DEVICE)
            nets.free()
            record(f"memory {mode}, speed {speed}", make_video(pipe, 85, 2))

        attempt(f"memory {mode}, speed {speed}", run)


def modes() -> None:
    """The product's whole way, files to files, with the tiny model in every memory mode: it runs, and what differs."""
    from datagen.codec import write_json
    from datagen.video import decode_rgb, encode_mask, encode_rgb
    from inference.inputs import find_clips
    from inference.jobs import make_job
    from inference.run import run_clips
    from inference.tiny_model import BASE_NAME, PASS1_NAME, PASS2_NAME, make_tiny_model

    root = Path(tempfile.mkdtemp())
    make_tiny_model(root / "tiny")
    drawn = np.random.default_rng(9).integers(40, 90, (13, 32, 48, 3), np.uint8)
    grey = np.full((13, 32, 48), 255, np.uint8)
    grey[:, 8:20, 8:24] = 0
    encode_rgb(root / "data/a/input_video.mp4", drawn, 12.0)
    encode_mask(root / "data/a/quadmask_0.mp4", grey, 12.0)
    write_json(root / "data/a/prompt.json", {"bg": "a room"})
    clips = find_clips(root / "data", root / "scratch")
    base, pass1, pass2 = (root / "tiny" / name for name in (BASE_NAME, PASS1_NAME, PASS2_NAME))
    small = ["height=32", "width=48", "steps=2", "window_frames=13", "overlap_frames=8"]
    videos = dict[str, np.ndarray]()

    def run(name: str, device: str, memory: str, speed: str) -> None:
        out = root / name.replace(" ", "_")
        start = time.perf_counter()
        run_clips(make_job(clips, out, base, pass1, pass2, "", small, 0, memory, device, speed), Silent())
        videos[name] = decode_rgb(out / "a.mp4").astype(int)
        far = float(np.abs(videos[name] - videos["cpu"]).mean())
        record(
            f"tiny model, {name}", {"seconds": round(time.perf_counter() - start, 1), "grey levels off": round(far, 2)}
        )

    run("cpu", "cpu", "full", "exact")
    device = "cuda:0" if DEVICE == "cuda" else "cpu"
    for memory, speed in (
        ("offload+fp8", "exact"),
        ("offload+fp8", "auto"),
        ("full", "exact"),
        ("offload", "exact"),
        ("full", "auto"),
        ("offload+fp8", "fp8" if DEVICE == "cuda" else "exact"),
    ):
        name = f"{memory} {speed}"
        attempt(f"tiny {name}", lambda: run(name, device, memory, speed))  # noqa: B023


class Silent:
    """A watcher that says nothing."""

    def begin(self, stage: str, videos: int) -> None: ...

    def step(self, key: str, done: int, total: int) -> None: ...

    def finished(self, key: str, seconds: float) -> None: ...

    def failed(self, key: str, reason: str) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="card,step,vae,noise,video,memory,modes")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of the 85-frame video")
    parser.add_argument("--steps-197", type=int, default=STEPS, help="steps of the 197-frame video; 0 leaves it out")
    parser.add_argument("--memory", default=",".join(reversed(MemoryMode)), help="modes to measure")
    parser.add_argument("--speeds", default="compiled,exact,fp8", help="speeds of each mode")
    parser.add_argument("--tiny", action="store_true", help="small networks, to rehearse on a CPU")
    options = parser.parse_args()
    if options.tiny:
        nets.use_tiny()
    if options.out:
        nets.KEPT.append(options.out)
    modes_asked = [MemoryMode(name) for name in options.memory.split(",")]
    speeds = [Speed(name) for name in options.speeds.split(",")]
    sections: dict[str, Callable[[], Any]] = {
        "card": card,
        "step": step,
        "vae": vae,
        "noise": noise,
        "video": lambda: video(options.steps, options.steps_197),
        "memory": lambda: memory(modes_asked, speeds),
        "modes": modes,
    }
    for name in options.only.split(","):
        attempt(name, sections[name])


if __name__ == "__main__":
    main()
