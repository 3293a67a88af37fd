"""What a person sees while a run goes on: one live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from datagen.stages import SceneOutcome


def follow(outcomes: Iterable[SceneOutcome], total: int, title: str, console: Console) -> Counter[str]:
    """Show each outcome as it comes; the number of scenes by state ("done", "failed", "rejected")."""
    states: Counter[str] = Counter()
    if total == 0:
        console.print(f"{title}: nothing left to do")
        return states
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    start = time.monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total, rate="")
        for outcome in outcomes:
            states[outcome.state] += 1
            made = states.total()
            console.print(
                f"{title} {made}/{total} {outcome.key}: {_describe(outcome)}", highlight=False, soft_wrap=True
            )
            bar.update(task, advance=1, rate=f"{60 * made / (time.monotonic() - start):.1f}/min")
    return states


def _describe(outcome: SceneOutcome) -> str:
    """One scene's end in a few words."""
    if outcome.failure:
        return f"failed in {outcome.failure['stage']}: {outcome.failure['message']}"
    if outcome.rejection:
        return f"rejected: {outcome.rejection['message']}"
    steps = ", ".join(f"{event['stage']} {event['wall_s']:.0f} s" for event in outcome.events)
    return f"done ({steps})" if steps else "done"
