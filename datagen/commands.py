"""What the commands on a run do: one driver at a time, through the stages, to shards."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from datagen.desk import clear_desk, driven, fetch_sample, publish_plan
from datagen.driving import Execution, drive, pending
from datagen.errors import ConfigError, UserError
from datagen.gallery import contact_sheet
from datagen.packing import pack
from datagen.progress import follow
from datagen.quadmask import Form, Policy
from datagen.recompose import recompose_run
from datagen.runs import STAGE_FOLDERS, RunFolder, drop_rows, read_rows
from datagen.storage import url_of

SHEET_FILE, SHEET_SAMPLES = "sheet.png", 6
SCENE_STAGES = ("simulate", "render", "compose")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def execution_of(workers: int | None, ray: str, *, keep_renders: bool = False) -> Execution:
    """How a command uses the machine, from its options; on a cluster a scene gets one core if nothing else is set."""
    count = workers or cores()
    return Execution(workers=count, ray=ray, threads=max(1, cores() // count), keep_renders=keep_renders)


def run_stages(root: Path, stages: tuple[str, ...], execution: Execution, console: Console) -> None:
    """Take every pending scene of a run through some stages."""
    with _driven(root) as run:
        _drive(run, stages, execution, console)


def pack_run(root: Path, execution: Execution, console: Console) -> None:
    """Pack a run."""
    with _driven(root) as run:
        _pack(run, execution, console)


def plan_run(plan: Callable[[Path], None], location: Path) -> None:
    """Plan a run; `plan` gets the folder to write to."""
    with driven(location) as run:
        plan(run.root)
        publish_plan(run)


def make_run(plan: Callable[[Path], None], location: Path, execution: Execution, console: Console) -> str:
    """Plan, simulate, render, compose, pack and draw; the line that says what was made.

    Raises `UserError` when no sample was.
    """
    with driven(location) as run:
        plan(run.root)
        publish_plan(run)
        _drive(run, SCENE_STAGES, execution, console)
        devices = Counter(str(row["device"]) for row in read_rows(run.events) if "device" in row)
        for device, count in sorted(devices.items()):
            console.print(f"rendered on {device}: {count} scenes", highlight=False, soft_wrap=True, markup=False)
        made = len(run.sample_paths())
        if not made:
            ended = read_rows(run.failures) + read_rows(run.rejected)
            ended.sort(key=lambda row: row["stage"] not in STAGE_FOLDERS)  # a scene's own reason before lost inputs
            reason = next((str(row["message"]) for row in ended), "nothing was planned")
            raise UserError(f"no sample was made: {reason} (all reasons: `datagen status {run.address}`)")
        _pack(run, execution, console)
        sheet = _draw_sheet(run)
    return f"{made} samples: shards in {run.address}/shards, contact sheet {sheet}{_what_is_missing(run)}"


def _what_is_missing(run: RunFolder) -> str:
    """The end of a run's line: how many scenes it has not, and which inputs it did not use."""
    failed, rejected = len(run.failed_keys()), len(read_rows(run.rejected))
    left_out = len(read_rows(run.failures)) - failed
    parts = [
        *([f"{failed + rejected} of its scenes failed or were rejected"] if failed + rejected else []),
        *([f"{left_out} inputs were left out"] if left_out else []),
    ]
    return f" ({', '.join(parts)}: `datagen status {run.address}`)" if parts else ""


def _draw_sheet(run: RunFolder) -> str:
    """The contact sheet of a run; of a few samples, for one at an address."""
    keys = [path.name for path in run.sample_paths()][:SHEET_SAMPLES] if run.remote else []
    for key in keys:
        fetch_sample(run, key)
    sheet = contact_sheet(run.root, run.root / SHEET_FILE)
    for key in keys:
        clear_desk(run, key)
    if run.remote:
        run.remote.put(sheet, SHEET_FILE)
    return f"{run.address}/{SHEET_FILE}"


def retry_failed(root: Path, *, every: bool, reason: str, execution: Execution, console: Console) -> str:
    """Try scenes again that failed, all or those whose reason or message has a text; a line that says what came of it.

    Shards that are there are packed again.
    """
    if not every and not reason:
        raise ConfigError("say what to try again: --failed for all, or --reason TEXT; `datagen status RUN` lists them")
    with _driven(root) as run:
        keys = run.failed_keys(reason)
        drop_rows(run.failures, keys)
        _drive(run, SCENE_STAGES, execution, console, only=keys)
        if run.shards.is_dir():
            _pack(run, execution, console)
    return f"retry: {len(keys)} scenes tried again, {len(keys & run.failed_keys())} failed again"


def recompose_and_pack(root: Path, policy: Policy, form: Form, workers: int, console: Console) -> None:
    """Give every sample of a run another mask, and pack again what was packed."""
    with _driven(root) as run:
        outcomes = recompose_run(run, policy, form, workers)
        states = follow(outcomes, len(run.sample_paths()) or 1, "recompose", console)
        if states["failed"]:
            raise UserError(f"{states['failed']} of {states.total()} samples kept the mask that they had, see above")
        if run.shards.is_dir():
            _pack(run, None, console)


@contextmanager
def _driven(location: Path) -> Iterator[RunFolder]:
    """A run that was planned, for its one driver."""
    if not url_of(location):
        RunFolder(root=location).info()  # no lock in a folder that is no run
    with driven(location) as run:
        run.info()
        yield run


def _drive(
    run: RunFolder, stages: tuple[str, ...], execution: Execution, console: Console, only: set[str] | None = None
) -> None:
    run.clean_partials()
    keys = [key for key in pending(run, stages) if only is None or key in only]
    follow(drive(run, stages, execution, keys) if keys else (), len(keys), "+".join(stages), console)
    run.clean_partials()  # what workers left that were killed meanwhile
    failed = len(run.failed_keys())
    if failed and only is None:
        console.print(f"{failed} scenes have failed; `datagen retry {run.address} --failed` tries them again")


def _pack(run: RunFolder, execution: Execution | None, console: Console) -> None:
    index = pack(run, execution)
    console.print(f"pack: {len(index.shards)} shards in {run.address}/shards", highlight=False, soft_wrap=True)
