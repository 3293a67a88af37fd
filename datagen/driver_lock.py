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

from datagen.errors import RunFolderError, StorageError, reraise_storage_error
from datagen.runs import LOCK_FILE
from datagen.storage import Remote

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
def driving(run: Path | Remote) -> Iterator[None]:
    """Hold the lock of a run, a folder or at an address, while the block runs.

    Raises `RunFolderError` while another driver lives. A driver that finds its lock taken (it was stopped for so long
    that another counted it as dead) is stopped as by Ctrl-C.
    """
    if isinstance(run, Path) and run.is_file():  # told by whoever opens the run
        yield
        return
    lock = FolderLock(run) if isinstance(run, Path) else RemoteLock(run)
    own = this_process()
    try:
        _acquire(lock, own)
    except OSError as error:
        raise reraise_storage_error(error, Path(lock.where)) from error
    released = threading.Event()
    beating = threading.Thread(target=_beat, args=(lock, own, released), daemon=True)
    beating.start()
    try:
        yield
    finally:
        released.set()
        beating.join()
        if _is_held_by(lock, own):
            lock.remove()
        lock.tidy()


class FolderLock:
    """A lock file in a run folder; works on network file systems, for `link` and `rename` are atomic there."""

    def __init__(self, root: Path) -> None:
        self.root, self.path, self.where = root, root / LOCK_FILE, str(root)

    def create(self, own: Holder) -> bool:
        """Make the lock with its contents in one step; False if there is one."""
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self._draft(own.token)
        draft.write_text(json.dumps(asdict(own)))
        try:
            os.link(draft, self.path)
            return True
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with self.path.open("x") as stream:
                    stream.write(json.dumps(asdict(own)))
                return True
            except FileExistsError:
                return False
        finally:
            draft.unlink()

    def read(self) -> Holder | None:
        """Who holds the lock; None if nobody does."""
        return _read(self.path)

    def write(self, own: Holder) -> None:
        """Beat."""
        draft = self._draft(own.token)
        try:
            draft.write_text(json.dumps(asdict(own)))
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)

    def bury(self, dead: Holder) -> None:
        """Take a dead driver's lock away, and put it back if meanwhile it became another's."""
        grave = self._draft(uuid.uuid4().hex)
        try:
            self.path.rename(grave)
        except FileNotFoundError:
            return
        found = _read(grave)
        if found is not None and found.token != dead.token:
            with suppress(FileExistsError):
                os.link(grave, self.path)
        grave.unlink()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """A run that was refused before it began leaves no folder."""
        with suppress(OSError):
            self.root.rmdir()

    def _draft(self, token: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{token}")


class RemoteLock:
    """A lock object beside a run at an address.

    Stores create an object exclusively, but cannot take one away only if it is unchanged. Should two drivers bury the
    same dead one at once, the one whose lock was lost sees it at its next beat and stops.
    """

    def __init__(self, remote: Remote) -> None:
        self.remote, self.where = remote, remote.url

    def create(self, own: Holder) -> bool:
        return self.remote.create(LOCK_FILE, json.dumps(asdict(own)).encode())

    def read(self) -> Holder | None:
        text = self.remote.read(LOCK_FILE)
        return None if text is None else _parse(text)

    def write(self, own: Holder) -> None:
        self.remote.write(LOCK_FILE, json.dumps(asdict(own)).encode())

    def bury(self, dead: Holder) -> None:
        found = self.read()
        if found is not None and found.token == dead.token:
            self.remove()

    def remove(self) -> None:
        self.remote.delete(LOCK_FILE)

    def tidy(self) -> None:
        """Nothing is left."""


Lock = FolderLock | RemoteLock


def _acquire(lock: Lock, own: Holder) -> None:
    while not lock.create(own):
        holder = lock.read()
        if holder is None:
            continue
        if _lives(lock, holder):
            raise RunFolderError(
                f"{lock.where} is in use by another driver ({holder.in_words()}); wait for it to end, or stop it"
            )
        lock.bury(holder)


def _read(path: Path) -> Holder | None:
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return None


def _parse(text: bytes) -> Holder:
    """A holder; one that cannot be read was torn by a crash and is nobody's."""
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return Holder(token="", host="?", machine="", pid=0, started="", since="?")


def _lives(lock: Lock, holder: Holder) -> bool:
    """Whether a lock's holder is alive; waits and watches if it is on another machine."""
    if holder.machine == _machine():
        return _started(holder.pid) == holder.started != ""
    deadline = time.monotonic() + SILENCE_S
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        now = lock.read()
        if now != holder:
            return now is not None
    return False


def _is_held_by(lock: Lock, own: Holder) -> bool:
    holder = lock.read()
    return holder is not None and holder.token == own.token


def _beat(lock: Lock, own: Holder, released: threading.Event) -> None:
    beats = 0
    while not released.wait(BEAT_S):
        beats += 1
        with suppress(OSError, StorageError):  # a full disk or a network that is away: the next beat will do
            if not _is_held_by(lock, own):
                os.kill(os.getpid(), signal.SIGTERM)
                return
            lock.write(replace(own, beat=beats))
