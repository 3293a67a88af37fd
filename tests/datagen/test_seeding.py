"""Seeds are equal everywhere and differ by name."""

from __future__ import annotations

import subprocess
import sys

from datagen.seeding import generator_for, seed_for


def test_seeds_do_not_depend_on_the_process() -> None:
    command = "from datagen.seeding import seed_for; print(seed_for('scene', 7, 'camera'))"
    other = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert int(other.stdout) == seed_for("scene", 7, "camera")


def test_every_part_of_the_path_counts() -> None:
    seeds = {
        seed_for("a", 1),
        seed_for("a", "1"),
        seed_for("a"),
        seed_for(1, "a"),
        seed_for("a", 1, ""),
        seed_for("a", "1", ""),
    }
    assert len(seeds) == 6


def test_seed_zero_is_a_seed() -> None:
    assert generator_for(0, "x").random() == generator_for(0, "x").random()
