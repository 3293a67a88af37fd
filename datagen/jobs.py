"""Inputs of the processes that serve one job each (see entry.py and worker.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from datagen.settings import RenderSettings


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """The input of `python -m blender_scripts.render_scene`."""

    spec: str  # path of the SceneSpec's JSON
    physics: str  # folder with trajectories.npz and staging.json
    threads: int


@dataclass(frozen=True, kw_only=True)
class OracleJob:
    """The input of `python -m blender_scripts.oracle`."""

    spec: str  # path of the SceneSpec's JSON
    physics: str  # folder with trajectories.npz and staging.json
    frames: tuple[int, ...]
    samples: int
    threads: int
    deep_samples: int = 0  # of H and C where their light differs by a share within `deep_change`; 0: `samples`
    deep_change: tuple[float, float] = (0.0125, 0.2)


@dataclass(frozen=True, kw_only=True)
class ExtractJob:
    """The input of `python -m blender_scripts.extract_sequence`."""

    file: str
    sha256: str
    body_points: int = 5000


@dataclass(frozen=True, kw_only=True)
class DemoJob:
    """The input of `python -m blender_scripts.demo_data`."""

    sequences: tuple[str, ...] | None  # None: all
    seed: int


@dataclass(frozen=True, kw_only=True)
class SimulateJob:
    """The input of `python -m datagen.simulate_scene`."""

    spec: str  # path of the SceneSpec's JSON
    sequence: str  # folder that blender_scripts.extract_sequence made
    cache: str  # folder for convex parts


@dataclass(frozen=True, kw_only=True)
class CollisionJob:
    """The input of `python -m kubric_jobs.simulate_scene`."""

    spec: str  # path of a planned SceneSpec's JSON
    cache: str  # folder for unpacked assets and their shapes; shared by processes


@dataclass(frozen=True, kw_only=True)
class DefaultAssetsJob:
    """The input of `python -m kubric_jobs.default_assets`: there is nothing to choose."""


@dataclass(frozen=True, kw_only=True)
class CertifyJob:
    """The input of `python -m datagen.certify_collision`."""

    simulation: str  # folder that kubric_jobs.simulate_scene left


@dataclass(frozen=True, kw_only=True)
class ComposeJob:
    """The input of `python -m datagen.compose_scene`."""

    spec: str  # path of the SceneSpec's JSON
    physics: str  # folder of the scene's physics
    render: str  # folder of the scene's render
    provenance: dict[str, Any] = field(default_factory=dict)  # goes into the metadata as it is
    policy: str = "void"


@dataclass(frozen=True, kw_only=True)
class ListDevicesJob:
    """The input of `python -m blender_scripts.list_devices`."""

    settings: RenderSettings | None = None  # what has to be able to start here
