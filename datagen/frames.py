"""A finished render as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image, UnidentifiedImageError

from datagen.errors import DataError, did_you_mean
from datagen.layers import Layer, RenderManifest, read_manifest

EXR, EXR_CHANNEL = ".exr", "V"
AGAIN = "delete the render's folder and render the scene again"


class LayerFiles:
    """A layer, [num_frames, height, width(, 3)], whose frames are read when they are asked for.

    Raises `DataError` for a frame that is missing, unreadable or of another size than the layer's.
    """

    def __init__(self, root: Path, layer: Layer, num_frames: int) -> None:
        self.root, self.layer, self.num_frames = root, layer, num_frames
        self.shape = (num_frames, layer.height, layer.width, *(() if layer.suffix == EXR else (3,)))
        self._last: tuple[bytes, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, index: int) -> np.ndarray:
        """A frame; where nothing moves, its file is a copy of the one before, and is not decoded again."""
        contents = self.path(index).read_bytes()
        if self._last is None or contents != self._last[0]:
            self._last = contents, self.read(index)
        return self._last[1]

    def path(self, index: int) -> Path:
        """File of a frame."""
        path = self.layer.path(self.root, index)
        if not 0 <= index < self.num_frames:
            raise DataError(
                f"{self.root}: no frame {index} of '{self.layer.name}'; there are 0 to {self.num_frames - 1}"
            )
        if not path.is_file():
            raise DataError(
                f"{path}: no such file; expected frame {index} of {self.num_frames} of '{self.layer.name}': {AGAIN}"
            )
        return path

    def read(self, index: int) -> np.ndarray:
        """A frame: uint8 [height, width, 3] sRGB of a picture, float32 [height, width] of an EXR."""
        path, layer = self.path(index), self.layer
        picture = read_exr(path) if layer.suffix == EXR else read_rgb(path)
        if picture.shape[:2] != (layer.height, layer.width):
            raise DataError(
                f"{path}: expected {layer.width}x{layer.height} pixels, "
                f"found {picture.shape[1]}x{picture.shape[0]}: {AGAIN}"
            )
        return picture


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

    def files(self, name: str) -> LayerFiles:
        """A layer, read frame by frame."""
        return LayerFiles(self.root, self.layer(name), self.num_frames)

    def path(self, name: str, index: int) -> Path:
        """File of one frame of a layer."""
        return self.files(name).path(index)

    def frame(self, name: str, index: int) -> np.ndarray:
        """One frame of a layer: uint8 [height, width, 3] sRGB of a picture, float32 [height, width] of an EXR."""
        return self.files(name).read(index)

    def frames(self, name: str) -> np.ndarray:
        """All frames of a layer, [num_frames, ...]."""
        first = self.frame(name, 0)
        pictures = np.empty((self.num_frames, *first.shape), dtype=first.dtype)  # stacking holds all of them twice
        for index in range(self.num_frames):
            pictures[index] = self.frame(name, index) if index else first
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


def read_exr(path: Path) -> np.ndarray:
    """The one channel "V" of an EXR, float32 [height, width]."""
    try:
        channels = OpenEXR.File(str(path), separate_channels=True).channels()
    except (RuntimeError, OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable EXR ({error}): {AGAIN}") from None
    if EXR_CHANNEL not in channels:
        raise DataError(f"{path}: expected a channel '{EXR_CHANNEL}', found {sorted(channels)}: {AGAIN}")
    return np.asarray(channels[EXR_CHANNEL].pixels, dtype=np.float32)
