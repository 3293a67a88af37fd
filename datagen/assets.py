"""Sets of scanned objects in Kubric's own format: which there are, whether they can be used, and their split.

A set is one of

    MANIFEST.json    {"name", "data_dir", "assets": {id: {"asset_type", "license", "kwargs", "metadata"}}}; each
                     asset is `<id>.tar.gz` (or an unpacked folder `<id>/`) beside the manifest, else in its data_dir
    FOLDER/          a folder of unpacked assets, each with its own data.json; or of a manifest.json
    gs://...json     a manifest in a bucket; needs gcsfs

An asset holds data.json, visual_geometry.obj/.mtl, collision_geometry.obj, object.urdf and perhaps a texture: metres,
Z up, centre of mass at the origin.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

import numpy as np
from pydantic import TypeAdapter, ValidationError

from datagen.codec import describe_invalid
from datagen.errors import DataError, Page
from datagen.meshes import read_obj
from datagen.splits import in_split

DEFAULT_SET_VERSION = 1  # of the embedded set: its folder in the cache is named by it
MANIFEST_FILE = "manifest.json"
DATA_FILE = "data.json"
VISUAL_FILE = "visual_geometry.obj"
COLLISION_FILE = "collision_geometry.obj"
URDF_FILE = "object.urdf"
REMOTE = "gs://"
BOUNDS_SLACK_M = 0.01  # convex parts may round a corner off, or bridge one, by this much
BOUNDS_SLACK = 0.06  # and by this share of the object's size
CENTRE_SLACK_M = 1e-3
PREFIX = re.compile(r"(gso|ycb|bullet)_")


@dataclass(frozen=True, kw_only=True)
class AssetKwargs:
    """What Kubric's constructor is given."""

    simulation_filename: str | None = None
    render_filename: str | None = None
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    mass: float | None = None
    scale: float | tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class AssetEntry:
    """An asset in a manifest, or its data.json."""

    asset_type: str
    kwargs: AssetKwargs
    license: str = ""
    path: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ManifestFile:
    """Kubric's manifest."""

    assets: dict[str, dict[str, Any]]
    name: str = ""
    data_dir: str = ""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One object that scenes can be made of."""

    id: str
    category: str  # in words that a caption can use, e.g. "tomato_soup_can"
    licence: str
    location: str  # absolute path of its folder or .tar.gz, or the gs:// address of the latter
    entry: dict[str, Any]  # of the manifest, as Kubric reads it


@dataclass(frozen=True, kw_only=True)
class AssetManifest:
    """A set of objects."""

    name: str
    path: str  # as it was given, absolute
    assets: tuple[Asset, ...]  # sorted by id
    problems: Mapping[str, str]  # asset id -> why it cannot be used, in one line

    def in_split(self, split: str) -> tuple[Asset, ...]:
        """Assets of a split; raises `ConfigError` for an unknown one, `DataError` for one with nothing in it."""
        return tuple(
            in_split(self.assets, split, lambda asset: asset.id, where=self.path, kind="assets", setting="kubric.split")
        )


def read_manifest(path: Path | str, check_meshes: bool = True) -> AssetManifest:
    """The objects of a set. Assets that cannot be used are in `problems`.

    check_meshes: read the files of unpacked assets too (0.15 s each); those in archives are checked when unpacked.

    Raises `DataError` when there is no set, it is not one, or none of its assets can be used.
    """
    if str(path).startswith(REMOTE):
        manifest = _parse_manifest(_read_remote(str(path)), str(path), str(path).rsplit("/", 1)[0], check_meshes)
    else:
        manifest = _read_local(Path(path).absolute(), check_meshes)
    if not manifest.assets:
        raise DataError(f"{path}: no asset can be used: {next(iter(manifest.problems.values()), 'it lists none')}").see(
            Page.OBJECTS
        )
    return manifest


def _read_local(path: Path, check_meshes: bool) -> AssetManifest:
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder; expected a manifest in Kubric's format, or a folder of unpacked assets"
        ).see(Page.OBJECTS)
    if path.is_dir() and not (path / MANIFEST_FILE).is_file():
        return _read_folder(path, check_meshes)
    file = path / MANIFEST_FILE if path.is_dir() else path
    try:
        text = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from None
    return _parse_manifest(text, str(file), str(file.parent), check_meshes)


def _read_folder(folder: Path, check_meshes: bool) -> AssetManifest:
    """A folder of unpacked assets."""
    entries: dict[str, dict[str, Any]] = {}
    problems: dict[str, str] = {}
    for file in sorted(folder.glob(f"*/{DATA_FILE}")):
        try:
            entries[file.parent.name] = _parse_json(file.read_bytes(), str(file))
        except DataError as error:
            problems[file.parent.name] = str(error)
    if not entries and not problems:
        inside = sorted(path.name for path in folder.iterdir())[:6]
        raise DataError(
            f"{folder}: neither a {MANIFEST_FILE} nor asset folders with a {DATA_FILE}; found "
            f"{', '.join(inside) or 'nothing'}"
        ).see(Page.OBJECTS)
    return _collect(folder.name, str(folder), entries, [str(folder)], problems, check_meshes)


def _parse_manifest(text: bytes, where: str, beside: str, check_meshes: bool) -> AssetManifest:
    raw = _parse_json(text, where)
    content = _validated(ManifestFile, raw, where)
    places = [beside, *([_joined(beside, content.data_dir)] if content.data_dir else [])]
    return _collect(content.name or Path(where).stem, where, content.assets, places, {}, check_meshes)


def _parse_json(text: bytes, where: str) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{where}: not JSON ({error})") from None
    if not isinstance(raw, dict):
        raise DataError(f"{where}: expected a JSON object, found {type(raw).__name__}")
    return raw


def _validated(cls: type[Any], raw: Mapping[str, Any], where: str) -> Any:
    """A record of foreign JSON: keys that are not ours are left out, types are not converted."""
    try:
        return TypeAdapter(cls).validate_json(json.dumps(raw), strict=True, extra="ignore")
    except ValidationError as error:
        raise DataError(f"{where}: {describe_invalid(cls, error)}") from None


def _joined(base: str, path: str) -> str:
    return path if path.startswith(REMOTE) or Path(path).is_absolute() else f"{base}/{path}"


def _collect(
    name: str,
    where: str,
    entries: Mapping[str, dict[str, Any]],
    places: list[str],
    problems: dict[str, str],
    check_meshes: bool,
) -> AssetManifest:
    """Check every asset."""
    assets = []
    for asset_id in sorted(entries):
        try:
            entry = _validated(AssetEntry, entries[asset_id], f"asset '{asset_id}'")
            if entry.asset_type != "FileBasedObject":
                continue  # environment maps share Kubric's format
            assets.append(_checked_asset(asset_id, entry, entries[asset_id], places, check_meshes))
        except DataError as error:
            problems[asset_id] = str(error)
    return AssetManifest(name=name, path=where, assets=tuple(assets), problems=problems)


def _checked_asset(
    asset_id: str, entry: AssetEntry, raw: dict[str, Any], places: list[str], check_meshes: bool
) -> Asset:
    where = f"asset '{asset_id}'"
    if asset_id != PurePosixPath(asset_id).name or asset_id in (".", "..", ""):
        raise DataError(f"{where}: its id is not a plain file name")
    _check_kwargs(entry.kwargs, where)
    location = _locate(asset_id, entry.path, places, where)
    if check_meshes and not location.startswith(REMOTE) and Path(location).is_dir():
        check_unpacked(asset_id, Path(location))
    licence = entry.license or "unknown"
    return Asset(
        id=asset_id, category=category_of_asset(asset_id, entry.metadata), licence=licence, location=location, entry=raw
    )


def _check_kwargs(kwargs: AssetKwargs, where: str) -> None:
    """Raise `DataError` for the first argument that no simulation could use."""
    if not kwargs.simulation_filename:
        raise DataError(f"{where}: no collision geometry (kwargs.simulation_filename is missing)")
    for name in (kwargs.simulation_filename, kwargs.render_filename or ""):
        _inside(name.removeprefix("{asset_dir}/"), where)
    if kwargs.mass is not None and not (math.isfinite(kwargs.mass) and kwargs.mass > 0):
        raise DataError(f"{where}: mass {kwargs.mass}; expected a positive number of kilograms")
    scales = kwargs.scale if isinstance(kwargs.scale, tuple) else (1.0 if kwargs.scale is None else kwargs.scale,)
    if not all(math.isfinite(scale) and scale > 0 for scale in scales) or len(set(scales)) > 1:
        raise DataError(f"{where}: scale {kwargs.scale}; expected one positive number for all axes")
    if kwargs.bounds is not None and not _ordered(np.array(kwargs.bounds)):
        raise DataError(f"{where}: bounds {kwargs.bounds}; expected finite lower corner and upper corner")


def _ordered(bounds: np.ndarray) -> bool:
    return bool(np.isfinite(bounds).all() and (bounds[0] < bounds[1]).all())


def _inside(path: str, where: str) -> None:
    """Raise `DataError` for a path that leads out of the asset's folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise DataError(f"{where}: path '{path}' leads out of the asset's folder")


def _locate(asset_id: str, path: str, places: list[str], where: str) -> str:
    """Folder or archive of an asset: beside the manifest first, since a copied manifest still names its old place."""
    _inside(path, where)
    names = [path] if path else [f"{asset_id}.tar.gz", asset_id]
    for place in places:
        if place.startswith(REMOTE):
            return f"{place.rstrip('/')}/{names[0]}"
        for name in names:
            if (Path(place) / name).exists():
                return str(Path(place) / name)
    raise DataError(f"{where}: no {' or '.join(names)} in {' or '.join(places)}")


def check_unpacked(asset_id: str, folder: Path) -> None:
    """Raise `DataError` unless a folder holds a whole asset, drawn where it collides, in metres."""
    where = f"asset '{asset_id}'"
    for name in (VISUAL_FILE, COLLISION_FILE, URDF_FILE):
        if not (folder / name).is_file():
            raise DataError(f"{where}: no {'collision geometry' if name == COLLISION_FILE else name} in {folder}")
    _check_urdf(folder / URDF_FILE, where)
    drawn, solid = (read_obj(folder / name).vertices for name in (VISUAL_FILE, COLLISION_FILE))
    boxes = [np.array([points.min(axis=0), points.max(axis=0)]) for points in (drawn, solid)]
    gap = float(np.abs(boxes[0] - boxes[1]).max())
    size = float(np.ptp(boxes[0], axis=0).max())
    if gap > BOUNDS_SLACK_M + BOUNDS_SLACK * size:
        raise DataError(
            f"{where}: what is drawn and what collides lie {gap * 1000:.0f} mm apart (size {size * 1000:.0f} mm); "
            "expected both meshes in the same frame and unit"
        )


def _check_urdf(file: Path, where: str) -> None:
    """One link, meshes of this folder at scale 1 and without an offset, centre of mass at the origin."""
    try:
        root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise DataError(f"{where}: {file.name} is not a URDF ({error})") from None
    if len(root.findall("link")) != 1:
        raise DataError(f"{where}: {file.name} has {len(root.findall('link'))} links; expected one rigid body")
    for mesh in root.iter("mesh"):
        _inside(mesh.get("filename", ""), where)
        scales = [float(value) for value in (mesh.get("scale") or "1").split()]
        if any(not math.isfinite(scale) or abs(scale - 1) > 1e-6 for scale in scales):
            raise DataError(f"{where}: {file.name} scales a mesh by {mesh.get('scale')}; expected metres at scale 1")
    if not root.findall("link/collision/geometry/mesh"):
        raise DataError(f"{where}: no collision geometry in {file.name}")
    for origin in root.iter("origin"):
        offsets = [float(value) for value in f"{origin.get('xyz', '0 0 0')} {origin.get('rpy', '0 0 0')}".split()]
        if any(not abs(value) <= CENTRE_SLACK_M for value in offsets):
            found = f"{origin.get('xyz')} / {origin.get('rpy')}"
            raise DataError(f"{where}: {file.name} has an origin at {found}; expected the centre of mass at 0 0 0")
    for mass in root.iter("mass"):
        if not 0 < float(mass.get("value", "nan")) < math.inf:
            raise DataError(f"{where}: {file.name} gives a mass of {mass.get('value')} kg; expected a positive one")


def category_of_asset(asset_id: str, metadata: Mapping[str, Any]) -> str:
    """A noun for captions: the metadata's category, else the words of the id, else "object"."""
    given = str(metadata.get("category") or "").strip()
    words = re.sub(r"[^a-z]+", "_", (given or PREFIX.sub("", asset_id.lower())).lower()).strip("_")
    plain = bool(given) or re.fullmatch(r"[a-z_]+", PREFIX.sub("", asset_id))
    return words if words and plain else "object"


def _read_remote(address: str) -> bytes:
    """Bytes of a file in a bucket."""
    if importlib.util.find_spec("gcsfs") is None:
        raise DataError(f"{address}: buckets need gcsfs: run `pip install gcsfs`, or copy the set to a local folder")
    import fsspec

    try:
        with fsspec.open(address, "rb", token="anon") as stream:
            content: bytes = stream.read()
    except (OSError, ValueError) as error:
        raise DataError(f"{address}: cannot be read ({error}); copy the set to a local folder") from None
    return content
