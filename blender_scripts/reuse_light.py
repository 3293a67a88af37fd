"""The light of H, rendered only where that of F and C differ; and finer light of H and C, only where it decides.

H is the factual motion, the removed objects hidden. It differs from F by the removed objects and from C by what moves;
where F and C are alike, so is H, unless the two cancel out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from scipy import ndimage

from blender_scripts.build_scene import SceneState
from blender_scripts.exr import read_weighted
from blender_scripts.passes import Pass
from blender_scripts.renderer import Renderer
from blender_scripts.reuse import corners_of, stretches
from blender_scripts.stencil import FILTER_REACH_PX
from datagen.evidence import RenderedLayers, contested_light, moved_in_scene, undecided_light
from datagen.light_change import BLUR_PX, DARK_SHARE, MIN_LIGHT_CHANGE
from datagen.regions import Box, grown

SCRATCH = "scratch.exr"
MARGIN_PX = math.ceil(3 * BLUR_PX) + 1  # as far as evidence's blur reaches
FINE_LAYERS = ("fine_hidden", "fine_counterfactual")
LEAST_LIGHT = 1e-6  # of a pixel that few samples leave black: 0 says that it was not asked
LIGHT_BOX_COST = 0.08  # of a full picture: a box behind a stencil, which hides most of it at little cost
MIN_DIFFERENCE = MIN_LIGHT_CHANGE / 4  # well below what the mask calls changed


class LightReuse:
    """Renders the light of H for a clip, once that of F and C (the pass's twin) is there.

    states, stacks: by layer; a stack is an array [num_frames, height, width].
    """

    def __init__(
        self,
        renderer: Renderer,
        one: Pass,
        states: Mapping[str, Sequence[SceneState]],
        stacks: Mapping[str, np.ndarray],
        out: Path,
    ) -> None:
        self.renderer, self.one, self.out = renderer, one, out
        self.states, self.others = states[one.layer], states[one.twin]
        self.target, self.twin, self.factual = stacks[one.layer], stacks[one.twin], stacks["light_factual"]
        self.dark = DARK_SHARE * float(np.percentile(self.factual, 99))

    def render(self) -> None:
        """All frames."""
        self.renderer.prepare(self.one.settings)
        differ = light_differs(self.factual, self.twin, self.dark)
        for state, frames in stretches(self.states):
            own = [frame for frame in frames if not state.looks_like(self.others[frame])]
            for frame in set(frames) - set(own):
                self.target[frame] = self.twin[frame]
            self.render_frames(state, own, differ[own].any(axis=0))
        (self.out / SCRATCH).unlink(missing_ok=True)

    def render_frames(self, state: SceneState, frames: list[int], differ: np.ndarray) -> None:
        """Frames that look the same in H, rendered once, in boxes around what differs."""
        self.target[frames] = self.factual[frames]
        near = grown(differ, MARGIN_PX)
        for box in self.renderer.boxes(differ, MARGIN_PX, LIGHT_BOX_COST):
            at = box.slices if box else ...
            with self.hidden_but(near):
                drawn = self.draw(state, box)
            for frame in frames:
                np.copyto(self.target[frame][at], drawn, where=near[at])

    def hidden_but(self, wanted: np.ndarray) -> AbstractContextManager[None]:
        """A stencil around what is wanted; none on a GPU, where so few samples cost less than making it."""
        if self.renderer.on_gpu:
            return nullcontext()
        return self.renderer.stencil.cut(grown(wanted, FILTER_REACH_PX))

    def draw(self, state: SceneState, box: Box | None) -> np.ndarray:
        """Light in a box, float32 [rows, columns]."""
        path = self.out / SCRATCH
        self.renderer.picture(state, path, box)
        return read_weighted(path, self.one.weights)


class FineLight:
    """Renders the light of H and C by many samples, where the finished layers cannot tell whether it differs.

    A layer that is rendered again, by more samples, is so only where the first ones of both worlds leave it open.
    """

    def __init__(self, renderer: Renderer, stacks: Mapping[str, np.ndarray], physics: Path, out: Path) -> None:
        self.renderer, self.scene, self.stacks, self.out = renderer, renderer.scene, stacks, out
        self.corners = corners_of(physics)
        self.stencil = renderer.stencil
        self.rendered: set[str] = set()

    def render(self, one: Pass, states: Sequence[SceneState]) -> None:
        """All frames of a layer; 0 where it is not needed."""
        stack, again = self.stacks[one.layer], one.layer in self.rendered
        self.renderer.prepare(one.settings)
        where = self.contested if again else self.wanted
        for state, frames in stretches(states):
            light = self.draw(one, state, where[frames].any(axis=0))
            for frame in frames:
                np.copyto(stack[frame], np.maximum(light, LEAST_LIGHT), where=where[frame])
        self.rendered.add(one.layer)
        (self.out / SCRATCH).unlink(missing_ok=True)

    @functools.cached_property
    def wanted(self) -> np.ndarray:
        """Where it is needed, bool [num_frames, height, width]; the same in H and C."""
        moved = moved_in_scene(self.scene.spec, self.scene.worlds, self.scene.staging, self.corners)
        return undecided_light(RenderedLayers(**self.stacks), moved)

    @functools.cached_property
    def contested(self) -> np.ndarray:
        """Where few samples of both worlds leave it open, likewise."""
        return contested_light(RenderedLayers(**self.stacks))

    def draw(self, one: Pass, state: SceneState, wanted: np.ndarray) -> np.ndarray:
        """Light of a state where it is wanted, float32 [height, width]."""
        path, light = self.out / SCRATCH, np.zeros(wanted.shape, dtype=np.float32)
        for box in self.renderer.boxes(wanted, 0, LIGHT_BOX_COST):
            with self.stencil.cut(grown(wanted, FILTER_REACH_PX)):
                self.renderer.picture(state, path, box)
            light[box.slices if box else ...] = read_weighted(path, one.weights)
        return light * wanted


def light_differs(first: np.ndarray, second: np.ndarray, dark: float) -> np.ndarray:
    """Where two layers of light [num_frames, height, width] of one seed differ by more than noise, bool.

    Blurred as `datagen.evidence` does, but nothing is left out and far less counts. dark: luminance below which a
    change is not seen.
    """
    blur = functools.partial(ndimage.gaussian_filter, sigma=(0, BLUR_PX, BLUR_PX), truncate=3.0)
    change, light = np.abs(first - second), np.maximum(np.maximum(first, second), dark)
    return np.asarray(blur(change) > MIN_DIFFERENCE * blur(light))
