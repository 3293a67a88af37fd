"""Pictures rendered only where they can differ from ones that are there.

The counterfactual picture: the layers of ids, coverage and light are there first; they say which pixels change. Those
are rendered, in boxes, and laid over the factual picture. Frames in which the counterfactual world stands still are
rendered once, in the boxes of all of them.

The light of H (the factual motion, the removed objects hidden) is rendered where that of F and C differs. H differs
from F by the removed objects and from C by what moves; where F and C are alike, so is H, unless the two cancel out.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from blender_scripts.build_scene import BuiltScene, SceneState
from blender_scripts.passes import Border, Pass, Renderer, read_weighted, write_channel
from datagen.codec import read_record
from datagen.evidence import BLUR_PX, DARK_SHARE, MIN_LIGHT_CHANGE, RenderedLayers, derive_layers, moved_in_scene
from datagen.frames import read_exr, read_png
from datagen.layers import Layer, ReuseReport
from datagen.physics.records import PhysicsCertificate
from datagen.quadmask import MaskLayers, Policy
from datagen.regions import RAMP_PX, Box, boxes_around, lay_over, spill

SCRATCH, LIGHT_SCRATCH = "scratch.png", "scratch.exr"
PNG_LEVEL = 1  # of zlib: fast
LIGHT_MARGIN_PX = math.ceil(3 * BLUR_PX) + 1  # as far as evidence's blur reaches
MIN_DIFFERENCE = MIN_LIGHT_CHANGE / 4  # well below what the mask calls changed
NOISE_PX = 5  # light that the mask missed is told from noise by a mean over so many pixels


def changed_pixels(scene: BuiltScene, layers: Mapping[str, Layer], physics: Path, out: Path) -> np.ndarray:
    """Where the two videos differ, by the finished layers, bool [num_frames, height, width]."""
    frames = range(scene.spec.clip.num_frames)
    names = [field.name for field in dataclasses.fields(RenderedLayers)]
    rendered = {name: np.stack([read_exr(layers[name].path(out, frame)) for frame in frames]) for name in names}
    certificate = read_record(PhysicsCertificate, physics / "certificate.json")
    corners = {body.name: np.array(body.corners) for body in certificate.bodies}
    moved = moved_in_scene(scene.spec, scene.worlds, scene.staging, corners)
    return region_of(derive_layers(RenderedLayers(**rendered), moved))


def region_of(layers: MaskLayers) -> np.ndarray:
    """What is not KEEP by policy "effects"."""
    return np.asarray(layers.removed | layers.affected(Policy.EFFECTS))


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


class LightReuse:
    """Renders the light of H for a clip, once that of F and C (the pass's twin) is there."""

    def __init__(
        self,
        renderer: Renderer,
        one: Pass,
        layers: Mapping[str, Layer],
        states: Mapping[str, Sequence[SceneState]],
        out: Path,
    ) -> None:
        self.renderer, self.one, self.out = renderer, one, out
        self.states, self.others = states[one.layer], states[one.twin]
        self.target, self.twin = layers[one.layer], layers[one.twin]
        self.factual = self.pictures(layers["light_factual"])
        self.dark = DARK_SHARE * float(np.percentile(self.factual, 99))

    def pictures(self, layer: Layer) -> np.ndarray:
        """All frames of a finished layer, float32 [num_frames, height, width]."""
        return np.stack([read_exr(layer.path(self.out, frame)) for frame in range(len(self.states))])

    def render(self) -> None:
        """All frames."""
        (self.out / self.target.name).mkdir(exist_ok=True)
        self.renderer.prepare(self.one.settings)
        differ = light_differs(self.factual, self.pictures(self.twin), self.dark)
        for state, frames in stretches(self.states):
            own = [frame for frame in frames if not state.looks_like(self.others[frame])]
            for frame in set(frames) - set(own):
                shutil.copyfile(self.twin.path(self.out, frame), self.target.path(self.out, frame))
            self.render_frames(state, own, differ[own].any(axis=0))
        (self.out / LIGHT_SCRATCH).unlink(missing_ok=True)

    def render_frames(self, state: SceneState, frames: list[int], differ: np.ndarray) -> None:
        """Frames that look the same in H, by one render of the box around what differs."""
        boxes = boxes_around(differ, LIGHT_MARGIN_PX)
        lights = {frame: self.factual[frame].copy() for frame in frames}
        if boxes:
            box = functools.reduce(Box.joined, boxes)
            drawn = self.draw(state, box)
            for light in lights.values():
                light[box.slices] = drawn
        for frame, light in lights.items():
            write_channel(self.target.path(self.out, frame), light)

    def draw(self, state: SceneState, box: Box) -> np.ndarray:
        """Light in a box, float32 [rows, columns]."""
        path = self.out / LIGHT_SCRATCH
        self.renderer.picture(state, path, Border.of(box, self.target.width, self.target.height))
        return np.asarray(read_weighted(path, self.one.weights)[box.slices])


def light_differs(first: np.ndarray, second: np.ndarray, dark: float) -> np.ndarray:
    """Where two layers of light [num_frames, height, width] of one seed differ by more than noise, bool.

    Blurred as `datagen.evidence` does, but nothing is left out and far less counts. dark: luminance below which a
    change is not seen.
    """
    blur = functools.partial(ndimage.gaussian_filter, sigma=(0, BLUR_PX, BLUR_PX), truncate=3.0)
    change, light = np.abs(first - second), np.maximum(np.maximum(first, second), dark)
    return np.asarray(blur(change) > MIN_DIFFERENCE * blur(light))


class Reuse:
    """Renders the counterfactual pictures of a clip, and counts what that saves."""

    def __init__(self, renderer: Renderer, one: Pass, layers: Mapping[str, Layer], region: np.ndarray, out: Path):
        self.renderer, self.scene, self.one, self.out = renderer, renderer.scene, one, out
        self.factual, self.target = layers["rgb_factual"], layers[one.layer]
        self.region = region
        self.rendered_px = self.num_renders = 0
        self.unmasked = np.zeros(256, dtype=np.int64)  # levels by which light differs that the mask calls unchanged

    def render(self) -> ReuseReport:
        """All frames."""
        (self.out / self.target.name).mkdir(exist_ok=True)
        self.renderer.prepare(self.one.settings)
        hidden = self.scene.spec.removed if self.one.hide_removed else ()
        count = self.scene.spec.clip.num_frames
        states = [self.scene.state(self.one.world, hidden, frame) for frame in range(count)]
        for state, frames in stretches(states):
            boxes = boxes_around(self.region[frames].any(axis=0))
            drawn = [(box, self.draw(state, box)) for box in boxes]
            for frame in frames:
                self.merge(frame, drawn)
        (self.out / SCRATCH).unlink(missing_ok=True)
        return self.report()

    def draw(self, state: SceneState, box: Box) -> np.ndarray:
        """The pixels of a box, uint8 [rows, columns, 3]."""
        path = self.out / SCRATCH
        self.renderer.picture(state, path, Border.of(box, self.target.width, self.target.height))
        self.rendered_px += box.area
        self.num_renders += 1
        return read_png(path)[box.slices]

    def merge(self, frame: int, drawn: list[tuple[Box, np.ndarray]]) -> None:
        """One picture of the video, from the factual one and what was drawn."""
        source, target = self.factual.path(self.out, frame), self.target.path(self.out, frame)
        region = self.region[frame]
        if not region.any():
            shutil.copyfile(source, target)
            return
        factual = read_png(source)
        other, known = factual.copy(), np.zeros_like(region)
        for box, pixels in drawn:
            other[box.slices], known[box.slices] = pixels, True
        region = region | spill(factual, other, region)
        self.count_unmasked(factual, other, known & (ndimage.distance_transform_edt(~region) > RAMP_PX))
        Image.fromarray(lay_over(factual, other, region)).save(target, compress_level=PNG_LEVEL)

    def count_unmasked(self, factual: np.ndarray, other: np.ndarray, where: np.ndarray) -> None:
        """Note by how much light differs where both were rendered and the mask says that nothing changed."""
        change = ndimage.uniform_filter(factual.astype(np.float32) - other, (NOISE_PX, NOISE_PX, 0))[where]
        levels = np.rint(np.abs(change)).astype(np.int64)
        self.unmasked += np.bincount(levels.ravel(), minlength=256)

    def report(self) -> ReuseReport:
        """What was rendered, and what the mask missed."""
        total = int(self.unmasked.sum())
        shares = np.cumsum(self.unmasked) / max(total, 1)
        return ReuseReport(
            rendered_share=self.rendered_px / self.region.size,
            num_renders=self.num_renders,
            unmasked_mean=float(self.unmasked @ np.arange(256) / max(total, 1)),
            unmasked_p999=float(np.searchsorted(shares, 0.999)) if total else 0.0,
        )
