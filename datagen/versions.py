"""Versions of everything that can change a result; asked from package metadata, so that no engine is loaded."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

ENGINES = ("voidgen", "bpy", "pybullet", "kubric-nightly", "coacd", "numpy", "scipy", "trimesh", "av", "OpenEXR", "ray")


MODELS = ("voidgen", "torch", "diffusers", "transformers", "safetensors", "torchmetrics", "numpy", "av", "ray")


def versions(names: Sequence[str] = ENGINES) -> dict[str, str]:
    """Name -> version, "not installed" where it is absent."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
