"""Commands around a run: `datagen doctor` looks at the machine, `datagen view` into a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from datagen.cli_options import EXIT_PROBLEMS


def doctor_command(
    require: Annotated[
        list[str],
        typer.Option("--require", metavar="EXTRA", help="This extra must be there too, e.g. kubric. May be repeated."),
    ] = [],  # noqa: B006 (typer copies it)
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look whether this machine can make pairs; for what is missing print the command that installs it.

    Exit code 1 if something is missing without which no pair can be made.

    Example: datagen doctor --require kubric --require inference
    """
    from dataclasses import asdict

    from datagen.codec import dump_json
    from datagen.doctor.report import examine, print_diagnosis

    diagnosis = examine(require)
    if as_json:
        summary = {"can_run": diagnosis.can_run, "remedies": diagnosis.remedies()}
        typer.echo(dump_json({**summary, **asdict(diagnosis)}))
    else:
        print_diagnosis(diagnosis, Console())
    if not diagnosis.can_run:
        raise typer.Exit(EXIT_PROBLEMS)


def warm_gpu_command(
    architecture: Annotated[
        list[str], typer.Option("--arch", metavar="ARCH", help="For this one instead, e.g. sm_90. May be repeated.")
    ] = [],  # noqa: B006 (typer copies it)
) -> None:
    """Compile Cycles' kernel for this machine's NVIDIA cards, where Blender brings none (A100, H100, H200): once.

    Needs ptxas of the CUDA toolkit. Without it the driver compiles before the first picture on each machine, longer.

    Example: datagen warm-gpu
    """
    import time

    from datagen.errors import DataError
    from datagen.gpu_kernels import USUAL_MINUTES, compiled_kernels, make_kernel, nvidia_cards

    wanted = architecture or sorted({card.architecture for card in nvidia_cards()})
    if not wanted:
        raise DataError("nvidia-smi lists no card here; name the architecture of another machine's with --arch sm_90")
    console = Console(stderr=True)
    for one in wanted:
        if one in compiled_kernels():
            typer.echo(f"{one}: there is a kernel")
            continue
        start = time.monotonic()
        usual = f"{USUAL_MINUTES[0]} to {USUAL_MINUTES[1]} minutes on one core"
        console.print(f"{one}: compiling, which takes {usual}; Ctrl-C leaves all as it was")
        with console.status("") as status:
            path = make_kernel(one, lambda: status.update(f"{(time.monotonic() - start) / 60:.1f} minutes"))  # noqa: B023
        typer.echo(f"{one}: {path} made in {(time.monotonic() - start) / 60:.1f} minutes")


def view_command(
    sample: Annotated[Path, typer.Argument(metavar="SAMPLE", help="A sample, or with KEY a run, shard or shards.")],
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="Which sample of a run, shard or folder of shards.")] = "",
    out: Annotated[Path, typer.Option("--out", help="The recording to write.")] = Path("sample.rrd"),
) -> None:
    """Write a Rerun recording of a sample: both worlds in 3D, contacts, camera and frames on one timeline.

    Example: datagen view runs/first KEY --out sample.rrd
    """
    from datagen.one_sample import sample_at
    from datagen.rerun_recording import record_sample

    with sample_at(sample, key) as found:
        recorded = record_sample(found, out)
    for line in recorded.left_out:
        typer.echo(f"left out: {line}", err=True)
    typer.echo(f"{recorded.file}: {recorded.num_frames} frames; look at it with `rerun {recorded.file}`")
