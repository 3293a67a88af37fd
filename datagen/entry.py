"""How a process that serves one job begins and ends.

Exit codes: 0 done; 3 an expected failure, described in `OUT/error.json`; 4 the disk is full; anything else is a crash.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from datagen.codec import remove_tree, write_json
from datagen.errors import SceneError, StorageError, VoidgenError

EXPECTED_FAILURE = 3
DISK_FULL = 4
ERROR_FILE = "error.json"
PARENT_PID = "VOIDGEN_PARENT_PID"
PR_SET_PDEATHSIG = 1


def serve(main: Callable[[Path, Path], None]) -> None:
    """Run `main(job, out)` on the command line's two paths; voidgen's errors become `error.json` and exit code 3."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: python -m {getattr(sys.modules['__main__'].__spec__, 'name', 'MODULE')} JOB.json OUT")
    die_with_parent()
    job, out = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        out.mkdir(parents=True, exist_ok=True)
        main(job, out)
        remove_tree(out / "tmp")
    except StorageError as error:
        _exit(error, DISK_FULL)
    except VoidgenError as error:
        details = dict(error.details) if isinstance(error, SceneError) else {}
        write_json(out / ERROR_FILE, {"type": type(error).__name__, "message": str(error), "details": details})
        _exit(error, EXPECTED_FAILURE)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _exit(error, DISK_FULL)
        raise


def _exit(error: Exception, code: int) -> None:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(code)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it dies (Linux; elsewhere nothing happens)."""
    parent = os.environ.get(PARENT_PID)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the call above
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def silenced() -> Iterator[None]:
    """Send what C code prints to stdout into stderr (the worker's log) instead."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)  # C's own buffer, before stdout is stdout again
        os.dup2(saved, 1)
        os.close(saved)


@contextmanager
def muted() -> Iterator[None]:
    """Drop what C code prints, for a command whose output somebody reads; exceptions pass."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        for number, copy in enumerate(saved, start=1):
            os.dup2(copy, number)
            os.close(copy)
