"""Masks of another policy or form for a finished run, from the evidence in its samples; nothing is rendered.

A sample is changed whole or not at all: a complete new folder is made beside it, of hard links to all files but mask
and metadata, and the two folders change places in one step. So a run can be interrupted at any time, and run again.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datagen import cluster
from datagen.codec import partial_of, remove_tree, sha256_file, write_json
from datagen.errors import DataError, RunFolderError, reraise_storage_error
from datagen.figures import mask_statistics
from datagen.metadata import SampleMetadata
from datagen.quadmask import Form, Policy, in_form
from datagen.runs import RunFolder
from datagen.sample import LAYERS, MASK, METADATA, mask_of, read_sample
from datagen.stages import SceneOutcome
from datagen.video import encode_mask

RENAME_EXCHANGE = 2  # linux/fs.h
AT_FDCWD = -100


@dataclass(frozen=True, kw_only=True)
class RecomposeTask:
    """A sample and the mask that it should have."""

    sample: str
    policy: Policy
    form: Form


def recompose_run(run: RunFolder, policy: Policy, form: Form, workers: int) -> Iterator[SceneOutcome]:
    """Give every finished sample the mask of a policy and form; those that have it already are left as they are.

    A sample whose evidence is missing or damaged stays as it was and is reported as failed; the others are done. Raises
    `RunFolderError` for a folder that is no run, or holds no sample.
    """
    run.info()
    samples = run.sample_paths()
    if not samples:
        raise RunFolderError(f"{run.root} holds no finished sample; make some with `datagen compose {run.root}`")
    run.clean_partials()
    tasks = [RecomposeTask(sample=str(sample), policy=policy, form=form) for sample in samples]
    with cluster.interruptible() as interrupt:
        yield from cluster.map_tasks(recompose_task, tasks, backend="off", workers=workers, interrupt=interrupt)
        if interrupt.stopping:
            raise KeyboardInterrupt


def recompose_task(task: RecomposeTask) -> SceneOutcome:
    """One sample's outcome; what is wrong with its files becomes a failure."""
    sample, start = Path(task.sample), time.monotonic()
    try:
        changed = recompose_sample(sample, task.policy, task.form)
    except DataError as error:
        failure = {"key": sample.name, "stage": "recompose", "type": "DataError", "message": str(error), "details": {}}
        return SceneOutcome(key=sample.name, events=(), failure=failure)
    event = {"key": sample.name, "stage": "recompose", "wall_s": time.monotonic() - start}
    return SceneOutcome(key=sample.name, events=(event,) if changed else ())


def recompose_sample(sample: Path, policy: Policy, form: Form) -> bool:
    """Give one sample the mask of a policy and form; False if it had it already.

    Raises `DataError` where the evidence is not what the metadata lists; the sample is left as it was.
    """
    metadata = read_sample(sample).metadata
    check_evidence(sample, metadata)
    if (metadata.mask.policy, metadata.mask.form) == (policy, form) and _is_listed(sample, metadata, MASK):
        return False
    partial = partial_of(sample)
    try:
        remove_tree(partial)
        partial.mkdir()
        for name in metadata.files:
            if name != MASK:
                link_or_copy(sample / name, partial / name)
        fill_mask(partial, metadata, policy, form)
        exchange(partial, sample)
    except OSError as error:
        raise reraise_storage_error(error, sample) from error
    finally:
        remove_tree(partial)
    return True


def check_evidence(sample: Path, metadata: SampleMetadata) -> None:
    """Raise `DataError` unless every file but the mask is there, and the evidence is the one that was hashed."""
    if missing := sorted(name for name in metadata.files if name != MASK and not (sample / name).is_file()):
        raise DataError(f"{sample}: lacks {', '.join(missing)}, which its metadata lists; compose the sample again")
    if not _is_listed(sample, metadata, LAYERS):
        raise DataError(
            f"{sample / LAYERS}: its sha256 is not the one in the sample's metadata; compose the sample again"
        )


def fill_mask(folder: Path, metadata: SampleMetadata, policy: Policy, form: Form) -> None:
    """Write mask and metadata beside the evidence that lies in `folder`."""
    mask = in_form(mask_of(folder, policy), form)
    encode_mask(folder / MASK, mask, metadata.fps)
    statistics = dataclasses.replace(mask_statistics(mask, policy), form=form.value)
    files = {**metadata.files, MASK: sha256_file(folder / MASK)}
    write_json(folder / METADATA, dataclasses.replace(metadata, mask=statistics, files=dict(sorted(files.items()))))


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def exchange(new: Path, old: Path) -> None:
    """Let two folders change places in one step.

    Where the system cannot (not Linux, some network disks), the new mask and then the new metadata are moved over; a
    crash between the two leaves a sample that `datagen validate` names, and that the same command mends.
    """
    if sys.platform == "linux":
        rename = ctypes.CDLL(None, use_errno=True).renameat2
        if rename(AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(old), RENAME_EXCHANGE) == 0:
            return
    for name in (MASK, METADATA):
        (new / name).replace(old / name)


def _is_listed(sample: Path, metadata: SampleMetadata, name: str) -> bool:
    """Whether a file is the one that the metadata lists."""
    with suppress(OSError):
        return sha256_file(sample / name) == metadata.files.get(name)
    return False
