"""Samples of finished runs as a data set for the Hugging Face hub, and for whoever reads shards.

    DEST/README.md                  dataset card, with the figures of these very samples
    DEST/croissant.json             the same for machines (mlcommons.org/croissant)
    DEST/<split>/metadata.jsonl     one `ClipRow` a line
    DEST/<split>/<source>/<source>-<000000>.tar, index.json      shards

Splits are train and test, by `datagen.exports.holdout`; one without samples is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.codec import atomic_folder, dump_json, write_json
from datagen.errors import DataError
from datagen.exports.card import CardFigures, SplitFigures, card_text
from datagen.exports.croissant import croissant_record
from datagen.exports.holdout import divide
from datagen.exports.void_eval import samples_of
from datagen.runs import RunFolder, read_rows
from datagen.sample import SampleInfo
from datagen.shards import ShardIndex, write_shards

CARD = "README.md"
CROISSANT = "croissant.json"
ROWS = "metadata.jsonl"
RESEARCH_ONLY = "Adobe Research License"
SAMPLES_PER_SHARD = 64


@dataclass(frozen=True, kw_only=True)
class HubExport:
    """What was written, and what to know about it, one line each."""

    num_train: int
    num_test: int
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ClipRow:
    """A sample in metadata.jsonl."""

    file_name: str  # of its shard, relative to the row's own file
    key: str
    source: str
    family: str
    caption: str
    removed: tuple[str, ...]
    affected: tuple[str, ...]
    labels: tuple[str, ...]
    verdict: str
    num_frames: int
    fps: float
    width: int
    height: int
    mask_policy: str
    share_keep: float
    share_affected: float
    share_remove: float
    share_overlap: float
    visible_frames: float
    licence: str


def export_huggingface(runs: Sequence[Path], dest: Path) -> HubExport:
    """Write `dest`, whole or not at all.

    Raises `DataError` for runs without samples, for samples that cannot be used, and for a `dest` that is not empty.
    """
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise DataError(f"{dest}: exists and is not empty; expected a new folder: choose another, or remove it")
    infos = [RunFolder(root=run) for run in runs]
    for run in infos:
        run.info()
    divided, neither = divide(samples_of(runs))
    used = {split: samples for split, samples in divided.items() if samples}
    if not used:
        raise DataError(
            f"{', '.join(map(str, runs))}: all samples mix inputs of train and test; make a run of one split (--set "
            "humoto.split=train, kubric.split=train)"
        )
    if dest.is_dir():
        dest.rmdir()
    with atomic_folder(dest) as partial:
        splits = [_write_split(partial / split, split, samples) for split, samples in used.items()]
        figures = CardFigures(
            name=dest.name,
            splits=tuple(splits),
            num_rejected=sum(len(read_rows(run.rejected)) for run in infos),
            num_failed=sum(len(read_rows(run.failures)) for run in infos),
            num_mixed=len(neither),
        )
        (partial / CARD).write_text(card_text(figures))
        write_json(partial / CROISSANT, croissant_record(figures, partial))
    return HubExport(
        num_train=len(divided["train"]),
        num_test=len(divided["test"]),
        notes=tuple(_notes(figures, divided, neither)),
    )


def row_of(sample: SampleInfo, shard: str) -> ClipRow:
    """A sample's line."""
    metadata = sample.metadata
    share = metadata.mask.share
    return ClipRow(
        file_name=shard,
        key=metadata.key,
        source=metadata.source,
        family=family_of(sample),
        caption=metadata.caption,
        removed=tuple(thing.category for thing in metadata.removed),
        affected=metadata.affected,
        labels=metadata.labels,
        verdict=str(metadata.certificate.verdict),
        num_frames=metadata.num_frames,
        fps=metadata.fps,
        width=metadata.width,
        height=metadata.height,
        mask_policy=metadata.mask.policy,
        share_keep=share["KEEP"],
        share_affected=share["AFFECTED"],
        share_remove=share["REMOVE"],
        share_overlap=share["OVERLAP"],
        visible_frames=metadata.effect.visible_frames,
        licence=metadata.licence.name,
    )


def family_of(sample: SampleInfo) -> str:
    """What kind of scene it is: a collision's family, "recorded" for motion capture."""
    return "recorded" if sample.metadata.source == "humoto" else sample.metadata.sequence


def _write_split(folder: Path, split: str, samples: Sequence[SampleInfo]) -> SplitFigures:
    """Shards and rows of one split."""
    rows, indexes = [], dict[str, ShardIndex]()
    for source in sorted({sample.metadata.source for sample in samples}):
        own = {sample.metadata.key: sample for sample in samples if sample.metadata.source == source}
        index = write_shards([sample.root for sample in own.values()], folder / source, source, SAMPLES_PER_SHARD)
        indexes[source] = index
        for entry in index.shards:
            rows += [row_of(own[key], f"{source}/{entry.file}") for key in entry.keys]
    (folder / ROWS).write_text("".join(f"{dump_json(row, indent=None)}\n" for row in rows))
    return SplitFigures(
        split=split,
        indexes=indexes,
        families=tuple(row.family for row in rows),
        verdicts=tuple(row.verdict for row in rows),
        licences={sample.metadata.licence.name: sample.metadata.licence.note for sample in samples},
    )


def _notes(figures: CardFigures, divided: dict[str, list[SampleInfo]], neither: Sequence[SampleInfo]) -> list[str]:
    notes = [f"no samples for the split '{split}': it is left out" for split in divided if not divided[split]]
    if neither:
        names = ", ".join(sample.metadata.key for sample in neither[:3])
        notes.append(f"{len(neither)} samples mix inputs of train and test and are left out ({names})")
    if any(RESEARCH_ONLY in name for split in figures.splits for name in split.licences):
        notes.append(f"{RESEARCH_ONLY}: non-commercial research only; read docs/TRAINING.md before you publish this")
    return notes
