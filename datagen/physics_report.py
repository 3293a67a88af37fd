"""How the checks of a run are distributed: is a limit far from what good scenes need, and what do bad ones fail by?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from datagen.codec import atomic_path, read_record
from datagen.errors import UserError
from datagen.physics.records import Check, PhysicsCertificate
from datagen.runs import RunFolder, read_rows

CERTIFICATE = "certificate.json"
COLUMNS = 4  # of the plot
BINS = 20
SMALLEST = 1e-6  # relative to a limit, on the plot's logarithmic axis


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One scene's certificate, wherever it was found."""

    key: str
    accepted: bool
    checks: tuple[Check, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One check over the scenes that it applies to; figures are None where it applies to none."""

    name: str
    unit: str
    gate: bool
    limit: float  # the largest, where it depends on the scene
    scenes: int  # in which it was made
    count: int  # in which it applied
    min: float | None
    median: float | None
    p95: float | None
    max: float | None
    failed_share: float  # of `scenes`


@dataclass(frozen=True, kw_only=True)
class PhysicsReport:
    """A run's physics at a glance."""

    root: str
    accepted: int
    rejected: int
    failed: int
    labels: dict[str, int]  # of accepted scenes
    reasons: dict[str, int]  # of rejected scenes: names of the failed checks, or the message
    checks: tuple[Distribution, ...]


def report_of(root: Path) -> PhysicsReport:
    """Read a run folder; `RunFolderError` for a folder that is none, `UserError` before anything is simulated."""
    run = RunFolder(root=root)
    run.info()
    scenes = measured_scenes(run)
    rejected = read_rows(run.rejected)
    failed = [row for row in read_rows(run.failures) if row.get("stage") == "simulate"]
    if not scenes and not rejected and not failed:
        raise UserError(f"{root}: nothing is simulated yet; run `datagen simulate {root}` first")
    names = dict.fromkeys(check.name for scene in scenes for check in scene.checks)
    return PhysicsReport(
        root=str(root),
        accepted=sum(scene.accepted for scene in scenes),
        rejected=len(rejected),
        failed=len(failed),
        labels=dict(Counter(label for scene in scenes if scene.accepted for label in scene.labels)),
        reasons=dict(Counter(_reason(row) for row in rejected)),
        checks=tuple(_distribution([_named(scene, name) for scene in scenes]) for name in names),
    )


def measured_scenes(run: RunFolder) -> list[Measured]:
    """Accepted scenes from their folders, rejected ones from their rows."""
    scenes = [_accepted(path) for path in sorted((run.root / "physics").glob(f"*/{CERTIFICATE}"))]
    for row in read_rows(run.rejected):
        details = row.get("details", {})
        if "measured" in details:
            checks = tuple(Check(**check) for check in details["measured"])
            labels = tuple(details.get("labels", ()))
            scenes.append(Measured(key=str(row["key"]), accepted=False, checks=checks, labels=labels))
    return scenes


def _accepted(path: Path) -> Measured:
    certificate = read_record(PhysicsCertificate, path)
    return Measured(key=certificate.key, accepted=True, checks=certificate.checks, labels=certificate.labels)


def _reason(row: dict[str, Any]) -> str:
    """Names of the failed checks; a rejection without any is told by its message, without its key."""
    failed = row.get("details", {}).get("checks", {})
    return ", ".join(failed) if failed else str(row["message"]).removeprefix(f"{row['key']}: ")


def _named(scene: Measured, name: str) -> Check | None:
    return next((check for check in scene.checks if check.name == name), None)


def _distribution(found: Sequence[Check | None]) -> Distribution:
    checks = [check for check in found if check is not None]
    values = np.array([check.value for check in checks if check.value is not None])
    figures = [float(np.quantile(values, share)) for share in (0, 0.5, 0.95, 1)] if values.size else [None] * 4
    return Distribution(
        name=checks[0].name,
        unit=checks[0].unit,
        gate=checks[0].gate,
        limit=max(check.limit for check in checks),
        scenes=len(checks),
        count=int(values.size),
        min=figures[0],
        median=figures[1],
        p95=figures[2],
        max=figures[3],
        failed_share=sum(not check.passed for check in checks) / len(checks),
    )


def print_report(report: PhysicsReport, console: Console) -> None:
    """A table."""
    console.print(f"{report.accepted} accepted, {report.rejected} rejected, {report.failed} failed", highlight=False)
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for title in ("check", "unit", "n", "min", "median", "p95", "max", "limit", "failed", "is a"):
        table.add_column(title, no_wrap=True, justify="left" if title in ("check", "unit", "is a") else "right")
    for check in report.checks:
        figures = [_short(value, check.limit) for value in (check.min, check.median, check.p95, check.max)]
        failed = f"{check.failed_share:.0%}" if check.failed_share else "-"
        kind = "gate" if check.gate else "label"
        table.add_row(check.name, check.unit, str(check.count), *figures, f"{check.limit:.2g}", failed, kind)
    console.print(table)
    for title, counts in (("label", report.labels), ("rejected for", report.reasons)):
        for name, count in sorted(counts.items(), key=lambda item: -item[1]):
            console.print(f"{title} {name}: {count}", highlight=False, soft_wrap=True)


def _short(value: float | None, limit: float) -> str:
    """Two digits, in at most seven characters so that a row fits a terminal; what rounds to nothing is 0."""
    if value is None:
        return "-"
    if abs(value) < SMALLEST * max(limit, SMALLEST):
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"


def plot_report(root: Path, report: PhysicsReport, path: Path) -> None:
    """Histograms of every check's values over their limits, on a logarithmic axis: left of 1 is within."""
    from matplotlib.figure import Figure

    scenes = measured_scenes(RunFolder(root=root))
    shown = [check for check in report.checks if check.count]
    rows = max(1, -(-len(shown) // COLUMNS))
    figure = Figure(figsize=(4 * COLUMNS, 2.4 * rows), layout="constrained")
    axes = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axis in axes:
        axis.set_visible(False)
    for axis, check in zip(axes, shown, strict=False):
        _draw(axis, check, scenes)
    title = f"{root.name}: {report.accepted} accepted (blue), {report.rejected} rejected (red); values over their limit"
    figure.suptitle(title)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=100)


def _draw(axis: Any, check: Distribution, scenes: Sequence[Measured]) -> None:
    """One check's histogram, accepted and rejected scenes stacked."""
    limit = check.limit or 1.0
    groups = []
    for accepted in (True, False):
        found = [_named(scene, check.name) for scene in scenes if scene.accepted is accepted]
        values = [one.value / (one.limit or limit) for one in found if one is not None and one.value is not None]
        groups.append(np.log10(np.maximum(values, SMALLEST)))
    every = np.concatenate([*groups, [0.0]])
    low, high = float(every.min()) - 0.2, float(every.max()) + 0.2
    axis.hist(groups, bins=np.linspace(low, high, BINS + 1), stacked=True, color=["#4878a8", "#c44e52"])
    axis.axvline(0.0, color="black", linestyle="--", linewidth=1)
    unit = "" if check.unit == "1" else f" {check.unit}"
    axis.set_title(f"{check.name} ({'gate' if check.gate else 'label'} at {check.limit:.2g}{unit})", fontsize=9)
    axis.set_xlabel("log10 of value / limit", fontsize=7)
    axis.set_ylabel("scenes", fontsize=7)
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.tick_params(labelsize=7)
    axis.set_visible(True)
