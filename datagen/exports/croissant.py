"""croissant.json: an export described for machines, by mlcommons.org/croissant 1.0.

Record set `<split>` has the rows of metadata.jsonl. Files are named relative to croissant.json, with their sha256, so
that all is read from the folder. What is in the shards is no record set: mlcroissant keeps what it unpacks under the
archive's relative name alone, and would take one export's videos for another's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.codec import sha256_file
from datagen.exports.card import CardFigures, SplitFigures, description

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
TEXT, INTEGER, FLOAT = "sc:Text", "sc:Integer", "sc:Float"
COLUMNS = {  # of metadata.jsonl that are single values
    "key": TEXT,
    "file_name": TEXT,
    "source": TEXT,
    "family": TEXT,
    "caption": TEXT,
    "verdict": TEXT,
    "num_frames": INTEGER,
    "fps": FLOAT,
    "width": INTEGER,
    "height": INTEGER,
    "mask_policy": TEXT,
    "share_keep": FLOAT,
    "share_affected": FLOAT,
    "share_remove": FLOAT,
    "share_overlap": FLOAT,
    "visible_frames": FLOAT,
    "licence": TEXT,
}
_TERMS = (
    "citeAs column conformsTo:dct extract field fileProperty fileObject fileSet format includes isLiveDataset jsonPath "
    "key md5 parentField path recordSet references regex repeated replace samplingRate separator source subField "
    "transform"
)


def croissant_record(figures: CardFigures, root: Path) -> dict[str, Any]:
    """The record of an export whose files lie in `root`."""
    splits = figures.splits
    return {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": figures.name,
        "description": description(figures),
        "license": "; ".join(figures.licences),
        "url": "README.md",
        "version": __version__,
        "distribution": [part for split in splits for part in _files(split, root)],
        "recordSet": [_rows(split) for split in splits],
    }


def _context() -> dict[str, Any]:
    """Croissant's names: each term is `cr:<term>`, but for one of Dublin Core's."""
    context: dict[str, Any] = {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "equivalentProperty": "cr:equivalentProperty",
    }
    for term in _TERMS.split():
        name, _, prefix = term.partition(":")
        context[name] = f"{prefix or 'cr'}:{name}"
    return context


def _files(split: SplitFigures, root: Path) -> list[dict[str, Any]]:
    """metadata.jsonl and shards."""
    rows = f"{split.split}/metadata.jsonl"
    shards = {
        f"{split.split}/{source}/{entry.file}": entry.sha256
        for source, index in split.indexes.items()
        for entry in index.shards
    }
    files = [_file(rows, "application/jsonlines", sha256_file(root / rows))]
    files += [_file(path, "application/x-tar", digest) for path, digest in shards.items()]
    return files


def _file(path: str, encoding: str, sha256: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "encodingFormat": encoding,
        "sha256": sha256,
    }


def _rows(split: SplitFigures) -> dict[str, Any]:
    """Record set of a split's metadata.jsonl."""
    source = f"{split.split}/metadata.jsonl"
    return {
        "@type": "cr:RecordSet",
        "@id": split.split,
        "name": split.split,
        "field": [
            _field(f"{split.split}/{name}", kind, {"fileObject": {"@id": source}, "extract": {"column": name}})
            for name, kind in COLUMNS.items()
        ],
    }


def _field(name: str, kind: str, source: dict[str, Any]) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind, "source": source}
