"""What a person sees while videos are made: a bar for the videos and one for the steps of the present one, with ETA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ConsoleWatcher:
    """A line for each video everywhere, bars on a terminal."""

    def __init__(self, console: Console, bars: Progress) -> None:
        self.console = console
        self.bars = bars
        self.videos: TaskID = bars.add_task("", total=None)
        self.steps: TaskID = bars.add_task("", total=None, visible=False)
        self.stage, self.total, self.made = "", 0, 0

    def begin(self, stage: str, videos: int) -> None:
        """A stage starts with that many videos to make."""
        self.stage, self.total, self.made = stage, videos, 0
        self.bars.reset(self.videos, total=videos, description=stage)
        if videos == 0:
            self._say(f"{stage}: nothing left to do")

    def step(self, key: str, done: int, total: int) -> None:
        """`done` of `total` denoising steps of a video."""
        if done == 1:
            self.bars.reset(self.steps, total=total, description=key, visible=True)
        self.bars.update(self.steps, completed=done)

    def finished(self, key: str, seconds: float) -> None:
        """A video is written."""
        self._advance(f"{key}: done in {seconds:.1f} s")

    def failed(self, key: str, reason: str) -> None:
        """A video could not be made; the others go on."""
        self._advance(f"{key}: failed: {reason}")

    def _advance(self, line: str) -> None:
        self.made += 1
        self.bars.update(self.videos, advance=1)
        self._say(f"{self.stage} {self.made}/{self.total} {line}")

    def _say(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True, markup=False)


@contextmanager
def watching(console: Console) -> Iterator[ConsoleWatcher]:
    """A watcher for the time of a block."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield ConsoleWatcher(console, bars)
