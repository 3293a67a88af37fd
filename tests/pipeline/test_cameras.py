"""Cameras of real clips: what moves in either world is in frame in every frame, whatever the pace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, datagen

from datagen.cache import extracted_sequence
from datagen.camera import lens_of, project
from datagen.codec import read_record
from datagen.framing import MARGIN, NEAREST_M, distance_to_boxes
from datagen.physics.handover import take_clip
from datagen.physics.records import PhysicsCertificate
from datagen.placement import Staging
from datagen.sequence import read_sequence
from datagen.spec import SceneSpec, World
from datagen.staging import stage_scene
from datagen.trajectory import Trajectory, apply_pose, read_trajectories
from datagen.wishes import Pace

SEEDS = range(4)
LONG = [part for part in SMALL if "num_frames" not in part and "fps" not in part] + ["clips.num_frames=36"]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A simulated clip."""

    spec: SceneSpec
    worlds: dict[World, Trajectory]
    corners: dict[str, np.ndarray]
    people: dict[str, np.ndarray]
    affected: tuple[str, ...]

    def staged(self, pace: Pace, seed: int) -> Staging:
        spec = replace(self.spec, camera=replace(self.spec.camera, pace=pace, path_seed=seed))
        return stage_scene(spec, self.worlds, self.corners, self.people, self.affected)


@pytest.fixture(scope="module")
def clip(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    root = tmp_path_factory.mktemp("cameras") / "run"
    settings = [part for value in (*LONG, "humoto.split=all") for part in ("--set", value)]
    plan: list[str | Path] = [
        "plan",
        "humoto",
        "--data",
        demo_data,
        "--out",
        root,
        "--config",
        "preview",
        *settings,
        "--limit",
        "1",
    ]
    simulate: list[str | Path] = ["simulate", root, "--ray", "off"]
    for command in (plan, simulate):
        result = datagen(*command)
        assert result.returncode == 0, result.stderr
    (path,) = (root / "specs").glob("*.json")
    spec = read_record(SceneSpec, path)
    physics = root / "physics" / spec.key
    certificate = read_record(PhysicsCertificate, physics / "certificate.json")
    file = path.parent / spec.people[0].geometry.file
    handover = take_clip(spec, read_sequence(extracted_sequence(file)), spec.people[0].mocap_fps)
    return Clip(
        spec=spec,
        worlds=read_trajectories(physics / "trajectories.npz"),
        corners={body.name: np.array(body.corners) for body in certificate.bodies},
        people=dict(handover.people),
        affected=certificate.affected,
    )


@pytest.mark.parametrize("pace", Pace)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_moves_in_either_world_is_in_frame_all_along(clip: Clip, pace: Pace, seed: int) -> None:
    staging = clip.staged(pace, seed)
    assert clip.affected and staging.pace in (pace, Pace.STATIC)
    lens, poses = lens_of(clip.spec, staging), np.array(staging.world_from_camera)
    border, size = MARGIN * lens.height, np.array([lens.width, lens.height])
    for world, trajectory in clip.worlds.items():
        for frame, pose in enumerate(poses):
            there = [apply_pose(trajectory.of(name)[frame], clip.corners[name]) for name in clip.affected]
            pixels, depth = project(
                np.concatenate([*there, *(body[frame] for body in clip.people.values())]), pose, lens
            )
            assert depth.min() >= NEAREST_M, (world, frame)
            assert (pixels >= border - 1e-6).all() and (pixels <= size - border + 1e-6).all(), (world, frame)
        boxes = [(trajectory.of(name), clip.corners[name]) for name in trajectory.names]
        assert distance_to_boxes(boxes, poses[None, :, :3])[0] >= NEAREST_M
    room = staging.room
    assert (poses[:, :2] > [room.x_min + 0.3, room.y_min + 0.3]).all()
    assert (poses[:, :2] < [room.x_max - 0.3, room.y_max - 0.3]).all() and poses[:, 2].max() < room.height


def test_most_wished_paths_are_taken(clip: Clip) -> None:
    moving = [pace for pace in Pace if pace is not Pace.STATIC]
    taken = [clip.staged(pace, seed).pace is pace for pace in moving for seed in SEEDS]
    assert np.mean(taken) > 0.7
