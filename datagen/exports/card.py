"""The dataset card of an export: what is in it, in figures and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml

from datagen.quadmask import Label
from datagen.shards import ShardIndex

CC0 = "CC0-1.0"
SIZE_CLASSES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
MIB = 2**20
VIDEO_MEMBERS = ("mask.mp4", "rgb_full.mp4", "rgb_removed.mp4")
RECORD_FIELDS = {  # of <key>.json, as `datasets` hands them out: what it infers from a few samples does not fit all
    "key": "string",
    "source": "string",
    "sequence": "string",
    "caption": "string",
    "num_frames": "int64",
    "fps": "float64",
    "width": "int64",
    "height": "int64",
}
RECORD_LISTS = ("affected", "labels")


@dataclass(frozen=True, kw_only=True)
class SplitFigures:
    """One split of an export."""

    split: str
    indexes: Mapping[str, ShardIndex]  # by source
    families: tuple[str, ...]  # of each sample
    verdicts: tuple[str, ...]
    licences: Mapping[str, str]  # name, note

    @property
    def num_samples(self) -> int:
        return len(self.families)


@dataclass(frozen=True, kw_only=True)
class CardFigures:
    """An export."""

    name: str
    splits: tuple[SplitFigures, ...]
    num_rejected: int  # scenes of the runs that did not pass a check
    num_failed: int
    num_mixed: int  # samples that belong to no split

    @property
    def licences(self) -> dict[str, str]:
        """Name and note of each licence, sorted."""
        return dict(sorted({name: note for split in self.splits for name, note in split.licences.items()}.items()))


def card_text(figures: CardFigures) -> str:
    """README.md: the hub's header, then the figures."""
    header = yaml.safe_dump(_header(figures), sort_keys=False, allow_unicode=True)
    sections = (_what(figures), _how_to_read(figures), _figures(figures), _checks(figures), _licences(figures))
    return f"---\n{header}---\n\n# {figures.name}\n\n" + "\n\n".join(sections) + "\n"


def description(figures: CardFigures) -> str:
    """One sentence for people and machines."""
    total = sum(split.num_samples for split in figures.splits)
    return (
        f"{total} pairs of videos of the same scene, with and without a person or object, with physics run again, and "
        "a quadmask that says which pixels change."
    )


def _header(figures: CardFigures) -> dict[str, object]:
    total = sum(split.num_samples for split in figures.splits)
    licence: dict[str, object] = {"license": "cc0-1.0"}
    if set(figures.licences) != {CC0}:
        licence = {"license": "other", "license_name": "; ".join(figures.licences)}
    return {
        "pretty_name": figures.name,
        **licence,
        "task_categories": ["video-to-video"],
        "tags": ["video", "counterfactual", "object-removal", "physics", "synthetic", "webdataset"],
        "size_categories": [next((name for limit, name in SIZE_CLASSES if total < limit), "n>1M")],
        "dataset_info": {"features": _features()},
        "configs": [
            {
                "config_name": "default",
                "default": True,
                "data_files": [{"split": one.split, "path": f"{one.split}/*/*.tar"} for one in figures.splits],
            },
        ],
    }


def _features() -> list[dict[str, object]]:
    """Types of a sample's parts, in the hub's notation."""
    record: list[dict[str, object]] = [{"name": name, "dtype": kind} for name, kind in RECORD_FIELDS.items()]
    record += [{"name": name, "list": "string"} for name in RECORD_LISTS]
    record.append({"name": "mask", "struct": [{"name": name, "dtype": "string"} for name in ("policy", "form")]})
    parts: list[dict[str, object]] = [{"name": name, "dtype": "string"} for name in ("__key__", "__url__")]
    parts.append({"name": "json", "struct": record})
    return parts + [{"name": name, "dtype": "video"} for name in VIDEO_MEMBERS]


def _what(figures: CardFigures) -> str:
    labels = ", ".join(f"{label:d} {label.name.lower()}" for label in Label)
    return (
        f"{description(figures)} Made with voidgen.\n\n"
        "Each sample: `rgb_full.mp4` (with what is removed), `rgb_removed.mp4` (the counterfactual), `mask.mp4` "
        f"(quadmask: {labels}; exact after decoding), `layers.npz` (the evidence behind the mask), `physics.npz` (both "
        "trajectories, contacts, masses, camera), `json` (metadata with the certificate of its physics), `prompt.json`."
    )


def _how_to_read(figures: CardFigures) -> str:
    folders = [f"{split.split}/{source}" for split in figures.splits for source in split.indexes]
    return (
        "## Reading\n\n```python\nfrom datagen.loader import PairDataset\n\n"
        f"for pair in PairDataset({figures.splits[0].split + '/' + next(iter(figures.splits[0].indexes))!r}):\n"
        '    print(pair["key"], pair["rgb_full"].shape, pair["caption"])\n```\n\n'
        f"Shards lie in {', '.join(f'`{folder}`' for folder in folders)}, in WebDataset's layout; `metadata.jsonl` of "
        "each split has one row a sample. In test is what was made of recordings, scanned objects and environment maps "
        "that nothing in train is made of, by a hash of their names."
    )


def _figures(figures: CardFigures) -> str:
    lines = [
        "## Figures",
        "",
        "| split | source | samples | frames | seconds | sizes | MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for split in figures.splits:
        for source, index in split.indexes.items():
            totals = index.totals
            cells = (split.split, source, totals.samples, totals.frames, totals.seconds)
            lines.append(_row(*cells, _counts(totals.sizes), f"{totals.bytes / MIB:.1f}"))
    lines += ["", "| split | source | removed | visible effect | no effect | keep | affected | remove | overlap |"]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    for split in figures.splits:
        for source, index in split.indexes.items():
            totals = index.totals
            shares = [f"{totals.mask_share.get(name, 0):.1%}" for name in ("KEEP", "AFFECTED", "REMOVE", "OVERLAP")]
            effects = (totals.visible_effects, totals.null_effects)
            lines.append(_row(split.split, source, _counts(totals.removed), *effects, *shares))
    lines += ["", "| split | families |", "|---|---|"]
    lines += [_row(split.split, _counts(Counter(split.families))) for split in figures.splits]
    return "\n".join(lines)


def _checks(figures: CardFigures) -> str:
    verdicts = Counter(verdict for split in figures.splits for verdict in split.verdicts)
    lines = [
        "## Checks",
        "",
        "Every counterfactual carries the measured checks of its physics; scenes that fail one are not in the set.",
        "",
        "| verdict | samples or scenes |",
        "|---|---|",
        *(_row(verdict, count) for verdict, count in sorted(verdicts.items())),
        _row("rejected before rendering (not in the set)", figures.num_rejected),
        _row("failed (not in the set)", figures.num_failed),
    ]
    if figures.num_mixed:
        lines.append(_row("left out: inputs of both splits", figures.num_mixed))
    return "\n".join(lines)


def _licences(figures: CardFigures) -> str:
    rows = [_row(name, note) for name, note in figures.licences.items()]
    return "\n".join(["## Licences", "", "| licence | terms |", "|---|---|", *rows])


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def _counts(table: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in _largest(table.items()))


def _largest(items: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(items, key=lambda item: (-item[1], item[0]))
