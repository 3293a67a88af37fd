"""The `datagen` command. Every stage is a command on a run folder; `run` does them all."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from datagen.cli_desk import doctor_command, view_command, warm_gpu_command
from datagen.cli_export import export_command, import_command
from datagen.cli_inspect import (
    explain_command,
    gallery_command,
    physics_report_command,
    show_command,
    status_command,
    validate_command,
)
from datagen.cli_make import (
    compose_command,
    demo_data_command,
    fetch_command,
    pack_command,
    plan_command,
    recompose_command,
    render_command,
    retry_command,
    run_command,
    simulate_command,
)
from datagen.cli_options import EXIT_INTERRUPTED, EXIT_USER_ERROR, console
from datagen.errors import VoidgenError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Make counterfactual video pairs: the same scene with and without a person or object, physics run again.",
)
COMMANDS = (
    ("demo-data", demo_data_command),
    ("plan", plan_command),
    ("simulate", simulate_command),
    ("render", render_command),
    ("compose", compose_command),
    ("pack", pack_command),
    ("retry", retry_command),
    ("recompose", recompose_command),
    ("run", run_command),
    ("fetch", fetch_command),
    ("status", status_command),
    ("validate", validate_command),
    ("physics-report", physics_report_command),
    ("explain", explain_command),
    ("gallery", gallery_command),
    ("show", show_command),
    ("export", export_command),
    ("doctor", doctor_command),
    ("warm-gpu", warm_gpu_command),
    ("view", view_command),
    ("import", import_command),
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print versions and exit.")] = False) -> None:
    """Options of the command itself."""
    if version:
        from datagen.versions import versions

        for name, number in versions().items():
            typer.echo(f"{name} {number}")
        raise typer.Exit


for name, command in COMMANDS:
    app.command(name)(command)


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
