"""Float pictures of Cycles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR


def read_weighted(source: Path, weights: tuple[float, float, float]) -> np.ndarray:
    """Weighted sum of an EXR's three channels, float32 [height, width]."""
    return np.ascontiguousarray(read_pixels(source) @ np.array(weights, dtype=np.float32))


def read_pixels(source: Path) -> np.ndarray:
    """An EXR's three channels [height, width, 3], float32 or, of marks, float16."""
    with OpenEXR.File(str(source)) as file:
        return np.asarray(file.channels()["RGB"].pixels)
