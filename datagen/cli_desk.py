"""Commands around a run: `datagen doctor` looks at the machine, `datagen view` into a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

EXIT_PROBLEMS = 1


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
