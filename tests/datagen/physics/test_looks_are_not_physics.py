"""Whoever is seen, physics is the same: a person's look and shape reach neither trajectories nor certificate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from datagen.codec import sha256_file, write_json
from datagen.jobs import SimulateJob
from datagen.people import draw_look
from datagen.sequence import write_sequence
from datagen.simulate_scene import main
from datagen.wishes import BodyShape
from tests.datagen.physics.scenes import pose, sequence_of, spec_of

FILES = ("trajectories.npz", "contacts.npz", "perturbed.npz", "staging.json")


def test_physics_is_byte_identical_for_any_look(tmp_path: Path) -> None:
    box = np.repeat(pose(0, 0, 1.2)[None], 90, axis=0)
    sequence = sequence_of({"box": ((0.1, 0.1, 0.1), box)}, box[:, :3] + (0, 0, 0.052))
    write_sequence(tmp_path / "sequence", sequence)
    plain = spec_of(sequence, num_frames=12)
    big = BodyShape(chest_m=0.025, belly_m=0.025, upper_arms_m=0.025, thighs_m=0.025, feet=1.0)
    looks = [None, draw_look(1, "Armature"), replace(draw_look(2, "Armature"), shape=big)]
    found = []
    for index, look in enumerate(looks):
        folder = tmp_path / str(index)
        write_json(folder / "spec.json", replace(plain, people=(replace(plain.people[0], look=look),)))
        job = SimulateJob(
            spec=str(folder / "spec.json"), sequence=str(tmp_path / "sequence"), cache=str(tmp_path / "cache")
        )
        write_json(folder / "job.json", job)
        (folder / "out").mkdir()
        main(folder / "job.json", folder / "out")
        certificate = json.loads((folder / "out" / "certificate.json").read_text())
        del certificate["seconds"]  # the clock's
        found.append([certificate, *(sha256_file(folder / "out" / name) for name in FILES)])
    assert found[0] == found[1] == found[2]
