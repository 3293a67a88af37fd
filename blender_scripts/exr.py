"""Float pictures of Cycles, and layers of one channel that are kept of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR


def keep_channel(source: Path, target: Path, weights: tuple[float, float, float]) -> None:
    """Turn an RGB EXR into one of a single float channel "V", the weighted sum of the three."""
    write_channel(target, read_weighted(source, weights))


def read_weighted(source: Path, weights: tuple[float, float, float]) -> np.ndarray:
    """Weighted sum of an EXR's three channels, float32 [height, width]."""
    return np.ascontiguousarray(read_pixels(source) @ np.array(weights, dtype=np.float32))


def read_pixels(source: Path) -> np.ndarray:
    """An EXR's three channels [height, width, 3], float32 or, of marks, float16."""
    with OpenEXR.File(str(source)) as file:
        return np.asarray(file.channels()["RGB"].pixels)


def write_channel(target: Path, values: np.ndarray) -> None:
    """Write float32 [height, width] as an EXR's channel "V"."""
    header = {"compression": OpenEXR.RLE_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"V": values}) as file:
        file.write(str(target))
