"""Samples of finished runs as an eval set: the layout that VOID's inference reads, and the truth beside it.

What is exported follows from the samples alone: equal samples give equal bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.codec import atomic_folder, dump_json, parse_record, partial_of, remove_tree, sha256_file, write_json
from datagen.errors import DataError, RunFolderError
from datagen.evalset import (
    EVAL_FORMAT_VERSION,
    EVAL_MANIFEST,
    GROUND_TRUTH,
    HIDDEN,
    INPUT_VIDEO,
    PROMPT,
    QUADMASK,
    TRUTH,
    EvalEntry,
    EvalManifest,
    perturbed_name,
)
from datagen.evalset_files import check_version, read_evalset
from datagen.metadata import SampleMetadata
from datagen.quadmask import Form
from datagen.runs import RunFolder, RunInfo
from datagen.sample import LAYERS, MASK, METADATA, PHYSICS, RGB_FULL, RGB_REMOVED, SampleInfo, read_sample
from datagen.sample import PROMPT as SAMPLE_PROMPT

INPUT_FILES = {INPUT_VIDEO: RGB_FULL, QUADMASK: MASK, PROMPT: SAMPLE_PROMPT}  # name in the eval set: in the sample
TRUTH_FILES = {TRUTH: RGB_REMOVED, LAYERS: LAYERS, PHYSICS: PHYSICS}
GEOMETRY_FILES = ("segmentation.npz", "depth.npz", "flow.npz")
DEFAULT_NAME = "eval-set"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An eval set that was written, and what it lacks."""

    manifest: EvalManifest
    num_new: int  # clips that were not there before
    lacks: tuple[str, ...]  # in words, one line each


def export_void_eval(
    runs: Sequence[Path], dest: Path, name: str = DEFAULT_NAME, report: Callable[[str], None] = lambda key: None
) -> Exported:
    """Write the samples of runs as the eval set `dest`; one that is there already, of the same runs, is completed.

    report: is called with each key that was written. The manifest comes last: without it, there is no eval set.
    Raises `DataError` for runs without samples, for keys that occur twice, and for samples that are not whole or have
    no quadmask; `RunFolderError` for a `dest` that holds something else.
    """
    infos = [RunFolder(root=run).info() for run in runs]
    samples = samples_of(runs)
    manifest = manifest_of(name, infos, samples)
    check_destination(dest, manifest)
    mark = partial_of(dest / EVAL_MANIFEST)  # says whose an unfinished export is
    dest.mkdir(parents=True, exist_ok=True)
    if not mark.is_file():
        mark.write_text(dump_json(manifest) + "\n")
    num_new = 0
    for sample in samples:
        if not is_exported(dest, sample.metadata.key, manifest):
            write_clip(dest, sample, manifest)
            report(sample.metadata.key)
            num_new += 1
    write_json(dest / EVAL_MANIFEST, manifest)
    return Exported(manifest=manifest, num_new=num_new, lacks=tuple(lacks_of(manifest.entries)))


def samples_of(runs: Sequence[Path]) -> list[SampleInfo]:
    """All samples, sorted by key."""
    found: dict[str, SampleInfo] = {}
    for run in runs:
        paths = RunFolder(root=run).sample_paths()
        if not paths:
            raise DataError(f"{run}: holds no finished sample; see `datagen status {run}`")
        for path in paths:
            sample = read_sample(path)
            key = sample.metadata.key
            if key in found:
                raise DataError(f"the key '{key}' occurs twice: {found[key].root}, {path}; export one of the two")
            if sample.metadata.mask.form != Form.QUAD:
                policy = sample.metadata.mask.policy
                raise DataError(
                    f"{path}: its mask has the form '{sample.metadata.mask.form}', and a model needs a quadmask; run "
                    f"`datagen recompose {run} --policy {policy} --form quad`"
                )
            found[key] = sample
    return [found[key] for key in sorted(found)]


def manifest_of(name: str, infos: Iterable[RunInfo], samples: Sequence[SampleInfo]) -> EvalManifest:
    """What the manifest will say."""
    origins = [origin_of(info, [one.metadata for one in samples]) for info in infos]
    files = {path: digest for sample in samples for path, digest in files_of(sample)}
    return EvalManifest(
        format_version=EVAL_FORMAT_VERSION,
        name=name,
        entries=tuple(entry_of(sample.metadata) for sample in samples),
        origins=tuple(sorted(origins, key=lambda origin: (origin["source"], origin["config_sha256"]))),
        licences={one.metadata.licence.name: one.metadata.licence.note for one in samples},
        files=dict(sorted(files.items())),
    )


def origin_of(info: RunInfo, samples: Iterable[SampleMetadata]) -> dict[str, Any]:
    """Where clips come from; nothing of anybody's disk."""
    split = info.config.humoto.split if info.source == "humoto" else info.config.kubric.split
    held_out = "" if split == "test" else "; not held out: these inputs may occur in training data of other seeds"
    return {
        "source": info.source,
        "data_sets": sorted({one.spec.data_set for one in samples if one.source == info.source}),
        "split": split,
        "note": f"inputs of the split '{split}'{held_out}",
        "seed": info.config.seed,
        "config_sha256": info.config_sha256,
        "versions": dict(sorted(info.versions.items())),
    }


def entry_of(metadata: SampleMetadata) -> EvalEntry:
    """One clip's line."""
    return EvalEntry(
        key=metadata.key,
        source=metadata.source,
        family=metadata.sequence,
        affected=metadata.affected,
        labels=metadata.labels,
        num_frames=metadata.num_frames,
        fps=metadata.fps,
        width=metadata.width,
        height=metadata.height,
        num_perturbed=metadata.spec.layers.perturbed,
        hidden=metadata.spec.layers.hidden,
        segmentation=metadata.spec.layers.segmentation,
        licence=metadata.licence.name,
    )


def copies_of(metadata: SampleMetadata) -> dict[str, str]:
    """Files of a clip: path relative to the eval set, and name in the sample."""
    truth = dict(TRUTH_FILES) | {METADATA: METADATA}
    optional = (HIDDEN, *(perturbed_name(index) for index in range(metadata.spec.layers.perturbed)), *GEOMETRY_FILES)
    truth |= {name: name for name in optional if name in metadata.files}
    inputs = {f"{metadata.key}/{name}": source for name, source in INPUT_FILES.items()}
    return inputs | {f"{GROUND_TRUTH}/{metadata.key}/{name}": source for name, source in truth.items()}


def files_of(sample: SampleInfo) -> Iterator[tuple[str, str]]:
    """Path and sha256 of all files of a clip, as the sample's metadata tells them."""
    for path, source in copies_of(sample.metadata).items():
        yield path, sha256_file(sample.path(METADATA)) if source == METADATA else sample.metadata.files[source]


def check_destination(dest: Path, manifest: EvalManifest) -> None:
    """Raise `RunFolderError` unless `dest` is empty, or an earlier state of this very eval set."""
    if not dest.exists() or (dest.is_dir() and not any(dest.iterdir())):
        return
    if not dest.is_dir():
        raise RunFolderError(f"{dest} is a file; expected a folder for the eval set: choose another one")
    there = manifest_there(dest)
    if there is None:
        raise RunFolderError(f"{dest} holds other files and no {EVAL_MANIFEST}; choose an empty or a new folder")
    if differences := sorted(_differences(there, manifest)):
        raise RunFolderError(
            f"{dest} is another eval set; it differs in {', '.join(differences)}: choose another folder, or export the "
            "same runs to complete it"
        )


def manifest_there(dest: Path) -> EvalManifest | None:
    """The manifest of a finished or unfinished export."""
    if (dest / EVAL_MANIFEST).is_file():
        return read_evalset(dest)[0]
    mark = partial_of(dest / EVAL_MANIFEST)
    if not mark.is_file():
        return None
    text = mark.read_bytes()
    check_version(text, mark)
    return parse_record(EvalManifest, text, str(mark))


def _differences(there: EvalManifest, wanted: EvalManifest) -> Iterator[str]:
    if there.name != wanted.name:
        yield f"name ({there.name} -> {wanted.name})"
    before, now = ({(one["source"], one["config_sha256"]) for one in manifest.origins} for manifest in (there, wanted))
    if before - now:
        yield f"runs ({_named(before)} -> {_named(now)})"
    if gone := {entry.key for entry in there.entries} - {entry.key for entry in wanted.entries}:
        yield f"clips that these runs lack ({', '.join(sorted(gone)[:3])})"


def _named(origins: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{source} {digest[:8]}" for source, digest in sorted(origins))


def is_exported(dest: Path, key: str, manifest: EvalManifest) -> bool:
    """Whether a clip's files are there as they should be."""
    return all(
        (dest / path).is_file() and sha256_file(dest / path) == digest
        for path, digest in clip_files(key, manifest).items()
    )


def clip_files(key: str, manifest: EvalManifest) -> Mapping[str, str]:
    """sha256 of a clip's files, by path."""
    folders = (f"{key}/", f"{GROUND_TRUTH}/{key}/")
    return {path: digest for path, digest in manifest.files.items() if path.startswith(folders)}


def write_clip(dest: Path, sample: SampleInfo, manifest: EvalManifest) -> None:
    """Copy a sample's files; raises `DataError` for one that is not what the sample's metadata says."""
    key = sample.metadata.key
    sources, digests = copies_of(sample.metadata), clip_files(key, manifest)
    for folder in (f"{GROUND_TRUTH}/{key}", key):  # what a model sees last: a clip with inputs is whole
        remove_tree(dest / folder)
        with atomic_folder(dest / folder) as partial:
            for path, source in sources.items():
                if Path(path).parent == Path(folder):
                    _copy(sample.path(source), partial / Path(path).name, digests[path])


def _copy(source: Path, target: Path, digest: str) -> None:
    if not source.is_file():
        raise DataError(f"{source}: no such file, but the sample's metadata lists it; compose the sample again")
    shutil.copyfile(source, target)
    if (found := sha256_file(target)) != digest:
        raise DataError(f"{source}: sha256: expected {digest[:12]}..., found {found[:12]}...; compose the sample again")


def lacks_of(entries: Sequence[EvalEntry]) -> Iterator[str]:
    """What a full eval set would have and this one has not."""
    kinds = {
        "hidden.mp4 (layers.hidden=true makes it)": [one.hidden for one in entries],
        "perturbed_<k>.mp4 (layers.perturbed=3 makes three)": [one.num_perturbed > 0 for one in entries],
        "segmentation.npz (layers.segmentation=true makes it)": [one.segmentation for one in entries],
    }
    for kind, there in kinds.items():
        if not all(there):
            yield f"{there.count(False)} of {len(there)} clips have no {kind}: what needs it cannot be scored"
