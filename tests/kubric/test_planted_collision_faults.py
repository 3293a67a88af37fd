"""The certificate of a collision scene catches planted faults, each by the check that is meant for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Planner

from datagen.certify_collision import Collision, certify, read_collision
from datagen.codec import write_json
from datagen.jobs import CollisionJob
from datagen.physics.bodies import WorldRun
from datagen.physics.records import Verdict
from datagen.trajectory import interpolate
from kubric_jobs.simulate_scene import main


@pytest.fixture
def collision(planned: Planner, asset_cache: Path, tmp_path: Path) -> Collision:
    """A scene in which something is launched."""
    spec = planned("launch", seed=2)
    write_json(tmp_path / "planned.json", spec)
    write_json(tmp_path / "job.json", CollisionJob(spec=str(tmp_path / "planned.json"), cache=str(asset_cache)))
    out = tmp_path / "simulation"
    out.mkdir()
    main(tmp_path / "job.json", out)
    return read_collision(out)


def failed(collision: Collision) -> set[str]:
    measured = certify(collision)
    found = {check.name for check in measured.checks if check.gate and not check.passed}
    assert (measured.verdict is Verdict.REJECTED) == bool(found)
    return found


def nudged(run: WorldRun, name: str) -> WorldRun:
    poses = run.poses.copy()
    poses[:, run.names.index(name), 0] += 0.003
    return replace(run, poses=poses)


def slow(run: WorldRun, fps: float) -> WorldRun:
    return replace(run, poses=interpolate(run.poses, fps, 0.7 * np.arange(len(run.poses)) / fps))


def light(run: WorldRun) -> WorldRun:
    """As if gravity were half of it: every path bends half as much."""
    times = np.arange(len(run.centre))[:, None] * run.substep_s
    centre = run.centre.copy()
    centre[..., 2] += 9.81 / 4 * times**2
    return replace(run, centre=centre)


def springy(run: WorldRun) -> WorldRun:
    energy = run.energy.copy()
    energy[len(energy) // 2 :] += 0.1 * energy[0] + 0.1
    return replace(run, energy=energy)


def test_each_fault_fails_its_check(collision: Collision) -> None:
    fps = collision.spec.clip.fps
    assert failed(collision) == set()
    assert collision.reruns["perturbed"].shape == (4, *collision.counterfactual.poses.shape)
    reached = {name: reach.frame for name, reach in collision.reached.items()}
    bystander = max(collision.counterfactual.dynamic, key=lambda name: reached.get(name, 1000))  # until it is reached
    faults: dict[str, tuple[Callable[[WorldRun], WorldRun], str]] = {
        "counterfactual": (lambda run: nudged(run, bystander), "bystanders"),
        "factual": (lambda run: slow(run, fps), "factual_clock"),
    }
    for world, (fault, check) in faults.items():
        assert check in failed(replace(collision, **{world: fault(getattr(collision, world))})), check
    assert failed(replace(collision, factual=light(collision.factual))) >= {"factual_free_fall"}
    assert failed(replace(collision, factual=springy(collision.factual))) == {"factual_energy_rise"}
    again = {**collision.reruns, "factual_again": np.nextafter(collision.reruns["factual_again"], 9.0)}
    assert failed(replace(collision, reruns=again)) == {"factual_repeat"}
