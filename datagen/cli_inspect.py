"""Commands that look at runs and samples: `datagen status`, `validate`, `explain`, `gallery` and the like."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from datagen.cli_options import (
    EXIT_PROBLEMS,
    DataOption,
    JsonOption,
    RunArgument,
    WorkersOption,
    console,
    worker_count,
)
from datagen.errors import ConfigError


def status_command(run: RunArgument, as_json: JsonOption = False) -> None:
    """Say how far a run is, what failed and why.

    Example: datagen status runs/first
    """
    from datagen.status import print_status, run_status, status_json

    found = run_status(run)
    if as_json:
        typer.echo(status_json(found))
    else:
        print_status(found, Console())


def validate_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A run folder, sample, shard or eval set.")],
    as_json: JsonOption = False,
) -> None:
    """Check that samples, shards and eval sets are whole; exit code 1 and the list of problems otherwise.

    Example: datagen validate runs/first
    """
    from datagen.codec import dump_json
    from datagen.validate import validate_path

    report = validate_path(path)
    if as_json:
        typer.echo(dump_json(report))
    else:
        for problem in report.problems:
            typer.echo(f"{problem.where}: {problem.problem}")
        typer.echo(f"{path}: {report.checked} checked, {len(report.problems)} problems")
    if report.problems:
        raise typer.Exit(EXIT_PROBLEMS)


def physics_report_command(
    run: RunArgument,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the distributions into this PNG too.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the distribution of every physics check over a run, labels, and why scenes were rejected.

    Example: datagen physics-report runs/first --plot checks.png
    """
    from datagen.codec import dump_json
    from datagen.physics_report import plot_report, print_report, report_of

    report = report_of(run)
    if plot is not None:
        plot_report(run, report, plot)
    if as_json:
        typer.echo(dump_json(report))
    else:
        print_report(report, Console())


def explain_command(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A run folder, with KEY.")] = None,
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="A simulated scene of that run.")] = "",
    data: DataOption = None,
    sequence: Annotated[str, typer.Option("--sequence", help="A sequence of --data, judged over time.")] = "",
    times: Annotated[int | None, typer.Option("--times", min=1, help="At how many times; default: 5.")] = None,
    step_s: Annotated[float | None, typer.Option("--step", metavar="SECONDS", help="Or every so often.")] = None,
    mocap_fps: Annotated[float, typer.Option("--mocap-fps", help="Rate of the motion capture.")] = 30.0,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table (of a sequence).")] = False,
) -> None:
    """Say of every object whether it moves once the person is gone, and why.

    Example: datagen explain runs/first KEY

    Example: datagen explain --data HUMOTO --sequence NAME --times 5
    """
    from dataclasses import asdict

    from datagen.codec import dump_json
    from datagen.explain import explain_scene, explain_sequence, markdown_lines, scene_table, sequence_table

    out = Console(width=None if sys.stdout.isatty() else 160)
    if run is not None and key and data is None and not sequence:
        verdicts = explain_scene(run, key)
        if as_json:
            typer.echo(dump_json([asdict(verdict) for verdict in verdicts]))
        else:
            out.print(scene_table(key, verdicts))
        return
    if data is None or not sequence or run is not None:
        raise ConfigError("name either a run and a scene's key, or --data and --sequence; see `datagen explain --help`")
    moments = explain_sequence(data, sequence, times=times, step_s=step_s, mocap_fps=mocap_fps, console=console)
    if as_json:
        typer.echo(dump_json([asdict(moment) for moment in moments]))
    elif markdown:
        typer.echo("\n".join(markdown_lines(moments)))
    else:
        out.print(sequence_table(moments))
        for moment in moments:
            if moment.problem:
                console.print(f"{moment.time_s:.2f} s: {moment.problem}", markup=False, soft_wrap=True)


def gallery_command(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", help="The page to make; its videos go into a folder beside it.")] = Path(
        "gallery.html"
    ),
    workers: WorkersOption = None,
) -> None:
    """Make a page of a run that opens from disk: videos in step, masks, physics, and what was rejected and why.

    Example: datagen gallery runs/first --out gallery.html
    """
    from datagen.web_gallery import write_gallery

    report = write_gallery(run, out, worker_count(workers))
    for problem in report.broken:
        console.print(f"not shown: {problem}", style="yellow", highlight=False, soft_wrap=True, markup=False)
    counts = f"{report.samples} samples, {report.rejected} rejected, {report.failed} failed"
    broken = f", {len(report.broken)} that cannot be read" if report.broken else ""
    typer.echo(f"{report.page}: {counts}{broken}")


def show_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A run folder, a sample folder or a shard.")],
    out: Annotated[Path, typer.Option("--out", help="The PNG to write.")] = Path("sheet.png"),
    frames: Annotated[int, typer.Option("--frames", min=1, help="Columns of the sheet.")] = 6,
) -> None:
    """Draw a contact sheet: both videos, mask overlay and difference over time.

    Example: datagen show runs/first/samples/KEY --out sheet.png
    """
    from datagen.gallery import contact_sheet

    typer.echo(str(contact_sheet(path, out, num_frames=frames)))
