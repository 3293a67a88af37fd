"""Assets ready for use: unpacked into a cache that processes share, checked, and measured."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from filelock import FileLock

from datagen.assets import DATA_FILE, REMOTE, Asset, check_unpacked
from datagen.codec import atomic_folder, sha256_arrays
from datagen.errors import DataError
from datagen.physics.materials import material_of
from kubric_jobs import furniture
from kubric_jobs.solids import Solid, solid_of
from kubric_jobs.things import Shape

MAX_LOOKS = 16  # assets looked at for one that fits, before a wooden block takes its place
MAX_UNPACKED_BYTES = 2 * 1024**3  # of one archive


def unpacked(asset: Asset, cache: Path) -> Path:
    """Folder of an asset: where it lies, or unpacked into the cache on first use.

    Processes wait for one another; what they find is whole. Raises `DataError` for an archive that is broken, leads out
    of its folder, or does not hold a usable asset.
    """
    if not asset.location.startswith(REMOTE) and Path(asset.location).is_dir():
        return Path(asset.location)
    digest = sha256_arrays(np.frombuffer(_identity(asset).encode(), dtype=np.uint8))[:24]
    folder = cache / "unpacked-v1" / f"{asset.id}-{digest}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            if not folder.is_dir():
                with atomic_folder(folder) as partial:
                    _unpack(asset, partial)
                    check_unpacked(asset.id, partial)
    return folder


def _identity(asset: Asset) -> str:
    """What makes an archive another one."""
    if asset.location.startswith(REMOTE):
        return asset.location
    stat = Path(asset.location).stat()
    return f"{asset.location}|{stat.st_size}|{stat.st_mtime_ns}"


def _unpack(asset: Asset, target: Path) -> None:
    """Extract the plain files of an archive; the files of an asset lie flat, or in one folder of its name."""
    archive = Path(asset.location)
    if asset.location.startswith(REMOTE):
        archive = target / "archive.tar.gz"
        _download(asset.location, archive)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = tar.getmembers()
            if sum(member.size for member in members) > MAX_UNPACKED_BYTES:
                raise DataError(f"asset '{asset.id}': {asset.location} unpacks to more than {MAX_UNPACKED_BYTES} bytes")
            for member in members:
                _extract(asset, tar, member, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"asset '{asset.id}': {asset.location} is no readable .tar.gz ({error})") from None
    if not (target / DATA_FILE).is_file():
        raise DataError(f"asset '{asset.id}': {asset.location} holds no {DATA_FILE}")


def _extract(asset: Asset, tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or member.issym() or member.islnk():
        raise DataError(f"asset '{asset.id}': {asset.location} has the member '{member.name}', which leads out of it")
    parts = path.parts[1:] if path.parts[:1] == (asset.id,) else path.parts
    stream = tar.extractfile(member) if member.isfile() and parts else None
    if stream is not None:
        place = target.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        with stream, place.open("wb") as out:
            shutil.copyfileobj(stream, out)


def _download(address: str, file: Path) -> None:
    try:
        import fsspec

        with fsspec.open(address, "rb", token="anon") as source, file.open("wb") as out:
            shutil.copyfileobj(source, out)
    except (ImportError, ValueError, FileNotFoundError) as error:
        raise DataError(f"{address}: cannot be fetched ({error}); needs gcsfs: `pip install gcsfs`") from None


@dataclass(kw_only=True)
class Palette:
    """Shapes in an order of their own for each scene; each is unpacked and measured when it is first looked at."""

    assets: tuple[Asset, ...]
    cache: Path
    own: Path  # folder for furniture of this scene
    skipped: dict[str, str] = field(default_factory=dict)  # assets that cannot be used, and why
    shapes: dict[str, Shape] = field(default_factory=dict)

    def shape(self, asset: Asset) -> Shape | None:
        """The asset's shape; None, with the reason kept, when it cannot be used."""
        if asset.id in self.skipped:
            return None
        if asset.id not in self.shapes:
            try:
                self.shapes[asset.id] = self._load(asset)
            except DataError as error:
                self.skipped[asset.id] = str(error)
                return None
        return self.shapes[asset.id]

    def _load(self, asset: Asset) -> Shape:
        folder = unpacked(asset, self.cache)
        solid = solid_of(folder, self.cache)
        return Shape(
            asset_id=asset.id,
            category=asset.category,
            folder=folder,
            entry=asset.entry,
            solid=solid,
            material=material_of(asset.category),
        )

    def pick(self, rng: np.random.Generator, fits: Callable[[Solid], bool], used: set[str]) -> Shape | None:
        """A shape that fits, preferably not a used one; None when none of those looked at does."""
        fallback: Shape | None = None
        for shape in self._looks(rng):
            if fits(shape.solid):
                if shape.asset_id not in used:
                    return shape
                fallback = fallback or shape
        return fallback

    def _looks(self, rng: np.random.Generator) -> Iterator[Shape]:
        order = rng.permutation(len(self.assets))
        found = (self.shape(self.assets[int(index)]) for index in order)
        yield from (
            shape for shape, _ in zip((one for one in found if one is not None), range(MAX_LOOKS), strict=False)
        )

    def build(self, name: str, category: str, parts: tuple[furniture.Part, ...]) -> Shape:
        """Furniture for this scene."""
        if name not in self.shapes:
            self.shapes[name] = furniture.build(self.own / name, category, parts, self.cache)
        return self.shapes[name]
