"""The run folder: what was asked for, what is done, what failed. The folder is the checkpoint.

RUN/
  run.json                 RunInfo: configuration and its sha256, source, input, versions
  specs/<key>.json         SceneSpec
  physics/<key>/  renders/<key>/  samples/<key>/    one stage each; a folder that exists is done
  shards/
  failures.jsonl  rejected.jsonl  events.jsonl
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.codec import (
    PARTIAL_SUFFIX,
    atomic_path,
    read_record,
    remove_tree,
    sha256_record,
    write_json,
)
from datagen.config import Config, data_settings, differing_keys
from datagen.errors import RunFolderError, reraise_storage_error
from datagen.spec import SceneSpec
from datagen.storage import Remote, url_of

RUN_FILE = "run.json"
LOCK_FILE = "driver.lock"  # while a driver is at work
STAGE_FOLDERS = {"simulate": "physics", "render": "renders", "compose": "samples"}


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """What a run folder is for."""

    source: str  # "humoto" or "kubric"
    data: str  # absolute path or address of the input; "" for what is embedded
    limit: int | None
    config: Config
    config_sha256: str
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """Paths and rows of one run; holds no state of its own."""

    root: Path  # the run, or this process's desk for it
    url: str = ""  # of a run that is no folder; see storage.py

    @property
    def remote(self) -> Remote | None:
        """Where finished folders are, if not below `root`."""
        return Remote(url=self.url) if self.url else None

    @property
    def address(self) -> str:
        """What a user calls this run."""
        return self.url or str(self.root)

    @property
    def specs(self) -> Path:
        return self.root / "specs"

    @property
    def shards(self) -> Path:
        return self.root / "shards"

    @property
    def failures(self) -> Path:
        return self.root / "failures.jsonl"

    @property
    def rejected(self) -> Path:
        return self.root / "rejected.jsonl"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    def info(self) -> RunInfo:
        """What run.json says; raises `RunFolderError` where there is none."""
        if not (self.root / RUN_FILE).is_file():
            if url := self.url or url_of(self.root):
                raise RunFolderError(
                    f"{url} is no run that this command can read; plan one there, or copy one here with "
                    f"`datagen fetch {url} FOLDER`"
                )
            raise RunFolderError(
                f"{self.root} is no run folder (it has no {RUN_FILE}); make one with `datagen plan humoto --data DIR "
                f"--out {self.root}`"
            )
        return read_record(RunInfo, self.root / RUN_FILE)

    def spec_path(self, key: str) -> Path:
        return self.specs / f"{key}.json"

    def spec(self, key: str) -> SceneSpec:
        """One scene's description, as planned."""
        return read_record(SceneSpec, self.spec_path(key))

    def simulated_spec_path(self, key: str) -> Path:
        """The description that renders and samples follow: simulation completes that of a collision scene."""
        completed = self.folder("simulate", key) / "spec.json"
        return completed if completed.is_file() else self.spec_path(key)

    def keys(self) -> list[str]:
        """Keys of all planned scenes, sorted."""
        if self.remote:
            return sorted(name.removesuffix(".json") for name in self.remote.names("specs"))
        return sorted(path.stem for path in self.specs.glob("*.json"))

    def folder(self, stage: str, key: str) -> Path:
        """Where a stage leaves a scene."""
        return self.root / STAGE_FOLDERS[stage] / key

    def has(self, stage: str, key: str) -> bool:
        """Whether a stage has finished a scene."""
        if self.remote:
            return self.remote.has(STAGE_FOLDERS[stage], key)
        return self.folder(stage, key).is_dir()

    def done(self, stage: str) -> set[str]:
        """Keys that a stage has finished; a later stage's result counts for the earlier ones."""
        names = list(STAGE_FOLDERS)
        return {key for later in names[names.index(stage) :] for key in self._finished(STAGE_FOLDERS[later])}

    def _finished(self, folder: str) -> set[str]:
        """Names of whole folders."""
        if self.remote:
            return self.remote.finished(folder)
        path = self.root / folder
        return {entry.name for entry in path.iterdir() if not _is_partial(entry)} if path.is_dir() else set()

    def rejected_keys(self) -> set[str]:
        """Scenes whose physics did not pass; they stay rejected."""
        return {str(row["key"]) for row in read_rows(self.rejected)}

    def failed_keys(self, text: str = "") -> set[str]:
        """Scenes that could not be made, or those whose row's reason or message has `text` in it.

        They stay failed until `datagen retry` takes their rows away.
        """
        rows = [row for row in read_rows(self.failures) if row["stage"] in STAGE_FOLDERS]
        return {str(row["key"]) for row in rows if text in f"{row.get('details', {}).get('reason')} {row['message']}"}

    def sample_paths(self) -> list[Path]:
        """Folders of all finished samples, sorted by key."""
        return [self.folder("compose", key) for key in sorted(self._finished(STAGE_FOLDERS["compose"]))]

    def clean_partials(self) -> None:
        """Remove what a crash left half-written."""
        folders = [self.root, self.specs, self.shards, *(self.root / name for name in STAGE_FOLDERS.values())]
        for folder in folders:
            for leftover in folder.glob(f"*{PARTIAL_SUFFIX}") if folder.is_dir() else ():
                remove_tree(leftover)


def open_run(
    root: Path, *, source: str, data: Path | str, limit: int | None, config: Config, versions: Mapping[str, str]
) -> RunFolder:
    """The run folder for these settings: made if it is not there, resumed if it is for the same, else refused.

    The limit may differ: a run can be made longer or finished early. Raises `RunFolderError` naming what differs.
    """
    run = RunFolder(root=root)
    wanted = RunInfo(
        source=source,
        data=str(data.resolve()) if isinstance(data, Path) else data,
        limit=limit,
        config=config,
        config_sha256=sha256_record(data_settings(config)),
        versions=dict(versions),
    )
    if (root / RUN_FILE).is_file():
        _check_same(root, run.info(), wanted)
    elif root.is_dir() and any(entry.name != LOCK_FILE for entry in root.iterdir()):
        raise RunFolderError(f"{root} holds other files and no {RUN_FILE}; choose an empty or a new folder with --out")
    elif root.exists() and not root.is_dir():
        raise RunFolderError(f"{root} is a file; expected a folder for the run: choose another --out")
    run.clean_partials()
    write_json(root / RUN_FILE, wanted)
    return run


def _check_same(root: Path, there: RunInfo, wanted: RunInfo) -> None:
    """Refuse to mix two configurations in one folder."""
    differences = [f"config {key}" for key in differing_keys(there.config, wanted.config)]
    for name in ("source", "data"):
        before, now = getattr(there, name), getattr(wanted, name)
        if before != now:
            differences.append(f"{name} ({before} -> {now})")
    if differences:
        raise RunFolderError(
            f"{root} belongs to another run; it differs in {', '.join(differences)}: choose another --out, or repeat "
            "the settings of that run to resume it"
        )


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a .jsonl file; a last line that a crash cut short is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row to a .jsonl file and flush it."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    except OSError as error:
        raise reraise_storage_error(error, path) from error


def drop_rows(path: Path, keys: Iterable[str]) -> None:
    """Take the rows of these keys out of a .jsonl file: they are about to be tried again."""
    gone = set(keys)
    rows = read_rows(path)
    kept = [row for row in rows if row.get("key") not in gone]
    if len(kept) == len(rows):
        return
    with atomic_path(path) as partial:
        partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")


def _is_partial(path: Path) -> bool:
    return path.name.endswith(PARTIAL_SUFFIX)
