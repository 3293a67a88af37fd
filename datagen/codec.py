"""Records on disk: strict JSON for dataclasses, reproducible .npz for arrays, hashes; writes are whole or absent."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
import typing
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pydantic

from datagen.errors import DataError, did_you_mean, reraise_storage_error

Record = TypeVar("Record")

PARTIAL_SUFFIX = ".partial"


@cache
def _adapter(cls: type[Any]) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(cls)


def dump_json(record: Any, indent: int | None = 1) -> str:
    """JSON text of a dataclass or of plain data; keys keep the order of the fields, floats round-trip exactly."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        record = _adapter(type(record)).dump_python(record, mode="json")
    return json.dumps(record, indent=indent, ensure_ascii=False, allow_nan=False)


def parse_record(cls: type[Record], text: str | bytes, where: str) -> Record:
    """A `cls` from JSON text; unknown keys and wrong types raise `DataError` that names `where` and the field."""
    try:
        record: Record = _adapter(cls).validate_json(  # type: ignore[arg-type]  # mypy: a class is hashable
            text, strict=True, extra="forbid"
        )
    except pydantic.ValidationError as error:
        raise DataError(f"{where}: {describe_invalid(cls, error)}") from None
    return record


def read_record(cls: type[Record], path: Path) -> Record:
    """A `cls` from a JSON file."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected the JSON of a {cls.__name__}") from None
    return parse_record(cls, text, str(path))


def write_json(path: Path, record: Any) -> None:
    """Write JSON whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(dump_json(record) + "\n")


def describe_invalid(cls: type[Any], error: pydantic.ValidationError) -> str:
    """The first problem of a validation error, as `field: expected ..., found ...; did you mean ...`."""
    problem = error.errors(include_url=False)[0]
    location = [part for part in problem["loc"] if not (isinstance(part, str) and part.startswith("function"))]
    name = ".".join(str(part) for part in location) or cls.__name__
    if problem["type"] == "unexpected_keyword_argument":
        return f"unknown key '{name}'{did_you_mean(str(location[-1]), _fields_at(cls, location[:-1]))}"
    if problem["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"key '{name}' is missing"
    if problem["type"] == "json_invalid":
        return f"not JSON ({problem['ctx']['error']}); the file is damaged or was cut short"
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    found = repr(problem["input"])
    return f"'{name}': expected {expected}, found {found if len(found) < 80 else found[:77] + '...'}"


def _fields_at(cls: Any, location: list[int | str]) -> list[str]:
    """Field names of the dataclass that `location` leads to, where that can be told."""
    for part in location:
        if not (dataclasses.is_dataclass(cls) and isinstance(part, str)):
            return []
        cls = typing.get_type_hints(cls).get(part)
    return [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays so that equal arrays give equal bytes (names sorted; numpy's zip entries carry no clock)."""
    with atomic_path(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **{name: np.asarray(arrays[name], order="C") for name in sorted(arrays)})


def read_npz(path: Path, contents: bytes | None = None) -> dict[str, np.ndarray]:
    """All arrays of an .npz, or of its `contents`, which `path` then only names; nothing is unpickled.

    Raises `DataError` for a file that is none.
    """
    try:
        opened = path.open("rb") if contents is None else io.BytesIO(contents)
        with opened as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected an .npz of arrays") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{path}: not a readable .npz ({error}); it may be truncated: delete it and make it again"
        ) from None


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_record(record: Any) -> str:
    """Hex digest of a record's JSON; equal records have equal digests."""
    return hashlib.sha256(dump_json(record, indent=None).encode()).hexdigest()


def sha256_arrays(*arrays: np.ndarray) -> str:
    """Hex digest over the dtypes, shapes and bytes of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def partial_of(path: Path) -> Path:
    """Where `path` is written before it is whole."""
    return path.with_name(path.name + PARTIAL_SUFFIX)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path to write a file or fill a folder at; it becomes `path` when the block ends well, else it is removed.

    Raises `StorageError` when the file system refuses the write.
    """
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_tree(partial)
        yield partial
        partial.replace(path)
    except OSError as error:
        remove_tree(partial)
        raise reraise_storage_error(error, path) from error
    except BaseException:
        remove_tree(partial)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Like `atomic_path`, with the folder made."""
    with atomic_path(path) as partial:
        partial.mkdir(parents=True)
        yield partial


def remove_tree(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
