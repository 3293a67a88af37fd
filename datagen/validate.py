"""Is it whole? Checks a sample, a shard, a folder of shards, a run or an eval set, and lists what is wrong.

Nothing is raised for bad content.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datagen.codec import sha256_file
from datagen.errors import VoidgenError
from datagen.evalset import EVAL_MANIFEST, GROUND_TRUTH
from datagen.evalset_files import evalset_problems, read_evalset
from datagen.runs import RUN_FILE, STAGE_FOLDERS, RunFolder
from datagen.sample import METADATA, REQUIRED_FILES
from datagen.sample_checks import Problem, check_leftovers, check_sample, guarded, problem_of
from datagen.shards import INDEX_FILE, ShardEntry, ShardIndex, read_index, read_shard, unpack_sample


@dataclass(frozen=True, kw_only=True)
class ValidationReport:
    """What was looked at, and what is wrong with it."""

    path: str
    kind: str  # "run", "sample", "shard", "shards", "eval-set", or "unknown"
    checked: int  # samples, those in shards included; of an eval set its clips
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        return not self.problems


def validate_path(path: Path) -> ValidationReport:
    """Check whatever lies at `path`; content that cannot be read is a problem in the report, not an error."""
    kind = _kind_of(path)
    counted: list[str] = []
    problems = tuple(_CHECKS[kind](path, counted))
    return ValidationReport(path=str(path), kind=kind, checked=len(counted), problems=problems)


def _kind_of(path: Path) -> str:
    """What a path most likely is meant to be."""
    if path.is_file():
        return "shard" if path.suffix == ".tar" else "unknown"
    if (path / RUN_FILE).is_file() or (path / "specs").is_dir():
        return "run"
    if (path / EVAL_MANIFEST).is_file() and (path / GROUND_TRUTH).is_dir():
        return "eval-set"
    if (path / INDEX_FILE).is_file() or any(path.glob("*.tar")):
        return "shards"
    if any((path / name).exists() for name in (METADATA, *REQUIRED_FILES)):
        return "sample"
    return "unknown"


def _check_unknown(path: Path, _: list[str]) -> Iterator[Problem]:
    found = "nothing is there" if not path.exists() else "a file" if path.is_file() else "a folder with none of these"
    expected = (
        f"a run folder ({RUN_FILE}), a sample folder ({METADATA}), a .tar shard, a folder of shards or an eval set "
        f"({EVAL_MANIFEST} and {GROUND_TRUTH}/)"
    )
    yield Problem(where=str(path), problem=f"expected {expected}; found: {found}")


def _check_shard(path: Path, counted: list[str]) -> Iterator[Problem]:
    """Problems of one shard alone, each sample unpacked for a moment."""
    yield from _check_entry(path, None, counted)


def _check_entry(path: Path, entry: ShardEntry | None, counted: list[str]) -> Iterator[Problem]:
    """Problems of a shard, and where it differs from its line in the index."""
    keys: list[str] = []
    try:
        for sample in read_shard(path):
            keys.append(sample.key)
            with tempfile.TemporaryDirectory() as scratch:
                root = unpack_sample(sample, Path(scratch) / sample.key)
                for problem in check_sample(root, counted):
                    where = problem.where.replace(str(root), f"{path}:{sample.key}")
                    yield Problem(where=where, problem=problem.problem.replace(str(root), sample.key))
    except VoidgenError as error:
        yield problem_of(path, error)
    for key, count in Counter(keys).items():
        if count > 1:
            yield Problem(where=str(path), problem=f"members of '{key}' lie apart or the key occurs {count} times")
    if not keys:
        yield Problem(where=str(path), problem="holds no sample")
    if entry:
        yield from _compare_entry(path, entry, tuple(keys))


def _compare_entry(path: Path, entry: ShardEntry, keys: tuple[str, ...]) -> Iterator[Problem]:
    facts = [("bytes", path.stat().st_size, entry.bytes), ("sha256", sha256_file(path), entry.sha256)]
    for name, found, expected in [*facts, ("keys", keys, entry.keys)]:
        if found != expected:
            yield Problem(where=str(path), problem=f"{name}: {INDEX_FILE} says {expected}, found {found}")


def _check_shards(path: Path, counted: list[str]) -> Iterator[Problem]:
    """Problems of a folder of shards and its index."""
    try:
        index = read_index(path)
    except VoidgenError as error:
        yield problem_of(path / INDEX_FILE, error)
        for shard in sorted(path.glob("*.tar")):
            yield from _check_entry(shard, None, counted)
        return
    yield from _check_index(path, index)
    for entry in index.shards:
        if (path / entry.file).is_file():
            yield from _check_entry(path / entry.file, entry, counted)
        else:
            yield Problem(where=str(path / entry.file), problem=f"no such file, but {INDEX_FILE} names it")
    yield from check_leftovers(path)


def _check_index(path: Path, index: ShardIndex) -> Iterator[Problem]:
    """Contradictions inside index.json, and shards that it does not name."""
    where = str(path / INDEX_FILE)
    keys = [key for entry in index.shards for key in entry.keys]
    for key, count in Counter(keys).items():
        if count > 1:
            yield Problem(where=where, problem=f"the key '{key}' occurs {count} times")
    facts = [
        ("totals.shards", index.totals.shards, len(index.shards)),
        ("totals.samples", index.totals.samples, len(keys)),
        ("totals.bytes", index.totals.bytes, sum(entry.bytes for entry in index.shards)),
    ]
    for name, found, expected in facts:
        if found != expected:
            yield Problem(where=where, problem=f"{name}: expected {expected}, found {found}")
    for path_found in sorted(path.glob("*.tar")):
        if path_found.name not in {entry.file for entry in index.shards}:
            yield Problem(where=str(path_found), problem=f"is not named in {INDEX_FILE}; run `datagen pack` again")


def _check_run(path: Path, counted: list[str]) -> Iterator[Problem]:
    """Problems of a run: its record, specs, samples and shards."""
    run = RunFolder(root=path)
    yield from guarded(path / RUN_FILE, lambda: _no_problem(run.info))
    planned = run.keys()
    for key in planned:
        yield from guarded(run.spec_path(key), lambda key=key: _check_spec(run, key))  # type: ignore[misc]
    for folder in (path, run.specs, *(path / name for name in STAGE_FOLDERS.values())):
        yield from check_leftovers(folder)
    samples = run.sample_paths()
    for sample in samples:
        yield from check_sample(sample, counted)
        if sample.name not in planned:
            yield Problem(where=str(sample), problem="no such key among the run's specs")
        elif not run.folder("simulate", sample.name).is_dir():
            yield Problem(where=str(run.folder("simulate", sample.name)), problem="no such folder; expected physics")
    if run.shards.is_dir():
        yield from _check_shards(run.shards, counted)
        yield from _check_packed(run, {sample.name for sample in samples})


def _no_problem(read: Callable[[], object]) -> Iterable[Problem]:
    """Nothing to report if it can be read at all."""
    read()
    return ()


def _check_spec(run: RunFolder, key: str) -> Iterator[Problem]:
    found = run.spec(key).key
    if found != key:
        problem = f"key: expected '{key}' like the file's name, found '{found}'"
        yield Problem(where=str(run.spec_path(key)), problem=problem)


def _check_packed(run: RunFolder, samples: set[str]) -> Iterator[Problem]:
    """Samples that are in no shard, or shards of samples that are gone."""
    try:
        packed = {key for entry in read_index(run.shards).shards for key in entry.keys}
    except VoidgenError:
        return  # told already
    if packed != samples:
        differing = sorted(packed ^ samples)
        problem = f"shards and samples differ in {differing[:5]}; run `datagen pack {run.root}`"
        yield Problem(where=str(run.shards / INDEX_FILE), problem=problem)


def _check_evalset(path: Path, counted: list[str]) -> Iterator[Problem]:
    """Files of an eval set that are not those of its manifest."""
    try:
        manifest, items = read_evalset(path)
    except VoidgenError as error:
        yield problem_of(path / EVAL_MANIFEST, error)
        return
    counted += [item.entry.key for item in items]
    for line in evalset_problems(path, manifest):
        where, _, problem = line.partition(": ")
        yield Problem(where=where, problem=problem)


_CHECKS: dict[str, Callable[[Path, list[str]], Iterator[Problem]]] = {
    "run": _check_run,
    "sample": check_sample,
    "shard": _check_shard,
    "shards": _check_shards,
    "eval-set": _check_evalset,
    "unknown": _check_unknown,
}
