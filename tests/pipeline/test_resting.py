"""No accepted sample in which a resting object that nobody touched moves more than 1 mm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datagen.physics.resting import untouched_moves_mm

LIMIT_MM = 1.0


@pytest.mark.blender
def test_what_nobody_touches_stays(finished_run: Path) -> None:
    found = [untouched_moves_mm(folder) for folder in sorted((finished_run / "physics").iterdir())]
    assert any(found), "no scene has an object that nobody touches"
    assert max(way for moves in found for way in moves.values()) < LIMIT_MM
