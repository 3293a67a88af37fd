"""A finished render as arrays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from datagen.errors import DataError, did_you_mean
from datagen.layers import Layer, RenderManifest, read_manifest

AGAIN = "delete the render's folder and render the scene again"


def make_stack(root: Path, layer: Layer, num_frames: int) -> np.ndarray:
    """A layer of values to be filled, 0 everywhere, [num_frames, height, width]: its file, mapped into memory.

    The disk's space is taken at once: where there is none, a process that writes to mapped memory is killed.
    """
    path, shape = layer.stack(root), (num_frames, layer.height, layer.width)
    stack = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(layer.values), shape=shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return stack


def read_stack(root: Path, layer: Layer, num_frames: int) -> np.ndarray:
    """A finished layer of values, [num_frames, height, width], read as it is used.

    Raises `DataError` for a file that is missing, unreadable or of other values or another size than the layer's.
    """
    path, shape = layer.stack(root), (num_frames, layer.height, layer.width)
    try:
        stack = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected the {num_frames} frames of '{layer.name}': {AGAIN}") from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a readable .npy ({error}): {AGAIN}") from None
    if stack.shape != shape or stack.dtype != layer.values:
        raise DataError(f"{path}: expected {layer.values} {shape}, found {stack.dtype} {stack.shape}: {AGAIN}")
    return np.asarray(stack)


class RenderedScene:
    """The folder of layers that a render left, with its manifest.

    Raises `DataError` for a folder without a manifest, and, when a frame is read, for one that is missing, unreadable
    or of another size than the manifest says.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest: RenderManifest = read_manifest(root)

    @property
    def num_frames(self) -> int:
        return self.manifest.num_frames

    def layer(self, name: str) -> Layer:
        """A layer's record."""
        known = {layer.name: layer for layer in self.manifest.layers}
        if name not in known:
            raise DataError(f"{self.root}: no layer '{name}'{did_you_mean(name, known)}")
        return known[name]

    def frame(self, name: str, index: int) -> np.ndarray:
        """One frame of a layer: uint8 [height, width, 3] sRGB of a picture, else values [height, width]."""
        layer = self.layer(name)
        if not 0 <= index < self.num_frames:
            raise DataError(f"{self.root}: no frame {index} of '{name}'; there are 0 to {self.num_frames - 1}")
        if layer.values:
            return np.asarray(read_stack(self.root, layer, self.num_frames)[index])
        path = layer.path(self.root, index)
        if not path.is_file():
            raise DataError(f"{path}: no such file; expected frame {index} of {self.num_frames} of '{name}': {AGAIN}")
        picture = read_rgb(path)
        if picture.shape[:2] != (layer.height, layer.width):
            raise DataError(
                f"{path}: expected {layer.width}x{layer.height} pixels, "
                f"found {picture.shape[1]}x{picture.shape[0]}: {AGAIN}"
            )
        return picture

    def frames(self, name: str) -> np.ndarray:
        """All frames of a layer, [num_frames, ...]."""
        layer = self.layer(name)
        if layer.values:
            return read_stack(self.root, layer, self.num_frames)
        pictures = np.empty((self.num_frames, layer.height, layer.width, 3), dtype=np.uint8)
        for index in range(self.num_frames):
            pictures[index] = self.frame(name, index)
        return pictures


def read_rgb(path: Path) -> np.ndarray:
    """An 8-bit RGB picture, uint8 [height, width, 3]."""
    try:
        with Image.open(path) as image:
            if image.mode not in ("RGB", "RGBA"):
                raise DataError(f"{path}: expected RGB with 8 bits a channel, found mode {image.mode}: {AGAIN}")
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"{path}: not a readable picture ({error}): {AGAIN}") from None
