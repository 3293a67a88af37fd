"""Many tasks on one machine or many: Ray, or plain processes. The only file that imports ray.

A task is a function of one small record that starts engines as processes of their own and returns a small record;
frames and arrays never pass through here. At most a window of tasks is submitted at a time, so that a run of a million
scenes does not sit in a scheduler, and that Ctrl-C leaves none waiting.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from datagen.errors import ConfigError
from datagen.worker import kill_all

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 10.0
OBJECT_STORE_BYTES = 100 * 2**20  # paths and small records only


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


def map_tasks(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    backend: str,
    workers: int,
    interrupt: Interrupt,
    num_gpus: int = 0,
) -> Iterator[Result]:
    """Results of `function` over `items` as they finish, in any order.

    backend: "off" (processes of this machine), "local" (a Ray of its own), "auto" or an address (a running cluster).
    num_gpus: with Ray, how many GPUs a task waits for; it sees those alone.
    A task's exception is raised here and ends the run. Raises `ConfigError` when Ray is missing or cannot be reached.
    """
    if backend == "off":
        yield from _map_processes(function, items, workers, interrupt)
    else:
        yield from _map_ray(function, items, backend, workers, interrupt, num_gpus)


def _map_processes(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, interrupt: Interrupt
) -> Iterator[Result]:
    """One thread waits for each running process."""
    queue = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        running: set[Future[Result]] = {pool.submit(function, item) for item in islice(queue, workers)}
        try:
            while running:
                finished, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    if not interrupt.stopping:
                        running |= {pool.submit(function, item) for item in islice(queue, 1)}
                    yield future.result()
        except BaseException:
            kill_all()
            raise


def _map_ray(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    backend: str,
    workers: int,
    interrupt: Interrupt,
    num_gpus: int,
) -> Iterator[Result]:
    """One Ray task an item; results are small records."""
    ray = start_ray(backend, workers)
    if num_gpus > int(ray.cluster_resources().get("GPU", 0)):
        raise ConfigError(f"--ray {backend}: a task needs {num_gpus} GPU, and the cluster has none; use --ray off")
    remote = ray.remote(num_cpus=1, num_gpus=num_gpus, max_retries=3)(function)
    queue = iter(items)
    window = max(1, int(ray.cluster_resources().get("CPU", workers)))
    running = [remote.remote(item) for item in islice(queue, window)]
    try:
        while running:
            finished, running = ray.wait(running, num_returns=1, timeout=0.5)
            for reference in finished:
                if not interrupt.stopping:
                    running += [remote.remote(item) for item in islice(queue, 1)]
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause if isinstance(error.cause, BaseException) else error from None
    finally:
        if backend == "local":
            ray.shutdown()


def start_ray(backend: str, workers: int) -> Any:
    """The ray module, connected. Raises `ConfigError` when it is not installed or the address does not answer."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # engines are the work: they shall not yield to everything else
    try:
        import ray
    except ImportError:
        raise ConfigError(
            f"--ray {backend}: Ray is not installed; `pip install 'voidgen[cluster]'`, or use --ray off"
        ) from None
    if ray.is_initialized():
        return ray
    if backend not in ("local", "auto"):
        _check_answers(backend)
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if backend == "local":
            ray.init(address="local", num_cpus=workers, object_store_memory=OBJECT_STORE_BYTES, **quiet)
        else:
            ray.init(address=backend, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise _no_cluster(backend, reason) from None
    return ray


def _check_answers(address: str) -> None:
    """Raise `ConfigError` at once for an address where nobody listens; Ray itself would wait for minutes."""
    host, separator, port = address.rpartition("://")[2].rpartition(":")
    if not separator or not port.isdigit():
        raise ConfigError(f"--ray {address}: expected local, off, auto or HOST:PORT of a running Ray cluster")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str, reason: str) -> ConfigError:
    return ConfigError(f"--ray {address}: no Ray cluster there ({reason}); start one or use --ray local or off")
