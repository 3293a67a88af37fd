"""Seeds that stay the same over processes, machines and versions of Python."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def seed_for(*names: str | int) -> int:
    """Stable 32-bit seed for a path of names, e.g. `seed_for(scene.seed, "lighting")`."""
    return int.from_bytes(hashlib.sha256(json.dumps(names).encode()).digest()[:4], "little")


def generator_for(*names: str | int) -> np.random.Generator:
    """A fresh generator for a path of names; two calls with equal names draw the same numbers."""
    return np.random.Generator(np.random.PCG64(seed_for(*names)))
