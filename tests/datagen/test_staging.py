"""Staging keeps what moves in frame and in view, and the room around everything."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import lru_cache

import numpy as np
import pytest

from datagen.camera import Lens, lens_of, look_at, project, ray_through
from datagen.errors import SceneRejected
from datagen.framing import MARGIN, NEAREST_M
from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.placement import Staging
from datagen.settings import RenderSettings
from datagen.spec import Clip, GeometryRef, ObjectSpec, PersonSpec, SceneSpec, World
from datagen.staging import PATH_SCALES, stage_scene
from datagen.staging import holds as plain
from datagen.trajectory import Trajectory, apply_pose
from datagen.views import Action, View
from datagen.visibility import segments_meet_box, visible_shares
from datagen.wishes import Pace

FRAMES, FPS = 12, 12.0
LENS = Lens(focal_length_mm=36.0, sensor_width_mm=36.0, width=200, height=100)
GEOMETRY = GeometryRef(file="/nowhere.fbx", sha256="0" * 64, node="x")
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def box(size: float) -> np.ndarray:
    """Corners [8, 3] of a cube around the origin."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
    return signs * size / 2


def make_spec(seed: int = 5) -> SceneSpec:
    return SceneSpec(
        key="staged",
        source="humoto",
        seed=seed,
        sequence="s",
        description="",
        clip=Clip(start_s=0.0, num_frames=FRAMES, fps=FPS),
        objects=(
            ObjectSpec(name="vase", category="vase", geometry=GEOMETRY),
            ObjectSpec(name="table", category="table", geometry=GEOMETRY),
        ),
        people=(PersonSpec(name="person", geometry=GEOMETRY, mocap_fps=30.0),),
        removed=("person",),
        camera=draw_camera(seed),
        light=draw_light(seed),
        floor=draw_surface(seed, "floor"),
        wall=draw_surface(seed, "wall"),
        render=RenderSettings(width=336, height=192),
    )


def make_worlds(travel_m: float = 1.0) -> dict[World, Trajectory]:
    """A carried vase, which falls in the counterfactual; a table stands still."""
    time = np.arange(FRAMES) / FPS
    poses = np.tile(np.concatenate([np.zeros(3), UPRIGHT]), (FRAMES, 2, 1))
    poses[:, 0, 0] = 0.35 + travel_m * time
    poses[:, 0, 2] = 1.0
    poses[:, 1, :3] = [-0.8, 0.9, 0.35]
    fallen = poses.copy()
    fallen[:, 0, 0] = 0.35
    fallen[:, 0, 2] = np.maximum(1.0 - 4.905 * time**2, 0.1)
    names = ("vase", "table")
    return {
        World.FACTUAL: Trajectory.from_poses(names, FPS, poses),
        World.COUNTERFACTUAL: Trajectory.from_poses(names, FPS, fallen),
    }


def make_person(travel_m: float = 1.0) -> np.ndarray:
    """A column of points [FRAMES, P, 3] that walks along X."""
    rng = np.random.default_rng(0)
    column = rng.uniform([-0.2, -0.15, 0.0], [0.2, 0.15, 1.7], size=(400, 3))
    time = np.arange(FRAMES)[:, None, None] / FPS
    return column + time * travel_m * np.array([1.0, 0.0, 0.0])


def moving(spec: SceneSpec, pace: Pace) -> SceneSpec:
    return replace(spec, camera=replace(spec.camera, pace=pace, path_seed=spec.seed))


CORNERS = {"vase": box(0.2), "table": box(0.7)}


@lru_cache
def stage(spec: SceneSpec, travel_m: float = 1.0) -> Staging:
    return stage_scene(spec, make_worlds(travel_m), CORNERS, {"person": make_person(travel_m)}, ("vase",))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_action_stays_in_frame(seed: int) -> None:
    spec = make_spec(seed)
    staging = stage(spec)
    lens = lens_of(spec, staging)
    poses = np.array(staging.world_from_camera)
    assert poses.shape == (FRAMES, 7)
    for trajectory in make_worlds().values():
        for frame in range(FRAMES):
            points = np.concatenate([apply_pose(trajectory.of("vase")[frame], CORNERS["vase"]), make_person()[frame]])
            pixels, depth = project(points, poses[frame], lens)
            assert depth.min() > 0
            assert pixels.min() >= MARGIN * lens.height - 1e-6
            assert (pixels <= np.array([lens.width, lens.height]) - MARGIN * lens.height + 1e-6).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_vase_is_seen_past_the_person(seed: int) -> None:
    spec = make_spec(seed)
    staging = stage(spec)
    worlds = make_worlds()
    boxes = {
        world: np.stack([apply_pose(pose, CORNERS["vase"]) for pose in path.of("vase")])
        for world, path in worlds.items()
    }
    camera = np.array(staging.world_from_camera)[None]
    before, after = visible_shares({"vase": boxes}, make_person(), {}, camera, lens_of(spec, staging))
    assert before[0] > 0.9
    assert after[0] == 1.0


def test_room_holds_camera_light_and_motion() -> None:
    staging = stage(make_spec())
    room = staging.room
    for x, y, _ in (staging.key_light, staging.world_from_camera[0][:3], (1.35, 0.0, 0.0), (-1.15, 1.25, 0.0)):
        assert room.x_min + 0.3 < x < room.x_max - 0.3
        assert room.y_min + 0.3 < y < room.y_max - 0.3
    assert room.height >= 2.7


def test_same_spec_same_staging() -> None:
    assert stage.__wrapped__(make_spec()) == stage(make_spec())


def test_too_wide_an_action_is_rejected_with_figures() -> None:
    with pytest.raises(SceneRejected, match=r"no camera within 7.0 m .* spans") as caught:
        stage(make_spec(), travel_m=30.0)
    assert caught.value.details["extent_m"][0] > 20


@pytest.mark.parametrize("pace", [pace for pace in Pace if pace is not Pace.STATIC])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_moving_camera_keeps_in_frame_what_moves_in_either_world(pace: Pace, seed: int) -> None:
    spec = moving(make_spec(seed), pace)
    staging = stage(spec)
    assert staging.pace is pace and abs(staging.path_scale) in PATH_SCALES
    poses, lens = np.array(staging.world_from_camera), lens_of(spec, staging)
    assert np.ptp(poses, axis=0).max() > 0.005
    for trajectory in make_worlds().values():
        for frame in range(FRAMES):
            points = np.concatenate([apply_pose(trajectory.of("vase")[frame], CORNERS["vase"]), make_person()[frame]])
            pixels, depth = project(points, poses[frame], lens)
            assert depth.min() >= NEAREST_M
            assert pixels.min() >= MARGIN * lens.height - 1e-6
            assert (pixels <= np.array([lens.width, lens.height]) - MARGIN * lens.height + 1e-6).all()
    room = staging.room
    assert (poses[:, :2] > np.array([room.x_min, room.y_min]) + 0.3).all()
    assert (poses[:, :2] < np.array([room.x_max, room.y_max]) - 0.3).all() and poses[:, 2].max() < room.height


def test_a_path_that_cannot_be_framed_becomes_smaller_and_then_a_tripod(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is recorded tells: nothing is drawn in secret."""
    spec = moving(make_spec(), Pace.ORBIT)

    def at_most(limit: float) -> Staging:
        def narrow(action: Action, view: View, poses: np.ndarray) -> bool:
            return float(np.ptp(poses[:, :2], axis=0).max()) <= limit and plain(action, view, poses)

        monkeypatch.setattr("datagen.staging.holds", narrow)
        return stage_scene(spec, make_worlds(), CORNERS, {"person": make_person()}, ("vase",))

    whole = stage(spec)
    spread = float(np.ptp(np.array(whole.world_from_camera)[:, :2], axis=0).max())
    smaller, none = at_most(0.3 * spread), at_most(0.0)
    assert abs(whole.path_scale) == 1 and smaller.pace is Pace.ORBIT and 0 < abs(smaller.path_scale) <= 0.25
    assert none.pace is Pace.STATIC and none.path_scale == 0
    assert none.world_from_camera == stage(moving(spec, Pace.STATIC)).world_from_camera


def test_no_camera_stands_in_furniture() -> None:
    """A wardrobe where the best camera would stand: another one is found, 0.8 m from it."""
    spec = make_spec()
    alone = np.array(stage(spec).world_from_camera[0])
    worlds = {
        world: Trajectory.from_poses(
            (*path.names, "wardrobe"),
            FPS,
            np.concatenate([path.poses, np.tile([*alone[:2], 1.0, *UPRIGHT], (FRAMES, 1, 1))], axis=1),
        )
        for world, path in make_worlds().items()
    }
    staging = stage_scene(spec, worlds, {**CORNERS, "wardrobe": box(0.5)}, {"person": make_person()}, ("vase",))
    beside = np.abs(np.array(staging.world_from_camera[0][:3]) - [*alone[:2], 1.0]) - 0.25
    assert np.linalg.norm(np.maximum(beside, 0)) >= NEAREST_M


def test_blur_grows_with_aperture_and_shutter_and_is_absent_without() -> None:
    spec = make_spec()

    def extents(aperture_f: float = 0.0, shutter: float = 0.0) -> np.ndarray:
        camera = replace(spec.camera, aperture_f=aperture_f, shutter=shutter)
        return np.array([astuple(one) for one in stage(replace(spec, camera=camera)).blur_px])

    assert not extents().size and not stage(spec).focus_m
    small, wide = extents(aperture_f=8.0), extents(aperture_f=2.0)
    assert (small > 0).all() and wide == pytest.approx(4 * small)
    assert (extents(shutter=0.5)[1:-1] > 1).all()
    both, motion = extents(shutter=0.5, aperture_f=2.0), extents(shutter=0.5)
    assert (both >= np.maximum(motion, wide)).all() and (both <= motion + wide + 1e-6).all() and both.max() > wide.max()


def test_projection_of_known_points() -> None:
    camera = look_at(np.array([0.0, -2.0, 1.0]), np.array([0.0, 0.0, 1.0]))
    points = np.array([[0.0, 0.0, 1.0], [0.5, 0.0, 1.0], [0.0, 0.0, 1.25]])
    pixels, depth = project(points, camera, LENS)
    assert depth == pytest.approx([2.0, 2.0, 2.0])
    assert pixels == pytest.approx(np.array([[100.0, 50.0], [150.0, 50.0], [100.0, 25.0]]))


def test_rays_invert_projection() -> None:
    camera = look_at(np.array([1.0, -2.0, 1.5]), np.array([0.2, 0.1, 0.9]))
    pixel = np.array([37.0, 81.0])
    pixels, _ = project(camera[:3] + 3.0 * ray_through(pixel, camera, LENS), camera, LENS)
    assert pixels == pytest.approx(pixel)


def test_segments_and_boxes() -> None:
    low, high = -np.ones(3), np.ones(3)
    ends = np.array([[3.0, 0.0, 0.0], [-3.0, 3.0, 0.0], [-1.5, 0.0, 0.0], [-3.0, 0.0, 0.0]])
    assert segments_meet_box(np.array([-3.0, 0.0, 0.0]), ends, low, high).tolist() == [True, False, False, False]
