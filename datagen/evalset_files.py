"""Reading an eval set, and checking that its files are those that its manifest names."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from datagen.codec import parse_record, sha256_file
from datagen.errors import DataError, did_you_mean
from datagen.evalset import EVAL_FORMAT_VERSION, EVAL_MANIFEST, GROUND_TRUTH, INPUTS, EvalItem, EvalManifest

AGAIN = "copy or export the eval set again"


def read_evalset(root: Path) -> tuple[EvalManifest, tuple[EvalItem, ...]]:
    """Manifest and clips of an eval set, sorted by key; whether the files are whole, `verify_evalset` tells.

    Raises `DataError` where there is no eval set, for one of another format, and for one whose manifest contradicts
    itself.
    """
    path = root / EVAL_MANIFEST
    try:
        text = path.read_bytes()
    except OSError:
        raise DataError(
            f"{root} is no eval set (it has no {EVAL_MANIFEST}); make one with `datagen export void-eval RUN DEST`"
        ) from None
    check_version(text, path)
    manifest = parse_record(EvalManifest, text, str(path))
    _check_manifest(manifest, path)
    return manifest, tuple(EvalItem(root=root, entry=entry) for entry in manifest.entries)


def check_version(text: bytes, path: Path) -> None:
    """Raise `DataError` for a manifest that is no JSON, or of another format."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); {AGAIN}") from None
    found = content.get("format_version") if isinstance(content, dict) else None
    if found is None or "entries" not in content:
        raise DataError(f"{path}: expected the manifest of an eval set, found another JSON; is it a run folder?")
    if found != EVAL_FORMAT_VERSION:
        raise DataError(
            f"{path}: format_version: expected {EVAL_FORMAT_VERSION}, found {found}; it was made by another version of "
            "this program: export the eval set again"
        )


def _check_manifest(manifest: EvalManifest, path: Path) -> None:
    keys = [entry.key for entry in manifest.entries]
    if keys != sorted(set(keys)):
        raise DataError(f"{path}: keys: expected each once, sorted, found {keys[:6]}; {AGAIN}")
    for name in manifest.files:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise DataError(f"{path}: files: '{name}' leads out of the eval set; {AGAIN}")
    needed = (f"{key}/{name}" for key in keys for name in INPUTS)
    if missing := [name for name in needed if name not in manifest.files]:
        raise DataError(f"{path}: files: lacks {missing[0]}; {AGAIN}")


def verify_evalset(root: Path, keys: Collection[str] | None = None) -> EvalManifest:
    """The manifest of an eval set (or of some of its keys) whose files are all there and unchanged.

    Raises `DataError` with the first problem, and how many there are.
    """
    manifest, _ = read_evalset(root)
    problems = list(evalset_problems(root, manifest, keys))
    if problems:
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        raise DataError(f"{problems[0]}{more}; {AGAIN}")
    return manifest


def evalset_problems(root: Path, manifest: EvalManifest, keys: Collection[str] | None = None) -> Iterator[str]:
    """What differs from the manifest, one line each: files that are missing, changed, or do not belong.

    keys: look at these clips alone. Raises `DataError` for a key that the set does not have.
    """
    known = [entry.key for entry in manifest.entries]
    for key in keys or ():
        if key not in known:
            raise DataError(f"{root}: no clip '{key}'{did_you_mean(key, known)}")
    for name, expected in sorted(manifest.files.items()):
        if keys is None or key_of(name) in keys:
            yield from _file_problems(root / name, expected)
    for key in known if keys is None else keys:
        for path in sorted((root / key).glob("*")):
            if f"{key}/{path.name}" not in manifest.files:
                yield f"{path}: is not in the manifest, and a model may take it for an input; remove it"


def _file_problems(path: Path, expected: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}: no such file, but the manifest names it"
    elif (found := sha256_file(path)) != expected:
        yield f"{path}: sha256: expected {expected[:12]}..., found {found[:12]}..."


def key_of(name: str) -> str:
    """Key of the clip that a file of the manifest belongs to."""
    parts = PurePosixPath(name).parts
    return parts[1] if parts[0] == GROUND_TRUTH and len(parts) > 1 else parts[0]
