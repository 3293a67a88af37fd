"""Fixtures for Kubric's tests: the embedded assets, made once, and planned scenes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datagen.assets import AssetManifest, read_manifest
from datagen.settings import PhysicsSettings, RenderSettings
from datagen.sources.kubric import plan_collisions
from datagen.spec import SceneSpec
from kubric_jobs.default_assets import build_set

Planner = Callable[..., SceneSpec]


@pytest.fixture(scope="session")
def asset_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache of this session."""
    return tmp_path_factory.getbasetemp() / "asset-cache"


@pytest.fixture(scope="session")
def embedded(asset_cache: Path) -> AssetManifest:
    """The embedded set."""
    folder = asset_cache / "embedded"
    build_set(folder)
    return read_manifest(folder)


@pytest.fixture
def planned(embedded: AssetManifest) -> Planner:
    """One planned scene of a family."""

    def plan(family: str, seed: int = 0, null: bool = False, manifest: AssetManifest = embedded) -> SceneSpec:
        (scene,) = plan_collisions(
            manifest,
            count=1,
            seed=seed,
            num_frames=36,
            fps=12.0,
            physics=PhysicsSettings(),
            render=RenderSettings(),
            split="all",
            families=(family,),
            null_share=1.0 if null else 0.0,
        )
        return scene

    return plan
