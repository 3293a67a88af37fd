"""Write docs/COMMANDS.md from the commands' own help: `python scripts/command_reference.py docs/COMMANDS.md`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from datagen.cli import app as datagen
from inference.cli import app as inference

HEAD = """# Commands

Made from the commands' own help by `make docs`; do not edit. `COMMAND --help` says the same.

`datagen --version` and `python -m inference --version` print the versions of all engines.
`datagen --install-completion` has your shell complete commands and options, `datagen --show-completion` prints the
script. A user's mistake is one line on stderr and exit code 2; `validate` and `doctor` exit with 1 where they find
problems.
"""
EXAMPLE = "Example:"


def reference() -> str:
    """The whole page."""
    lines = [HEAD]
    for name, app in (("datagen", datagen), ("python -m inference", inference)):
        group: Any = typer.main.get_command(app)
        lines += [f"## {name}", ""]
        for command, found in group.commands.items():
            lines += _command(f"{name} {command}", found)
    return "\n".join(lines).rstrip() + "\n"


def examples_of(command: Any) -> list[str]:
    """The command lines that a command's help gives as examples."""
    return re.findall(rf"^\s*{EXAMPLE} (.+)$", command.help or "", re.MULTILINE)


def _command(name: str, command: Any) -> Iterator[str]:
    """One command: what it does, its examples, its arguments and options."""
    said = re.sub(rf"^\s*{EXAMPLE} .+$", "", command.help or "", flags=re.MULTILINE)
    yield from (f"### {name}", "", re.sub(r"\n{2,}", "\n\n", said).strip(), "")
    if examples := examples_of(command):
        yield from (*(f"    {example}" for example in examples), "")
    rows = [_row(parameter) for parameter in command.params if "--help" not in parameter.opts]
    if rows:
        yield from ("| | default | |", "|---|---|---|", *rows, "")


def _row(parameter: Any) -> str:
    """One argument or option as a row of a table."""
    option = parameter.param_type_name == "option"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts]) if option else parameter.metavar or parameter.name
    default = parameter.default
    shown = "" if default in (None, "", [], ()) or isinstance(default, bool) or parameter.required else f"`{default}`"
    if isinstance(default, list) and default:
        shown = f"`{' '.join(map(str, default))}`"
    help_text = (parameter.help or "").replace("|", "\\|")
    return f"| `{names}` | {'required' if parameter.required else shown} | {help_text} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
