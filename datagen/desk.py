"""Between a run at an address and a process's desk for it; for a run on disk nothing has to be done.

A worker fetches the inputs of a stage, and pushes what it made; the driver keeps the rows, which an object store cannot
append to, and writes them there every few seconds. Rows that a killed driver had not written are made again: what they
tell of is decided by the folders.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datagen.codec import remove_tree
from datagen.driver_lock import driving
from datagen.errors import VoidgenError
from datagen.runs import RUN_FILE, STAGE_FOLDERS, RunFolder
from datagen.storage import Remote, desk_of, url_of

ROWS = ("failures.jsonl", "rejected.jsonl", "events.jsonl")
WRITE_ROWS_S = 10.0
WRITE_SHARE = 20  # rows are written at most every so many times as long as writing them took the last time


def fetch_spec(run: RunFolder, key: str) -> None:
    """Fetch a scene's description to the desk."""
    if run.remote and not run.spec_path(key).is_file():
        run.remote.get(f"specs/{key}.json", run.spec_path(key))


def fetch_inputs(run: RunFolder, stage: str, key: str) -> None:
    """Fetch what the stages before this one made of a scene, unless the desk has it."""
    names = list(STAGE_FOLDERS)
    for earlier in names[: names.index(stage)]:
        if run.remote and not run.folder(earlier, key).is_dir():
            run.remote.pull(STAGE_FOLDERS[earlier], key, run.folder(earlier, key))


def fetch_sample(run: RunFolder, key: str) -> None:
    """Fetch a finished sample to the desk."""
    if run.remote:
        run.remote.pull(STAGE_FOLDERS["compose"], key, run.folder("compose", key))


def publish(run: RunFolder, stage: str, key: str) -> None:
    """Push what a stage made."""
    if run.remote:
        run.remote.push(run.folder(stage, key), STAGE_FOLDERS[stage], key)


def drop_render(run: RunFolder, key: str) -> None:
    """Remove a scene's rendered layers, here and there."""
    remove_tree(run.folder("render", key))
    if run.remote and run.has("render", key):
        run.remote.remove(STAGE_FOLDERS["render"], key)


def clear_desk(run: RunFolder, key: str) -> None:
    """Remove a scene from the desk."""
    for folder in STAGE_FOLDERS.values():
        remove_tree(run.root / folder / key)
    run.spec_path(key).unlink(missing_ok=True)


@contextmanager
def driven(location: Path) -> Iterator[RunFolder]:
    """The run at a path or address, for its one driver; raises `RunFolderError` while another lives."""
    url = url_of(location)
    if not url:
        with driving(location):
            yield RunFolder(root=location)
        return
    run = RunFolder(root=desk_of(url), url=url)
    remote = Remote(url=url)
    try:
        with driving(remote):
            read_desk(run, remote)
            with _rows_written(run, remote):
                yield run
    finally:
        remove_tree(run.root)


@contextmanager
def looked_at(location: Path) -> Iterator[RunFolder]:
    """The run at a path or address, to read from."""
    url = url_of(location)
    if not url:
        yield RunFolder(root=location)
        return
    run = RunFolder(root=desk_of(url), url=url)
    try:
        read_desk(run, Remote(url=url))
        yield run
    finally:
        remove_tree(run.root)


def read_desk(run: RunFolder, remote: Remote) -> None:
    """Fetch what a driver needs: the run's record and its rows."""
    for name in (RUN_FILE, *ROWS, "shards/index.json"):
        remote.get(name, run.root / name)


def publish_plan(run: RunFolder) -> None:
    """Push a plan made on the desk: the specs first, then the run's record."""
    if not run.remote:
        return
    there = run.remote.names("specs")
    for path in sorted(run.specs.glob("*.json")):
        if path.name not in there:
            run.remote.put(path, f"specs/{path.name}")
    run.remote.put(run.root / RUN_FILE, RUN_FILE)


@contextmanager
def _rows_written(run: RunFolder, remote: Remote) -> Iterator[None]:
    """Write the desk's rows to the store every few seconds, and once more in the end."""
    ended = threading.Event()
    writing = threading.Thread(target=_write_rows, args=(run, remote, ended), daemon=True)
    writing.start()
    try:
        yield
    finally:
        ended.set()
        writing.join()
        _write_changed(run, remote, {})


def _write_rows(run: RunFolder, remote: Remote, ended: threading.Event) -> None:
    pause_s, written = WRITE_ROWS_S, dict[str, int]()
    while not ended.wait(pause_s):
        start = time.monotonic()
        try:
            _write_changed(run, remote, written)
        except VoidgenError:  # the next time, or in the end, where it is told
            continue
        pause_s = max(WRITE_ROWS_S, WRITE_SHARE * (time.monotonic() - start))


def _write_changed(run: RunFolder, remote: Remote, written: dict[str, int]) -> None:
    """Write the files of rows whose time of change is not the one in `written`."""
    for name in ROWS:
        path = run.root / name
        if path.is_file() and written.get(name) != (changed := path.stat().st_mtime_ns):
            remote.write(name, path.read_bytes())
            written[name] = changed


def fetch_run(location: Path, dest: Path) -> int:
    """Copy a run from an address to a new local folder; number of its samples."""
    remote = Remote(url=url_of(location) or str(location))
    run = RunFolder(root=dest)
    for name in (RUN_FILE, *ROWS, "manifest.json", "sheet.png"):
        remote.get(name, dest / name)
    run.info()
    for folder in ("specs", "shards"):
        for name in sorted(remote.names(folder)):
            remote.get(f"{folder}/{name}", dest / folder / name)
    for stage, folder in STAGE_FOLDERS.items():
        for key in sorted(remote.finished(folder)):
            if not run.folder(stage, key).is_dir():
                remote.pull(folder, key, run.folder(stage, key))
    return len(run.sample_paths())
