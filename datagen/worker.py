"""One scene, one process: start it, watch it, kill it, and keep what it made only if it ended well.

Engines crash, leak and hang. A process of its own contains all three: it runs in a new session, so that its whole
group can be killed when it overruns; it writes to `OUT.partial`, which becomes `OUT` only on exit code 0.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.codec import partial_of, remove_tree, write_json
from datagen.entry import DISK_FULL, ERROR_FILE, EXPECTED_FAILURE, PARENT_PID
from datagen.errors import DataError, EngineFailed, SceneFailed, SceneRejected, StorageError, reraise_storage_error

POLL_S = 0.05
LOG_FILE = "worker.log"
LOG_TAIL_LINES = 30
MIN_FREE_BYTES = 4 * 2**20  # below this a failure is blamed on the disk
ENGINE_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_running: set[int] = set()
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a process cost."""

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int


def run_engine(module: str, job: Any, out: Path, *, timeout_s: float, threads: int = 1, keep_log: bool = True) -> Usage:
    """Run `python -m MODULE JOB.json OUT.partial` to its end and rename OUT.partial to OUT.

    Raises `EngineFailed` for a crash or an overrun (details: exit code, log tail), `SceneRejected`, `SceneFailed` or
    `DataError` as the process reported it, `StorageError` for a full disk. Nothing is left at OUT or OUT.partial then.
    """
    partial = partial_of(out)
    try:
        remove_tree(partial)
        partial.mkdir(parents=True)
        job_file = partial / "job.json"
        write_json(job_file, job)
        command = [sys.executable, "-m", module, str(job_file), str(partial)]
        exit_code, usage = _run_process(command, partial, timeout_s, threads)
        if exit_code != 0:
            raise _failure(module, exit_code, timeout_s, partial)
        job_file.unlink(missing_ok=True)
        if not keep_log:
            (partial / LOG_FILE).unlink(missing_ok=True)
        if out.exists():  # another process made the same meanwhile: equal specs give equal bytes, either will do
            remove_tree(partial)
        else:
            partial.replace(out)
        return usage
    except OSError as error:
        raise reraise_storage_error(error, out) from error
    finally:
        remove_tree(partial)


def kill_all() -> None:
    """Kill every process group that this process started and that still runs."""
    with _lock:
        groups = list(_running)
    for group in groups:
        _kill_group(group)


def _run_process(command: list[str], folder: Path, timeout_s: float, threads: int) -> tuple[int | None, Usage]:
    """Exit code (None: overran its time) and cost; no process of its group survives."""
    start = time.monotonic()
    with (folder / LOG_FILE).open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(threads, folder),
        )
    with _lock:
        _running.add(process.pid)
    try:
        status, used = _wait(process.pid, start + timeout_s)
        process.returncode = 0  # reaped by wait4: keep subprocess from waiting again
    finally:
        _kill_group(process.pid)
        with _lock:
            _running.discard(process.pid)
    usage = Usage(
        wall_s=round(time.monotonic() - start, 3),
        cpu_s=round(used.ru_utime + used.ru_stime, 3),
        peak_rss_bytes=used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )
    return (None if status is None else os.waitstatus_to_exitcode(status)), usage


def _wait(pid: int, deadline: float) -> tuple[int | None, resource.struct_rusage]:
    """Reap `pid`; its wait status, or None if it had to be killed at the deadline."""
    overran = False
    while True:
        reaped, status, used = os.wait4(pid, os.WNOHANG)
        if reaped:
            return (None if overran else status), used
        if not overran and time.monotonic() > deadline:
            overran = True
            _kill_group(pid)
        time.sleep(POLL_S)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _environment(threads: int, folder: Path) -> Mapping[str, str]:
    """The child's environment: its thread budget, a scratch folder of its own, and whose death it must not survive."""
    scratch = folder / "tmp"
    scratch.mkdir()
    limits = {name: str(threads) for name in ENGINE_THREAD_VARIABLES}
    return {**os.environ, **limits, "TMPDIR": str(scratch), PARENT_PID: str(os.getpid()), "PYTHONHASHSEED": "0"}


def _failure(module: str, exit_code: int | None, timeout_s: float, folder: Path) -> Exception:
    """The error that a process's end stands for."""
    if exit_code == DISK_FULL or shutil.disk_usage(folder).free < MIN_FREE_BYTES:
        return StorageError(
            f"no space left on the disk of {folder.parent}; free some, then run the same command again: "
            "finished work is kept"
        )
    if exit_code == EXPECTED_FAILURE and (folder / ERROR_FILE).is_file():
        return _reported_error(json.loads((folder / ERROR_FILE).read_text()))
    tail = log_tail(folder / LOG_FILE)
    if exit_code is None:
        return EngineFailed(f"{module} was killed after {timeout_s:g} s", reason="timeout", log_tail=tail)
    reason = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    last = next((line for line in reversed(tail) if line.strip()), "no output")
    return EngineFailed(f"{module} ended by {reason}: {last}", reason=reason, log_tail=tail)


def _reported_error(row: Mapping[str, Any]) -> Exception:
    """The exception that the child raised, by its name."""
    if row["type"] == "SceneRejected":
        return SceneRejected(row["message"], **row["details"])
    if row["type"] == "DataError":
        return DataError(row["message"])
    return SceneFailed(row["message"], reason=row["type"], **row["details"])


def log_tail(path: Path) -> list[str]:
    """Last lines of a log, for a failure's row."""
    try:
        return path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    except OSError:
        return []
