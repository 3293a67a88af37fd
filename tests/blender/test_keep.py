"""KEEP means keep: nothing flickers once all is still, and what is not rendered again is as good as what is.

A crate pushes a block, and both come to rest; without the crate the block never moves. A drum stands beside them. The
camera is on a tripod. In the end the drum quivers by a twentieth of a millimetre, as bodies at rest do in a physics
engine: more than the renderer calls still, so that those frames are drawn anew, and less than can be seen.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy import ndimage
from test_extra_passes import staged
from test_render_scene import make_certificate

from datagen.clearance import occupied_by
from datagen.codec import sha256_file, write_json, write_npz
from datagen.frames import RenderedScene
from datagen.furnishing import furnish
from datagen.jobs import RenderJob
from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.mask_layers import read_layers
from datagen.placement import Staging
from datagen.quadmask import Label, MaskLayers, Policy, compose_mask
from datagen.regions import SPILL_PX
from datagen.sample import LAYERS, compose_sample
from datagen.settings import RenderSettings
from datagen.spec import Clip, GeometryRef, ObjectSpec, SceneSpec, World
from datagen.trajectory import Trajectory, write_trajectories
from datagen.wishes import RoomKind

pytestmark = [pytest.mark.blender, pytest.mark.slow]

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, FRAMES, FPS = 128, 72, 7, 12.0
AT_REST, QUIVERS = 3, 5  # first frames: nothing moves any more; the drum is lifted, and put back in the next
QUIVER_M = 5e-5
MAX_FLICKER = 0.005  # of the pixels, where a frame is drawn anew: 0.002 was measured
MIN_STILL_SHARE = 0.6
MAX_STD = 1.0  # levels of 255: the limit; 0.2 was measured
MAX_NOISE_SHARE = 0.25  # of what another seed changes; 0.11 was measured
MIN_BORDER = 0.01  # levels: the counterfactual world stands still, and is drawn once
MAX_BORDER = 1.25  # times the error inside the region; 0.98 was measured
EDGE_PX = 2
SIZES = {"crate": (0.3, 0.3, 0.5), "block": (0.25, 0.25, 0.3), "drum": (0.3, 0.3, 0.6)}
PUSHED_M = (0.0, 0.12, 0.22, 0.25, 0.25, 0.25, 0.25)
OTHER_NOISE = """
import runpy, sys
import datagen.seeding
plain = datagen.seeding.seed_for
datagen.seeding.seed_for = lambda *names: plain(*names, "other") if names[-1] == "render" else plain(*names)
sys.argv = ["render_scene", *sys.argv[1:]]
runpy.run_module("blender_scripts.render_scene", run_name="__main__")
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    """Videos uint8 [num_frames, height, width, 3] of one scene, by world, and the layers of its finished sample."""

    reused: dict[World, np.ndarray]  # rendered where they can differ
    full: dict[World, np.ndarray]  # all of them rendered
    other_noise: dict[World, np.ndarray]  # likewise, with another seed of Cycles
    layers: MaskLayers

    def mask(self, policy: Policy) -> np.ndarray:
        return compose_mask(self.layers, policy)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("keep")
    spec = make_spec(folder)
    make_physics(spec, folder / "physics")
    module = ["-m", "blender_scripts.render_scene"]
    reused = render(spec, folder, "reused", module)
    whole = dataclasses.replace(spec, render=dataclasses.replace(spec.render, reuse_unchanged=False))
    full, other = (render(whole, folder, name, how) for name, how in (("full", module), ("other", ["-c", OTHER_NOISE])))
    sample = compose_sample(spec, folder / "physics", folder / "reused" / "out", folder / "sample" / spec.key, {})
    return Made(
        reused=videos(reused),
        full=videos(full),
        other_noise=videos(other),
        layers=read_layers(sample.path(LAYERS)),
    )


def videos(scene: RenderedScene) -> dict[World, np.ndarray]:
    return {world: scene.frames(f"rgb_{world}") for world in World}


def make_spec(folder: Path) -> SceneSpec:
    things = []
    for name, size in SIZES.items():
        mesh = trimesh.creation.cylinder(0.15, 0.6) if name == "drum" else trimesh.creation.box(size)
        path = folder / f"{name}.obj"
        path.write_text(trimesh.exchange.obj.export_obj(mesh))
        geometry = GeometryRef(file=str(path), sha256=sha256_file(path), node="")
        things.append(ObjectSpec(name=name, category=name, geometry=geometry, licence="CC0"))
    return SceneSpec(
        key="keep",
        source="kubric",
        seed=3,
        sequence="launch",
        description="",
        clip=Clip(start_s=0.0, num_frames=FRAMES, fps=FPS),
        objects=tuple(things),
        removed=("crate",),
        camera=draw_camera(3),
        light=draw_light(3),
        floor=draw_surface(3, "floor"),
        wall=draw_surface(3, "wall"),
        render=RenderSettings(width=WIDTH, height=HEIGHT, samples=2),
    )


def make_physics(spec: SceneSpec, folder: Path) -> None:
    """Trajectories, certificate, staging and (no) contacts."""
    poses = np.zeros((FRAMES, 3, 7))
    poses[..., 3] = 1
    poses[:, :, 2] = [size[2] / 2 for size in SIZES.values()]
    poses[:, 0, 0], poses[:, 1, 0] = -0.6 + np.array(PUSHED_M), -0.3 + np.array(PUSHED_M)
    poses[:, 2, :2] = 0.75, 0.4
    poses[QUIVERS, 2, 2] += QUIVER_M
    still = poses[:, 1:].copy()
    still[:, 0] = poses[0, 1]
    worlds = {
        World.FACTUAL: Trajectory.from_poses(tuple(SIZES), FPS, poses),
        World.COUNTERFACTUAL: Trajectory.from_poses(("block", "drum"), FPS, still),
    }
    write_trajectories(folder / "trajectories.npz", worlds)
    write_npz(folder / "contacts.npz", {"frame": np.zeros(0, dtype=np.int64)})
    bodies = []
    for name, size in SIZES.items():
        signs = np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5])).reshape(3, 8).T
        (body,) = make_certificate(signs * size).bodies
        bodies.append(dataclasses.replace(body, name=name, category=name))
    certificate = dataclasses.replace(
        make_certificate(np.zeros((8, 3))), key=spec.key, affected=("block",), bodies=tuple(bodies)
    )
    write_json(folder / "certificate.json", certificate)
    write_json(folder / "staging.json", furnished(staged([[0.1, -3.6, 1.5]] * FRAMES, [0.1, 0.0, 0.35])))


def furnished(staging: Staging) -> Staging:
    """With a kitchen around the three things, its window included."""
    reach = np.array([[[-1.0, -0.3, 0.0], [1.0, 0.7, 0.6]]])
    cameras = np.array(staging.world_from_camera)[:, :3]
    around = occupied_by(reach, reach.reshape(-1, 3), cameras, np.array(staging.key_light))
    room = furnish(staging.room, RoomKind.KITCHEN, 4, around, 1.2)
    assert len(room.pieces) > 5
    return dataclasses.replace(staging, room=room)


def render(spec: SceneSpec, folder: Path, name: str, how: list[str]) -> RenderedScene:
    """Serve a render job in a process of its own."""
    at = folder / name
    write_json(at / "spec.json", spec)
    write_json(at / "job.json", RenderJob(spec=str(at / "spec.json"), physics=str(folder / "physics"), threads=1))
    command = [sys.executable, *how, str(at / "job.json"), str(at / "out")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return RenderedScene(at / "out")


def far_from(region: np.ndarray, pixels: int) -> np.ndarray:
    """Pixels more than so many from a region bool [..., height, width], diagonally too."""
    square = np.ones((1,) * (region.ndim - 2) + (3, 3), dtype=bool)
    return np.asarray(~ndimage.binary_dilation(region, square, iterations=pixels))


def levels(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Signed difference of two videos, float64 [num_frames, height, width, 3]."""
    return first.astype(np.float64) - second


def steps(error: np.ndarray, region: np.ndarray) -> tuple[float, float]:
    """Mean step of an error between neighbours, largest channel: across the region's edge, and inside the region."""
    at_edge, inside = [], []
    for axis in (1, 2):
        step = np.abs(np.diff(error, axis=axis)).max(axis=-1)
        later, earlier = (np.delete(region, end, axis=axis).astype(int) for end in (0, -1))
        pair = later + earlier
        at_edge.append(step[pair == 1])
        inside.append(step[pair == 2])
    return float(np.concatenate(at_edge).mean()), float(np.concatenate(inside).mean())


def test_the_scene_shows_what_the_tests_need(made: Made) -> None:
    mask = made.mask(Policy.EFFECTS)
    for frame in range(AT_REST, FRAMES):
        assert set(np.unique(mask[frame])) == set(Label)
    assert 0.8 < (mask == Label.KEEP).mean() < 0.98
    assert (mask[0] != mask[AT_REST]).mean() > 0.02  # before that, something moves
    factual, counterfactual = (made.reused[world] for world in World)
    assert factual.std(axis=0).max() > 10
    assert (factual == counterfactual).all(axis=-1).mean() > 0.5
    for world in World:
        assert not np.array_equal(made.reused[world], made.full[world])
        assert not np.array_equal(made.full[world], made.other_noise[world])


@pytest.mark.parametrize("policy", Policy)
def test_the_mask_of_a_static_tail_is_one_mask(made: Made, policy: Policy) -> None:
    mask = made.mask(policy)
    for frame in range(AT_REST + 1, QUIVERS):
        assert np.array_equal(mask[frame], mask[AT_REST]), f"frame {frame}"


def test_no_label_flickers_where_nothing_changed_although_frames_are_drawn_anew(made: Made) -> None:
    """Silhouettes stay to the pixel; what a denoiser leaves close beside what changed may come and go in places."""
    for name in ("removed", "moved_before", "moved_after"):
        layer = getattr(made.layers, name)
        assert (layer[AT_REST:] == layer[AT_REST]).all(), name
    mask = made.mask(Policy.EFFECTS)[AT_REST:]
    flickers = (mask != mask[0]).any(axis=0)
    changed = (mask != Label.KEEP).all(axis=0)  # in every frame
    assert not (flickers & far_from(changed, SPILL_PX)).any()
    assert flickers.mean() < MAX_FLICKER


@pytest.mark.parametrize("world", World)
def test_keep_pixels_stay_what_they_are_under_a_static_camera(made: Made, world: World) -> None:
    """Standard deviation of each pixel's channels over the frames that call it KEEP, mean over pixels; not coded."""
    pixels = made.reused[world].astype(np.float64)
    keep = made.mask(Policy.EFFECTS) == Label.KEEP
    often = keep.sum(axis=0) >= 2
    frames = np.ma.masked_array(pixels, np.broadcast_to(~keep[..., None], pixels.shape))
    assert often.mean() > 0.8
    assert frames.std(axis=0)[often].mean() < MAX_STD


def test_what_nothing_changes_is_equal_over_time_to_the_bit(made: Made) -> None:
    """All frames are laid over one picture: most pixels never differ from it."""
    assert (np.ptp(made.reused[World.FACTUAL], axis=0) == 0).all(axis=-1).mean() > MIN_STILL_SHARE
    assert (np.ptp(made.full[World.FACTUAL], axis=0) == 0).all(axis=-1).mean() < MIN_STILL_SHARE


@pytest.mark.parametrize("world", World)
def test_reuse_differs_from_the_full_render_less_than_another_seed_does(made: Made, world: World) -> None:
    noise = np.abs(levels(made.other_noise[world], made.full[world])).mean(axis=(1, 2, 3))
    error = np.abs(levels(made.reused[world], made.full[world])).mean(axis=(1, 2, 3))
    assert error.max() > 0 and (error < MAX_NOISE_SHARE * noise).all()


@pytest.mark.parametrize("world", World)
def test_reuse_leaves_no_seam(made: Made, world: World) -> None:
    """At the region's edge pixels are as near to the full render as inside it, and step no more than by its noise."""
    region = made.mask(Policy.EFFECTS) != Label.KEEP
    error, noise = (levels(one[world], made.full[world]) for one in (made.reused, made.other_noise))
    inside = far_from(~region, EDGE_PX)
    border = ~far_from(region, EDGE_PX) & ~inside
    assert inside.sum() > 500 and border.sum() > 500
    assert np.abs(error[border]).mean() < MAX_BORDER * np.abs(error[inside]).mean() + MIN_BORDER
    assert np.abs(error[border]).mean() < np.abs(noise[border]).mean()
    assert steps(error, region)[0] < steps(noise, region)[1]
