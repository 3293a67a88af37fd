"""One scene, one process: start it, watch it, kill it, and keep what it made only if it ended well.

Engines crash, leak and hang. A process of its own contains all three: it runs in a new session, so that its whole
group can be killed when it overruns; it writes to `OUT.partial`, which becomes `OUT` only on exit code 0.
"""

from __future__ import annotations

import errno
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from datagen.codec import partial_of, remove_tree, write_json
from datagen.entry import DISK_FULL, ERROR_FILE, EXPECTED_FAILURE, PARENT_PID
from datagen.errors import DataError, EngineFailed, SceneFailed, SceneRejected, StorageError, reraise_storage_error
from datagen.resources import GIB, OUT_OF_MEMORY, TIMEOUT, group_rss_bytes

PROJECT = Path(__file__).resolve().parents[1]  # engines run this code, wherever a cluster has unpacked it
POLL_S = 0.05
START_GAP_S = 0.1
MEMORY_POLL_S = 0.25
LOG_FILE = "worker.log"
LOG_TAIL_LINES = 30
MIN_FREE_BYTES = 4 * 2**20  # below this a failure is blamed on the disk
ENGINE_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
KEPT_MEMORY = {  # glibc: what pictures held is kept for the next ones, instead of being mapped anew for each
    "MALLOC_MMAP_THRESHOLD_": str(256 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(512 * 2**20),
    "MALLOC_TOP_PAD_": str(16 * 2**20),
}

_running: set[int] = set()
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a process cost; the peak is that of the process with all that it started."""

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int

    def plus(self, later: Usage) -> Usage:
        """Both, one after the other."""
        return Usage(
            wall_s=round(self.wall_s + later.wall_s, 3),
            cpu_s=round(self.cpu_s + later.cpu_s, 3),
            peak_rss_bytes=max(self.peak_rss_bytes, later.peak_rss_bytes),
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a process may use before it is killed."""

    timeout_s: float
    memory_bytes: int = 0  # of the whole group, resident; 0: no limit


@dataclass(frozen=True, kw_only=True)
class _Ending:
    """How a process ended."""

    exit_code: int
    overrun: str  # which limit it was killed at: "", "timeout" or "memory"
    usage: Usage


def run_engine(
    module: str,
    job: Any,
    out: Path,
    *,
    timeout_s: float,
    threads: int = 1,
    memory_bytes: int = 0,
    keep_log: bool = True,
) -> Usage:
    """Run `python -m MODULE JOB.json OUT.partial` to its end and rename OUT.partial to OUT.

    memory_bytes: resident memory at which the process is killed with all that it started; 0: no limit.
    Raises `EngineFailed` for a crash or an overrun (details: exit code, log tail), `SceneRejected`, `SceneFailed` or
    `DataError` as the process reported it, `StorageError` for a full disk. Nothing is left at OUT or OUT.partial then.
    """
    partial = partial_of(out.with_name(f"{out.name}.{uuid.uuid4().hex[:8]}"))  # a lost worker may still write its own
    try:
        partial.mkdir(parents=True)
        job_file = partial / "job.json"
        write_json(job_file, job)
        command = [sys.executable, "-m", module, str(job_file), str(partial)]
        stagger()
        limits = Limits(timeout_s=timeout_s, memory_bytes=memory_bytes)
        ending = _run_process(command, partial, limits, threads)
        if ending.overrun or ending.exit_code != 0:
            raise _failure(module, ending, limits, partial)
        job_file.unlink(missing_ok=True)
        if not keep_log:
            (partial / LOG_FILE).unlink(missing_ok=True)
        _commit(partial, out)
        return ending.usage
    except OSError as error:
        raise reraise_storage_error(error, out) from error
    finally:
        remove_tree(partial)


def stagger() -> None:
    """Wait until the last process of this user on this machine has started `START_GAP_S` ago.

    A hundred that load Blender at the same moment, from a network disk at worst, stall each other.
    """
    stamp = Path(tempfile.gettempdir()) / f"voidgen-{os.getuid()}.start"
    with FileLock(stamp.with_suffix(".lock")):
        with suppress(FileNotFoundError):
            wait_s = stamp.stat().st_mtime + START_GAP_S - time.time()
            time.sleep(min(max(wait_s, 0.0), START_GAP_S))
        stamp.touch()


def _commit(partial: Path, out: Path) -> None:
    """Rename; if another process made the same meanwhile, its folder stays: equal specs give equal bytes."""
    try:
        partial.rename(out)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def kill_all() -> None:
    """Kill every process group that this process started and that still runs."""
    with _lock:
        groups = list(_running)
    for group in groups:
        _kill_group(group)


def _run_process(command: list[str], folder: Path, limits: Limits, threads: int) -> _Ending:
    """Run a command to its end or to its limits; no process of its group survives."""
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
        ending = _wait(process.pid, limits)
        process.returncode = 0  # reaped by wait4: keep subprocess from waiting again
    finally:
        _kill_group(process.pid)
        with _lock:
            _running.discard(process.pid)
    return ending


def _wait(pid: int, limits: Limits) -> _Ending:
    """Reap `pid`, and kill its group at the first limit that it passes.

    Memory is watched, not limited with RLIMIT_AS: Blender reserves far more address space than it ever touches.
    """
    start = time.monotonic()
    overrun, peak = "", 0
    with _end_of(pid) as wait_for_end:
        while True:
            reaped, status, used = os.wait4(pid, os.WNOHANG)
            now = time.monotonic()
            if reaped:
                break
            peak = max(peak, group_rss_bytes(pid))
            if not overrun and limits.memory_bytes and peak > limits.memory_bytes:
                overrun = OUT_OF_MEMORY
            elif not overrun and now > start + limits.timeout_s:
                overrun = TIMEOUT
            if overrun:
                _kill_group(pid)
            wait_for_end()
    usage = Usage(
        wall_s=round(now - start, 3),
        cpu_s=round(used.ru_utime + used.ru_stime, 3),
        peak_rss_bytes=max(peak, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)),
    )
    return _Ending(exit_code=os.waitstatus_to_exitcode(status), overrun=overrun, usage=usage)


@contextmanager
def _end_of(pid: int) -> Iterator[Callable[[], object]]:
    """A function that sleeps until the child ends or its memory is to be looked at, without asking in between."""
    if not hasattr(os, "pidfd_open"):  # macOS
        yield lambda: time.sleep(POLL_S)
        return
    handle = os.pidfd_open(pid)
    try:
        end = select.poll()
        end.register(handle, select.POLLIN)
        yield lambda: end.poll(MEMORY_POLL_S * 1000)
    finally:
        os.close(handle)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _environment(threads: int, folder: Path) -> Mapping[str, str]:
    """The child's environment: threads, memory, a scratch folder of its own, and whose death it must not survive."""
    scratch = folder / "tmp"
    scratch.mkdir()
    budget = {name: str(threads) for name in ENGINE_THREAD_VARIABLES}
    search = os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH", ""))))
    own = {"TMPDIR": str(scratch), PARENT_PID: str(os.getpid()), "PYTHONHASHSEED": "0", "PYTHONPATH": search}
    return {**KEPT_MEMORY, **os.environ, **budget, **own}


def _failure(module: str, ending: _Ending, limits: Limits, folder: Path) -> Exception:
    """The error that a process's end stands for."""
    exit_code = ending.exit_code
    if exit_code == DISK_FULL or shutil.disk_usage(folder).free < MIN_FREE_BYTES:
        return StorageError(
            f"no space left on the disk of {folder.parent}; free some, then run the same command again: "
            "finished work is kept"
        )
    if exit_code == EXPECTED_FAILURE and (folder / ERROR_FILE).is_file():
        return _reported_error(json.loads((folder / ERROR_FILE).read_text()))
    tail = log_tail(folder / LOG_FILE)
    details: dict[str, Any] = {"log_tail": tail, "peak_rss_bytes": ending.usage.peak_rss_bytes}
    if ending.overrun == TIMEOUT:
        return EngineFailed(f"{module} was killed after {limits.timeout_s:g} s", reason=TIMEOUT, **details)
    if ending.overrun == OUT_OF_MEMORY:
        limit = f"{limits.memory_bytes / GIB:.2f} GiB"
        return EngineFailed(
            f"{module} was killed: it held more than {limit} of memory", reason=OUT_OF_MEMORY, **details
        )
    reason = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    last = next((line for line in reversed(tail) if line.strip()), "no output")
    return EngineFailed(f"{module} ended by {reason}: {last}", reason=reason, **details)


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
