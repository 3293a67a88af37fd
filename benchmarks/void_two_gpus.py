"""Two videos on two GPUs of one host against one video on one of them, by the product's own command, files to files.

    python benchmarks/void_two_gpus.py prepare FOLDER [--tiny]      a full-size model with random weights, 12 GB
    python benchmarks/void_two_gpus.py run FOLDER [--out FILE.json] [--devices cuda:0,cuda:1] [--steps 10]

`prepare` writes the transformer (bf16, 11.14 GB) and the VAE at full size; the text encoder has T5's width and one
layer, since prompts are encoded once. `run` times `python -m inference run`: one video on the first device, then two on
both.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import void_networks as nets
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel
from void_networks import SIZE, attempt, record

from datagen.codec import write_json
from datagen.video import encode_mask, encode_rgb
from inference.checkpoints import TRANSFORMER_CONFIG, UNTRAINED_KEY, VAE_WEIGHTS
from inference.tiny_model import BASE_NAME, PASS1_NAME, make_tiny_model

FRAMES = 85


def prepare(folder: Path) -> None:
    """Weights and two eval sets, `one` and `two`, of as many videos."""
    make_tiny_model(folder / "model")
    base = folder / "model" / BASE_NAME
    raw = json.loads((base / TRANSFORMER_CONFIG).read_text())
    kept = {key: raw[key] for key in ("_class_name", "add_noise_in_inpaint_model", UNTRAINED_KEY)}
    network = nets.transformer()
    write_json(base / TRANSFORMER_CONFIG, {**dict(network.config), **kept, "in_channels": 33})
    weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / "model" / PASS1_NAME, metadata={"format": "pt", UNTRAINED_KEY: "true"})
    vae = nets.autoencoder(stock=True)
    write_json(base / "vae/config.json", {key: value for key, value in dict(vae.config).items() if key[0] != "_"})
    save_file({name: value.cpu().contiguous() for name, value in vae.state_dict().items()}, base / "vae" / VAE_WEIGHTS)
    width = nets.T5_XXL["d_model"]
    config = T5Config(vocab_size=128, d_model=width, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    shutil.rmtree(base / "text_encoder")
    T5EncoderModel(config).bfloat16().save_pretrained(base / "text_encoder")
    for name, keys in (("one", "a"), ("two", "ab")):
        for number, key in enumerate(keys):
            write_clip(folder / name / key, number)


def write_clip(folder: Path, seed: int) -> None:
    """A video of smooth noise, and a box to remove."""
    small = np.random.default_rng(seed).integers(60, 200, (FRAMES, SIZE[0] // 32, SIZE[1] // 32, 3), np.uint8)
    mask = np.full((FRAMES, *SIZE), 255, np.uint8)
    mask[:, SIZE[0] // 4 : SIZE[0] // 2, SIZE[1] // 3 : SIZE[1] // 2] = 0
    encode_rgb(folder / "input_video.mp4", small.repeat(32, axis=1).repeat(32, axis=2), 12.0)
    encode_mask(folder / "quadmask_0.mp4", mask, 12.0)
    write_json(folder / "prompt.json", {"bg": "an empty room"})


def run(folder: Path, devices: str, steps: int, memory: str) -> None:
    """Wall seconds of the command for one video and for two, and of each video by its record."""
    first = devices.split(",")[0]
    record("cards", [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())])
    attempt("one", lambda: command(folder, "one", first, steps, memory))
    attempt("two", lambda: command(folder, "two", devices, steps, memory))
    one, two = (nets.RESULTS.get(f"{name} video(s)") for name in ("one", "two"))
    if one and two:
        record("time of two over time of one", round(two["command_s"] / one["command_s"], 3))


def command(folder: Path, name: str, devices: str, steps: int, memory: str) -> None:
    """The command over `folder/name`; raises if it fails."""
    out = folder / f"pred_{name}"
    shutil.rmtree(out, ignore_errors=True)
    model = folder / "model"
    words = ["run", "--data", folder / name, "--base", model / BASE_NAME, "--pass1", model / PASS1_NAME]
    words += ["--out", out, "--device", devices, "--memory", memory]
    for setting in (f"steps={steps}", f"height={SIZE[0]}", f"width={SIZE[1]}"):
        words += ["--set", setting]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "inference", *map(str, words)], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-400:]}")
    records: list[dict[str, Any]] = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    videos = {one["key"]: one["wall_s"] for one in records}
    row = {"devices": devices, "steps": steps, "command_s": round(seconds, 1), "videos_s": videos}
    record(f"{name} video(s)", row | {"speed": records[0]["method"]["speed"]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["prepare", "run"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--devices", default="cuda:0,cuda:1")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--memory", default="full")
    parser.add_argument("--tiny", action="store_true", help="small networks, to rehearse on a CPU")
    options = parser.parse_args()
    if options.tiny:
        nets.use_tiny()
    if options.out:
        nets.KEPT.append(options.out)
    if options.what == "prepare":
        prepare(options.folder)
    else:
        run(options.folder, options.devices, options.steps, options.memory)


if __name__ == "__main__":
    main()
