"""Pictures rendered only where they can differ from ones that are there.

With a camera on a tripod most of a clip looks like one picture, the key: the counterfactual world at the end of the
clip, when all has come to rest and what is removed was never there. It is rendered whole, once. The layers of ids,
coverage and light are there already, and say where each frame of the factual video differs from it; that is rendered,
in boxes, and laid over the key. So pixels that nothing changes are equal over time, to the bit. With a camera that
moves, factual pictures are rendered whole.

The counterfactual video is the factual one, and where the two worlds differ (the mask of policy "effects") the key,
with boxes rendered where the counterfactual world is not as in the key. So both videos are equal where the mask says
KEEP. Frames in which a world stands still are rendered once, in the boxes of all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from blender_scripts.build_scene import SceneState
from blender_scripts.changes import Changes, stretches
from blender_scripts.passes import Border, Pass, Renderer
from datagen.frames import read_png
from datagen.layers import Layer, ReuseReport
from datagen.regions import RAMP_PX, SPILL_PX, Box, boxes_around, lay_over, spill

SCRATCH = "scratch.png"
PNG_LEVEL = 1  # of zlib: fast
NOISE_PX = 5  # light that the mask missed is told from noise by a mean over so many pixels
NEAR_PX = RAMP_PX + SPILL_PX + 1  # of a region: as far as a picture that is laid over another one can show


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Rendered parts of a picture, uint8 [rows, columns, 3] each."""

    parts: tuple[tuple[Box, np.ndarray], ...]

    def over(self, picture: np.ndarray) -> np.ndarray:
        """The picture with the parts in it."""
        result = picture.copy()
        for box, pixels in self.parts:
            result[box.slices] = pixels
        return result

    def known(self, shape: tuple[int, ...]) -> np.ndarray:
        """Which pixels were rendered, bool [height, width]."""
        result = np.zeros(shape[:2], dtype=bool)
        for box, _ in self.parts:
            result[box.slices] = True
        return result


class Reuse:
    """Renders both videos of a clip, and counts what that saves."""

    def __init__(self, renderer: Renderer, layers: Mapping[str, Layer], changes: Changes, out: Path) -> None:
        self.renderer, self.changes, self.out = renderer, changes, out
        self.factual, self.counterfactual = layers["rgb_factual"], layers["rgb_counterfactual"]
        self.key: np.ndarray | None = None
        self.drawn: dict[int, Drawn] = {}  # of the factual video
        self.rendered_px = {"factual": 0, "counterfactual": 0}
        self.num_renders = 0
        self.unmasked = np.zeros(256, dtype=np.int64)  # levels by which light differs that the mask calls unchanged

    def render_factual(self, one: Pass, states: Sequence[SceneState], key: SceneState) -> None:
        """The key, and all frames of the factual video; key: the state that the key shows."""
        (self.out / self.factual.name).mkdir(exist_ok=True)
        self.renderer.prepare(one.settings)
        shape = self.changes.worlds_apart.shape[1:]
        whole = np.ones(shape, dtype=bool)
        if self.changes.static_camera:
            self.key = self.draw("factual", key, whole).over(np.zeros((*shape, 3), dtype=np.uint8))
        for state, frames in stretches(states):
            regions = self.changes.factual_from_key[frames] if self.key is not None else whole[None]
            drawn = self.draw("factual", state, regions.any(axis=0))
            for index, frame in enumerate(frames):
                if self.key is not None:
                    self.drawn[frame] = drawn
                self.write(self.factual.path(self.out, frame), self.laid(drawn, regions[index % len(regions)]))

    def laid(self, drawn: Drawn, region: np.ndarray) -> np.ndarray:
        """What was drawn in a region, laid over the key."""
        if self.key is None:
            return drawn.over(np.zeros((*region.shape, 3), dtype=np.uint8))
        other = drawn.over(self.key)
        return lay_over(self.key, other, region | spill(self.key, other, region))

    def render_counterfactual(self, one: Pass, states: Sequence[SceneState]) -> ReuseReport:
        """All frames of the counterfactual video, once the factual one is there."""
        (self.out / self.counterfactual.name).mkdir(exist_ok=True)
        self.renderer.prepare(one.settings)
        for state, frames in stretches(states):
            apart = self.changes.worlds_apart[frames]
            if self.key is not None:
                near = ndimage.grey_dilation(apart.any(axis=0).view(np.uint8), (2 * NEAR_PX + 1,) * 2).view(bool)
                regions = self.changes.counterfactual_from_key[frames] & near
            else:
                regions = apart
            drawn = self.draw("counterfactual", state, regions.any(axis=0))
            for frame, region in zip(frames, regions, strict=True):
                self.merge(frame, drawn, region)
        (self.out / SCRATCH).unlink(missing_ok=True)
        return self.report()

    def merge(self, frame: int, drawn: Drawn, region: np.ndarray) -> None:
        """One picture of the counterfactual video: the factual one with the counterfactual world where it differs."""
        source, target = self.factual.path(self.out, frame), self.counterfactual.path(self.out, frame)
        apart = self.changes.worlds_apart[frame]
        if not apart.any():
            shutil.copyfile(source, target)
            return
        factual = read_png(source)
        known = drawn.known(factual.shape)
        if self.key is None:
            raw, other = factual, drawn.over(factual)
        else:
            raw, other = self.drawn[frame].over(factual), self.laid(drawn, region)
            like_key = ~self.changes.counterfactual_from_key[frame]
            known = (known | like_key) & self.drawn[frame].known(factual.shape)
        apart = apart | spill(factual, other, apart)
        self.count_unmasked(raw, other, known & (ndimage.distance_transform_edt(~apart) > RAMP_PX))
        self.write(target, lay_over(factual, other, apart))

    def draw(self, world: str, state: SceneState, region: np.ndarray) -> Drawn:
        """Render the boxes around a region bool [height, width]."""
        path = self.out / SCRATCH
        parts = []
        for box in boxes_around(region):
            self.renderer.picture(state, path, Border.of(box, self.factual.width, self.factual.height))
            parts.append((box, read_png(path)[box.slices]))
            self.rendered_px[world] += box.area
            self.num_renders += 1
        return Drawn(parts=tuple(parts))

    def write(self, path: Path, picture: np.ndarray) -> None:
        Image.fromarray(picture).save(path, compress_level=PNG_LEVEL)

    def count_unmasked(self, factual: np.ndarray, other: np.ndarray, where: np.ndarray) -> None:
        """Note by how much light differs where both were rendered and the mask says that nothing changed."""
        change = ndimage.uniform_filter(factual.astype(np.float32) - other, (NOISE_PX, NOISE_PX, 0))[where]
        levels = np.rint(np.abs(change)).astype(np.int64)
        self.unmasked += np.bincount(levels.ravel(), minlength=256)

    def report(self) -> ReuseReport:
        """What was rendered, and what the mask missed."""
        total = int(self.unmasked.sum())
        shares = np.cumsum(self.unmasked) / max(total, 1)
        size = self.changes.worlds_apart.size
        return ReuseReport(
            rendered_share=self.rendered_px["counterfactual"] / size,
            factual_share=self.rendered_px["factual"] / size,
            num_renders=self.num_renders,
            unmasked_mean=float(self.unmasked @ np.arange(256) / max(total, 1)),
            unmasked_p999=float(np.searchsorted(shares, 0.999)) if total else 0.0,
        )
