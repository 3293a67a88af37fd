"""What cannot be simulated is refused with the figure, in bounded time; what can, is."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from datagen.codec import read_record, write_json
from datagen.errors import EngineFailed, SceneFailed, SceneRejected, SpecError
from datagen.jobs import SimulateJob
from datagen.physics.decompose import MAX_FACES, MAX_PIECES, convex_parts, count_pieces
from datagen.physics.handover import take_clip
from datagen.physics.materials import floor_material
from datagen.physics.orient import outward_faces
from datagen.physics.records import PhysicsCertificate
from datagen.physics.world import run_world
from datagen.sequence import Sequence, write_sequence
from datagen.spec import Clip
from datagen.worker import run_engine
from tests.datagen.physics.scenes import MOCAP_FPS, box_body, box_mesh, pose, sequence_of, spec_of

SIZE = (0.1, 0.2, 0.3)


def crumbs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Many small boxes, inside out."""
    vertices, faces = box_mesh((0.01, 0.01, 0.01))
    shifts = np.random.default_rng(0).uniform(-0.2, 0.2, size=(count, 1, 3))
    offsets = len(vertices) * np.arange(count)[:, None, None]
    return (vertices + shifts).reshape(-1, 3), (faces[None, :, ::-1] + offsets).reshape(-1, 3).astype(np.int32)


def held_box() -> Sequence:
    poses = np.repeat(pose(0, 0, 1.0)[None], 60, axis=0)
    return sequence_of({"box": (SIZE, poses)}, poses[:, :3] + (0, 0, 0.152))


def test_a_mesh_without_volume_is_refused(tmp_path: Path) -> None:
    flat = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 2, 1], [0, 3, 2]], dtype=np.int32)
    with pytest.raises(SceneFailed, match=r"'sheet' is flat \(size \[1.0, 1.0, 0.0\] m\)"):
        convex_parts("sheet", flat, faces, tmp_path)


def test_a_mesh_that_is_inside_out_has_its_volume(tmp_path: Path) -> None:
    vertices, faces = box_mesh(SIZE)
    assert convex_parts("box", vertices, faces[:, ::-1], tmp_path).volume == pytest.approx(np.prod(SIZE), rel=1e-6)


def test_thousands_of_loose_pieces_are_refused_at_once(tmp_path: Path) -> None:
    vertices, faces = crumbs(3000)
    started = time.process_time()
    with pytest.raises(
        SceneFailed, match=f"'crumbs' is in 3000 loose pieces; expected one body of at most {MAX_PIECES}"
    ):
        convex_parts("crumbs", vertices, faces, tmp_path)
    assert time.process_time() - started < 5


def test_thousands_of_loose_pieces_are_turned_outwards_in_bounded_time() -> None:
    vertices, faces = crumbs(3000)
    started = time.process_time()
    corners = (
        vertices[outward_faces(vertices, faces)]
        - np.repeat(vertices.reshape(-1, 8, 3).mean(axis=1), 12, axis=0)[:, None]
    )
    assert time.process_time() - started < 10
    assert (np.linalg.det(corners) > 0).all()


def test_corners_that_are_stored_twice_do_not_make_pieces() -> None:
    vertices, faces = box_mesh(SIZE)
    assert count_pieces(vertices[faces].reshape(-1, 3), np.arange(36, dtype=np.int32).reshape(-1, 3)) == 1


def test_a_million_triangles_are_refused_at_once(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(subdivisions=8, radius=0.1)
    assert len(ball.faces) > 1_000_000
    started = time.process_time()
    with pytest.raises(SceneFailed, match=rf"has {len(ball.faces)} triangles; expected at most {MAX_FACES}"):
        convex_parts("ball", np.array(ball.vertices), np.array(ball.faces, dtype=np.int32), tmp_path)
    assert time.process_time() - started < 2


def test_a_mesh_with_holes_in_its_numbers_is_refused(tmp_path: Path) -> None:
    vertices, faces = box_mesh(SIZE)
    vertices[3, 1] = np.nan
    with pytest.raises(SceneFailed, match="vertices that are no numbers"):
        convex_parts("box", vertices, faces, tmp_path)


@pytest.mark.parametrize("fps", [0.0, -12.0, float("nan"), float("inf")])
def test_a_clip_without_a_rate_is_refused(fps: float) -> None:
    with pytest.raises(SpecError, match="a rate above 0"):
        Clip(start_s=0.0, num_frames=24, fps=fps)


@pytest.mark.parametrize("fps", [0.5, 7.3, 23.976])
def test_a_fraction_of_a_frame_a_second_will_do(fps: float) -> None:
    run = run_world(
        (box_body("box", SIZE, pose(0, 0, 30.0)),),
        floor_material("wood"),
        num_frames=2,
        fps=fps,
        substep_hz=480,
        gravity_m_s2=9.81,
    )
    fallen = 9.81 * min(1 / fps, np.sqrt(2 * 29.85 / 9.81)) ** 2 / 2
    assert 30.0 - run.poses[1, 0, 2] == pytest.approx(fallen, rel=0.01)
    assert run.substep_s <= 1 / 480 and (1 / fps / run.substep_s) == pytest.approx(round(1 / fps / run.substep_s))


def test_a_clip_longer_than_its_sequence_is_refused() -> None:
    sequence = held_box()
    with pytest.raises(SpecError, match=r"times 0.000..3.917 s lie outside the motion's 0..1.967 s"):
        take_clip(spec_of(sequence, num_frames=48), sequence, MOCAP_FPS)


def write_job(folder: Path, sequence: Sequence) -> SimulateJob:
    write_sequence(folder / "sequence", sequence)
    write_json(folder / "spec.json", spec_of(sequence, num_frames=12))
    return SimulateJob(spec=str(folder / "spec.json"), sequence=str(folder / "sequence"), cache=str(folder / "cache"))


def test_a_simulation_that_overruns_is_killed(tmp_path: Path) -> None:
    job = write_job(tmp_path, held_box())
    started = time.monotonic()
    with pytest.raises(EngineFailed, match=r"killed after 0.2 s"):
        run_engine("datagen.simulate_scene", job, tmp_path / "out", timeout_s=0.2)
    assert time.monotonic() - started < 10
    assert not (tmp_path / "out").exists()


def test_objects_that_are_held_deep_inside_each_other_are_rejected_with_the_figure(tmp_path: Path) -> None:
    first = np.repeat(pose(0, 0, 1.0)[None], 60, axis=0)
    second = first + np.array([0.03, 0, 0.05, 0, 0, 0, 0])
    hand = first[:, :3] + (0, 0, 0.152)
    job = write_job(tmp_path, sequence_of({"box": (SIZE, first), "crate": (SIZE, second)}, hand))
    with pytest.raises(SceneRejected, match=r"initial_overlap \d+(\.\d+)? mm \(limit 12\)") as caught:
        run_engine("datagen.simulate_scene", job, tmp_path / "out", timeout_s=60)
    measured = {row["name"]: row for row in caught.value.details["measured"]}
    assert measured["initial_overlap"]["value"] > 50 and "between box and crate" in measured["initial_overlap"]["note"]
    assert measured["speed"]["value"] < 12, "they do not explode even so"


def test_a_body_within_an_object_for_the_whole_clip_holds_it(tmp_path: Path) -> None:
    poses = np.repeat(pose(0, 0, 1.0)[None], 60, axis=0)
    job = write_job(tmp_path, sequence_of({"crate": ((0.6, 0.6, 0.6), poses)}, poses[:, :3]))
    run_engine("datagen.simulate_scene", job, tmp_path / "out", timeout_s=60)
    (body,) = read_record(PhysicsCertificate, tmp_path / "out" / "certificate.json").bodies
    assert body.dynamic and body.contact_mm == 0 and "RightHand is inside it" in body.why


def test_furniture_of_a_million_triangles_fails_its_scene_alone(tmp_path: Path) -> None:
    sequence = held_box()
    ball = trimesh.creation.icosphere(subdivisions=8, radius=0.1)
    track = replace(sequence.objects[0], vertices=np.array(ball.vertices), faces=np.array(ball.faces, dtype=np.int32))
    job = write_job(tmp_path, replace(sequence, objects=(track,)))
    with pytest.raises(SceneFailed, match="triangles; expected at most"):
        run_engine("datagen.simulate_scene", job, tmp_path / "out", timeout_s=60)
