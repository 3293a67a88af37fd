"""What a task holds while it runs, and the ladder that a scene climbs when its process fails by itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

LADDER = (1, 1, 2)  # times a stage's needs, attempt by attempt: the same, the same again, then with room
OUT_OF_MEMORY = "memory"
TIMEOUT = "timeout"
GIB = 2**30
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What is reserved for one task."""

    cpus: float = 1.0
    memory_bytes: int = 0
    gpus: float = 0.0

    def times(self, factor: float, largest: Needs) -> Needs:
        """More room, up to what the `largest` machine has, but never less than before.

        Cores are held so that less runs beside the task; its process keeps its number of threads.
        """
        return replace(
            self,
            cpus=max(self.cpus, min(self.cpus * factor, largest.cpus)),
            memory_bytes=max(self.memory_bytes, min(int(self.memory_bytes * factor), largest.memory_bytes)),
        )

    def fits(self, free: Needs) -> bool:
        """Whether `free` suffices."""
        return self.cpus <= free.cpus and self.memory_bytes <= free.memory_bytes and self.gpus <= free.gpus


def next_rung(reason: str, rung: int) -> int | None:
    """The rung after `rung` (0 is the first try) for a process that crashed or was stopped; None: give up.

    What was too large once is too large again: out of memory goes to the rung with more of it at once.
    """
    last = len(LADDER) - 1
    if rung >= last:
        return None
    return last if reason == OUT_OF_MEMORY else rung + 1


def machine_memory_bytes() -> int:
    """Memory of this machine, or of the container that this process lives in."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in CGROUP_LIMITS:
        try:
            return min(installed, int(path.read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return installed


def group_rss_bytes(leader: int) -> int:
    """Resident memory of a process and everything that it started, in bytes; 0 once it is gone (Linux; elsewhere 0)."""
    total, todo = 0, [leader]
    while todo:
        process = Path("/proc") / str(todo.pop())
        try:
            total += int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for thread in (process / "task").iterdir():
                todo += map(int, (thread / "children").read_text().split())
        except (OSError, IndexError):  # ended meanwhile
            continue
    return total
