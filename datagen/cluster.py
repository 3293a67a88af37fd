"""Many tasks on one machine or many: Ray, or plain processes. The only file that imports ray.

A task is a function of one small record that starts engines as processes of their own and returns a small record;
frames and arrays never pass through here. At most a window of tasks is submitted at a time, so that a run of a million
scenes does not sit in a scheduler, and that Ctrl-C leaves none waiting. A task whose worker or machine dies is
submitted again from here, because only the driver can ask for other resources.
"""

from __future__ import annotations

import logging
import math
import os
import re
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic

from datagen.errors import ConfigError, Page
from datagen.resources import GIB, Needs
from datagen.tasks import Interrupt, Item, Policy, Queue, Result, interruptible, map_processes

__all__ = ["Interrupt", "Policy", "interruptible", "map_tasks", "node_name"]

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
START_TRIES = 3  # Ray gives a start 30 s, too little on a machine that is very busy
OBJECT_STORE_BYTES = 100 * 2**20  # paths and small records only
REFRESH_S = 2.0  # how soon a node that joins gets work
WAIT_S = 0.5
PATIENCE_S = 30.0  # after which a task that fits no node is told of
LOSSES_ALLOWED = 3  # dead workers that one task may leave behind; dead machines are not counted
SPARE_SHARE = 0.25  # tasks in the window beyond what can run: they make an autoscaler add nodes


def map_tasks(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    backend: str,
    workers: int,
    interrupt: Interrupt,
    num_gpus: int = 0,
    policy: Policy[Item, Result] | None = None,
) -> Iterator[Result]:
    """Results of `function` over `items` as they finish, in any order.

    backend: "off" (processes of this machine), "local" (a Ray of its own), "auto" or an address (a running cluster).
    workers: cores of this machine to fill; a running cluster is used as it is.
    num_gpus: with Ray, how many GPUs a task waits for; it sees those alone. `policy.needs` says more.
    A task's exception is raised here and ends the run. Raises `ConfigError` when Ray is missing or cannot be reached.
    """
    policy = policy or Policy(needs=lambda _: Needs(gpus=num_gpus))
    queue = Queue(items)
    if backend == "off":
        yield from map_processes(function, queue, workers, interrupt, policy)
    else:
        with connected(backend, workers) as ray:
            yield from _RayMap(ray, function, queue, backend, interrupt, policy).results()


@dataclass(kw_only=True)
class _Submitted(Generic[Item]):
    """A task that Ray holds, or held until its worker or machine died."""

    item: Item
    needs: Needs
    losses: int = 0


@dataclass
class _RayMap(Generic[Item, Result]):
    """One Ray task an item; results are small records."""

    ray: Any
    function: Callable[[Item], Result]
    queue: Queue[Item]
    backend: str
    interrupt: Interrupt
    policy: Policy[Item, Result]
    running: dict[Any, _Submitted[Item]] = field(default_factory=dict)  # by reference, oldest first
    lost: deque[_Submitted[Item]] = field(default_factory=deque)
    calls: dict[Needs, Any] = field(default_factory=dict)  # the function as Ray's, by what it needs
    held_cpus: float = 0.0
    cluster: Needs = field(default_factory=Needs)  # all of it
    largest: Needs = field(default_factory=Needs)  # what one node has at most
    looked: float = -REFRESH_S
    waiting_since: float | None = None

    def results(self) -> Iterator[Result]:
        """Submit and collect until nothing is left."""
        taken_back = False
        try:
            while True:
                self._look_at_cluster()
                self._fill_window()
                if not self.running:
                    return
                if self.interrupt.stopping and not taken_back:
                    taken_back = True
                    self._take_back_waiting()
                for reference in self._finished():
                    yield from self._collect(reference)
        except BaseException:
            for reference in self.running:
                self.ray.cancel(reference, force=True)
            raise

    def _look_at_cluster(self) -> None:
        """Nodes come and go: see every few seconds what there is."""
        if time.monotonic() - self.looked >= REFRESH_S:
            self.looked = time.monotonic()
            self.cluster, self.largest = cluster_size(self.ray)

    def _fill_window(self) -> None:
        """Submit what can run now, and a little more."""
        limit = self.cluster.cpus + max(2.0, SPARE_SHARE * self.cluster.cpus)
        most = self.policy.at_once or math.inf
        while not self.interrupt.stopping and self.held_cpus < limit and len(self.running) < most:
            submitted = self.lost.popleft() if self.lost else self._next()
            if submitted is None:
                return
            self._submit(submitted)

    def _next(self) -> _Submitted[Item] | None:
        item = self.queue.pull()
        if item is None:
            return None
        base = self.policy.needs(item)
        self._check_fits(base)
        return _Submitted(item=item, needs=base.times(self.policy.room(item), self.largest))

    def _check_fits(self, needs: Needs) -> None:
        """A Ray of our own gets no more machines; elsewhere an autoscaler may bring what is missing."""
        if not needs.fits(self.largest) and self.backend == "local":
            raise ConfigError(
                f"--ray local: a task needs {_in_words(needs)}, and this machine has {_in_words(self.largest)}; "
                "ask for less with --set resources.STAGE..., or use another machine"
            )

    def _submit(self, submitted: _Submitted[Item]) -> None:
        needs = submitted.needs
        if needs not in self.calls:
            options = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "memory": needs.memory_bytes or None}
            self.calls[needs] = self.ray.remote(max_retries=0, **options)(self.function)
        self.running[self.calls[needs].remote(submitted.item)] = submitted
        self.held_cpus += needs.cpus

    def _finished(self) -> list[Any]:
        """References of all tasks that have ended; waits a moment for the first."""
        done, rest = self.ray.wait(list(self.running), num_returns=1, timeout=WAIT_S)
        if done and rest:
            done += self.ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        self._tell_if_stuck(bool(done))
        return done

    def _tell_if_stuck(self, moving: bool) -> None:
        """One line when nothing runs because no node is large enough."""
        oldest = next(iter(self.running.values()))
        if moving or oldest.needs.fits(self.largest):
            self.waiting_since = None
        elif self.waiting_since is None:
            self.waiting_since = time.monotonic()
        elif time.monotonic() - self.waiting_since > PATIENCE_S:
            self.waiting_since = time.monotonic() + 1e9  # once
            log.warning(
                "waiting for a node with %s; the largest of the cluster has %s",
                _in_words(oldest.needs),
                _in_words(self.largest),
            )

    def _collect(self, reference: Any) -> Iterator[Result]:
        """A task's result, if it has one; a lost task is kept for another try."""
        errors = self.ray.exceptions
        submitted = self.running.pop(reference)
        self.held_cpus -= submitted.needs.cpus
        try:
            result: Result = self.ray.get(reference)
        except errors.TaskCancelledError:
            return
        except errors.RayTaskError as error:
            raise error.cause if isinstance(error.cause, BaseException) else error from None
        except errors.NodeDiedError:
            self.lost.append(submitted)
            return
        except errors.RayError as error:
            submitted.losses += 1
            if submitted.losses <= LOSSES_ALLOWED:
                self.lost.append(submitted)
                return
            if self.policy.lost is None:
                raise
            result = self.policy.lost(submitted.item, f"{type(error).__name__}, {submitted.losses} times")
        if (further := self.policy.again(submitted.item, result)) is not None:
            self.queue.push(further)
        yield result

    def _take_back_waiting(self) -> None:
        """After Ctrl-C: cancel the newest tasks, those beyond what can run. One that runs after all is stopped."""
        held = 0.0
        for reference, submitted in self.running.items():
            held += submitted.needs.cpus
            if held > self.cluster.cpus:
                self.ray.cancel(reference, force=False)


@contextmanager
def connected(backend: str, workers: int) -> Iterator[Any]:
    """The ray module, connected while the block runs; a Ray of our own ends with it."""
    ray = start_ray(backend, workers)
    try:
        yield ray
    finally:
        if backend == "local":
            ray.shutdown()


def start_ray(backend: str, workers: int) -> Any:
    """The ray module, connected. Raises `ConfigError` when it is not installed or the address does not answer."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if backend == "local":  # a machine that is so busy that it does not answer for a while is not dead
        os.environ.setdefault("RAY_health_check_failure_threshold", "30")
    os.environ.setdefault("RAY_worker_niceness", "0")  # engines are the work: they shall not yield to everything else
    try:
        import ray
    except ImportError:
        raise ConfigError(
            f"--ray {backend}: Ray is not installed; `pip install 'voidgen[cluster]'`, or use --ray off"
        ).see(Page.PACKAGES) from None
    if ray.is_initialized():
        return ray
    if backend not in ("local", "auto"):
        _check_answers(backend)
    for tries_left in reversed(range(START_TRIES if backend == "local" else 1)):
        try:
            _init(ray, backend, workers)
            break
        except Exception as error:  # what Ray raises when a start times out has no class of its own
            ray.shutdown()
            if not tries_left or "timed out" not in str(error):
                raise _no_cluster(backend, str(error)) from error
    return ray


def _init(ray: Any, backend: str, workers: int) -> None:
    """Connect, and keep SIGTERM for whoever handles it: Ray puts a handler of its own in its place."""
    handler = signal.getsignal(signal.SIGTERM)
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    if backend == "local":
        ray.init(address="local", num_cpus=workers, object_store_memory=OBJECT_STORE_BYTES, **quiet)
    else:
        ray.init(address=backend, **quiet)
    if isinstance(handler, Interrupt) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _check_answers(address: str) -> None:
    """Raise `ConfigError` at once for an address where nobody listens; Ray itself would wait for minutes."""
    host, separator, port = address.rpartition("://")[2].rpartition(":")
    if not separator or not port.isdigit():
        raise ConfigError(f"--ray {address}: expected local, off, auto or HOST:PORT of a running Ray cluster").see(
            Page.RAY
        )
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str, message: str) -> ConfigError:
    """Why there is no connection, in one line."""
    versions = re.findall(r"(Ray|Python): (\S+)", message)
    if "ersion mismatch" in message and len(versions) == 4:
        there, here = (", ".join(f"{name} {number}" for name, number in pair) for pair in (versions[:2], versions[2:]))
        return ConfigError(
            f"--ray {address}: the cluster runs {there}, this command {here}; use the same versions on both "
            "(`pip install ray==VERSION`)"
        )
    reason = message.strip().splitlines()[0]
    return ConfigError(f"--ray {address}: no Ray cluster there ({reason}); start one or use --ray local or off").see(
        Page.RAY
    )


def cluster_size(ray: Any) -> tuple[Needs, Needs]:
    """What a cluster has in all, and what its largest node has."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    sizes = [
        Needs(cpus=one.get("CPU", 0.0), memory_bytes=int(one.get("memory", 0)), gpus=one.get("GPU", 0.0))
        for one in nodes
    ]
    whole = Needs(cpus=sum(one.cpus for one in sizes), gpus=sum(one.gpus for one in sizes))
    largest = Needs(
        cpus=max((one.cpus for one in sizes), default=0.0),
        memory_bytes=max((one.memory_bytes for one in sizes), default=0),
        gpus=max((one.gpus for one in sizes), default=0.0),
    )
    return whole, largest


def node_name() -> str:
    """The machine that this process runs on, and with Ray the node of the cluster."""
    ray, host = sys.modules.get("ray"), socket.gethostname()
    if ray is None or not ray.is_initialized():
        return host
    return f"{host}/{ray.get_runtime_context().get_node_id()[:8]}"


def _in_words(needs: Needs) -> str:
    memory = f", {needs.memory_bytes / GIB:.1f} GiB" if needs.memory_bytes else ""
    return f"{needs.cpus:g} cores{memory}" + (f", {needs.gpus:g} GPU" if needs.gpus else "")
