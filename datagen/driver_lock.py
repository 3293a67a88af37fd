"""One driver at a time on a run folder: a lock that outlives nobody, on any file system and across machines.

The lock is a file that says who holds it and beats while its holder lives. A holder on this machine is looked up by
process id and start time; one elsewhere counts as dead when its lock has not beaten for a while *by the clock of who
watches*, so that no two clocks are compared. Nothing here needs flock, which network file systems may lack.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from datagen.errors import RunFolderError, reraise_storage_error
from datagen.runs import LOCK_FILE

BEAT_S = 5.0
SILENCE_S = 4 * BEAT_S  # without a beat for so long, a driver elsewhere is dead
POLL_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who drives a run."""

    token: str
    host: str
    machine: str  # boot and process namespace: where process ids mean the same
    pid: int
    started: str  # of the process, as the kernel counts it; "" where that is not known
    since: str
    beat: int = 0

    def in_words(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


def this_process() -> Holder:
    """A holder for this process, with a token of its own."""
    return Holder(
        token=uuid.uuid4().hex,
        host=socket.gethostname(),
        machine=_machine(),
        pid=os.getpid(),
        started=_started(os.getpid()),
        since=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    )


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux: the host's name has to do
        return socket.gethostname()


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot; "" if there is none or it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


@contextmanager
def driving(root: Path) -> Iterator[None]:
    """Hold the lock of the run folder `root` while the block runs.

    Raises `RunFolderError` while another driver lives. A driver that finds its lock taken (it was stopped for so long
    that another counted it as dead) is stopped as by Ctrl-C.
    """
    if root.is_file():  # told by whoever opens the run
        yield
        return
    path, own = root / LOCK_FILE, this_process()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _acquire(path, own)
    except OSError as error:
        raise reraise_storage_error(error, path) from error
    released = threading.Event()
    beating = threading.Thread(target=_beat, args=(path, own, released), daemon=True)
    beating.start()
    try:
        yield
    finally:
        released.set()
        beating.join()
        if _is_held_by(path, own):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # a run that was refused before it began leaves no folder
            root.rmdir()


def _acquire(path: Path, own: Holder) -> None:
    while not _create(path, own):
        holder = read_holder(path)
        if holder is None:
            continue
        if _lives(path, holder):
            raise RunFolderError(
                f"{path.parent} is in use by another driver ({holder.in_words()}); wait for it to end, or stop it"
            )
        _bury(path, holder)


def _create(path: Path, own: Holder) -> bool:
    """Make the lock with its contents in one step; False if there is one."""
    draft = path.with_name(f"{path.name}.{own.token}")
    draft.write_text(json.dumps(asdict(own)))
    try:
        os.link(draft, path)
        return True
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            with path.open("x") as stream:
                stream.write(json.dumps(asdict(own)))
            return True
        except FileExistsError:
            return False
    finally:
        draft.unlink()


def read_holder(path: Path) -> Holder | None:
    """Who holds a lock; None if nobody does."""
    try:
        return Holder(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # torn by a crash: nobody's
        return Holder(token="", host="?", machine="", pid=0, started="", since="?")


def _lives(path: Path, holder: Holder) -> bool:
    """Whether a lock's holder is alive; waits and watches if it is on another machine."""
    if holder.machine == _machine():
        return _started(holder.pid) == holder.started != ""
    deadline = time.monotonic() + SILENCE_S
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        if read_holder(path) != holder:
            return read_holder(path) is not None
    return False


def _bury(path: Path, dead: Holder) -> None:
    """Take a dead driver's lock away, and put it back if meanwhile it became another's."""
    grave = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        path.rename(grave)
    except FileNotFoundError:
        return
    found = read_holder(grave)
    if found is not None and found.token != dead.token:
        with suppress(FileExistsError):
            os.link(grave, path)
    grave.unlink()


def _is_held_by(path: Path, own: Holder) -> bool:
    holder = read_holder(path)
    return holder is not None and holder.token == own.token


def _beat(path: Path, own: Holder, released: threading.Event) -> None:
    draft = path.with_name(f"{path.name}.{own.token}")
    beats = 0
    while not released.wait(BEAT_S):
        beats += 1
        try:
            if not _is_held_by(path, own):
                os.kill(os.getpid(), signal.SIGTERM)
                return
            draft.write_text(json.dumps(asdict(replace(own, beat=beats))))
            draft.replace(path)
        except OSError:  # a full disk or a network that is away for a moment: the next beat will do
            draft.unlink(missing_ok=True)
