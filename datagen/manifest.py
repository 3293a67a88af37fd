"""What a run's samples are made of, so that anybody with the same inputs can make, and check, the same set again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.codec import write_json
from datagen.config import Config
from datagen.runs import RunInfo
from datagen.sample import PHYSICS, read_sample

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class ManifestObject:
    """A mesh of a sample."""

    name: str
    file: str  # last two parts of its path: enough to know an asset by, and nothing of anybody's disk
    sha256: str
    licence: str  # "": the data set's


@dataclass(frozen=True, kw_only=True)
class ManifestEntry:
    """One sample."""

    key: str
    seed: int
    sequence: str
    objects: tuple[ManifestObject, ...]
    removed: tuple[str, ...]
    physics_sha256: str  # of physics.npz: equal if the sample was made again alike


@dataclass(frozen=True, kw_only=True)
class RunManifest:
    """A run's samples, and the settings that make them again."""

    source: str
    limit: int | None
    config: Config
    config_sha256: str
    versions: dict[str, str]
    samples: tuple[ManifestEntry, ...]


def write_manifest(root: Path, info: RunInfo, samples: Sequence[ManifestEntry]) -> Path:
    """Write `root/manifest.json`."""
    manifest = RunManifest(
        source=info.source,
        limit=info.limit,
        config=info.config,
        config_sha256=info.config_sha256,
        versions=info.versions,
        samples=tuple(samples),
    )
    write_json(root / MANIFEST_FILE, manifest)
    return root / MANIFEST_FILE


def manifest_entry(sample: Path) -> ManifestEntry:
    """The row of a finished sample."""
    metadata = read_sample(sample).metadata
    spec = metadata.spec
    geometries = {thing.name: thing.geometry for thing in spec.objects}
    geometries |= {person.name: person.geometry for person in spec.people}
    licences = {thing.name: thing.licence for thing in spec.objects}
    return ManifestEntry(
        key=metadata.key,
        seed=spec.seed,
        sequence=metadata.sequence,
        objects=tuple(
            ManifestObject(
                name=name,
                file="/".join(Path(geometry.file).parts[-2:]),
                sha256=geometry.sha256,
                licence=licences.get(name, ""),
            )
            for name, geometry in geometries.items()
        ),
        removed=spec.removed,
        physics_sha256=metadata.files[PHYSICS],
    )
