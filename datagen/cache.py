"""What is made once per input file and kept between runs: extracted sequences, convex parts, demo data."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
from filelock import FileLock

from datagen.assets import DEFAULT_SET_VERSION
from datagen.codec import sha256_file
from datagen.errors import DataError
from datagen.jobs import DefaultAssetsJob, ExtractJob
from datagen.sequence import FORMAT_VERSION
from datagen.worker import run_engine

CACHE_VARIABLE = "VOIDGEN_CACHE"
EXTRACT_TIMEOUT_S = 600.0


def cache_root() -> Path:
    """The cache folder: $VOIDGEN_CACHE, or the user's cache folder of this system."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("voidgen"))


def hull_cache() -> Path:
    """Where convex parts are kept."""
    return cache_root() / "hulls"


def asset_cache() -> Path:
    """Where scanned objects are unpacked and measured."""
    return cache_root() / "assets"


def default_assets() -> Path:
    """Folder of the embedded objects, made on first use."""
    folder = asset_cache() / f"default-v{DEFAULT_SET_VERSION}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                job = DefaultAssetsJob()
                run_engine("kubric_jobs.default_assets", job, folder, timeout_s=EXTRACT_TIMEOUT_S, keep_log=False)
    return folder


def extracted_sequence(file: Path, sha256: str | None = None) -> Path:
    """Folder of the extracted sequence of `file`; made by Blender on first use, then kept by the file's hash.

    With `sha256`, only that version of the file will do. Raises `DataError` for a file that is no sequence,
    `SceneFailed` when Blender crashes on it.
    """
    digest = sha256 or sha256_file(file)
    folder = cache_root() / f"sequences-v{FORMAT_VERSION}" / digest[:32]
    if folder.is_dir():
        return folder
    if not file.is_file() or sha256_file(file) != digest:
        raise DataError(f"{file}: is gone, or has changed since the scene was planned from it; plan another run")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            job = ExtractJob(file=str(file.resolve()), sha256=digest)
            run_engine("blender_scripts.extract_sequence", job, folder, timeout_s=EXTRACT_TIMEOUT_S, keep_log=False)
    return folder
