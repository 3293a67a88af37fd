"""Which object is seen where, and what share of a pixel shows what is removed or has moved.

One picture a state says all of it: rays go on through what is removed, so that it shows who stands in front and who is
seen behind. Only a box around what moves is rendered, with three taps a pixel's side; the rest of the ids is the
*stage*, what never moves in either world, rendered once for every pose of the camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blender_scripts.build_scene import STILL_M, STILL_QUATERNION, BuiltScene, SceneState
from blender_scripts.exr import read_pixels
from blender_scripts.passes import TAPS, mark_settings
from blender_scripts.renderer import Renderer
from blender_scripts.reuse import corners_of, stretches
from datagen.evidence import moved_in_scene
from datagen.regions import Box, footprint
from datagen.spec import World

SCRATCH = "marks.exr"
FACTUAL_LAYERS = ("removed_coverage", "ids_hidden", "moved_hidden")
COUNTERFACTUAL_LAYERS = ("ids_counterfactual", "moved_counterfactual")


@dataclass(frozen=True, kw_only=True)
class Marked:
    """What a picture of marks says, [height, width] each: ids uint16, and coverages uint8, in 255ths of a pixel."""

    ids: np.ndarray
    removed: np.ndarray
    moved: np.ndarray


class Marks:
    """Fills the layers `ids_*`, `moved_*` and `removed_coverage`, arrays [num_frames, height, width]."""

    def __init__(self, renderer: Renderer, stacks: Mapping[str, np.ndarray], physics: Path, out: Path) -> None:
        self.renderer, self.scene, self.stacks, self.out = renderer, renderer.scene, stacks, out
        self.ids = self.scene.spec.ids()
        self.moved = moved_in_scene(self.scene.spec, self.scene.worlds, self.scene.staging, corners_of(physics))
        self.loose = loose_things(self.scene)
        self.stage: list[np.ndarray] = []  # ids of what never moves, by frame

    def render(self) -> None:
        """All frames of all layers."""
        centre, outline = mark_settings(self.scene.spec.render)
        self.renderer.prepare(centre)
        self.render_stage()
        self.renderer.prepare(outline)
        self.render_factual()
        self.render_counterfactual()
        (self.out / SCRATCH).unlink(missing_ok=True)

    def states(self, world: World, hidden: tuple[str, ...]) -> list[SceneState]:
        """A world at every frame, sharp."""
        frames = range(self.scene.spec.clip.num_frames)
        return [replace(self.scene.state(world, hidden, frame), swept=None) for frame in frames]

    def render_stage(self) -> None:
        """The ids of what never moves, once for every pose of the camera."""
        people = tuple(self.scene.people)
        for state, frames in stretches(
            self.states(World.COUNTERFACTUAL, (*self.scene.spec.removed, *people, *self.loose))
        ):
            self.renderer.picture(state, self.out / SCRATCH)
            self.stage += [read_pixels(self.out / SCRATCH)[..., 0].astype(np.uint16)] * len(frames)

    def render_factual(self) -> None:
        """What F shows of what is removed, and H of the rest."""
        last: tuple[SceneState, frozenset[int]] | None = None
        for frame, state in enumerate(self.states(World.FACTUAL, ())):
            moved = self.moved_ids(frame)
            if last is not None and moved == last[1] and state.looks_like(last[0]):
                for name in FACTUAL_LAYERS:
                    self.stacks[name][frame] = self.stacks[name][last[0].frame]
                continue
            marked = self.draw(state)
            for name, values in zip(FACTUAL_LAYERS, (marked.removed, marked.ids, marked.moved), strict=True):
                self.stacks[name][frame] = values
            last = state, moved

    def render_counterfactual(self) -> None:
        """What C shows; where it is as H, that is what H showed."""
        last: tuple[SceneState, frozenset[int]] | None = None
        hidden = self.states(World.FACTUAL, self.scene.spec.removed)
        for frame, state in enumerate(self.states(World.COUNTERFACTUAL, self.scene.spec.removed)):
            moved = self.moved_ids(frame)
            if last is not None and moved == last[1] and state.looks_like(last[0]):
                for name in COUNTERFACTUAL_LAYERS:
                    self.stacks[name][frame] = self.stacks[name][last[0].frame]
            elif state.looks_like(hidden[frame]):
                for source, name in zip(FACTUAL_LAYERS[1:], COUNTERFACTUAL_LAYERS, strict=True):
                    self.stacks[name][frame] = self.stacks[source][frame]
            else:
                marked = self.draw(state)
                for name, values in zip(COUNTERFACTUAL_LAYERS, (marked.ids, marked.moved), strict=True):
                    self.stacks[name][frame] = values
                last = state, moved

    def moved_ids(self, frame: int) -> frozenset[int]:
        """Ids of the things that are elsewhere in the other world."""
        return frozenset(np.flatnonzero(self.moved[frame]).tolist())

    def draw(self, state: SceneState) -> Marked:
        """Render a state in a box around what can move, over the stage."""
        height, width = self.stage[state.frame].shape
        ids = self.stage[state.frame].copy()
        removed, elsewhere = np.zeros((2, height, width), dtype=np.uint8)
        people = tuple(name for name, _ in state.mocap_frames)
        seen = tuple(name for name in state.names if name in self.loose or name in self.scene.spec.removed) + people
        if seen:
            box = self.renderer.box_of(state, seen) or Box(left=0, top=0, right=width, bottom=height)
            self.renderer.picture(state, self.out / SCRATCH, box.finer(TAPS))
            shown = read_pixels(self.out / SCRATCH)
            numbers = np.rint(shown[..., 0].astype(np.float32)).astype(np.uint16)
            ids[box.slices] = numbers[TAPS // 2 :: TAPS, TAPS // 2 :: TAPS]
            removed[box.slices] = np.rint(255 * footprint(shown[..., 1] > 0, TAPS))
            elsewhere[box.slices] = np.rint(255 * footprint(self.moved[state.frame][numbers], TAPS))
        return Marked(ids=ids, removed=removed, moved=elsewhere)


def loose_things(scene: BuiltScene) -> frozenset[str]:
    """Objects that move at some time in some world, or are elsewhere in the other one."""
    worlds = scene.worlds.values()
    return frozenset(
        name for name in scene.objects if moves([world.of(name) for world in worlds if name in world.names])
    )


def moves(tracks: Sequence[np.ndarray]) -> bool:
    """Whether poses [num_frames, 7] differ anywhere from the first."""
    poses = np.concatenate(tracks)
    apart = np.abs(poses - poses[0]).max(axis=0)
    return bool(apart[:3].max() >= STILL_M or apart[3:].max() >= STILL_QUATERNION)
