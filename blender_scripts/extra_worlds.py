"""Pictures of further worlds: H, and counterfactuals from starts within measurement noise.

H is the factual motion with the removed objects hidden. It differs from C only where something moves or is lit
differently, which the evidence of the mask tells. Where a perturbed counterfactual differs from C, its own ids and
light tell, by the same rules. Only that is rendered; the rest is C's picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from blender_scripts.build_scene import SceneState
from blender_scripts.exr import read_weighted
from blender_scripts.passes import LUMINANCE, RED, Kind, Settings, mark_settings, standard_passes
from blender_scripts.renderer import Renderer
from blender_scripts.reuse import Reuse, corners_of, evidence_of, stretches
from datagen.camera import lens_of
from datagen.codec import read_npz
from datagen.errors import DataError
from datagen.evidence import RenderedLayers, derive_layers, moved_flags
from datagen.layers import HIDDEN_LAYER, Layer, ReuseReport, perturbed_layer
from datagen.physics.perturb import PERTURBED_FILE
from datagen.quadmask import MaskLayers
from datagen.spec import World
from datagen.trajectory import Trajectory

SCRATCH = "world.exr"


class ExtraWorlds:
    """Renders the layers of `datagen.layers.extra_layers`, once all standard ones are there."""

    def __init__(
        self, renderer: Renderer, layers: Mapping[str, Layer], rendered: RenderedLayers, physics: Path, out: Path
    ) -> None:
        self.renderer, self.scene, self.spec = renderer, renderer.scene, renderer.scene.spec
        self.layers, self.rendered, self.physics, self.out = layers, rendered, physics, out
        self.passes = {one.layer: one for one in standard_passes(self.spec.render)}

    def render(self, layer: Layer) -> ReuseReport:
        """All frames of a layer."""
        if layer.name == HIDDEN_LAYER:
            motion = self.scene.worlds[World.FACTUAL]
        else:
            motion = perturbed_trajectory(self.physics, self.perturbed_names[layer.name], self.counterfactual)
        states = [self.scene.state_of(motion, self.spec.removed, frame) for frame in range(motion.num_frames)]
        if not self.spec.render.reuse_unchanged:
            region = np.ones((motion.num_frames, layer.height, layer.width), dtype=bool)
        elif layer.name == HIDDEN_LAYER:
            region = elsewhere(evidence_of(self.scene, self.rendered, self.physics, self.out))
        else:
            region = elsewhere(self.evidence_of_perturbed(motion, states))
        look, base = self.passes["rgb_counterfactual"].settings, self.layers["rgb_counterfactual"]
        return Reuse(self.renderer, look, base, layer, states, region, self.out).render()

    @property
    def counterfactual(self) -> Trajectory:
        return self.scene.worlds[World.COUNTERFACTUAL]

    @property
    def perturbed_names(self) -> dict[str, int]:
        """Number of each layer of a perturbed counterfactual."""
        return {perturbed_layer(index): index for index in range(self.spec.layers.perturbed)}

    def evidence_of_perturbed(self, motion: Trajectory, states: list[SceneState]) -> MaskLayers:
        """How a perturbed world differs from C, as if something that is not seen had been removed from C."""
        true = self.rendered
        rendered = RenderedLayers(
            removed_coverage=np.zeros(true.removed_coverage.shape, dtype=np.float32),
            ids_hidden=true.ids_counterfactual,
            ids_counterfactual=self.values(mark_settings(self.spec.render)[0], RED, states),
            light_factual=true.light_counterfactual,
            light_hidden=true.light_counterfactual,
            light_counterfactual=self.values(self.passes["light_counterfactual"].settings, LUMINANCE, states),
        )
        moved = moved_flags(
            ids=self.spec.ids(),
            factual=self.counterfactual,
            counterfactual=motion,
            corners=corners_of(self.physics),
            lens=lens_of(self.spec, self.scene.staging),
            world_from_camera=np.array(self.scene.staging.world_from_camera),
        )
        return derive_layers(rendered, moved, blur_px=self.scene.staging.blur_px)

    def values(self, settings: Settings, weights: tuple[float, float, float], states: list[SceneState]) -> np.ndarray:
        """A weighted sum of what pictures of some states show, float32 [num_frames, height, width]."""
        assert settings.kind is not Kind.LOOK
        self.renderer.prepare(settings)
        path = self.out / SCRATCH
        result: list[np.ndarray] = []
        for state, frames in stretches(states):
            self.renderer.picture(state, path)
            result += [read_weighted(path, weights)] * len(frames)
        path.unlink(missing_ok=True)
        return np.stack(result)


def elsewhere(layers: MaskLayers) -> np.ndarray:
    """Where something is in another place, or lit by something that is, bool [num_frames, height, width]."""
    return np.asarray(layers.moved_before | layers.moved_after | layers.lit_by_moved)


def perturbed_trajectory(physics: Path, index: int, counterfactual: Trajectory) -> Trajectory:
    """A stored perturbed simulation; objects that were not simulated are where C has them."""
    path = physics / PERTURBED_FILE
    arrays = read_npz(path)
    names, stored = tuple(str(name) for name in arrays["names"]), arrays["poses"]
    if index >= len(stored) or not set(names) <= set(counterfactual.names):
        found = f"{len(stored)} of {sorted(names)}"
        raise DataError(
            f"{path}: expected at least {index + 1} perturbed simulations of {sorted(counterfactual.names)}, found "
            f"{found}; simulate the scene again"
        )
    poses = counterfactual.poses.copy()
    for column, name in enumerate(names):
        target = counterfactual.index(name)
        poses[:, target] = _with_signs(stored[index, :, column].astype(np.float64), poses[:, target])
    return Trajectory.from_poses(counterfactual.names, counterfactual.fps, poses)


def _with_signs(poses: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The same poses [num_frames, 7]; of the two quaternions of a rotation, the one nearer to another pose's."""
    signs = np.where(np.sum(poses[:, 3:] * like[:, 3:], axis=-1, keepdims=True) < 0, -1.0, 1.0)
    return np.concatenate([poses[:, :3], poses[:, 3:] * signs], axis=-1)
