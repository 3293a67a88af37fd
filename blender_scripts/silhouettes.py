"""Silhouettes of what is removed and of what moved, finer than pixels, rendered only around those things."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from blender_scripts.build_scene import SceneState
from blender_scripts.passes import GREEN, Pass, Renderer, read_weighted, write_channel
from blender_scripts.reuse import corners_of
from datagen.evidence import moved_in_scene
from datagen.layers import Layer
from datagen.regions import Box, footprint

SCRATCH = "outline.exr"


class Silhouettes:
    """Renders the layers `removed_coverage` and `moved_*`."""

    def __init__(self, renderer: Renderer, layers: Mapping[str, Layer], physics: Path, out: Path) -> None:
        self.renderer, self.scene, self.layers, self.out = renderer, renderer.scene, layers, out
        self.ids = self.scene.spec.ids()
        self.moved = moved_in_scene(self.scene.spec, self.scene.worlds, self.scene.staging, corners_of(physics))

    def render(self, one: Pass, states: Sequence[SceneState]) -> None:
        """All frames; a frame that shows the same things in the same places as the last picture is a copy of it."""
        layer = self.layers[one.layer]
        (self.out / layer.name).mkdir(exist_ok=True)
        self.renderer.prepare(one.settings)
        drawn: tuple[SceneState, tuple[str, ...]] | None = None
        for frame, state in enumerate(states):
            names = self.names(one, state)
            target = layer.path(self.out, frame)
            if drawn is not None and names == drawn[1] and state.looks_like(drawn[0]):
                shutil.copyfile(layer.path(self.out, drawn[0].frame), target)
            else:
                write_channel(target, self.draw(one, state, names, layer))
                drawn = state, names
        (self.out / SCRATCH).unlink(missing_ok=True)

    def names(self, one: Pass, state: SceneState) -> tuple[str, ...]:
        """The things whose silhouettes a pass shows."""
        if one.weights == GREEN:
            return self.scene.spec.removed
        return tuple(name for name in state.names if self.moved[state.frame, self.ids[name]])

    def draw(self, one: Pass, state: SceneState, names: tuple[str, ...], layer: Layer) -> np.ndarray:
        """Share of each pixel that shows some of the things, float32 [height, width]."""
        if not names:
            return np.zeros((layer.height, layer.width), dtype=np.float32)
        path, taps = self.out / SCRATCH, one.settings.taps
        box = self.renderer.box_of(state, names) or Box(left=0, top=0, right=layer.width, bottom=layer.height)
        self.renderer.picture(state, path, box.finer(taps))
        values = read_weighted(path, one.weights)
        wanted = [1.0] if one.weights == GREEN else [float(self.ids[name]) for name in names]
        result = np.zeros((layer.height, layer.width), dtype=np.float32)
        result[box.slices] = footprint(np.isin(np.rint(values), wanted), taps)
        return result
