"""People in Blender: what is painted where, textures that stay, and a shape that keeps off what was touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datagen.codec import sha256_file, write_json
from datagen.jobs import ExtractJob

pytestmark = pytest.mark.blender

REPOSITORY = Path(__file__).resolve().parents[2]


def probe(*arguments: str) -> Any:
    """The answer of `probe_people.py`."""
    command = [sys.executable, "tests/blender/probe_people.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_clothes_lie_where_they_belong_and_hands_stay_as_recorded() -> None:
    found = probe("regions")
    moved = found["moved"]
    assert moved["hands"] == 0 and moved["forearms"] < 0.0005  # a hundredth of them hangs on the upper arm
    assert 0.01 < moved["belly"] < 0.026
    assert 0.02 < moved["thighs"] < 0.026
    assert moved["head"] > 0.01  # hair
    top, bottom, feet = found["top"], found["bottom"], found["feet"]
    assert top["belly"] > 0.9 and top["hands"] == top["head"] == top["toes"] == 0
    assert top["forearms"] < 0.1  # a t-shirt
    assert bottom["thighs"] > 0.9 and bottom["toes"] == bottom["hands"] == bottom["head"] == 0
    assert set(feet.values()) == {0}  # bare: toes are skin


def test_a_person_is_painted_by_seed_alone() -> None:
    first, second = probe("digest", "5", "6"), probe("digest", "5")
    assert first["5"] == second["5"]
    assert first["5"] != first["6"]


def test_textures_stay_and_where_they_are_lost_the_body_is_painted(tmp_path: Path) -> None:
    found = probe("textured", str(tmp_path / "person.fbx"), str(tmp_path / "cloth.png"))
    assert found["there"]["pictures"] == 1 and found["there"]["attributes"] == 0
    assert found["there"]["notes"] == []
    assert found["there"]["moved"] > 0.01  # the shape is drawn all the same
    assert found["gone"]["pictures"] == 0 and found["gone"]["attributes"] > 5
    (note,) = found["gone"]["notes"]
    assert "cloth.png" in note and "painted instead" in note


@pytest.mark.parametrize("start", ["transfer", "carry_vase"])
def test_no_shape_reaches_into_what_is_handled(start: str, tmp_path: Path, shared_data: Path) -> None:
    file = next((shared_data / "humoto").glob(f"{start}*.fbx"))
    write_json(tmp_path / "job.json", ExtractJob(file=str(file), sha256=sha256_file(file)))
    command = [sys.executable, "-m", "blender_scripts.extract_sequence", str(tmp_path / "job.json")]
    subprocess.run([*command, str(tmp_path / "out")], cwd=REPOSITORY, check=True, capture_output=True)
    found = probe("contact", str(file), str(tmp_path / "out"))
    recorded, shaped = found["recorded"], found["shaped"]
    assert recorded["inside"] > 20  # hands reach into things in the recording
    assert shaped["deepest_m"] < recorded["deepest_m"] + 0.0005
    assert shaped["inside"] < 1.05 * recorded["inside"]
