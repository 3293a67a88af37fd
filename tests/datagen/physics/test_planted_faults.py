"""The certificate catches planted faults, each by the check that is meant for it. Real Bullet, nothing pretended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pybullet
import pytest
import trimesh

from datagen.elsewhere import call_elsewhere
from datagen.physics import certificate, reruns, world
from datagen.physics.bodies import Body, WorldRun
from datagen.physics.handover import Handover, take_clip
from datagen.physics.materials import Material, floor_material
from datagen.physics.records import Check, PhysicsCertificate, Verdict
from datagen.physics.reruns import Reruns, run_again
from datagen.physics.simulate import Outcome, simulate_without
from datagen.physics.verdict import certify
from datagen.physics.world import run_world
from datagen.sequence import Sequence
from datagen.settings import PhysicsSettings
from datagen.spec import SceneSpec
from datagen.trajectory import interpolate
from tests.datagen.physics.scenes import MOCAP_FPS, box_body, pose, sequence_of, spec_of

FRAMES, FPS = 13, 12.0
MOCAP_FRAMES = 90
WOOD = floor_material("wood")
BOX = (0.1, 0.12, 0.08)
TABLE = (1.0, 1.0, 0.7)


def failed(checks: tuple[Check, ...]) -> set[str]:
    return {check.name for check in checks if check.gate and not check.passed}


def run(*bodies: Body, gravity_m_s2: float = 9.81) -> WorldRun:
    return run_world(bodies, WOOD, num_frames=FRAMES, fps=FPS, substep_hz=480, gravity_m_s2=gravity_m_s2)


def checked(result: WorldRun) -> set[str]:
    return failed(certificate.check_run(result, PhysicsSettings(), FPS))


def falling() -> Body:
    return box_body("box", BOX, pose(0, 0, 0.6))


def holding(height: float = 1.2, **others: tuple[tuple[float, float, float], np.ndarray]) -> Sequence:
    """A hand that carries a box along."""
    box = np.repeat(pose(0, 0, height)[None], MOCAP_FRAMES, axis=0)
    box[:, 0] += 0.3 * np.arange(MOCAP_FRAMES) / MOCAP_FPS
    return sequence_of({"box": (BOX, box), **others}, box[:, :3] + (0, 0, 0.042))


def still(x: float, z: float) -> np.ndarray:
    return np.repeat(pose(x, 0, z)[None], MOCAP_FRAMES, axis=0)


def simulated(sequence: Sequence, cache: Path) -> tuple[SceneSpec, Handover, Outcome]:
    spec = spec_of(sequence, num_frames=FRAMES, fps=FPS)
    handover = take_clip(spec, sequence, MOCAP_FPS)
    return spec, handover, simulate_without(spec, handover, cache)


def gates(spec: SceneSpec, handover: Handover, outcome: Outcome, again: Reruns | None = None) -> set[str]:
    again = again or Reruns(finer=outcome.run.poses, again=outcome.run.poses)
    measured = certify(spec, handover, outcome, {}, {}, again)
    found = failed(measured.checks)
    assert (measured.verdict is Verdict.REJECTED) == bool(found)
    return found


def test_without_a_fault_everything_passes(tmp_path: Path) -> None:
    assert checked(run(falling())) == set()
    spec, handover, outcome = simulated(holding(vase=(BOX, still(2, 0.045))), tmp_path)
    assert gates(spec, handover, outcome, run_again(spec, outcome)) == set()


def test_half_gravity_fails_free_fall() -> None:
    assert checked(run(falling(), gravity_m_s2=4.905)) == {"free_fall"}


def test_half_gravity_in_the_settings_fails_free_fall(tmp_path: Path) -> None:
    sequence = holding()
    spec = spec_of(sequence, num_frames=FRAMES, fps=FPS)
    spec = replace(spec, physics=replace(spec.physics, gravity_m_s2=4.905))
    handover = take_clip(spec, sequence, MOCAP_FPS)
    assert gates(spec, handover, simulate_without(spec, handover, tmp_path)) == {"free_fall"}


def test_an_engine_whose_clock_runs_at_seven_tenths_fails_free_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    client = world._client
    monkeypatch.setattr(world, "_client", lambda substep_s, gravity: client(0.7 * substep_s, gravity))
    assert "free_fall" in checked(run(falling()))


def test_frames_sampled_at_seven_tenths_of_the_time_fail_the_clock() -> None:
    good = run(falling())
    slow = interpolate(good.poses, FPS, 0.7 * np.arange(FRAMES) / FPS)
    assert checked(replace(good, poses=slow)) == {"clock"}


def test_frames_shown_at_another_rate_fail_the_clock() -> None:
    assert failed(certificate.check_run(run(falling()), PhysicsSettings(), FPS / 0.7)) == {"clock"}


def test_a_recording_squeezed_into_the_clip_fails_time_scale(tmp_path: Path) -> None:
    spec, handover, outcome = simulated(holding(), tmp_path)
    filmed = handover.factual
    squeezed = interpolate(filmed.poses, FPS, 0.7 * np.arange(FRAMES) / FPS)
    handover = replace(handover, factual=replace(filmed, poses=squeezed))
    assert gates(spec, handover, outcome) == {"time_scale"}


def test_an_object_that_starts_inside_the_table_fails_initial_overlap(tmp_path: Path) -> None:
    inside = 0.7 + BOX[2] / 2 - 0.020
    spec, handover, outcome = simulated(holding(inside, table=(TABLE, still(0, 0.35))), tmp_path)
    assert outcome.standings["box"].dynamic
    assert "initial_overlap" in gates(spec, handover, outcome)


def test_an_object_that_lies_on_the_table_passes(tmp_path: Path) -> None:
    spec, handover, outcome = simulated(holding(0.7 + BOX[2] / 2 - 0.004, table=(TABLE, still(0, 0.35))), tmp_path)
    assert "initial_overlap" not in gates(spec, handover, outcome)


@pytest.mark.parametrize("nudge_m", [0.002, 0.05])
def test_a_nudged_bystander_fails_bystanders(nudge_m: float, tmp_path: Path) -> None:
    spec, handover, outcome = simulated(holding(vase=(BOX, still(2, 0.045))), tmp_path)
    poses = outcome.trajectory.poses.copy()
    poses[6:, outcome.trajectory.index("vase"), 0] += nudge_m
    nudged = replace(
        outcome, trajectory=replace(outcome.trajectory, poses=poses), run=replace(outcome.run, poses=poses)
    )
    assert gates(spec, handover, nudged) == {"bystanders"}


def shelf() -> Body:
    """Three boards between two walls, open in front."""
    boards = [_board((0.8, 0.3, 0.02), (0, 0, height)) for height in (0.1, 0.5, 0.9)]
    walls = [_board((0.02, 0.3, 0.9), (x, 0, 0.46)) for x in (-0.41, 0.41)]
    mesh = trimesh.util.concatenate([*boards, *walls])
    vertices, faces = np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int32)
    return replace(box_body("shelf", BOX, pose(0, 0, 0), dynamic=False), vertices=vertices, faces=faces)


def _board(size: tuple[float, float, float], centre: tuple[float, float, float]) -> trimesh.Trimesh:
    return trimesh.creation.box(size, trimesh.transformations.translation_matrix(centre))


def test_a_hull_in_place_of_a_concave_shelf_fails_initial_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    cup = box_body("cup", (0.08, 0.08, 0.1), pose(0, 0, 0.62))  # between two boards, 6 cm above the lower one
    assert checked(run(shelf(), cup)) == set()
    monkeypatch.setattr(pybullet, "GEOM_FORCE_CONCAVE_TRIMESH", 0)  # Bullet then makes one hull of the mesh
    assert "initial_overlap" in checked(run(shelf(), cup))


def test_energy_injected_at_a_bounce_fails_energy() -> None:
    springy = Material(name="flubber", density_kg_m3=700, friction=0.6, restitution=2.2, rolling_friction=0.001)
    assert checked(run(falling(), box_body("table", TABLE, pose(2, 0, 0.35), dynamic=False))) == set()
    assert "energy_rise" in checked(run(replace(falling(), material=springy)))


def test_a_world_that_depends_on_its_process_fails_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, handover, outcome = simulated(holding(), tmp_path)
    call: Callable[..., Any] = call_elsewhere

    def other_floor(function: Callable[..., Any], bodies: Any, floor: Material, **settings: Any) -> Any:
        return call(function, bodies, replace(floor, restitution=floor.restitution + 1e-6), **settings)

    monkeypatch.setattr(reruns, "call_elsewhere", other_floor)
    assert gates(spec, handover, outcome, run_again(spec, outcome)) == {"repeat"}


def test_half_the_time_step_that_ends_elsewhere_is_chaotic_and_no_failure(tmp_path: Path) -> None:
    spec, handover, outcome = simulated(holding(), tmp_path)
    finer = outcome.run.poses.copy()
    finer[-1, :, 0] += 0.03
    measured = certify(spec, handover, outcome, {}, {}, Reruns(finer=finer, again=outcome.run.poses))
    assert "chaotic" in measured.labels and measured.verdict is Verdict.ACCEPTED
    misses = {check.name for check in measured.checks if not check.passed}
    assert "convergence" in misses and "convergence_flight" not in misses
    finer[2, :, 0] += 0.03
    flight, _ = certificate.convergence(outcome.run, finer)
    assert not flight.passed and flight.note.startswith("first bounce in frame")


def test_objects_that_start_deep_inside_each_other_are_refused_before_they_explode() -> None:
    first = box_body("first", BOX, pose(0, 0, 0.04))
    second = box_body("second", BOX, pose(0.03, 0.0, 0.06))
    found = checked(run(first, second))
    assert "initial_overlap" in found


def test_a_rejection_tells_every_figure() -> None:
    checks = certificate.check_run(run(falling(), gravity_m_s2=4.905), PhysicsSettings(), FPS)
    record = PhysicsCertificate(
        key="planted",
        verdict=Verdict.REJECTED,
        labels=(),
        checks=checks,
        affected=(),
        divergence_frame=None,
        bodies=(),
        caption="",
        seconds={},
        versions={},
    )
    error = certificate.rejection(record)
    assert "free_fall 0.5 1 (limit 0.01)" in str(error)
    assert [row["name"] for row in error.details["measured"]] == [check.name for check in checks]
