"""A finished render as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image, UnidentifiedImageError

from datagen.errors import DataError, did_you_mean
from datagen.layers import Layer, RenderManifest, read_manifest

EXR_CHANNEL = "V"
AGAIN = "delete the render's folder and render the scene again"


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

    def path(self, name: str, index: int) -> Path:
        """File of one frame of a layer."""
        path = self.layer(name).path(self.root, index)
        if not 0 <= index < self.num_frames:
            raise DataError(f"{self.root}: no frame {index} of '{name}'; there are 0 to {self.num_frames - 1}")
        if not path.is_file():
            raise DataError(f"{path}: no such file; expected frame {index} of {self.num_frames} of '{name}': {AGAIN}")
        return path

    def frame(self, name: str, index: int) -> np.ndarray:
        """One frame of a layer: uint8 [height, width, 3] sRGB of a PNG, float32 [height, width] of an EXR."""
        layer, path = self.layer(name), self.path(name, index)
        picture = read_exr(path) if layer.suffix == ".exr" else read_png(path)
        if picture.shape[:2] != (layer.height, layer.width):
            raise DataError(
                f"{path}: expected {layer.width}x{layer.height} pixels, "
                f"found {picture.shape[1]}x{picture.shape[0]}: {AGAIN}"
            )
        return picture

    def frames(self, name: str) -> np.ndarray:
        """All frames of a layer, [num_frames, ...]."""
        first = self.frame(name, 0)
        pictures = np.empty((self.num_frames, *first.shape), dtype=first.dtype)  # stacking holds all of them twice
        for index in range(self.num_frames):
            pictures[index] = self.frame(name, index) if index else first
        return pictures


class LazyLayer:
    """A layer of one channel, [num_frames, height, width], whose frames are read when they are asked for.

    Where nothing moves, a frame's file is a copy of the one before, and is not decoded again.
    """

    def __init__(self, scene: RenderedScene, name: str) -> None:
        self.scene, self.name = scene, name
        layer = scene.layer(name)
        self.shape = (scene.num_frames, layer.height, layer.width)
        self._last: tuple[bytes, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> np.ndarray:
        contents = self.scene.path(self.name, frame).read_bytes()
        if self._last is None or contents != self._last[0]:
            self._last = contents, self.scene.frame(self.name, frame)
        return self._last[1]


def read_png(path: Path) -> np.ndarray:
    """An 8-bit RGB picture, uint8 [height, width, 3]."""
    try:
        with Image.open(path) as image:
            if image.mode not in ("RGB", "RGBA"):
                raise DataError(f"{path}: expected RGB with 8 bits a channel, found mode {image.mode}: {AGAIN}")
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"{path}: not a readable PNG ({error}): {AGAIN}") from None


def read_exr(path: Path) -> np.ndarray:
    """The one channel "V" of an EXR, float32 [height, width]."""
    try:
        channels = OpenEXR.File(str(path), separate_channels=True).channels()
    except (RuntimeError, OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable EXR ({error}): {AGAIN}") from None
    if EXR_CHANNEL not in channels:
        raise DataError(f"{path}: expected a channel '{EXR_CHANNEL}', found {sorted(channels)}: {AGAIN}")
    return np.asarray(channels[EXR_CHANNEL].pixels, dtype=np.float32)
