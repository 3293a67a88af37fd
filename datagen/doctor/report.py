"""All that is looked at, in one order, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from datagen.doctor.engines import look_at_blender, look_at_encoders, look_at_gpus
from datagen.doctor.machine import look_at_disk, look_at_processor, look_at_ray
from datagen.doctor.packages import NEEDED_FOR, REQUIRED_EXTRAS, look_at_packages, look_at_python
from datagen.doctor.records import Diagnosis, Finding, State
from datagen.errors import ConfigError, did_you_mean

STYLES = {State.GOOD: "green", State.ABSENT: "dim", State.DOUBTFUL: "yellow", State.MISSING: "bold red"}


def examine(required: Sequence[str] = ()) -> Diagnosis:
    """Look at everything; `required` extras are missing, not merely absent, where they are not installed."""
    for extra in required:
        if extra not in NEEDED_FOR:
            known = [name for name in NEEDED_FOR if name]
            raise ConfigError(f"--require {extra}: there is no such extra{did_you_mean(extra, known)}")
    looks: tuple[Iterable[Finding], ...] = (
        look_at_python(),
        look_at_packages((*REQUIRED_EXTRAS, *required)),
        look_at_blender(),
        look_at_encoders(),
        look_at_processor(),
        look_at_gpus(),
        look_at_disk(),
        look_at_ray(),
    )
    return Diagnosis(findings=tuple(finding for look in looks for finding in look))


def print_diagnosis(diagnosis: Diagnosis, out: Console) -> None:
    """A table on a terminal, a line a finding elsewhere; then the commands that mend."""
    if out.is_terminal:
        out.print(_table(diagnosis))
    else:
        for finding in diagnosis.findings:
            tail = f" (for {finding.needed_for})" if finding.needed_for and finding.state is not State.GOOD else ""
            _line(out, f"{finding.state:8} {finding.area}: {finding.name}: {finding.found}{tail}")
    if commands := diagnosis.remedies():
        _line(out, "To install what is missing, those of them that you need:")
        for command in commands:
            _line(out, f"    {command}")
    _line(out, "Pairs can be made here." if diagnosis.can_run else "Pairs cannot be made here yet.")


def _table(diagnosis: Diagnosis) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "found", "needed for"):
        table.add_column(column, overflow="fold")
    area = ""
    for finding in diagnosis.findings:
        if area and area != finding.area:
            table.add_section()
        area = finding.area
        style = STYLES[finding.state]
        needed = "" if finding.state is State.GOOD else finding.needed_for
        table.add_row(Text(finding.state, style=style), Text(finding.name), Text(finding.found), Text(needed))
    return table


def _line(out: Console, text: str) -> None:
    out.print(text, soft_wrap=True, markup=False, highlight=False)
