"""Videos of further worlds: H hides what was removed, perturbed worlds differ from C where their objects do.

The scene of test_keep: a crate pushes a block, and is removed. In the first perturbed world the block stands elsewhere,
in the second it stands where C has it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from test_extra_passes import staged
from test_keep import FRAMES, SIZES, far_from, levels, make_physics, make_spec, render

from datagen.camera import lens_of, project
from datagen.codec import read_npz, write_json
from datagen.errors import DataError
from datagen.frames import RenderedScene
from datagen.layers import HIDDEN_LAYER, perturbed_layer
from datagen.mask_layers import read_layers
from datagen.physics.perturb import write_perturbed
from datagen.regions import RAMP_PX, SPILL_PX
from datagen.sample import RGB_FULL, RGB_REMOVED, compose_sample, extra_videos, read_sample
from datagen.sample_checks import check_sample
from datagen.settings import LayerSettings
from datagen.spec import SceneSpec, World
from datagen.trajectory import read_trajectories
from datagen.video import decode_rgb, encode_rgb

pytestmark = [pytest.mark.blender, pytest.mark.slow]

SHIFT_M = 0.15
REACH_PX = RAMP_PX + SPILL_PX
MAX_ERROR = 3.0  # mean levels against a full render, inside what was rendered: noise; 0.9 was measured
SHADOW_PX = 40  # a block's shadow and contact shadow reach no further at this size


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    """One scene, rendered with reuse and as a whole."""

    spec: SceneSpec
    reused: RenderedScene
    full: RenderedScene
    sample: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("worlds")
    layers = LayerSettings(segmentation=True, hidden=True, perturbed=2)
    spec = dataclasses.replace(make_spec(folder), layers=layers)
    make_physics(spec, folder / "physics")
    add_perturbed(folder / "physics")
    module = ["-m", "blender_scripts.render_scene"]
    reused = render(spec, folder, "reused", module)
    whole = dataclasses.replace(spec, render=dataclasses.replace(spec.render, reuse_unchanged=False))
    full = render(whole, folder, "full", module)
    sample = compose_sample(spec, folder / "physics", reused.root, folder / "sample" / spec.key, {})
    return Made(spec=spec, reused=reused, full=full, sample=sample.root)


def add_perturbed(physics: Path) -> None:
    """Two perturbed simulations of C: the block elsewhere; all as in C, told by the other quaternions."""
    true = read_trajectories(physics / "trajectories.npz")[World.COUNTERFACTUAL]
    shifted, same = true.poses.copy(), true.poses.copy()
    shifted[:, true.index("block"), 1] -= SHIFT_M
    same[..., 3:] *= -1
    corners = {name: np.array([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]]) for name in true.names}
    write_perturbed(physics, true.names, np.stack([shifted, same]), true.poses, corners)


def moving(made: Made) -> np.ndarray:
    """Where something is elsewhere in H than in C, or lit by something that is, bool [num_frames, height, width]."""
    layers = read_layers(made.sample / "layers.npz")
    return np.asarray(layers.moved_before | layers.moved_after | layers.lit_by_moved)


def test_hidden_shows_what_is_not_removed_where_it_was_filmed(made: Made) -> None:
    hidden, true = made.reused.frames(HIDDEN_LAYER), made.reused.frames("rgb_counterfactual")
    whole = made.full.frames(HIDDEN_LAYER)
    block = made.spec.ids()["block"]
    there = (made.reused.frames("ids_hidden") == block) & (made.reused.frames("ids_counterfactual") != block)
    there = ndimage.binary_erosion(there, np.ones((1, 3, 3)))
    assert there[3:].any(axis=(1, 2)).all(), "the pushed block covers new ground"
    assert np.abs(levels(hidden, true))[there].max(axis=-1).mean() > 10, "C shows the floor there"
    assert np.abs(levels(hidden, whole))[moving(made)].mean() < MAX_ERROR


def test_hidden_shows_no_removed_object(made: Made) -> None:
    hidden, whole = made.reused.frames(HIDDEN_LAYER), made.full.frames(HIDDEN_LAYER)
    crate = made.reused.frames("removed_coverage") > 0.99 * 255
    with_it = np.abs(levels(made.reused.frames("rgb_factual"), whole))[crate].mean()
    without = np.abs(levels(hidden, whole))[crate].mean()
    assert with_it > 10 > MAX_ERROR > without


def test_rays_pass_what_is_removed_and_nothing_else(made: Made) -> None:
    """Ids and coverage come from rays that pass the crate; segmentation, another pass, stops at what F shows."""
    crate = made.spec.ids()["crate"]
    seen = read_npz(made.sample / "segmentation.npz")["factual"]
    hidden, covered = made.reused.frames("ids_hidden"), made.reused.frames("removed_coverage")
    assert (covered[seen == crate] > 0).all() and (hidden != crate).all()
    elsewhere = seen != crate
    assert np.mean(hidden[elsewhere] != seen[elsewhere]) < 1e-3, "nothing but the crate is passed"


def test_a_block_behind_what_is_removed_is_found(tmp_path: Path) -> None:
    """From low down behind the crate, which is higher and wider, nothing of the block is to be seen in F."""
    spec = make_spec(tmp_path)
    cheap = dataclasses.replace(spec.render, samples=1, light_samples=1, fine_light_samples=1, denoise=False)
    spec = dataclasses.replace(spec, render=cheap)
    make_physics(spec, tmp_path / "physics")
    staging = staged([[-3.0, 0.0, 0.2]] * FRAMES, [0.0, 0.0, 0.2])
    write_json(tmp_path / "physics" / "staging.json", staging)
    scene = render(spec, tmp_path, "behind", ["-m", "blender_scripts.render_scene"])
    hidden, covered = scene.frames("ids_hidden"), scene.frames("removed_coverage")
    block = hidden == spec.ids()["block"]
    corners = np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [0.0, 1.0])).reshape(3, 8).T * SIZES["block"]
    track = read_trajectories(tmp_path / "physics" / "trajectories.npz")[World.FACTUAL].of("block")
    for frame in range(FRAMES):
        pose = np.array(staging.world_from_camera[frame])
        pixels, _ = project(corners + np.append(track[frame, :2], 0.0), pose, lens_of(spec, staging))
        (left, top), (right, bottom) = np.ceil(pixels.min(axis=0)).astype(int), np.floor(pixels.max(axis=0)).astype(int)
        assert (right - left) * (bottom - top) > 50
        assert np.mean(block[frame, top:bottom, left:right]) > 0.9  # its far end is a little smaller
    assert (covered[block] > 0.99 * 255).all()


def test_hidden_equals_the_truth_where_nothing_moves(made: Made) -> None:
    hidden, true = made.reused.frames(HIDDEN_LAYER), made.reused.frames("rgb_counterfactual")
    far = far_from(moving(made), REACH_PX)
    crate = made.reused.frames("removed_coverage") > 0.99 * 255
    assert far.mean() > 0.3 and (far & crate).any()
    assert np.array_equal(hidden[far], true[far])
    assert np.array_equal(hidden[0], true[0]), "nothing has moved yet"


def test_perturbed_differs_from_the_truth_near_its_object_alone(made: Made) -> None:
    shown, true = made.reused.frames(perturbed_layer(0)), made.reused.frames("rgb_counterfactual")
    whole = made.full.frames(perturbed_layer(0))
    differs = (shown != true).any(axis=-1)
    block = made.reused.frames("ids_counterfactual") == made.spec.ids()["block"]
    assert (differs & block).sum() > 0.5 * block.sum()
    assert not (differs & far_from(block, SHADOW_PX)).any()
    changed = ndimage.binary_erosion(differs, np.ones((1, 3, 3)))
    assert np.abs(levels(whole, true))[changed].mean() > 3 * np.abs(levels(whole, shown))[changed].mean()


def test_a_world_that_looks_alike_is_the_same_picture(made: Made) -> None:
    shown, true = made.reused.frames(perturbed_layer(1)), made.reused.frames("rgb_counterfactual")
    assert np.array_equal(shown, true)
    reports = made.reused.manifest.extra_reuse
    assert reports[perturbed_layer(1)].num_renders == 0
    assert 0 < reports[perturbed_layer(0)].rendered_share < 0.8
    assert made.full.manifest.extra_reuse[perturbed_layer(1)].num_renders == 3, "before, while and after the quiver"


def test_samples_hold_the_videos(made: Made) -> None:
    assert list(extra_videos(made.spec.layers)) == ["hidden.mp4", "perturbed_0.mp4", "perturbed_1.mp4"]
    assert set(extra_videos(made.spec.layers)) <= set(read_sample(made.sample).metadata.files)
    assert list(check_sample(made.sample, [])) == []
    assert (made.sample / "perturbed_1.mp4").read_bytes() == (made.sample / RGB_REMOVED).read_bytes()
    hidden = decode_rgb(made.sample / "hidden.mp4")
    assert np.abs(levels(hidden, made.reused.frames(HIDDEN_LAYER))).mean() < 2


def test_validation_looks_at_them(made: Made) -> None:
    hidden = made.sample / "hidden.mp4"
    kept = hidden.read_bytes()
    try:
        encode_rgb(hidden, decode_rgb(hidden)[:-1], made.spec.clip.fps)
        told = [f"{problem.where} {problem.problem}" for problem in check_sample(made.sample, [])]
        assert any("hidden.mp4" in line and f"expected {FRAMES}, found {FRAMES - 1}" in line for line in told), told
        assert any("hidden.mp4" in line and "sha256" in line for line in told), told
        hidden.unlink()
        told = [f"{problem.where} {problem.problem}" for problem in check_sample(made.sample, [])]
        assert any("hidden.mp4" in line and "no such file" in line for line in told), told
    finally:
        hidden.write_bytes(kept)


def test_a_hidden_video_that_shows_what_was_removed_is_told(made: Made) -> None:
    hidden = made.sample / "hidden.mp4"
    kept = hidden.read_bytes()
    try:
        hidden.write_bytes((made.sample / RGB_FULL).read_bytes())
        told = [problem.problem for problem in check_sample(made.sample, [])]
        assert any("differs from rgb_removed.mp4 where nothing moves: 99.9th percentile" in line for line in told), told
    finally:
        hidden.write_bytes(kept)


def test_fewer_stored_simulations_than_wanted_is_told(made: Made) -> None:
    from blender_scripts.extra_worlds import perturbed_trajectory

    physics = made.reused.root.parents[1] / "physics"
    true = read_trajectories(physics / "trajectories.npz")[World.COUNTERFACTUAL]
    assert perturbed_trajectory(physics, 1, true).names == tuple(SIZES)[1:]
    with pytest.raises(DataError, match=r"at least 3 perturbed simulations.*found 2 of"):
        perturbed_trajectory(physics, 2, true)
