"""Both videos of a clip whose camera stands on a tripod, most of which look like one picture: the key.

The key is the counterfactual world at the end of the clip, when all has come to rest and what is removed was never
there. It is rendered whole, once. Each frame of the factual video is rendered where it differs from the key, and laid
over it: pixels that nothing changes are equal over time, to the bit. The counterfactual video is the factual one; where
the two worlds differ (the mask of policy "effects") it is the key, with what is not as in the key rendered. So both are
equal where the mask says KEEP.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from blender_scripts.build_scene import BuiltScene, SceneState
from blender_scripts.canvas import Canvas, Drawn
from blender_scripts.passes import Settings
from blender_scripts.renderer import Renderer
from blender_scripts.reuse import Unmasked, corners_of, stretches, write_rgb
from datagen.evidence import RenderedLayers, Seen, dark_of, moved_in_scene, seen_apart, widened
from datagen.frames import read_rgb
from datagen.layers import Layer, ReuseReport
from datagen.regions import RAMP_PX, SPILL_PX, grown, lay_over, spill
from datagen.spec import World
from datagen.trajectory import Trajectory

NEAR_PX = RAMP_PX + SPILL_PX + 1  # of a region: as far as a picture that is laid over another one can show


class KeyedPair:
    """Renders both videos of a clip.

    states: by layer. apart: bool [num_frames, height, width], where the worlds differ: not KEEP by policy "effects".
    """

    def __init__(
        self,
        renderer: Renderer,
        settings: Settings,
        layers: Mapping[str, Layer],
        states: Mapping[str, Sequence[SceneState]],
        rendered: RenderedLayers,
        apart: np.ndarray,
        physics: Path,
        out: Path,
    ) -> None:
        self.renderer, self.settings, self.out = renderer, settings, out
        self.states = {world: states[f"rgb_{world}"] for world in World}
        self.layers = {world: layers[f"rgb_{world}"] for world in World}
        self.canvas = {world: Canvas(renderer, layer, out) for world, layer in self.layers.items()}
        self.apart, self.unmasked = apart, Unmasked()
        corners, dark = corners_of(physics), dark_of(rendered)
        self.from_key = {world: from_key(renderer.scene, world, rendered, corners, dark) for world in World}
        self.key = np.zeros(0, dtype=np.uint8)
        self.drawn: dict[int, Drawn] = {}  # of the factual video

    def render_factual(self) -> None:
        """The key, and all frames of the factual video."""
        layer, canvas = self.begin(World.FACTUAL)
        whole = canvas.draw(self.states[World.COUNTERFACTUAL][-1], np.ones(self.apart.shape[1:], dtype=bool))
        self.key = whole.over(np.zeros((*self.apart.shape[1:], 3), dtype=np.uint8))
        for state, frames in stretches(self.states[World.FACTUAL]):
            regions = self.from_key[World.FACTUAL][frames]
            drawn = canvas.draw(state, regions.any(axis=0))
            for frame, region in zip(frames, regions, strict=True):
                self.drawn[frame] = drawn
                write_rgb(layer.path(self.out, frame), self.laid(drawn, region))

    def render_counterfactual(self) -> ReuseReport:
        """All frames of the counterfactual video, once the factual one is there."""
        _, canvas = self.begin(World.COUNTERFACTUAL)
        for state, frames in stretches(self.states[World.COUNTERFACTUAL]):
            near = grown(self.apart[frames].any(axis=0), NEAR_PX)
            regions = self.from_key[World.COUNTERFACTUAL][frames] & near
            drawn = canvas.draw(state, regions.any(axis=0))
            for frame, region in zip(frames, regions, strict=True):
                self.merge(frame, drawn, region)
        return self.report()

    def begin(self, world: World) -> tuple[Layer, Canvas]:
        (self.out / self.layers[world].name).mkdir(exist_ok=True)
        self.renderer.prepare(self.settings)
        return self.layers[world], self.canvas[world]

    def laid(self, drawn: Drawn, region: np.ndarray) -> np.ndarray:
        """What was drawn, laid over the key in a region."""
        if not region.any():
            return self.key
        other = drawn.over(self.key)
        return lay_over(self.key, other, region | spill(self.key, other, region))

    def merge(self, frame: int, drawn: Drawn, region: np.ndarray) -> None:
        """One picture of the counterfactual video; drawn: of its world, in a region where that is not as in the key."""
        source, target = (self.layers[world].path(self.out, frame) for world in World)
        apart = self.apart[frame]
        if not apart.any():
            shutil.copyfile(source, target)
            return
        factual, other = read_rgb(source), self.laid(drawn, region)
        apart = apart | spill(factual, other, apart)
        not_drawn = self.from_key[World.COUNTERFACTUAL][frame] & ~region  # there `other` shows the key, not this frame
        known = self.drawn[frame].known(factual.shape) & ~grown(not_drawn, SPILL_PX) & ~grown(apart, RAMP_PX)
        self.unmasked.add(self.drawn[frame].over(factual), other, known)
        write_rgb(target, lay_over(factual, other, apart))

    def report(self) -> ReuseReport:
        """What was rendered, and what the mask missed."""
        factual, counterfactual = (self.canvas[world] for world in World)
        return ReuseReport(
            rendered_share=counterfactual.rendered_px / self.apart.size,
            factual_share=factual.rendered_px / self.apart.size,
            num_renders=factual.num_renders + counterfactual.num_renders,
            unmasked_mean=self.unmasked.mean,
            unmasked_p999=self.unmasked.p999,
        )


def from_key(
    scene: BuiltScene, world: World, rendered: RenderedLayers, corners: Mapping[str, np.ndarray], dark: float
) -> np.ndarray:
    """Where each frame of a world differs from the key, bool [num_frames, height, width]; dark: see `dark_of`."""
    last = scene.worlds[World.COUNTERFACTUAL]
    still = Trajectory.from_poses(last.names, last.fps, np.repeat(last.poses[-1:], last.num_frames, axis=0))
    worlds = {World.FACTUAL: scene.worlds[world], World.COUNTERFACTUAL: still}
    moved = moved_in_scene(scene.spec, worlds, scene.staging, corners)
    for person in scene.spec.people:
        moved[:-1, scene.spec.ids()[person.name]] = True  # whoever is not removed may be elsewhere in every frame
    key = seen(rendered, World.COUNTERFACTUAL, len(moved) - 1)
    extents = [max(one.removed, one.moved, one.light) for one in scene.staging.blur_px] or [0.0] * len(moved)
    apart = np.empty(rendered.ids_hidden.shape, dtype=bool)
    for frame, (flags, extent) in enumerate(zip(moved, extents, strict=True)):
        apart[frame] = widened(seen_apart(seen(rendered, world, frame), key, flags, dark), extent)
    return apart


def seen(rendered: RenderedLayers, world: World, frame: int) -> Seen:
    """A frame of a world."""
    if world is World.FACTUAL:
        removed = rendered.removed_coverage[frame] > 0
        return Seen(ids=rendered.ids_hidden[frame], removed=removed, light=rendered.light_factual[frame])
    ids, light = rendered.ids_counterfactual[frame], rendered.light_counterfactual[frame]
    return Seen(ids=ids, removed=np.zeros(ids.shape, dtype=bool), light=light)
