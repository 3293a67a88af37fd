"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real inputs; a test that needs it is skipped where it is absent, or fails where it must not be."""
    folder = Path(os.environ.get("VOIDGEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if folder.is_dir():
        return folder
    message = f"real data not found at {folder}; set VOIDGEN_SHARED_DATA"
    if os.environ.get("VOIDGEN_REQUIRE_SHARED_DATA"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the suite's extracted sequences and hulls out of the user's cache, and share them within one session."""
    if "VOIDGEN_CACHE" not in os.environ:
        monkeypatch.setenv("VOIDGEN_CACHE", str(tmp_path_factory.getbasetemp() / "voidgen-cache"))
