"""The documentation is true: commands parse, links lead somewhere, nothing is left undocumented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from documents import GROUPS, LINK, PAGES, REPOSITORY, Line, anchors, commands, lines, parse, python_blocks

from datagen.config import resolve_config
from datagen.errors import ConfigError, Page
from scripts.command_reference import examples_of, reference

COMMANDS_PAGE = REPOSITORY / "docs" / "COMMANDS.md"
MAKEFILE = (REPOSITORY / "Makefile").read_text()


def every_command() -> list[tuple[str, str, Any]]:
    """Group, name and command."""
    found = []
    for start in (("datagen",), ("python", "-m", "inference")):
        app = GROUPS[start]
        group: Any = typer.main.get_command(app)
        found += [(" ".join(start), name, command) for name, command in group.commands.items()]
    return found


@pytest.mark.parametrize("line", commands(), ids=lambda line: f"{line.page}: {line.text[:60]}")
def test_a_documented_command_parses(line: Line) -> None:
    _, parameters = parse(line.text)
    if parameters.get("source") or "config" in parameters:  # settings of runs
        presets = [name for name in parameters.get("config", ()) if not name.endswith(".toml")]
        resolve_config(presets or "standard", parameters.get("overrides", ()))


def test_enough_of_them_are_found() -> None:
    """A page whose blocks are no longer recognised must not pass for one without commands."""
    assert len(commands()) > 60 and {"README.md", "EVALUATION.md", "COMMANDS.md"} <= {line.page for line in commands()}


def test_a_line_that_is_wrong_is_seen() -> None:
    for text in ("datagen plan humoto", "datagen plann x", "datagen status runs/first --jsn", "datagen --versions"):
        with pytest.raises(BaseException) as caught:
            parse(text)
        assert type(caught.value).__name__ in ("AssertionError", "MissingParameter", "NoSuchOption"), caught.value
    with pytest.raises(ConfigError):
        resolve_config("preview", parse("datagen run kubric --out x --set render.sampels=2")[1]["overrides"])


@pytest.mark.parametrize(("group", "name", "command"), every_command())
def test_every_command_has_an_example_that_parses(group: str, name: str, command: Any) -> None:
    examples = examples_of(command)
    assert examples, f"`{group} {name}` has no 'Example:' in its help"
    for example in examples:
        assert example.startswith(f"{group} {name}")
        assert parse(example)[0] == name


def test_the_reference_is_that_of_the_commands() -> None:
    assert COMMANDS_PAGE.read_text() == reference(), "run `make docs`"


def test_every_command_is_shown_beyond_the_reference() -> None:
    told = "\n".join(page.read_text() for page in PAGES if page != COMMANDS_PAGE)
    missing = [f"{group} {name}" for group, name, _ in every_command() if f"{group} {name}" not in told]
    assert not missing


def test_make_targets_and_variables_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for line in lines():
        if line.text.startswith("make "):
            for word in line.words[1:]:
                name, is_variable, _ = word.partition("=")
                assert (f"$({name})" in MAKEFILE or f"$({name}" in MAKEFILE) if is_variable else name in targets, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file) if file else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


@pytest.mark.parametrize("page", list(Page))
def test_errors_name_pages_that_exist(page: Page) -> None:
    file, _, anchor = page.partition("#")
    assert anchor in anchors(REPOSITORY / file)


def test_every_page_is_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        found = LINK.findall(page.read_text()) + re.findall(r"docs/\w+\.md", page.read_text())
        for target in found:
            for base in (page.parent, REPOSITORY):
                file = (base / target.partition("#")[0]).resolve()
                if file.suffix == ".md" and file.is_file() and file not in seen:
                    waiting.append(file)
    assert not sorted(page.name for page in PAGES if page not in seen)


WITH_PYTHON = [page for page in PAGES if "```python" in page.read_text()]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_python_in_the_docs_is_python(page: Path) -> None:
    for block in python_blocks(str(page.relative_to(REPOSITORY))):
        compile(block, page.name, "exec")


def test_the_shell_gets_a_completion_script() -> None:
    """`--show-completion` asks which shell it runs in; typer's own variable lets a test name one."""
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [sys.executable, "-m", "datagen.cli", "--show-completion", "bash"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0 and "complete -o default" in result.stdout, result.stderr


def test_versions_of_models_are_told() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "inference", "--version"], capture_output=True, text=True, check=True
    )
    told = dict(line.split(" ", 1) for line in result.stdout.splitlines())
    assert {"voidgen", "torch", "diffusers"} <= set(told)
