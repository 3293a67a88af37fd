"""Simulate one scene without what is removed from it.

`python -m datagen.simulate_scene JOB.json OUT` fills OUT with

    trajectories.npz   both worlds (datagen.trajectory)
    contacts.npz       of the counterfactual: pair_first, pair_second [K] names ("floor" is the floor), impulse float32
                       [num_frames, K] (normal, since the frame before, N s), touching bool [num_frames, K]
    perturbed.npz      names [N], poses float32 [K, num_frames, N, 7] of simulations from jittered starts,
                       spread_m float32 [num_frames, N] (datagen.physics.perturb); absent when the scene is rejected
    certificate.json   datagen.physics.records.PhysicsCertificate
    staging.json       camera, room and lights (datagen.staging); absent when the scene is rejected
"""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from datagen.codec import read_record, write_json, write_npz
from datagen.entry import serve
from datagen.jobs import SimulateJob
from datagen.physics.bodies import WorldRun
from datagen.physics.certificate import rejection
from datagen.physics.decompose import check_size
from datagen.physics.handover import Handover, take_clip
from datagen.physics.perturb import write_perturbed
from datagen.physics.records import PhysicsCertificate, Verdict
from datagen.physics.reruns import run_again, run_perturbed
from datagen.physics.simulate import Outcome, simulate_without
from datagen.physics.verdict import box_corners, certify
from datagen.sequence import read_sequence
from datagen.spec import SceneSpec, World
from datagen.trajectory import Trajectory, write_trajectories


def main(job_path: Path, out: Path) -> None:
    """Serve one `SimulateJob`. Raises `SceneRejected`, after writing everything measured, when a gate fails."""
    job = read_record(SimulateJob, job_path)
    spec = read_record(SceneSpec, Path(job.spec))
    started = time.perf_counter()
    handover = take_clip(spec, read_sequence(Path(job.sequence)), spec.people[0].mocap_fps)
    for track in handover.tracks:
        check_size(track.name, track.vertices, track.faces)
    outcome = simulate_without(spec, handover, Path(job.cache))
    simulated = time.perf_counter()
    worlds = {World.FACTUAL: handover.factual, World.COUNTERFACTUAL: outcome.trajectory}
    write_trajectories(out / "trajectories.npz", worlds)
    write_npz(out / "contacts.npz", contact_arrays(outcome.run))
    reruns = run_again(spec, outcome)
    seconds = {"simulate": simulated - started, "run_again": time.perf_counter() - simulated}
    certificate = certify(spec, handover, outcome, seconds, versions(), reruns)
    write_json(out / "certificate.json", certificate)
    if certificate.verdict is Verdict.REJECTED:
        raise rejection(certificate)
    corners = {track.name: box_corners(track.vertices) for track in handover.tracks}
    write_perturbed(out, outcome.run.names, run_perturbed(spec, outcome), outcome.run.poses, corners)
    write_json(out / "staging.json", _stage(spec, handover, outcome, worlds, certificate))


def contact_arrays(run: WorldRun) -> dict[str, np.ndarray]:
    """What touched what, per video frame."""
    return {
        "pair_first": np.array([first for first, _ in run.pairs], dtype=np.str_),
        "pair_second": np.array([second for _, second in run.pairs], dtype=np.str_),
        "impulse": run.impulse,
        "touching": run.impulse > 0,
    }


def versions() -> dict[str, str]:
    """What decided the figures."""
    return {name: version(name) for name in ("pybullet", "coacd", "numpy", "scipy")}


def _stage(
    spec: SceneSpec,
    handover: Handover,
    outcome: Outcome,
    worlds: dict[World, Trajectory],
    certificate: PhysicsCertificate,
) -> object:
    from datagen.staging import stage_scene

    corners = {track.name: box_corners(track.vertices) for track in handover.tracks}
    return stage_scene(spec, worlds=worlds, corners=corners, people=handover.people, affected=certificate.affected)


if __name__ == "__main__":
    serve(main)
