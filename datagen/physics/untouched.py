"""Which resting objects of a simulated scene nobody touched, told from its files alone, and how far they move.

A second look at what the certificate says: it trusts neither its verdicts nor its check of bystanders.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datagen.codec import read_npz, read_record
from datagen.physics.certificate import corner_difference
from datagen.physics.records import PhysicsCertificate
from datagen.spec import World
from datagen.trajectory import Trajectory, read_trajectories

TOUCH_MM = 5.0
MOVES_M_S = 0.05


def untouched_moves_mm(folder: Path) -> dict[str, float]:
    """Way [mm] of each object that lies still at the start, that no person touches and nothing that moves pushes.

    `folder` is what `datagen.simulate_scene` fills: certificate, trajectories and contacts.
    """
    certificate = read_record(PhysicsCertificate, folder / "certificate.json")
    worlds = read_trajectories(folder / "trajectories.npz")
    filmed, simulated = worlds[World.FACTUAL], worlds[World.COUNTERFACTUAL]
    ways = {body.name: _way_mm(simulated, body.name, np.array(body.corners)) for body in certificate.bodies}
    reached = {
        body.name
        for body in certificate.bodies
        if (body.contact_mm is not None and body.contact_mm < TOUCH_MM) or _speed(filmed, body.name) > MOVES_M_S
    }
    contacts = read_npz(folder / "contacts.npz")
    touching = [
        {str(first), str(second)}
        for first, second, ever in zip(
            contacts["pair_first"], contacts["pair_second"], contacts["touching"].any(axis=0), strict=True
        )
        if ever and "floor" not in (first, second)
    ]
    while grown := {name for pair in touching if pair & reached for name in pair} - reached:
        reached |= grown
    return {name: way for name, way in ways.items() if name not in reached}


def _way_mm(trajectory: Trajectory, name: str, corners: np.ndarray) -> float:
    poses = trajectory.of(name)
    return float(corner_difference(poses, np.repeat(poses[:1], len(poses), axis=0), corners).max())


def _speed(trajectory: Trajectory, name: str) -> float:
    index = trajectory.index(name)
    return float(np.linalg.norm(trajectory.linear_velocity[0, index]))
