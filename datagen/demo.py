"""The embedded demo data: acted sequences in HUMOTO's layout, so that everything can be tried without HUMOTO."""

from __future__ import annotations

from pathlib import Path

from datagen.codec import remove_tree
from datagen.errors import DataError
from datagen.jobs import DemoJob
from datagen.worker import run_engine

TIMEOUT_S = 900.0


def make_demo_data(dest: Path, seed: int = 0, *, keep_existing: bool = False) -> int:
    """Write the demo sequences to `dest`; how many. Raises `DataError` when `dest` holds something already."""
    if dest.is_file() or (dest.is_dir() and any(dest.iterdir()) and not keep_existing):
        raise DataError(f"{dest} exists already; name a new folder, or pass --if-missing to keep it")
    if not (dest.is_dir() and any(dest.iterdir())):
        remove_tree(dest)
        job = DemoJob(sequences=None, seed=seed)
        run_engine("blender_scripts.demo_data", job, dest, timeout_s=TIMEOUT_S, keep_log=False)
    return sum(1 for _ in dest.glob("*/*.fbx"))
