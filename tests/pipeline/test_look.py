"""What a scene looks like never changes what happens in it, and its room keeps clear of all that does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from datagen.cache import asset_cache, extracted_sequence, hull_cache
from datagen.clearance import check_room, occupied_by
from datagen.codec import read_record, write_json
from datagen.decorate import swept_boxes
from datagen.jobs import CertifyJob, CollisionJob, SimulateJob
from datagen.looks import draw_camera, draw_look
from datagen.physics.handover import take_clip
from datagen.physics.records import PhysicsCertificate
from datagen.physics.verdict import box_corners
from datagen.placement import Staging
from datagen.runs import RunFolder
from datagen.sequence import read_sequence
from datagen.spec import SceneSpec
from datagen.trajectory import read_trajectories
from datagen.worker import run_engine
from tests.pipeline.conftest import SMALL, datagen

pytestmark = [pytest.mark.blender, pytest.mark.slow]

LOOKS = (101, 202)  # seeds


def redrawn(spec: SceneSpec, seed: int) -> SceneSpec:
    """The same scene with another room, light, surfaces and camera."""
    look = draw_look(seed)
    return dataclasses.replace(
        spec, room=look.room, light=look.light, floor=look.floor, wall=look.wall, camera=draw_camera(seed)
    )


def simulate(spec: SceneSpec, folder: Path) -> Path:
    """Physics of a scene, as the pipeline runs it."""
    write_json(folder / "spec.json", spec)
    out = folder / "physics"
    if spec.collision is not None:
        drawn = folder / "drawn"
        run_engine(
            "kubric_jobs.simulate_scene",
            CollisionJob(spec=str(folder / "spec.json"), cache=str(asset_cache())),
            drawn,
            timeout_s=200,
        )
        run_engine("datagen.certify_collision", CertifyJob(simulation=str(drawn)), out, timeout_s=200)
        return out
    geometry = spec.people[0].geometry
    sequence = extracted_sequence(Path(geometry.file), geometry.sha256)
    job = SimulateJob(spec=str(folder / "spec.json"), sequence=str(sequence), cache=str(hull_cache()))
    run_engine("datagen.simulate_scene", job, out, timeout_s=200)
    return out


@pytest.fixture(scope="module")
def specs(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, SceneSpec]:
    """Two scenes with a person, two collision scenes."""
    run = tmp_path_factory.mktemp("collisions") / "run"
    settings = [part for value in SMALL for part in ("--set", value)]
    families = ["--set", "kubric.families=launch,support", "--set", "clips.num_frames=9"]
    assert datagen("plan", "kubric", "--limit", "2", "--out", run, *settings, *families).returncode == 0
    runs = (RunFolder(root=finished_run), RunFolder(root=run))
    return {spec.key: spec for one in runs for spec in map(one.spec, one.keys())}


def test_the_look_never_changes_physics(specs: dict[str, SceneSpec], tmp_path: Path) -> None:
    assert len(specs) == 4
    for key, spec in specs.items():
        folders = [simulate(redrawn(spec, seed), tmp_path / key / str(seed)) for seed in LOOKS]
        trajectories = {(folder / "trajectories.npz").read_bytes() for folder in folders}
        assert len(trajectories) == 1, key
        measured = [read_record(PhysicsCertificate, folder / "certificate.json") for folder in folders]
        first, second = (dataclasses.replace(one, seconds={}) for one in measured)
        assert first == second, key
        rooms = [read_record(Staging, folder / "staging.json").room for folder in folders]
        assert rooms[0] != rooms[1], key


def test_rooms_keep_clear_of_real_trajectories(finished_run: Path) -> None:
    run = RunFolder(root=finished_run)
    for spec in map(run.spec, run.keys()):
        key, physics = spec.key, run.folder("simulate", spec.key)
        geometry = spec.people[0].geometry
        sequence = read_sequence(extracted_sequence(Path(geometry.file), geometry.sha256))
        handover = take_clip(spec, sequence, spec.people[0].mocap_fps)
        staging = read_record(Staging, physics / "staging.json")
        corners = {track.name: box_corners(track.vertices) for track in handover.tracks}
        reach = swept_boxes(read_trajectories(physics / "trajectories.npz"), corners, handover.people)
        cameras = np.array(staging.world_from_camera)[:, :3]
        body = np.concatenate([points.reshape(-1, 3) for points in handover.people.values()])
        assert len(staging.room.pieces) >= 5
        check_room(key, staging.room, occupied_by(reach, body, cameras, np.array(staging.key_light)))
