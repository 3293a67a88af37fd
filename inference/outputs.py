"""What a run leaves: PRED/<key>.mp4 and, beside it, PRED/<key>.json with how it was made. The record is written last.

With two passes, pass 1's own videos lie in PRED/pass1/ in the same way.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.codec import PARTIAL_SUFFIX, dump_json, read_record, remove_tree, write_json
from datagen.errors import RunFolderError, reraise_storage_error
from datagen.video import encode_rgb

FORMAT_VERSION = 1
SAMPLED_BYTES = 2**16
SAMPLES = 64


@dataclass(frozen=True, kw_only=True)
class Method:
    """What made an output; equal methods and inputs give equal videos on the same kind of device."""

    name: str  # "pass1", "pass2", or "baseline:<name>"
    settings: dict[str, Any]  # of inference.settings.Settings; {} for a baseline
    checkpoint: str  # `fingerprint` of the weights; "" for a baseline
    memory: str  # how the models were placed, which decides their precision
    speed: str  # of inference.speed.Speed; "" for a baseline
    dtype: str
    untrained: bool


@dataclass(frozen=True, kw_only=True)
class OutputRecord:
    """<key>.json"""

    format_version: int
    key: str
    method: Method
    prompt: str
    num_frames: int
    fps: float
    width: int
    height: int
    wall_s: float


def is_done(folder: Path, key: str, method: Method) -> bool:
    """Whether this output is there; raises `RunFolderError` for one that another method made."""
    record_path = folder / f"{key}.json"
    if not (record_path.is_file() and (folder / f"{key}.mp4").is_file()):
        return False
    found = read_record(OutputRecord, record_path).method
    if found != method:
        raise RunFolderError(
            f"{record_path}: made with other {', '.join(_differences(found, method))}; choose another --out, or remove "
            "it to make it again"
        )
    return True


def write_output(folder: Path, record: OutputRecord, frames: np.ndarray) -> None:
    """Write the video, then its record; each is whole or absent."""
    make_folder(folder)
    encode_rgb(folder / f"{record.key}.mp4", frames, record.fps)
    write_json(folder / f"{record.key}.json", record)


def make_folder(folder: Path) -> None:
    """Make a folder for outputs; raises `StorageError` where that is refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise reraise_storage_error(error, folder) from error


def clean_partials(folder: Path) -> None:
    """Remove what a crash left half-written."""
    for leftover in folder.glob(f"*{PARTIAL_SUFFIX}") if folder.is_dir() else ():
        remove_tree(leftover)


def fingerprint(path: Path) -> str:
    """Digest of a weights file by its size and 64 pieces of it: the whole would take a minute to read."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        for number in range(SAMPLES):
            stream.seek(max(0, size - SAMPLED_BYTES) * number // (SAMPLES - 1))
            digest.update(stream.read(SAMPLED_BYTES))
    return digest.hexdigest()


def _differences(found: Method, wanted: Method) -> list[str]:
    """Names of what differs, settings one by one."""
    names = [
        name
        for name in ("name", "checkpoint", "memory", "speed", "dtype")
        if getattr(found, name) != getattr(wanted, name)
    ]
    keys = sorted(found.settings.keys() | wanted.settings.keys())
    return names + [key for key in keys if dump_json(found.settings.get(key)) != dump_json(wanted.settings.get(key))]
