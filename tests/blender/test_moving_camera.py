"""Cameras that move, lenses that blur: KEEP is still the same in both videos, and masks are about things, not pixels.

The scene of `test_keep`, staged as any scene is: a crate pushes a block, and is removed; a drum stands beside them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from test_keep import FRAMES, SIZES, make_physics, make_spec, render, videos

from datagen.camera import lens_of, project
from datagen.codec import read_record, write_json
from datagen.figures import keep_difference
from datagen.frames import RenderedScene
from datagen.mask_layers import read_layers
from datagen.physics.records import PhysicsCertificate
from datagen.placement import Staging
from datagen.quadmask import Label, MaskLayers, Policy, compose_mask
from datagen.regions import MAX_RAMP_LEVELS, RAMP_PX
from datagen.sample import LAYERS, compose_sample
from datagen.spec import SceneSpec, World
from datagen.staging import stage_scene
from datagen.trajectory import read_trajectories
from datagen.wishes import Pace

pytestmark = [pytest.mark.blender, pytest.mark.slow]

MODULE = ["-m", "blender_scripts.render_scene"]
APERTURE_F, SHUTTER = 1.4, 0.5
NOISE_PX = 5
MAX_NOISE = 1.25  # of the whole renders' noise under a tripod, in KEEP


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    """A scene rendered with reuse: its layers' files, videos uint8 [num_frames, height, width, 3] and evidence."""

    spec: SceneSpec
    staging: Staging
    rendered: RenderedScene
    videos: dict[World, np.ndarray]
    layers: MaskLayers
    folder: Path

    @property
    def mask(self) -> np.ndarray:
        return compose_mask(self.layers, Policy.EFFECTS)

    def whole(self) -> dict[World, np.ndarray]:
        """The same videos, both rendered whole."""
        settings = dataclasses.replace(self.spec.render, reuse_unchanged=False)
        return videos(render(dataclasses.replace(self.spec, render=settings), self.folder, "whole", MODULE))


Maker = Callable[[Pace, float, float], Made]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Renders the scene with a pace, an aperture and a shutter, once each."""

    @cache
    def make(pace: Pace, aperture_f: float, shutter: float) -> Made:
        folder = tmp_path_factory.mktemp(f"{pace}")
        plain = make_spec(folder)
        camera = dataclasses.replace(plain.camera, pace=pace, path_seed=5, aperture_f=aperture_f, shutter=shutter)
        spec = dataclasses.replace(plain, camera=camera)
        make_physics(spec, folder / "physics")
        worlds = read_trajectories(folder / "physics" / "trajectories.npz")
        bodies = read_record(PhysicsCertificate, folder / "physics" / "certificate.json").bodies
        staging = stage_scene(spec, worlds, {body.name: np.array(body.corners) for body in bodies}, {}, ("block",))
        write_json(folder / "physics" / "staging.json", staging)
        rendered = render(spec, folder, "reused", MODULE)
        sample = compose_sample(spec, folder / "physics", folder / "reused" / "out", folder / "sample" / spec.key, {})
        return Made(
            spec=spec,
            staging=staging,
            rendered=rendered,
            videos=videos(rendered),
            layers=read_layers(sample.path(LAYERS)),
            folder=folder,
        )

    return make


CASES = [
    (Pace.DOLLY, 0.0, 0.0),
    (Pace.PAN, 0.0, 0.0),
    (Pace.ORBIT, 0.0, 0.0),
    (Pace.HANDHELD, 0.0, 0.0),
    (Pace.STATIC, APERTURE_F, 0.0),
    (Pace.STATIC, 0.0, SHUTTER),
    (Pace.ORBIT, APERTURE_F, SHUTTER),
]


@pytest.mark.parametrize("case", CASES)
def test_keep_is_equal_in_both_videos(made: Maker, case: tuple[Pace, float, float]) -> None:
    """To the bit, but for the ramp beside what changed, which is three levels at most."""
    one = made(*case)
    assert one.staging.pace is case[0]
    apart = one.mask != Label.KEEP
    factual, counterfactual = (one.videos[world].astype(int) for world in World)
    error = np.abs(factual - counterfactual).max(axis=-1)
    beside = np.stack([ndimage.distance_transform_edt(~region) <= RAMP_PX for region in apart])
    assert 0.02 < apart.mean() < 0.6
    assert error[apart].mean() > 5
    assert not error[~beside].any() and (~beside).mean() > 0.2
    assert error[~apart].max() <= MAX_RAMP_LEVELS
    if case[0] is not Pace.STATIC:
        assert np.abs(np.diff(factual, axis=0)).mean() > 1  # the camera does move


@pytest.mark.parametrize("case", [(Pace.ORBIT, 0.0, 0.0), (Pace.ORBIT, APERTURE_F, SHUTTER)])
def test_keep_is_equal_in_whole_renders_too_but_for_noise(made: Maker, case: tuple[Pace, float, float]) -> None:
    """So nothing is hidden by reuse: what the mask calls KEEP differs no more than it does under a tripod."""
    moving, still = made(*case), made(Pace.STATIC, 0.0, 0.0)

    def noise(one: Made) -> tuple[float, float]:
        factual, counterfactual = (pixels.astype(np.float32) for pixels in one.whole().values())
        smooth = np.abs(ndimage.uniform_filter(factual - counterfactual, (0, NOISE_PX, NOISE_PX, 0)))
        keep = smooth[one.mask == Label.KEEP]
        return float(keep.mean()), float(np.percentile(keep, 99.9))

    for found, usual in zip(noise(moving), noise(still), strict=True):
        assert found < max(MAX_NOISE * usual, 0.5)


@pytest.mark.parametrize("pace", [pace for pace in Pace if pace is not Pace.STATIC])
def test_what_did_not_move_in_the_world_is_keep_although_its_pixels_do(made: Maker, pace: Pace) -> None:
    one = made(pace, 0.0, 0.0)
    lens, poses = lens_of(one.spec, one.staging), np.array(one.staging.world_from_camera)
    drum = np.array([[0.75, 0.4, 0.5 * SIZES["drum"][2]]])
    labels = []
    for frame, mask in enumerate(one.mask):
        (column, row), depth = project(drum, poses[frame], lens)[0][0], project(drum, poses[frame], lens)[1]
        if depth[0] > 0 and 0 <= column < lens.width and 0 <= row < lens.height:
            labels.append(mask[int(row), int(column)])
    moved = np.stack([one.layers.moved_before, one.layers.moved_after]).any(axis=0)
    still = made(Pace.STATIC, 0.0, 0.0)
    usual = np.stack([still.layers.moved_before, still.layers.moved_after]).any(axis=0)
    assert moved[0].sum() == usual[0].sum() == 0  # nothing has moved yet
    assert 0.4 < moved[-1].mean() / usual[-1].mean() < 2
    assert set(labels) <= {Label.KEEP}


@pytest.mark.parametrize(("aperture_f", "shutter"), [(APERTURE_F, 0.0), (0.0, SHUTTER)])
def test_blur_is_in_pictures_and_in_no_layer_of_the_mask(made: Maker, aperture_f: float, shutter: float) -> None:
    sharp, blurred = made(Pace.STATIC, 0.0, 0.0), made(Pace.STATIC, aperture_f, shutter)
    assert sharp.staging.world_from_camera == blurred.staging.world_from_camera
    for layer in sharp.rendered.manifest.layers:
        frames = [[one.rendered.frame(layer.name, frame) for frame in range(FRAMES)] for one in (sharp, blurred)]
        same = [np.array_equal(*pair) for pair in zip(*frames, strict=True)]
        assert not all(same) if layer.name.startswith("rgb") else all(same), layer.name
    for name in ("removed", "moved_before", "moved_after"):
        narrow, wider = (getattr(one.layers, name) for one in (sharp, blurred))
        assert (wider | ~narrow).all() and wider.sum() > narrow.sum()


def test_motion_blur_softens_what_moves_and_nothing_else(made: Maker) -> None:
    sharp, blurred = (made(Pace.STATIC, 0.0, shutter).videos[World.FACTUAL].astype(float) for shutter in (0.0, SHUTTER))
    one = made(Pace.STATIC, 0.0, SHUTTER)
    steps = [np.abs(np.diff(video[1], axis=1)).max(axis=-1)[one.layers.removed[1][:, 1:]] for video in (sharp, blurred)]
    assert np.percentile(steps[1], 98) < 0.8 * np.percentile(steps[0], 98)
    still = np.abs(sharp[-1] - blurred[-1])  # all is at rest
    assert still.mean() < 1


@pytest.mark.parametrize("case", CASES)
def test_keep_holds_the_limits_of_a_sample(made: Maker, case: tuple[Pace, float, float]) -> None:
    one = made(*case)
    assert keep_difference(one.videos[World.FACTUAL], one.videos[World.COUNTERFACTUAL], one.mask).passed
