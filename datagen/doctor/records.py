"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How one thing stands."""

    GOOD = "good"
    ABSENT = "absent"  # and only some commands need it
    DOUBTFUL = "doubtful"  # works, and is likely to be too little
    MISSING = "missing"  # nothing can be made until it is mended


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    area: str  # "Python", "Engines", "Machine", ...
    name: str
    state: State
    found: str  # version, size, address: what is there
    needed_for: str = ""  # what does not work without it
    remedy: str = ""  # the command that mends it


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def can_run(self) -> bool:
        """Whether pairs can be made here."""
        return all(finding.state is not State.MISSING for finding in self.findings)

    def remedies(self) -> tuple[str, ...]:
        """Commands that mend what is not good, each once, what is required first."""
        ordered = sorted(self.findings, key=lambda finding: finding.state is not State.MISSING)
        commands = (finding.remedy for finding in ordered if finding.state is not State.GOOD and finding.remedy)
        return tuple(dict.fromkeys(commands))
