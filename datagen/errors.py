"""Every error that voidgen raises on purpose.

    VoidgenError
    ├── UserError                exit code 2: the command cannot start or go on until the user mends something
    │   ├── ConfigError          a setting is unknown, of the wrong type or out of range
    │   ├── DataError            an input file or folder is missing, unreadable or not what it should be
    │   ├── SpecError            a scene description contradicts itself
    │   ├── RunFolderError       a run folder belongs to another configuration or is in use
    │   └── StorageError         the disk is full or not writable
    └── SceneError               concerns one scene; the run goes on
        ├── SceneFailed          a row in failures.jsonl
        │   ├── DecorationInTheWay   furniture or a wall reaches into what happens in the scene
        │   └── EngineFailed     the scene's own process crashed, hung or ran out of memory
        └── SceneRejected        a row in rejected.jsonl: physics ran, and did not pass its checks

A message says what is wrong, where, what was expected, what was found, and how to mend it, in one line. An error may
name the page of the documentation that helps (`Page`), which the commands add to that line.
Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self


class Page(StrEnum):
    """Where the documentation helps with an error; paths start at the repository."""

    SETTINGS = "docs/TROUBLESHOOTING.md#settings"
    RUN_FOLDERS = "docs/TROUBLESHOOTING.md#run-folders"
    DISK = "docs/TROUBLESHOOTING.md#disk"
    PACKAGES = "docs/TROUBLESHOOTING.md#packages"
    RAY = "docs/TROUBLESHOOTING.md#ray"
    HUMOTO = "docs/HUMOTO.md#layouts-that-are-read"
    OBJECTS = "docs/GSO.md#a-folder-of-your-own"
    WEIGHTS = "docs/VOID.md#weights"


class VoidgenError(Exception):
    """Base of all errors that voidgen raises on purpose."""

    usual_page: ClassVar[Page | None] = None
    page: Page | None = None

    def see(self, page: Page) -> Self:
        """The same error, with the page that helps."""
        self.page = page
        return self

    def in_full(self) -> str:
        """The message and the page, in one line."""
        page = self.page or self.usual_page
        return f"{self} (see {page})" if page else str(self)


class UserError(VoidgenError):
    """Something that the user has to mend before the command can work."""


class ConfigError(UserError):
    """A setting is unknown, of the wrong type, or out of range."""

    usual_page = Page.SETTINGS


class DataError(UserError):
    """An input is missing, unreadable, or not what it claims to be."""


class SpecError(UserError):
    """A scene description contradicts itself."""


class RunFolderError(UserError):
    """A run folder belongs to another configuration, or is no run folder."""

    usual_page = Page.RUN_FOLDERS


class StorageError(UserError):
    """The file system refused a write."""

    usual_page = Page.DISK


class SceneError(VoidgenError):
    """An expected end of one scene; `details` go into the row that records it."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details: Mapping[str, Any] = details


class SceneFailed(SceneError):
    """The scene could not be made."""


class DecorationInTheWay(SceneFailed):
    """Something of the room touches a trajectory, hides the action or stands in the camera: a bug in its placing."""


class EngineFailed(SceneFailed):
    """The scene's process crashed, overran its time or was killed; details hold exit code and log tail."""


class SceneRejected(SceneError):
    """The scene was simulated and did not pass a gate; details hold the figures."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Tail of a message: "; did you mean 'x'?" for the closest known name, else the names there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; there are: {shown}" if names else ""


def reraise_storage_error(error: OSError, path: Path) -> StorageError:
    """A full or read-only disk as one clear line."""
    return StorageError(
        f"cannot write {path}: {error.strerror or error}; free space or choose another folder, then run the same "
        "command again: finished work is kept"
    )
