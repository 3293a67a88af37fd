"""Pictures rendered only where they can differ from ones that are there, and laid over those.

What differs is told by layers that are finished before: ids, coverage and light. Frames in which a world stands still
are rendered once, in the boxes of all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from blender_scripts.build_scene import BuiltScene, SceneState
from blender_scripts.canvas import Canvas, Drawn
from blender_scripts.passes import Settings
from blender_scripts.renderer import Renderer
from datagen import mask_layers
from datagen.codec import read_record
from datagen.evidence import RenderedLayers, derive_layers, moved_in_scene
from datagen.frames import read_rgb
from datagen.layers import EVIDENCE, Layer, ReuseReport
from datagen.physics.records import PhysicsCertificate
from datagen.pixels import levels_at, square_sums
from datagen.quadmask import MaskLayers
from datagen.regions import RAMP_PX, bounding_box, grown, lay_over, spill

NOISE_PX = 5  # light that the mask missed is told from noise by a mean over so many pixels


def corners_of(physics: Path) -> dict[str, np.ndarray]:
    """Bounding box of each body, [8, 3], object frame."""
    certificate = read_record(PhysicsCertificate, physics / "certificate.json")
    return {body.name: np.array(body.corners) for body in certificate.bodies}


def evidence_of(scene: BuiltScene, rendered: RenderedLayers, physics: Path, out: Path) -> MaskLayers:
    """The evidence of the mask, by the finished layers: derived once, and left for composing."""
    if (out / EVIDENCE).is_file():
        return mask_layers.read_layers(out / EVIDENCE)
    moved = moved_in_scene(scene.spec, scene.worlds, scene.staging, corners_of(physics))
    evidence = derive_layers(rendered, moved, blur_px=scene.staging.blur_px)
    mask_layers.write_layers(out / EVIDENCE, evidence)
    return evidence


def stretches(states: Sequence[SceneState]) -> Iterator[tuple[SceneState, list[int]]]:
    """Runs of frames that look the same, with the first one's state."""
    first: SceneState | None = None
    frames: list[int] = []
    for frame, state in enumerate(states):
        if first is not None and not state.looks_like(first):
            yield first, frames
            first, frames = None, []
        first = first or state
        frames.append(frame)
    if first is not None:
        yield first, frames


class Unmasked:
    """By how many levels light differs that the mask calls unchanged, where both worlds were rendered."""

    def __init__(self) -> None:
        self.counts = np.zeros(256, dtype=np.int64)

    def add(self, first: np.ndarray, second: np.ndarray, where: np.ndarray) -> None:
        """Note two pictures uint8 [height, width, 3], where both are known, bool [height, width]."""
        box = bounding_box(where, NOISE_PX)
        if box is None:
            return
        near = box.slices
        total = levels_at(square_sums(first[near].astype(np.int16) - second[near], NOISE_PX), where[near])
        levels = (np.abs(total) + NOISE_PX**2 // 2) // NOISE_PX**2  # of the mean, to the nearest
        self.counts += np.bincount(levels.ravel(), minlength=256)

    @property
    def mean(self) -> float:
        return float(self.counts @ np.arange(256) / max(int(self.counts.sum()), 1))

    @property
    def p999(self) -> float:
        shares = np.cumsum(self.counts) / max(int(self.counts.sum()), 1)
        return float(np.searchsorted(shares, 0.999)) if shares[-1] else 0.0


class Reuse:
    """Renders a world of a clip where it differs from another one, whose pictures (`base`) are finished."""

    def __init__(
        self,
        renderer: Renderer,
        settings: Settings,
        base: Layer,
        target: Layer,
        states: Sequence[SceneState],
        region: np.ndarray,
        out: Path,
    ) -> None:
        self.renderer, self.settings, self.states, self.out = renderer, settings, states, out
        self.base, self.target, self.region = base, target, region
        self.canvas, self.unmasked = Canvas(renderer, target, out), Unmasked()

    def render(self) -> ReuseReport:
        """All frames."""
        (self.out / self.target.name).mkdir(exist_ok=True)
        self.renderer.prepare(self.settings)
        for state, frames in stretches(self.states):
            drawn = self.canvas.draw(state, self.region[frames].any(axis=0))
            for frame in frames:
                self.merge(frame, drawn)
        return ReuseReport(
            rendered_share=self.canvas.rendered_px / self.region.size,
            num_renders=self.canvas.num_renders,
            unmasked_mean=self.unmasked.mean,
            unmasked_p999=self.unmasked.p999,
        )

    def merge(self, frame: int, drawn: Drawn) -> None:
        """One picture, from the base's and what was drawn."""
        source, target = self.base.path(self.out, frame), self.target.path(self.out, frame)
        region = self.region[frame]
        if not region.any():
            shutil.copyfile(source, target)
            return
        base = read_rgb(source)
        other = drawn.over(base)
        region = region | spill(base, other, region)
        known = drawn.known(base.shape)
        self.unmasked.add(base, other, known & ~grown(region, RAMP_PX))
        write_rgb(target, lay_over(base, other, region))


def write_rgb(path: Path, picture: np.ndarray) -> None:
    """Write uint8 [height, width, 3]."""
    Image.fromarray(picture).save(path)
