"""Options that several commands share, and the console that they report to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

EXIT_USER_ERROR = 2
EXIT_PROBLEMS = 1
EXIT_INTERRUPTED = 130

console = Console(stderr=True)

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


def worker_count(asked: int | None) -> int:
    """What --workers says, or the cores that there are."""
    from datagen.commands import cores

    return asked or cores()
