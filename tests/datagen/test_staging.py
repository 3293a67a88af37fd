"""Staging keeps what moves in frame and in view, and the room around everything."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from datagen.camera import Lens, lens_of, look_at, project, ray_through
from datagen.errors import SceneRejected, SpecError
from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.spec import Clip, GeometryRef, ObjectSpec, Pace, PersonSpec, RenderSettings, SceneSpec, Staging, World
from datagen.staging import MARGIN, stage_scene
from datagen.trajectory import Trajectory, apply_pose
from datagen.visibility import segments_meet_box, visible_shares

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
    camera = np.array(staging.world_from_camera[:1])
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


def test_moving_cameras_are_refused() -> None:
    spec = make_spec()
    with pytest.raises(SpecError, match="'dolly'"):
        stage(replace(spec, camera=replace(spec.camera, pace=Pace.DOLLY)))


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
