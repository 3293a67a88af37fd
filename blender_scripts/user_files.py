"""The user's own textures and maps: still those that a scene was planned with."""

from __future__ import annotations

from pathlib import Path

from datagen.codec import sha256_file
from datagen.errors import DataError
from datagen.spec import SceneSpec
from datagen.wishes import InputFile


def check_files(spec: SceneSpec) -> None:
    """Raise `DataError` unless all files of the user's that a scene shows are as they were.

    Cycles reads them again for every pass, and draws what is gone in magenta without a word: look when all is done.
    """
    for surface in (spec.floor, spec.wall):
        if surface.texture is not None:
            for file in (surface.texture.color, surface.texture.roughness, surface.texture.normal):
                if file is not None:
                    check_file(file)
    if spec.light.environment_sha256:
        check_file(InputFile(path=spec.light.environment, sha256=spec.light.environment_sha256))


def check_file(file: InputFile) -> None:
    """Raise `DataError` unless a file of the user's is still the one that the scene was planned with."""
    if not Path(file.path).is_file():
        raise DataError(f"{file.path}: no such file; the scene was planned with it: put it back, or plan another run")
    if sha256_file(Path(file.path)) != file.sha256:
        raise DataError(f"{file.path}: has changed since the scene was planned with it; plan another run")
