"""Kubric as this project uses it; the only file that knows its bugs.

- It imports tensorflow in four modules for two functions (`tf.io.gfile.GFile` and `copy`). A small stand-in takes its
  place while Kubric is imported, and is taken out again: other libraries must not believe that tensorflow is there.
- `AssetSource.create(**kwargs)` writes its arguments back into the manifest, so the next object of an asset would
  inherit name and friction: each creation works on a copy of the entry.
- `AssetSource` unpacks into a fresh temporary folder, with `extractall`: `CachedAssetSource` is given folders that are
  unpacked and checked already.
"""

from __future__ import annotations

import copy
import importlib
import shutil
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datagen.entry import silenced
from datagen.errors import DataError

STAND_IN = "tensorflow"


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """A stand-in for tensorflow while Kubric is imported, unless the real one was imported before."""
    if STAND_IN in sys.modules:
        yield
        return
    sys.modules[STAND_IN] = _stand_in()
    try:
        yield
    finally:
        del sys.modules[STAND_IN]


def _stand_in() -> types.ModuleType:
    """`tf.io.gfile` with local files."""

    def copy_file(source: Any, target: Any, overwrite: bool = False) -> None:
        if not overwrite and Path(target).exists():
            raise FileExistsError(str(target))
        shutil.copyfile(source, target)

    gfile = types.SimpleNamespace(GFile=open, copy=copy_file)
    module = types.ModuleType(STAND_IN)
    module.__dict__["io"] = types.SimpleNamespace(gfile=gfile)
    return module


def _import(name: str) -> types.ModuleType:
    try:
        with without_tensorflow(), silenced():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise DataError(
            f"Kubric cannot be imported ({error}); install it with `make setup`, or with "
            "`pip install --no-deps -r requirements-nodeps.txt` after `pip install '.[kubric]'`"
        ) from None


core: Any = _import("kubric.core")
simulator: Any = _import("kubric.simulator.pybullet")
_asset_source: Any = _import("kubric.assets.asset_source")


class CachedAssetSource(_asset_source.AssetSource):  # type: ignore[misc]
    """Kubric's asset source over folders that are unpacked, checked and kept."""

    def __init__(self, name: str, entries: Mapping[str, Mapping[str, Any]], folders: Mapping[str, Path]) -> None:
        """entries: of Kubric's manifest, by asset id; folders: where each asset lies unpacked."""
        _asset_source.ClosableResource.__init__(self)
        self.name = name
        self.data_dir = self.local_dir = Path("/")
        self._assets = dict(entries)
        self._folders = dict(folders)

    def close(self) -> None:
        """The folders stay: they are a cache, or the user's own."""
        _asset_source.ClosableResource.close(self)

    def fetch(self, asset_path: Any, asset_id: str) -> Path:
        """Folder of an unpacked asset."""
        return self._folders[asset_id]

    def create(self, asset_id: str, add_metadata: bool = True, **kwargs: Any) -> Any:
        """A Kubric object; unlike Kubric's own, it leaves the manifest as it is."""
        if asset_id not in self._assets:
            raise DataError(f"no asset '{asset_id}' in '{self.name}'; there are {len(self._assets)}")
        entries = self._assets
        self._assets = {**entries, asset_id: copy.deepcopy(entries[asset_id])}
        try:
            return super().create(asset_id, add_metadata=add_metadata, **kwargs)
        finally:
            self._assets = entries
