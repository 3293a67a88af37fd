"""The evidence behind a quadmask in a file: `layers.npz` of a sample, and what a render leaves for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from datagen.codec import read_npz, write_npz
from datagen.errors import DataError
from datagen.quadmask import MaskLayers


def write_layers(path: Path, layers: MaskLayers) -> None:
    """The five layers at one bit a pixel: each uint8 [num_frames, ceil(height * width / 8)], and `shape`."""
    shape = layers.removed.shape
    arrays = {name: np.packbits(layer.reshape(len(layer), -1), axis=1) for name, layer in layers.arrays().items()}
    write_npz(path, arrays | {"shape": np.array(shape, dtype=np.int32)})


def read_layers(path: Path, contents: bytes | None = None) -> MaskLayers:
    """What `write_layers` wrote; of `contents`, which `path` then only names.

    Raises `DataError` for a file that holds something else.
    """
    arrays = read_npz(path, contents)
    names = [field.name for field in dataclasses.fields(MaskLayers)]
    if missing := sorted({*names, "shape"} - set(arrays)):
        raise DataError(f"{path}: lacks the arrays {missing}; expected the five layers of a mask and their shape")
    num_frames, height, width = (int(size) for size in arrays["shape"])
    expected = (num_frames, -(-height * width // 8))
    for name in names:
        if arrays[name].shape != expected or arrays[name].dtype != np.uint8:
            found = f"{arrays[name].dtype} {arrays[name].shape}"
            raise DataError(f"{path}: '{name}': expected uint8 {expected}, found {found}")
    unpacked = {
        name: np.unpackbits(arrays[name], axis=1, count=height * width).reshape(num_frames, height, width).view(bool)
        for name in names
    }
    return MaskLayers(**unpacked)
