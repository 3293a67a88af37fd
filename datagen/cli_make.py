"""Commands that make a run, stage by stage or all at once: `datagen plan`, `datagen run` and what lies between."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli_options import (
    ConfigOption,
    DataOption,
    GsoOption,
    HdriOption,
    KeepOption,
    LimitOption,
    OutOption,
    RayOption,
    RunArgument,
    SeedOption,
    SetOption,
    SourceArgument,
    TexturesOption,
    WorkersOption,
    console,
    worker_count,
)


def demo_data_command(
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


def plan_command(
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
        plan_source(source, data, gso, root, settings, limit=limit, workers=worker_count(workers), console=console)

    plan_run(plan_into, out)


def simulate_command(run: RunArgument, workers: WorkersOption = None, ray: RayOption = "local") -> None:
    """Run physics again for every planned scene, and reject those that fail the checks.

    Example: datagen simulate runs/first
    """
    _stages(run, "simulate", workers, ray)


def render_command(run: RunArgument, workers: WorkersOption = None, ray: RayOption = "local") -> None:
    """Render both worlds of every simulated scene, with the layers behind the masks.

    Example: datagen render runs/first --workers 2
    """
    _stages(run, "render", workers, ray)


def compose_command(
    run: RunArgument, workers: WorkersOption = None, ray: RayOption = "local", keep_renders: KeepOption = False
) -> None:
    """Derive quadmasks, encode the videos and write the sample folders.

    Example: datagen compose runs/first --keep-renders
    """
    _stages(run, "compose", workers, ray, keep_renders=keep_renders)


def pack_command(run: RunArgument, workers: WorkersOption = None, ray: RayOption = "off") -> None:
    """Pack all finished samples into tar shards with an index.

    Example: datagen pack runs/first
    """
    from datagen.commands import execution_of, pack_run

    pack_run(run, execution_of(workers, ray), console)


def retry_command(
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


def recompose_command(
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

    recompose_and_pack(run, parse_policy(policy), parse_form(form), worker_count(workers), console)


def run_command(
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
        plan_source(source, data, gso, root, settings, limit=limit, workers=worker_count(workers), console=console)

    typer.echo(make_run(plan_into, out, execution_of(workers, ray, keep_renders=keep_renders), console))


def fetch_command(
    run: Annotated[Path, typer.Argument(metavar="URL", help="A run at an address, e.g. s3://bucket/run.")],
    dest: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder on this machine.")],
) -> None:
    """Copy a run from an address to a folder, to look at it or to validate it.

    Example: datagen fetch s3://bucket/run runs/first
    """
    from datagen.desk import fetch_run

    typer.echo(f"{fetch_run(run, dest)} samples in {dest}")


def _stages(run: Path, stage: str, workers: int | None, ray: str, *, keep_renders: bool = True) -> None:
    from datagen.commands import execution_of, run_stages

    run_stages(run, (stage,), execution_of(workers, ray, keep_renders=keep_renders), console)


def _own_looks(hdri: str, textures: str) -> list[str]:
    """--hdri and --textures as settings."""
    named = {"hdri": hdri, "textures": textures}
    return [f"looks.{name}={Path(folder).resolve()}" for name, folder in named.items() if folder]
