"""Versions of everything that can change a result; asked from package metadata, so that no engine is loaded."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

ENGINES = ("voidgen", "bpy", "pybullet", "kubric-nightly", "coacd", "numpy", "scipy", "trimesh", "av", "OpenEXR", "ray")
MODELS = ("voidgen", "torch", "diffusers", "transformers", "safetensors", "torchmetrics", "numpy", "av", "ray")


def versions(names: Sequence[str] = ENGINES) -> dict[str, str]:
    """Name -> version, "not installed" where it is absent."""
    return {"python": platform.python_version()} | {name: _version(name) for name in names}


@cache  # asked for every scene, and a package's files are sought and read anew each time
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
