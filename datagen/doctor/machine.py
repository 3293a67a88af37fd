"""The machine: cores, memory, disk, the cache, and a Ray cluster if one is named."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from datagen.cache import CACHE_VARIABLE, cache_root
from datagen.commands import cores
from datagen.doctor.records import Finding, State
from datagen.resources import GIB

AREA = "Machine"
MEMORY_A_SCENE = 1.0 * GIB  # what one pair's process takes at its peak: README, "Cost"
DISK_REQUIRED, DISK_ADVISED = 1 * GIB, 10 * GIB
RAY_VARIABLE, RAY_TIMEOUT_S = "RAY_ADDRESS", 3.0


def look_at_processor() -> Iterator[Finding]:
    """Cores that this process may use, and memory for a scene on each."""
    count, memory = cores(), memory_bytes()
    yield Finding(area=AREA, name="CPU", state=State.GOOD, found=f"{count} cores, {processor_name()}")
    little = memory < MEMORY_A_SCENE * count
    yield Finding(
        area=AREA,
        name="Memory",
        state=State.DOUBTFUL if little else State.GOOD,
        found=f"{memory / GIB:.1f} GiB",
        needed_for=f"one scene a core: 1 GiB each; use --workers {max(1, int(memory / GIB))}" if little else "",
    )


def processor_name() -> str:
    """What the CPU calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def memory_bytes() -> int:
    """Memory that this machine has, or its container may use."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    return min(physical, int(text)) if text.isdigit() else physical


def look_at_disk() -> Iterator[Finding]:
    """Room where runs would be made, and in the cache; the cache must be writable."""
    yield _room("Disk here", Path.cwd(), "runs")
    cache = cache_root()
    error = cache_error(cache)
    if error:
        remedy = f"export {CACHE_VARIABLE}=FOLDER"
        state, needed = State.MISSING, "extracted recordings and convex parts"
        yield Finding(area=AREA, name="Cache", state=state, found=error, needed_for=needed, remedy=remedy)
    else:
        yield _room("Cache", cache, "extracted recordings and convex parts")


def cache_error(cache: Path) -> str:
    """Why the cache cannot be written; "" if it can."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            return ""
    except OSError as error:
        return f"cannot write {cache}: {error.strerror}"


def _room(name: str, folder: Path, needed_for: str) -> Finding:
    free = shutil.disk_usage(folder).free
    state = State.MISSING if free < DISK_REQUIRED else State.DOUBTFUL if free < DISK_ADVISED else State.GOOD
    return Finding(
        area=AREA, name=name, state=state, found=f"{free / GIB:.1f} GiB free in {folder}", needed_for=needed_for
    )


def look_at_ray() -> Iterator[Finding]:
    """Whether the cluster that $RAY_ADDRESS names answers; without one nothing is asked."""
    address = os.environ.get(RAY_VARIABLE, "")
    if address in ("", "auto", "local"):
        found = f"{RAY_VARIABLE} names none: a local Ray is started when it is needed"
        yield Finding(area="Cluster", name="Ray", state=State.GOOD, found=found)
        return
    error = ray_error(address)
    yield Finding(
        area="Cluster",
        name="Ray",
        state=State.ABSENT if error else State.GOOD,
        found=error or f"{address} answers",
        needed_for="--ray auto",
        remedy="ray start --head" if error else "",
    )


def ray_error(address: str) -> str:
    """Why nothing answers at HOST:PORT or ray://HOST:PORT; "" if something does."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        return f"{RAY_VARIABLE}={address}: expected HOST:PORT or ray://HOST:PORT"
    try:
        socket.create_connection((host, port), timeout=RAY_TIMEOUT_S).close()
    except OSError as error:
        return f"nothing answers at {address} ({error.strerror or error})"
    return ""
