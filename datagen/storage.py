"""Run folders that are no folder: s3://, gs:// and whatever else fsspec reaches.

An object store has no rename, so a marker written last plays its part:

    RUN/samples/<key>/...        the files of a finished folder
    RUN/samples.done/<key>       its marker: names and sizes; what has none is not there, whatever lies beside it

Each process works in a *desk*, a run folder on its own disk that holds what it works on just now: inputs are fetched
to it, finished folders are pushed from it. Nothing of this is needed, or used, for a run on a local or network disk.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from datagen.codec import atomic_folder, atomic_path, remove_tree
from datagen.errors import ConfigError, DataError, StorageError, UserError

MARKERS = ".done"
SCRATCH_VARIABLE = "VOIDGEN_SCRATCH"
_MANGLED_URL = re.compile(r"([a-z][a-z0-9+\-]+):/+(.+)")  # pathlib makes s3:/bucket of s3://bucket


def url_of(path: Path) -> str:
    """The address that a path was given as, e.g. `s3://bucket/run`; "" for a path."""
    match = _MANGLED_URL.fullmatch(str(path))
    if not match:
        return ""
    return f"{match[1]}://{'/' if match[1] == 'file' else ''}{match[2]}"


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A run at an address. Methods raise `ConfigError` or `StorageError` in one line when it cannot be used."""

    url: str

    @property
    def fs(self) -> Any:
        return _file_system(self.url.partition("://")[0], os.getpid())

    def path(self, name: str) -> str:
        """Of a name below the run, as fsspec wants it."""
        return f"{self.fs._strip_protocol(self.url)}/{name}"

    def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        with self._told():
            return bool(self.fs.exists(self.path(name)))

    def read(self, name: str) -> bytes | None:
        """Contents of an object; None if there is none."""
        with self._told():
            try:
                return bytes(self.fs.cat_file(self.path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, contents: bytes) -> None:
        """Write an object whole."""
        with self._told():
            self._parent(name)
            self.fs.pipe_file(self.path(name), contents)

    def create(self, name: str, contents: bytes) -> bool:
        """Write an object unless there is one; False if there is."""
        with self._told():
            self._parent(name)
            try:
                self.fs.pipe_file(self.path(name), contents, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                if "PreconditionFailed" in repr(error) or "precondition" in str(error).lower():
                    return False
                raise
            return True

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        with self._told(), suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    def put(self, local: Path, name: str) -> None:
        """Copy a file there."""
        with self._told():
            self._parent(name)
            self.fs.put_file(str(local), self.path(name))

    def get(self, name: str, local: Path) -> bool:
        """Copy a file from there, whole or not at all; False if there is none."""
        if not self.exists(name):
            return False
        with atomic_path(local) as partial, self._told():
            self.fs.get_file(self.path(name), str(partial))
        return True

    def names(self, folder: str) -> set[str]:
        """Names of the objects right below a folder."""
        with self._told():
            self.fs.invalidate_cache()
            try:
                found = self.fs.ls(self.path(folder), detail=False)
            except FileNotFoundError:
                return set()
        return {one.rstrip("/").rpartition("/")[2] for one in found} - {"", folder}

    def finished(self, folder: str) -> set[str]:
        """Names of the whole folders in `folder`."""
        return self.names(folder + MARKERS)

    def has(self, folder: str, name: str) -> bool:
        """Whether a whole folder is there."""
        return self.read(f"{folder}{MARKERS}/{name}") is not None

    def push(self, local: Path, folder: str, name: str) -> None:
        """Copy a finished folder there; its marker comes last."""
        files = sorted(path for path in local.rglob("*") if path.is_file())
        sizes = {path.relative_to(local).as_posix(): path.stat().st_size for path in files}
        with self._told():
            targets = [self.path(f"{folder}/{name}/{file}") for file in sizes]
            for target in targets:
                self._parent_of(target)
            self.fs.put([str(path) for path in files], targets)
        self.write(f"{folder}{MARKERS}/{name}", json.dumps(sizes).encode())

    def pull(self, folder: str, name: str, local: Path) -> None:
        """Copy a whole folder from there; raises `DataError` if it is not whole."""
        marker = self.read(f"{folder}{MARKERS}/{name}")
        if marker is None:
            raise DataError(f"{self.url}/{folder}/{name} is not there or was not written to its end; make it again")
        sizes: dict[str, int] = json.loads(marker)
        with atomic_folder(local) as partial:
            for file in sizes:
                (partial / file).parent.mkdir(parents=True, exist_ok=True)
            with self._told():
                sources = [self.path(f"{folder}/{name}/{file}") for file in sizes]
                self.fs.get(sources, [str(partial / file) for file in sizes])
            for file, size in sizes.items():
                found = (partial / file).stat().st_size
                if found != size:
                    raise DataError(f"{self.url}/{folder}/{name}/{file}: expected {size} bytes, found {found}")

    def remove(self, folder: str, name: str) -> None:
        """Remove a folder, its marker first."""
        self.delete(f"{folder}{MARKERS}/{name}")
        with self._told(), suppress(FileNotFoundError):
            self.fs.rm(self.path(f"{folder}/{name}"), recursive=True)

    def _parent(self, name: str) -> None:
        self._parent_of(self.path(name))

    def _parent_of(self, path: str) -> None:
        """Object stores have no folders; the others need them."""
        if self.url.startswith("file:"):
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the store as one clear line; a missing object stays `FileNotFoundError`."""
        try:
            yield
        except (UserError, FileNotFoundError, FileExistsError):
            raise
        except PermissionError as error:
            raise StorageError(f"{self.url}: access denied ({error}); check the credentials and their rights") from None
        except Exception as error:  # each store has exceptions of its own, and they share no base
            if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"):
                raise ConfigError(
                    f"{self.url}: no credentials found; for s3:// set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or "
                    "give the machines a role, here and on every node"
                ) from None
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise StorageError(
                f"{self.url}: {reason[0]}; check the address and the network, then run the same command again: "
                "finished work is kept"
            ) from error


@cache
def _file_system(protocol: str, process: int) -> Any:
    """One connection a process: none outlives a fork. Raises `ConfigError` for a protocol that nothing here speaks."""
    try:
        import fsspec

        return fsspec.filesystem(protocol, use_listings_cache=False, skip_instance_cache=True)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{protocol}://: {error}; s3:// needs `pip install 'voidgen[remote]'`, other addresses fsspec's package"
        ) from None


def scratch_folder() -> Path:
    """Where copies of what lies at addresses are kept for a while: $VOIDGEN_SCRATCH or that for temporary files."""
    return Path(os.environ.get(SCRATCH_VARIABLE) or tempfile.gettempdir())


def desk_of(url: str) -> Path:
    """This thread's desk for a run: a folder on its own disk, in $VOIDGEN_SCRATCH or that for temporary files.

    Threads have desks of their own because plain processes are waited for by threads of one driver.
    """
    scratch = scratch_folder() / f"voidgen-desks-{os.getuid()}"
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    desk = scratch / f"{digest}-{os.getpid()}-{threading.get_native_id()}"
    if not desk.is_dir():
        _sweep(scratch)
        desk.mkdir(parents=True, exist_ok=True)
        atexit.register(remove_tree, desk)
    return desk


def _sweep(scratch: Path) -> None:
    """Remove desks whose processes are gone."""
    for desk in scratch.glob("*-*-*") if scratch.is_dir() else ():
        pid = desk.name.split("-")[1]
        if pid.isdigit() and int(pid) != os.getpid() and not Path(f"/proc/{pid}").exists():
            remove_tree(desk)
