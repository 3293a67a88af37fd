"""How far a run is; read from its folder alone, so it can be asked from anywhere at any time."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from datagen.desk import looked_at
from datagen.runs import STAGE_FOLDERS, RunFolder, read_rows
from datagen.shards import INDEX_FILE, read_index

SLOWEST_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class StageStatus:
    """One stage of a run."""

    stage: str
    done: int
    mean_wall_s: float | None
    mean_cpu_s: float | None
    peak_rss_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """One machine of a run."""

    node: str
    processes: int
    slowness: float  # wall time of its processes over the mean of their stage; 1: like the others
    tries_lost: int  # attempts that crashed or were stopped here


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A run at one moment."""

    root: str
    source: str
    config_sha256: str
    planned: int
    stages: tuple[StageStatus, ...]
    rejected: int
    failed: int
    packed: int
    remaining: int
    samples_per_hour: float | None
    remaining_s: float | None
    failures: dict[str, int]  # by stage and reason
    rejections: dict[str, int]  # by reason
    retried: dict[str, int]  # attempts that were not the last, by stage and reason
    nodes: tuple[NodeStatus, ...]  # slowest first


def run_status(root: Path) -> RunStatus:
    """Read a run, a folder or at an address; raises `RunFolderError` where there is none."""
    with looked_at(root) as run:
        return _status_of(run)


def _status_of(run: RunFolder) -> RunStatus:
    info = run.info()
    events, failed, rejected = read_rows(run.events), read_rows(run.failures), read_rows(run.rejected)
    planned, samples = len(run.keys()), len(run.sample_paths())
    scene_failures = [row for row in failed if row.get("stage") != "plan"]
    remaining = max(0, planned - samples - len(rejected) - len(scene_failures))
    rate = _rate_per_hour(events)
    return RunStatus(
        root=run.address,
        source=info.source,
        config_sha256=info.config_sha256,
        planned=planned,
        stages=tuple(_stage(run, stage, events) for stage in STAGE_FOLDERS),
        rejected=len(rejected),
        failed=len(failed),
        packed=_packed(run),
        remaining=remaining,
        samples_per_hour=rate,
        remaining_s=round(3600 * remaining / rate) if rate else None,
        failures=dict(Counter(f"{row['stage']}: {_reason(row)}" for row in failed)),
        rejections=dict(Counter(str(row["message"]) for row in rejected)),
        retried=dict(Counter(f"{row['stage']}: {row['retried']}" for row in events if "retried" in row)),
        nodes=_nodes(events),
    )


def _reason(row: dict[str, Any]) -> str:
    return str(row.get("details", {}).get("reason") or row["message"])


def _stage(run: RunFolder, stage: str, events: list[dict[str, Any]]) -> StageStatus:
    own = [event for event in events if event["stage"] == stage and "wall_s" in event]
    return StageStatus(
        stage=stage,
        done=len(run.done(stage)),
        mean_wall_s=round(fmean(event["wall_s"] for event in own), 2) if own else None,
        mean_cpu_s=round(fmean(event["cpu_s"] for event in own), 2) if own else None,
        peak_rss_bytes=max((event["peak_rss_bytes"] for event in own), default=None),
    )


def _nodes(events: list[dict[str, Any]]) -> tuple[NodeStatus, ...]:
    """Machines by how long their processes take, each held against the mean of its stage."""
    timed = [event for event in events if "wall_s" in event and "node" in event]
    means = {
        stage: fmean(event["wall_s"] for event in timed if event["stage"] == stage)
        for stage in {event["stage"] for event in timed}
    }
    slowness = defaultdict[str, list[float]](list)
    for event in timed:
        slowness[event["node"]].append(event["wall_s"] / max(means[event["stage"]], 1e-3))
    lost = Counter(str(event["node"]) for event in events if "retried" in event)
    nodes = [
        NodeStatus(
            node=node,
            processes=len(slowness[node]),
            slowness=round(fmean(slowness[node]), 2) if slowness[node] else 0.0,
            tries_lost=lost[node],
        )
        for node in sorted({*slowness, *lost})
    ]
    return tuple(sorted(nodes, key=lambda node: -node.slowness))


def _rate_per_hour(events: list[dict[str, Any]]) -> float | None:
    """Samples an hour since the driver's first process, while it did not stand still for long."""
    timed = sorted(
        (event["started"], event["started"] + event["wall_s"], event["stage"]) for event in events if "wall_s" in event
    )
    ends = [end for _, end, stage in timed if stage == "compose"]
    if not ends:
        return None
    span_s, latest = 0.0, timed[0][0]
    for start, end, _ in timed:  # sum of the stretches in which anything ran: a run resumed after a night is not slow
        span_s += max(0.0, end - max(start, latest))
        latest = max(latest, end)
    return round(3600 * len(ends) / max(span_s, 1e-3), 1)


def _packed(run: RunFolder) -> int:
    """Number of samples in shards."""
    return read_index(run.shards).totals.samples if (run.shards / INDEX_FILE).is_file() else 0


def status_json(status: RunStatus) -> str:
    """For machines."""
    return json.dumps(asdict(status), indent=1)


def print_status(status: RunStatus, console: Console) -> None:
    """For people."""
    table = Table("stage", "done", "wall s", "CPU s", "peak MiB", title=f"{status.root} ({status.source})")
    for stage in status.stages:
        peak = stage.peak_rss_bytes
        table.add_row(
            stage.stage,
            f"{stage.done}/{status.planned}",
            "" if stage.mean_wall_s is None else f"{stage.mean_wall_s:.1f}",
            "" if stage.mean_cpu_s is None else f"{stage.mean_cpu_s:.1f}",
            "" if peak is None else f"{peak / 2**20:.0f}",
        )
    console.print(table)
    rate = f", {status.samples_per_hour:g} an hour" if status.samples_per_hour else ""
    eta = f", about {status.remaining_s / 60:.0f} min to go" if status.remaining and status.remaining_s else ""
    counts = f"{status.remaining} to do, {status.rejected} rejected, {status.failed} failed, {status.packed} packed"
    console.print(counts + rate + eta)
    if len(status.nodes) > 1:
        slow = ", ".join(f"{node.node} {node.slowness:g}x" for node in status.nodes[:SLOWEST_SHOWN])
        console.print(f"{len(status.nodes)} nodes; slowest (wall time over the mean): {slow}", highlight=False)
    for title, reasons in (
        ("failed", status.failures),
        ("tried again", status.retried),
        ("rejected", status.rejections),
    ):
        for reason, count in reasons.items():
            console.print(f"  {title} {count}x {reason}", highlight=False, soft_wrap=True)
