"""Who becomes dynamic, what the certificate says of it, and that it all comes out again byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datagen.codec import sha256_file, write_json
from datagen.errors import DataError, SceneFailed
from datagen.physics.handover import take_clip
from datagen.physics.records import PhysicsCertificate, Verdict
from datagen.physics.simulate import Outcome, simulate_without
from datagen.physics.verdict import certify
from datagen.sequence import Sequence, write_sequence
from tests.datagen.physics.scenes import MOCAP_FPS, pose, sequence_of, spec_of

FRAMES = 90
SMALL = (0.1, 0.1, 0.1)
TABLE = (1.0, 1.0, 0.7)


def still(x: float, z: float) -> np.ndarray:
    return np.repeat(pose(x, 0, z)[None], FRAMES, axis=0)


def carried(x: float, z: float, speed: float = 0.0) -> np.ndarray:
    poses = still(x, z)
    poses[:, 0] += speed * np.arange(FRAMES) / MOCAP_FPS
    return poses


def simulate(sequence: Sequence, cache: Path) -> tuple[Outcome, PhysicsCertificate]:
    spec = spec_of(sequence)
    handover = take_clip(spec, sequence, MOCAP_FPS)
    outcome = simulate_without(spec, handover, cache)
    return outcome, certify(spec, handover, outcome, {}, {})


def holding(**others: tuple[tuple[float, float, float], np.ndarray]) -> Sequence:
    """A hand that carries a box along at 1.2 m, from below."""
    box = carried(0, 1.2, 0.3)
    return sequence_of({"box": (SMALL, box), **others}, box[:, :3] + (0, 0, 0.052))


def test_a_held_box_falls_with_the_speed_of_the_hand(tmp_path: Path) -> None:
    outcome, certificate = simulate(holding(), tmp_path)
    assert outcome.standings["box"].dynamic
    assert outcome.trajectory.linear_velocity[0, 0, 0] == pytest.approx(0.3)
    assert outcome.trajectory.of("box")[-1, 2] == pytest.approx(0.05, abs=0.005)
    assert certificate.verdict is Verdict.ACCEPTED
    assert certificate.affected == ("box",)
    assert "RightHand" in certificate.bodies[0].why
    assert "falls" in certificate.caption or "drops" in certificate.caption


def test_a_table_under_a_hand_stays(tmp_path: Path) -> None:
    table = still(0, 0.35)
    hand = table[:, :3] + (0.1, 0.1, 0.352)
    outcome, certificate = simulate(sequence_of({"table": (TABLE, table)}, hand), tmp_path)
    assert not outcome.standings["table"].dynamic
    assert certificate.labels == ("null_effect",)
    assert certificate.verdict is Verdict.ACCEPTED


def test_a_load_on_a_held_tray_falls_with_it(tmp_path: Path) -> None:
    tray = still(0, 1.0)
    sequence = sequence_of(
        {"cup": (SMALL, still(0, 1.062)), "tray": ((0.4, 0.4, 0.02), tray)}, tray[:, :3] + (0.0, 0.1, -0.011)
    )
    outcome, _ = simulate(sequence, tmp_path)
    assert outcome.standings["cup"].dynamic
    assert "rests on tray" in outcome.standings["cup"].why


def test_a_bystander_stays_at_its_mocap_pose(tmp_path: Path) -> None:
    vase = still(2, 0.055)  # hovers 5 mm above the floor
    outcome, certificate = simulate(holding(vase=(SMALL, vase)), tmp_path)
    assert np.array_equal(outcome.trajectory.of("vase"), np.repeat(vase[:1], 24, axis=0))
    assert {check.name: check.value for check in certificate.checks}["bystanders"] == 0.0


def test_what_is_moved_later_stays_and_is_affected(tmp_path: Path) -> None:
    mug = still(0, 0.05)
    mug[30:, 2] = 1.0
    hand = np.repeat([[0.0, 0.0, 2.0]], FRAMES, axis=0)
    hand[25:] = mug[25:, :3] + (0, 0, 0.052)
    outcome, certificate = simulate(sequence_of({"mug": (SMALL, mug)}, hand), tmp_path)
    assert not outcome.standings["mug"].dynamic
    assert certificate.affected == ("mug",)
    assert certificate.divergence_frame is not None
    assert certificate.divergence_frame > 5


def test_an_object_that_moves_with_nobody_near_is_rejected(tmp_path: Path) -> None:
    ghost = still(3, 0.05)
    ghost[30:, 0] += 0.2
    _, certificate = simulate(holding(ghost=(SMALL, ghost)), tmp_path)
    assert certificate.verdict is Verdict.REJECTED
    failed = [check.name for check in certificate.checks if check.gate and not check.passed]
    assert failed == ["bystanders"]


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    sequence = holding(table=(TABLE, still(0.3, 0.35)))
    write_sequence(tmp_path / "sequence", sequence)
    write_json(tmp_path / "spec.json", spec_of(sequence))
    job = {
        "spec": str(tmp_path / "spec.json"),
        "sequence": str(tmp_path / "sequence"),
        "cache": str(tmp_path / "cache"),
    }
    write_json(tmp_path / "job.json", job)
    digests = []
    for run in ("first", "second"):
        out = tmp_path / run
        command = [sys.executable, "-m", "datagen.simulate_scene", str(tmp_path / "job.json"), str(out)]
        process = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "random"}, check=False)
        assert process.returncode in (0, 3)
        digests.append([sha256_file(out / name) for name in ("trajectories.npz", "contacts.npz")])
        assert json.loads((out / "certificate.json").read_text())["verdict"] == "accepted"
    assert digests[0] == digests[1]


def test_what_is_pushed_but_stays_is_set_back(tmp_path: Path) -> None:
    """A light box falls onto a heavy table's edge: pushed or not, the table does not move, to the last bit."""
    table = still(0, 0.35)
    box = still(0.4, 1.2)
    outcome, _ = simulate(
        sequence_of({"box": (SMALL, box), "table": (TABLE, table)}, box[:, :3] + (0, 0, 0.052)), tmp_path
    )
    assert outcome.standings["box"].dynamic
    assert np.array_equal(outcome.trajectory.of("table"), np.repeat(table[:1], 24, axis=0))


def test_an_object_held_loosely_does_not_hang_in_the_air(tmp_path: Path) -> None:
    box = still(0, 1.2)
    outcome, _ = simulate(sequence_of({"box": (SMALL, box)}, box[:, :3] + (0, 0, 0.07)), tmp_path)  # 20 mm away
    assert outcome.standings["box"].dynamic
    assert "held loosely: RightHand is 20.0 mm away" in outcome.standings["box"].why


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"faces": np.zeros((0, 3), dtype=np.int32)}, "'box' has 0 triangles"),
        ({"vertices": np.full((8, 3), np.nan)}, "'box' has 8 vertices that are not finite"),
        ({"poses": np.full((FRAMES, 7), np.nan)}, "'box' has no finite pose in 90 of 90 frames"),
        ({"vertices": np.zeros((8, 3))}, "'box'"),
    ],
)
def test_broken_objects_are_named(tmp_path: Path, fault: dict[str, np.ndarray], message: str) -> None:
    sequence = holding()
    broken = replace(sequence, objects=(replace(sequence.objects[0], **fault),))
    with pytest.raises((SceneFailed, DataError), match=message):
        simulate(broken, tmp_path)
