"""The pipeline and its help load no engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENGINES = ("bpy", "pybullet", "coacd", "ray", "torch", "diffusers", "kubric", "tensorflow")


@pytest.mark.parametrize(
    "code",
    [
        "import datagen",
        "from datagen.cli import app",
        "import datagen.spec, datagen.stages",
        "import datagen.loading.decode",
    ],
)
def test_no_engine_is_loaded(code: str) -> None:
    probe = f"import sys; {code}; print(sorted(set(sys.modules) & set({ENGINES!r})))"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
