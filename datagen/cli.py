"""The `datagen` command. Every stage is a command on a run folder; `run` does them all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from datagen.cli_desk import doctor_command, view_command, warm_gpu_command
from datagen.cli_export import export_command, import_command
from datagen.errors import ConfigError, VoidgenError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Make counterfactual video pairs: the same scene with and without a person or object, physics run again.",
)
console = Console(stderr=True)

EXIT_USER_ERROR = 2
EXIT_PROBLEMS = 1
EXIT_INTERRUPTED = 130

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
SourceArgument = Annotated[str, typer.Argument(metavar="SOURCE", help="Where scenes come from: humoto or kubric.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="humoto: folder of sequences, folder of FBX or GLB files, or one file.")
]
GsoOption = Annotated[
    str, typer.Option("--gso", help="kubric: manifest or folder of scanned objects; default: the embedded ones.")
]
HdriOption = Annotated[str, typer.Option("--hdri", help="Folder of environment maps of your own (.exr, .hdr).")]
TexturesOption = Annotated[
    str, typer.Option("--textures", help="Folder of PBR textures of your own, for floors and walls.")
]
OutOption = Annotated[Path, typer.Option("--out", help="The run folder to make or to go on with.")]
ConfigOption = Annotated[
    list[str],
    typer.Option("--config", help="preview, standard, void, eval, or a TOML file. May be repeated: the last one wins."),
]
SetOption = Annotated[
    list[str], typer.Option("--set", help="One setting, e.g. --set render.samples=16. May be repeated.")
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Draws everything that is drawn.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Plan at most this many scenes.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Scenes at a time; default: one a core.")]
RayOption = Annotated[str, typer.Option("--ray", help="local, off (plain processes), auto, or a cluster's address.")]
KeepOption = Annotated[bool, typer.Option("--keep-renders", help="Keep the rendered layers once a sample is made.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print versions and exit.")] = False) -> None:
    """Options of the command itself."""
    if version:
        from datagen.versions import versions

        for name, number in versions().items():
            typer.echo(f"{name} {number}")
        raise typer.Exit


@app.command("demo-data")
def demo_data(
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to make.")],
    seed: Annotated[int, typer.Option("--seed", help="Draws clothes and motion.")] = 0,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="Do nothing if DEST is there already.")] = False,
) -> None:
    """Write the embedded demo data: a few acted sequences in HUMOTO's layout and file format.

    Example: datagen demo-data runs/demo-data
    """
    from datagen.demo import make_demo_data

    count = make_demo_data(dest, seed, keep_existing=if_missing)
    console.print(f"{count} sequences in {dest}")


@app.command()
def plan(
    source: SourceArgument,
    out: OutOption,
    data: DataOption = None,
    gso: GsoOption = "",
    hdri: HdriOption = "",
    textures: TexturesOption = "",
    config: ConfigOption = ["standard"],  # noqa: B006 (typer copies it)
    overrides: SetOption = [],  # noqa: B006 (typer copies it)
    seed: SeedOption = None,
    limit: LimitOption = None,
    workers: WorkersOption = None,
) -> None:
    """Choose scenes and write a spec for each.

    Example: datagen plan humoto --data HUMOTO --out runs/first --config preview --limit 6
    """
    from datagen.commands import plan_run
    from datagen.config import resolve_config
    from datagen.planning import plan_source

    def plan_into(root: Path) -> None:
        settings = resolve_config(config, [*overrides, *_own_looks(hdri, textures)], seed)
        plan_source(source, data, gso, root, settings, limit=limit, workers=_workers(workers), console=console)

    plan_run(plan_into, out)


@app.command()
def simulate(run: RunArgument, workers: WorkersOption = None, ray: RayOption = "local") -> None:
    """Run physics again for every planned scene, and reject those that fail the checks.

    Example: datagen simulate runs/first
    """
    _stages(run, "simulate", workers, ray)


@app.command()
def render(run: RunArgument, workers: WorkersOption = None, ray: RayOption = "local") -> None:
    """Render both worlds of every simulated scene, with the layers behind the masks.

    Example: datagen render runs/first --workers 2
    """
    _stages(run, "render", workers, ray)


@app.command()
def compose(
    run: RunArgument, workers: WorkersOption = None, ray: RayOption = "local", keep_renders: KeepOption = False
) -> None:
    """Derive quadmasks, encode the videos and write the sample folders.

    Example: datagen compose runs/first --keep-renders
    """
    _stages(run, "compose", workers, ray, keep_renders=keep_renders)


@app.command()
def pack(run: RunArgument, workers: WorkersOption = None, ray: RayOption = "off") -> None:
    """Pack all finished samples into tar shards with an index.

    Example: datagen pack runs/first
    """
    from datagen.commands import execution_of, pack_run

    pack_run(run, execution_of(workers, ray), console)


@app.command()
def retry(
    run: RunArgument,
    failed: Annotated[bool, typer.Option("--failed", help="Every scene that failed (rejected ones stay so).")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Those alone whose reason or message has this text.")] = "",
    workers: WorkersOption = None,
    ray: RayOption = "local",
    keep_renders: KeepOption = False,
) -> None:
    """Try scenes again that failed: a run that is resumed leaves them alone, for most would fail again.

    Example: datagen retry runs/first --failed --reason timeout
    """
    from datagen.commands import execution_of, retry_failed

    execution = execution_of(workers, ray, keep_renders=keep_renders)
    console.print(retry_failed(run, every=failed, reason=reason, execution=execution, console=console))


@app.command()
def recompose(
    run: RunArgument,
    policy: Annotated[str, typer.Option("--policy", help="What counts as affected: void or effects.")],
    form: Annotated[str, typer.Option("--form", help="quad, binary, trimask or grid.")] = "quad",
    workers: WorkersOption = None,
) -> None:
    """Give every finished sample the mask of another policy or form, without rendering, and pack again.

    Example: datagen recompose runs/first --policy effects
    """
    from datagen.commands import recompose_and_pack
    from datagen.quadmask import parse_form, parse_policy

    recompose_and_pack(run, parse_policy(policy), parse_form(form), _workers(workers), console)


@app.command("run")
def run_all(
    source: SourceArgument,
    out: OutOption,
    data: DataOption = None,
    gso: GsoOption = "",
    hdri: HdriOption = "",
    textures: TexturesOption = "",
    config: ConfigOption = ["standard"],  # noqa: B006 (typer copies it)
    overrides: SetOption = [],  # noqa: B006
    seed: SeedOption = None,
    limit: LimitOption = None,
    workers: WorkersOption = None,
    ray: RayOption = "local",
    keep_renders: KeepOption = False,
) -> None:
    """Plan, simulate, render, compose and pack; run it again to go on where it stopped.

    Example: datagen run humoto --data HUMOTO --out runs/first --config preview --limit 6

    Example: datagen run kubric --out runs/collisions --config preview --limit 6 --set render.samples=8
    """
    from datagen.commands import execution_of, make_run
    from datagen.config import resolve_config
    from datagen.planning import plan_source

    def plan_into(root: Path) -> None:
        settings = resolve_config(config, [*overrides, *_own_looks(hdri, textures)], seed)
        plan_source(source, data, gso, root, settings, limit=limit, workers=_workers(workers), console=console)

    typer.echo(make_run(plan_into, out, execution_of(workers, ray, keep_renders=keep_renders), console))


@app.command()
def fetch(
    run: Annotated[Path, typer.Argument(metavar="URL", help="A run at an address, e.g. s3://bucket/run.")],
    dest: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder on this machine.")],
) -> None:
    """Copy a run from an address to a folder, to look at it or to validate it.

    Example: datagen fetch s3://bucket/run runs/first
    """
    from datagen.desk import fetch_run

    typer.echo(f"{fetch_run(run, dest)} samples in {dest}")


@app.command()
def status(run: RunArgument, as_json: JsonOption = False) -> None:
    """Say how far a run is, what failed and why.

    Example: datagen status runs/first
    """
    from datagen.status import print_status, run_status, status_json

    found = run_status(run)
    if as_json:
        typer.echo(status_json(found))
    else:
        print_status(found, Console())


@app.command()
def validate(
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


@app.command("physics-report")
def physics_report(
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


@app.command()
def explain(
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


@app.command()
def gallery(
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

    report = write_gallery(run, out, _workers(workers))
    for problem in report.broken:
        console.print(f"not shown: {problem}", style="yellow", highlight=False, soft_wrap=True, markup=False)
    counts = f"{report.samples} samples, {report.rejected} rejected, {report.failed} failed"
    broken = f", {len(report.broken)} that cannot be read" if report.broken else ""
    typer.echo(f"{report.page}: {counts}{broken}")


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A run folder, a sample folder or a shard.")],
    out: Annotated[Path, typer.Option("--out", help="The PNG to write.")] = Path("sheet.png"),
    frames: Annotated[int, typer.Option("--frames", min=1, help="Columns of the sheet.")] = 6,
) -> None:
    """Draw a contact sheet: both videos, mask overlay and difference over time.

    Example: datagen show runs/first/samples/KEY --out sheet.png
    """
    from datagen.gallery import contact_sheet

    typer.echo(str(contact_sheet(path, out, num_frames=frames)))


def _stages(run: Path, stage: str, workers: int | None, ray: str, *, keep_renders: bool = True) -> None:
    from datagen.commands import execution_of, run_stages

    run_stages(run, (stage,), execution_of(workers, ray, keep_renders=keep_renders), console)


def _own_looks(hdri: str, textures: str) -> list[str]:
    """--hdri and --textures as settings."""
    named = {"hdri": hdri, "textures": textures}
    return [f"looks.{name}={Path(folder).resolve()}" for name, folder in named.items() if folder]


def _workers(asked: int | None) -> int:
    from datagen.commands import cores

    return asked or cores()


app.command("export")(export_command)
app.command("doctor")(doctor_command)
app.command("warm-gpu")(warm_gpu_command)
app.command("view")(view_command)
app.command("import")(import_command)


def main() -> None:
    """The console command: a user's mistake is one line and exit code 2, a bug keeps its traceback."""
    try:
        app()
    except VoidgenError as error:
        console.print(f"error: {error.in_full()}", style="red", highlight=False, soft_wrap=True, markup=False)
        sys.exit(EXIT_USER_ERROR)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            console.print("interrupted; run the same command again to go on where it stopped")
        raise


if __name__ == "__main__":
    main()
