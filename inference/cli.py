"""`python -m inference`: run VOID or a baseline over many videos or one, evaluate, and make a tiny model to try."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from datagen.codec import remove_tree
from datagen.entry import die_with_parent
from datagen.errors import VoidgenError
from datagen.versions import MODELS, versions
from inference.cli_evaluate import evaluate, metrics_command, report, table
from inference.quiet import quiet_libraries

if TYPE_CHECKING:
    from inference.run import RunJob

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Remove objects from videos with VOID: weights are yours to bring (docs/VOID.md).",
)
app.command()(evaluate)
app.command()(report)
app.command()(table)
app.command("metrics")(metrics_command)
console = Console(stderr=True)

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
UNPACKED = ".inputs"  # what shards hold lies here while a run goes on, for workers on other machines too

BaseOption = Annotated[Path | None, typer.Option("--base", help="The folder CogVideoX-Fun-V1.5-5b-InP.")]
Pass1Option = Annotated[Path | None, typer.Option("--pass1", help="void_pass1.safetensors.")]
Pass2Option = Annotated[Path | None, typer.Option("--pass2", help="void_pass2.safetensors: refine by pass 1's motion.")]
BaselineOption = Annotated[
    str, typer.Option("--baseline", help="Run this baseline instead; an unknown name lists them.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto (all GPUs, else the CPU), cpu, cuda:0,cuda:1 ...")]
MemoryOption = Annotated[str, typer.Option("--memory", help="full, offload or offload+fp8; each says what it needs.")]
SpeedOption = Annotated[
    str,
    typer.Option(
        "--speed",
        help="exact, compiled (auto's choice on a GPU, as accurate) or fp8 (fastest, less accurate).",
    ),
]
RayOption = Annotated[str, typer.Option("--ray", help="off, local, auto or HOST:PORT: how several GPUs are shared.")]
SetOption = Annotated[
    list[str],
    typer.Option("--set", help="One setting, e.g. --set steps=30. May be repeated; an unknown one lists them."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Draws all noise, for each video by its key.")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print versions and exit.")] = False) -> None:
    """Options of the command itself."""
    if version:
        for name, number in versions(MODELS).items():
            typer.echo(f"{name} {number}")
        raise typer.Exit


@app.command("tiny-model")
def tiny_model(
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to make.")],
    seed: Annotated[int, typer.Option("--seed", help="Draws the weights.")] = 0,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="Do nothing if DEST is there already.")] = False,
) -> None:
    """Write a tiny, untrained model in the exact layout of VOID's weights: to try commands, not to look at.

    Example: python -m inference tiny-model runs/tiny
    """
    if if_missing and dest.is_dir():
        return
    quiet_libraries()
    from inference.tiny_model import BASE_NAME, PASS1_NAME, PASS2_NAME, make_tiny_model

    make_tiny_model(dest, seed)
    typer.echo(f"{dest}: {BASE_NAME}, {PASS1_NAME}, {PASS2_NAME} (untrained: outputs are noise)")


@app.command("warped-noise")
def warped_noise_command(
    export: Annotated[Path, typer.Argument(metavar="EXPORT", help="A folder of `datagen export void-train`.")],
    scale: Annotated[int, typer.Option("--scale", min=1, help="Noise pixels a video pixel, each way.")] = 4,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
) -> None:
    """Make the flow-warped noise of a training export where it is missing.

    Example: python -m inference warped-noise exports/void-train
    """
    from inference.devices import pick_devices
    from inference.training_noise import fill_noise

    die_with_parent()
    for key in fill_noise(export, scale, seed, pick_devices(device)[0]):
        typer.echo(f"{key}: noise written", err=True)


@app.command()
def run(
    data: Annotated[Path, typer.Option("--data", help="A void-eval folder, a run folder, or shards.")],
    out: Annotated[Path, typer.Option("--out", help="Where <key>.mp4 and <key>.json go; resumed if it is there.")],
    base: BaseOption = None,
    pass1: Pass1Option = None,
    pass2: Pass2Option = None,
    baseline: BaselineOption = "",
    overrides: SetOption = [],  # noqa: B006
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    memory: MemoryOption = "full",
    speed: SpeedOption = "auto",
    ray: RayOption = "off",
) -> None:
    """Clean every video of DATA; run it again to go on where it stopped.

    Example: python -m inference run --data EVALSET --base BASE --pass1 void_pass1.safetensors --out PRED
    """
    quiet_libraries()
    from inference.devices import pick_devices
    from inference.inputs import find_clips
    from inference.jobs import make_job

    devices = pick_devices(device)
    try:
        clips = find_clips(data, out / UNPACKED)
        job = make_job(clips, out, base, pass1, pass2, baseline, overrides, seed, memory, devices[0], speed)
        _go(job, devices, ray)
    finally:
        remove_tree(out / UNPACKED)
    typer.echo(f"{len(clips)} videos in {out}")


@app.command()
def remove(
    video: Annotated[Path, typer.Argument(metavar="VIDEO")],
    quadmask: Annotated[Path, typer.Argument(metavar="QUADMASK", help="0 remove, 63 overlap, 127 affected, 255 keep.")],
    prompt: Annotated[str, typer.Option("--prompt", help="What remains and happens, never the removed object.")],
    out: Annotated[Path, typer.Option("--out", help="The .mp4 to write; its settings go beside it.")],
    base: BaseOption = None,
    pass1: Pass1Option = None,
    pass2: Pass2Option = None,
    baseline: BaselineOption = "",
    overrides: SetOption = [],  # noqa: B006
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    memory: MemoryOption = "full",
    speed: SpeedOption = "auto",
) -> None:
    """Clean one video.

    Example: python -m inference remove in.mp4 quadmask.mp4 --prompt "a ball" --base BASE --pass1 FILE --out out.mp4
    """
    quiet_libraries()
    from inference.devices import pick_devices
    from inference.inputs import one_clip
    from inference.jobs import make_job

    devices = pick_devices(device)[:1]
    clip = one_clip(video, quadmask, prompt, out)
    job = make_job([clip], out.parent, base, pass1, pass2, baseline, overrides, seed, memory, devices[0], speed)
    _go(job, devices, "off")
    typer.echo(str(out))


def _go(job: RunJob, devices: list[str], ray: str) -> None:
    """Warn, then do the job here or spread over devices."""
    from inference.devices import run_spread, spread
    from inference.inputs import warnings_of
    from inference.run import run_clips
    from inference.watch import watching

    for clip in job.clips:
        for warning in warnings_of(clip):
            _say(f"warning: {warning}", "yellow")
    if job.weights is not None and job.weights.untrained:
        _say(
            "warning: these weights are untrained (tiny-model): outputs are noise, and say so in their .json", "yellow"
        )
    parts = spread(job, devices)
    with watching(console) as watcher:
        if len(parts) == 1 and ray == "off":
            run_clips(parts[0], watcher)
        else:
            run_spread(parts, watcher, ray)


def _say(line: str, style: str) -> None:
    console.print(line, style=style, highlight=False, soft_wrap=True, markup=False)


def main() -> None:
    """The command: a user's mistake is one line and exit code 2, a bug keeps its traceback."""
    try:
        app()
    except VoidgenError as error:
        _say(f"error: {error.in_full()}", "red")
        sys.exit(EXIT_USER_ERROR)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            _say("interrupted; run the same command again to go on where it stopped", "")
        raise
