"""Both videos of a clip, rendered where something differs; which way depends on the camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from blender_scripts.build_scene import SceneState
from blender_scripts.keyed_pair import KeyedPair
from blender_scripts.passes import Settings
from blender_scripts.renderer import Renderer
from blender_scripts.reuse import Reuse, evidence_of
from datagen.evidence import RenderedLayers
from datagen.layers import Layer, ReuseReport
from datagen.quadmask import Policy

FACTUAL, COUNTERFACTUAL = "rgb_factual", "rgb_counterfactual"
TRIPOD = 1e-9  # the camera's pose, in metres and parts of a quaternion


class Videos:
    """Renders both videos, once the layers of ids, coverage and light are there; states: by layer."""

    def __init__(
        self,
        renderer: Renderer,
        layers: Mapping[str, Layer],
        states: Mapping[str, Sequence[SceneState]],
        rendered: RenderedLayers,
        physics: Path,
        out: Path,
    ) -> None:
        self.renderer, self.layers, self.states, self.rendered = renderer, layers, states, rendered
        self.physics, self.out = physics, out
        self.pair: KeyedPair | None = None

    @property
    def keyed(self) -> bool:
        """Whether frames are rendered where they differ from one picture.

        The camera has to stand on a tripod, and the shutter must not blur what moves: then no frame shows the key.
        """
        scene = self.renderer.scene
        stands = np.ptp(np.array(scene.staging.world_from_camera), axis=0).max() < TRIPOD
        return bool(stands) and not scene.spec.camera.shutter

    def render_factual(self, settings: Settings) -> None:
        """All frames of the factual video; only with a camera on a tripod."""
        apart = self.worlds_apart()
        self.pair = KeyedPair(
            self.renderer, settings, self.layers, self.states, self.rendered, apart, self.physics, self.out
        )
        self.pair.render_factual()

    def render_counterfactual(self, settings: Settings) -> ReuseReport:
        """All frames of the counterfactual video, once the factual one is there."""
        if self.pair:
            return self.pair.render_counterfactual()
        base, target = self.layers[FACTUAL], self.layers[COUNTERFACTUAL]
        states, region = self.states[COUNTERFACTUAL], self.worlds_apart()
        return Reuse(self.renderer, settings, base, target, states, region, self.out).render()

    def worlds_apart(self) -> np.ndarray:
        """What is not KEEP by policy "effects", bool [num_frames, height, width]."""
        evidence = evidence_of(self.renderer.scene, self.rendered, self.physics, self.out)
        return np.asarray(evidence.removed | evidence.affected(Policy.EFFECTS))
