"""A tiny untrained model, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from tiny_clips import HEIGHT, WIDTH, TinyModel

from inference.pipeline import VoidPipeline
from inference.quiet import quiet_libraries
from inference.settings import Settings
from inference.tiny_model import BASE_NAME, PASS1_NAME, PASS2_NAME, make_tiny_model


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors here are too small to share between cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    quiet_libraries()
    root = tmp_path_factory.mktemp("void") / "tiny"
    make_tiny_model(root)
    return TinyModel(base=root / BASE_NAME, pass1=root / PASS1_NAME, pass2=root / PASS2_NAME)


@pytest.fixture(scope="session")
def pipeline(tiny: TinyModel) -> VoidPipeline:
    """Pass 1 in float32; tests leave it as it is."""
    return VoidPipeline.load(tiny.base, tiny.pass1, torch.float32)


@pytest.fixture
def settings() -> Settings:
    """Two steps on one window of 13 frames."""
    return Settings(height=HEIGHT, width=WIDTH, steps=2, window_frames=13, overlap_frames=8)
