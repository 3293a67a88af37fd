"""Tasks, what they need, and their way through the cores of one machine; cluster.py takes them to many."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from datagen.resources import Needs, machine_memory_bytes
from datagen.worker import kill_all

Item = TypeVar("Item")
Result = TypeVar("Result")


class Interrupt:
    """Ctrl-C, once: submit no more and let running tasks finish; twice: kill them."""

    def __init__(self) -> None:
        self.stopping = False

    def __call__(self, signum: int, frame: Any) -> None:
        if self.stopping:
            kill_all()
            raise KeyboardInterrupt
        self.stopping = True


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Handle SIGINT and SIGTERM as `Interrupt` says while the block runs; outside the main thread nothing changes."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True, kw_only=True)
class Policy(Generic[Item, Result]):
    """What tasks hold and what follows from their ends; the defaults suit tasks that are all alike."""

    needs: Callable[[Item], Needs] = lambda _: Needs()
    at_once: int = 0  # at most so many tasks, whatever they need; 0: as many as there is room for
    room: Callable[[Item], float] = lambda _: 1  # times these needs, where there is a machine that has so much
    again: Callable[[Item, Result], Item | None] = lambda _item, _result: None  # a task that a result asks for
    lost: Callable[[Item, str], Result] | None = None  # result of a task that kills its workers; None: the run ends


class Queue(Generic[Item]):
    """Items still to submit; those that come back go first, so that what was begun ends first."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._rest = iter(items)
        self._first: deque[Item] = deque()

    def push(self, item: Item) -> None:
        """After those that came back earlier."""
        self._first.append(item)

    def put_back(self, item: Item) -> None:
        """As the very next."""
        self._first.appendleft(item)

    def pull(self) -> Item | None:
        """The next item; None when there is none now."""
        return self._first.popleft() if self._first else next(self._rest, None)


def map_processes(
    function: Callable[[Item], Result],
    queue: Queue[Item],
    workers: int,
    interrupt: Interrupt,
    policy: Policy[Item, Result],
) -> Iterator[Result]:
    """One thread waits for each running process."""
    machine = Needs(cpus=workers, memory_bytes=machine_memory_bytes())
    running: dict[Future[Result], tuple[Item, Needs]] = {}
    most = min(workers, policy.at_once or workers)
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                while not interrupt.stopping and len(running) < most and (item := queue.pull()) is not None:
                    needs = policy.needs(item).times(policy.room(item), machine)
                    if running and not _fit_together([needs, *(held for _, held in running.values())], machine):
                        queue.put_back(item)
                        break
                    running[pool.submit(function, item)] = (item, needs)
                if not running:
                    return
                for future in wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done:
                    item, _ = running.pop(future)
                    result = future.result()
                    if (further := policy.again(item, result)) is not None:
                        queue.push(further)
                    yield result
        except BaseException:
            kill_all()
            raise


def _fit_together(needs: list[Needs], machine: Needs) -> bool:
    """Whether a machine has cores and memory for all of these at a time."""
    cpus, memory = sum(one.cpus for one in needs), sum(one.memory_bytes for one in needs)
    return cpus <= machine.cpus and memory <= machine.memory_bytes
