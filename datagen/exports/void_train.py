"""Samples of finished runs as training data for VOID, by the rules of its loader.

    DEST/void_train_data.json                           a flat list of entries, see `entry_of`
    DEST/training_data/<key>/{rgb_full,rgb_removed,mask}.mp4, metadata.json
    DEST/training_warped_noise/<key>/noises.npy         float16 [num_frames, 16, height / 8, width / 8]

The loader indexes the three videos with the same frame numbers, so they are of one length; it takes channel 0 of the
mask, and any `depth_removed.mp4` that lies beside it, so nothing else lies there. It opens `file_path` as it is, and
stops where a `warped_noise_path` is listed and has no file, so only what is there is listed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.codec import atomic_folder, partial_of, remove_tree, sha256_file, write_json
from datagen.entry import PARENT_PID
from datagen.errors import DataError, RunFolderError
from datagen.exports.void_eval import samples_of
from datagen.sample import MASK, METADATA, RGB_FULL, RGB_REMOVED, SampleInfo

ENTRIES = "void_train_data.json"
CLIPS = "training_data"
NOISES = "training_warped_noise"
NOISE_FILE = "noises.npy"
CLIP_FILES = (RGB_FULL, RGB_REMOVED, MASK)
ENTRY_TYPE = "video_mask_tuple"
NOISE_STRIDE = 8  # pixels a value of noise


@dataclass(frozen=True, kw_only=True)
class TrainExport:
    """What was written."""

    num_clips: int
    num_new: int
    num_noises: int


def export_void_train(
    runs: Sequence[Path],
    dest: Path,
    *,
    warped_noise: bool = False,
    noise_scale: int = 4,
    report: Callable[[str], None] = lambda line: None,
) -> TrainExport:
    """Write `dest`, or complete one of the same runs; the list of entries comes last.

    warped_noise: make the noise that is missing, by `python -m inference warped-noise`.
    Raises `DataError` for samples that cannot be used, `RunFolderError` for a `dest` that holds something else.
    """
    samples = samples_of(runs)
    if warped_noise:
        _check_sizes(samples)
    _check_destination(dest, {sample.metadata.key for sample in samples})
    mark = partial_of(dest / ENTRIES)  # says whose an unfinished export is
    (dest / CLIPS).mkdir(parents=True, exist_ok=True)
    if not (dest / ENTRIES).is_file():
        mark.touch()
    new = [sample for sample in samples if not _is_exported(dest, sample)]
    for sample in new:
        _write_clip(dest, sample)
        report(f"{sample.metadata.key}: written")
    if warped_noise:
        _make_noise(dest, noise_scale, report)
    entries = [entry_of(dest, sample) for sample in samples]
    write_json(dest / ENTRIES, entries)
    mark.unlink(missing_ok=True)
    return TrainExport(
        num_clips=len(entries),
        num_new=len(new),
        num_noises=sum("warped_noise_path" in entry for entry in entries),
    )


def entry_of(dest: Path, sample: SampleInfo) -> dict[str, str]:
    """A clip's line of the list; paths are relative to `dest`, which may so be moved."""
    key = sample.metadata.key
    entry = {"file_path": f"{CLIPS}/{key}", "text": sample.metadata.caption, "type": ENTRY_TYPE}
    if (dest / NOISES / key / NOISE_FILE).is_file():
        entry["warped_noise_path"] = f"{NOISES}/{key}"
    return entry


def _check_sizes(samples: Sequence[SampleInfo]) -> None:
    for sample in samples:
        width, height = sample.metadata.width, sample.metadata.height
        if width % NOISE_STRIDE or height % NOISE_STRIDE:
            raise DataError(
                f"{sample.root}: is {width}x{height}; warped noise needs sides in steps of {NOISE_STRIDE}: export "
                "without --warped-noise, or render another size"
            )


def _check_destination(dest: Path, keys: set[str]) -> None:
    """Raise `RunFolderError` unless `dest` is empty, or an earlier state of this export."""
    if not dest.exists() or (dest.is_dir() and not any(dest.iterdir())):
        return
    if not dest.is_dir():
        raise RunFolderError(f"{dest} is a file; expected a folder for the training data: choose another one")
    if not (dest / ENTRIES).is_file() and not partial_of(dest / ENTRIES).is_file():
        raise RunFolderError(f"{dest} holds other files and no {ENTRIES}; choose an empty or a new folder")
    there = {path.name for path in (dest / CLIPS).iterdir() if not path.name.endswith(".partial")}
    if other := sorted(there - keys):
        raise RunFolderError(
            f"{dest} holds {len(other)} clips that these runs lack ({', '.join(other[:3])}); choose another folder, or "
            "export the same runs to complete it"
        )


def _is_exported(dest: Path, sample: SampleInfo) -> bool:
    """Whether a clip's files are the sample's."""
    folder = dest / CLIPS / sample.metadata.key
    expected = {name: sample.metadata.files[name] for name in CLIP_FILES}
    expected[METADATA] = sha256_file(sample.path(METADATA))
    return all((folder / name).is_file() and sha256_file(folder / name) == digest for name, digest in expected.items())


def _write_clip(dest: Path, sample: SampleInfo) -> None:
    """Copy a sample's files, whole or not at all; noise of an earlier state is removed."""
    key = sample.metadata.key
    for folder in (dest / NOISES / key, dest / CLIPS / key):
        remove_tree(folder)
    with atomic_folder(dest / CLIPS / key) as partial:
        for name in (*CLIP_FILES, METADATA):
            if not sample.path(name).is_file():
                raise DataError(f"{sample.path(name)}: no such file; compose the sample again")
            shutil.copyfile(sample.path(name), partial / name)
            if name in CLIP_FILES and sha256_file(partial / name) != sample.metadata.files[name]:
                raise DataError(
                    f"{sample.path(name)}: its sha256 is not the one in the sample's metadata; compose the sample again"
                )


def _make_noise(dest: Path, scale: int, report: Callable[[str], None]) -> None:
    """Fill in noise where there is none, in a process of inference's; it may be interrupted and called again."""
    command = [sys.executable, "-m", "inference", "warped-noise", str(dest), "--scale", str(scale)]
    last = ""
    own = {**os.environ, PARENT_PID: str(os.getpid())}  # it dies with this process
    with subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            last = line.strip() or last
            if last.endswith(": noise written"):
                report(last)
    if process.returncode < 0:
        last = f"killed by signal {-process.returncode}"
    if process.returncode:
        needs = "; it needs `pip install 'voidgen[inference]'`" if "ModuleNotFoundError" in last else ""
        raise DataError(
            f"{dest}: warped noise could not be made ({last.removeprefix('error: ')}){needs}; clips and noise that are "
            "there are kept: mend it and run the same command again"
        )
