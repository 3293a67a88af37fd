"""What the documentation holds: pages, headings, links and command lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from datagen.cli import app as datagen
from inference.cli import app as inference

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = (
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *(REPOSITORY / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
)
GROUPS: dict[tuple[str, ...], typer.Typer] = {
    ("datagen",): datagen,
    (".venv/bin/datagen",): datagen,
    ("python", "-m", "datagen.cli"): datagen,
    ("python", "-m", "inference"): inference,
    (".venv/bin/python", "-m", "inference"): inference,
}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A command line of a page."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)


@cache
def lines() -> tuple[Line, ...]:
    """All lines of all code blocks, continued ones joined."""
    return tuple(Line(page=page.name, text=text) for page in PAGES for text in _code(page.read_text()))


def _code(text: str) -> Iterator[str]:
    """Lines of indented blocks and of those fenced as bash."""
    fence, held = "", ""
    for line in text.splitlines():
        if line.startswith("```"):
            fence = "" if fence else line[3:] or "text"
            continue
        if not (fence == "bash" or (not fence and line.startswith("    "))):
            continue
        held += line.strip()
        if held.endswith("\\"):
            held = held[:-1]
            continue
        yield held
        held = ""


def commands() -> list[Line]:
    """Command lines of voidgen."""
    return [line for line in lines() if group_of(line.text) is not None]


def group_of(text: str) -> tuple[typer.Typer, list[str]] | None:
    """The command group that a line calls, and its arguments."""
    for start, app in GROUPS.items():
        if text.startswith(" ".join(start) + " "):
            return app, shlex.split(text, comments=True)[len(start) :]
    return None


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """Command and parameters of a line, parsed as it would be and not run; "..." stands for what is required."""
    found = group_of(text)
    assert found is not None, text
    app, arguments = found
    group: Any = typer.main.get_command(app)
    if arguments and arguments[0].startswith("--"):
        known = {name for parameter in group.params for name in parameter.opts}
        assert set(arguments) <= known | {"--help"}, f"{text}: unknown option"
        return "", {}
    name, *rest = arguments
    assert name in group.commands, f"{text}: there is no command '{name}'"
    command = group.commands[name]
    if "..." in rest:
        first = [word for word in rest[:1] if word != "..." and not word.startswith("--")]
        rest = [word for word in rest[len(first) :] if word != "..."]
        required = [one for one in command.params if one.required and not set(one.opts) & set(rest)]
        arguments = ["X" for one in required if one.param_type_name == "argument"]
        options = [word for one in required if one.param_type_name == "option" for word in (one.opts[0], "X")]
        rest = [*(first or arguments), *options, *rest]
    return name, command.make_context(name, rest).params


def python_blocks(page: str) -> list[str]:
    """Blocks fenced as python."""
    return re.findall(r"^```python\n(.*?)^```", (REPOSITORY / page).read_text(), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    outside = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", outside, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
