"""A call in another process returns what it returns there, and a failure is told."""

from __future__ import annotations

import os

import pytest

from datagen.elsewhere import call_elsewhere
from datagen.errors import SceneFailed
from datagen.seeding import seed_for


def test_a_result_comes_back_from_another_process() -> None:
    assert call_elsewhere(os.getpid) != os.getpid()
    assert call_elsewhere(seed_for, 7, "camera") == seed_for(7, "camera")


def test_a_failure_is_told() -> None:
    with pytest.raises(SceneFailed, match="fspath cannot be repeated in another process: TypeError"):
        call_elsewhere(os.fspath, 3)  # type: ignore[type-var]
