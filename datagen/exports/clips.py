"""What is exported to other people's models: the clips of a run folder or of an eval set."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from datagen.errors import DataError
from datagen.evalset import GROUND_TRUTH, INPUT_VIDEO, PROMPT, QUADMASK
from datagen.metadata import RemovedThing
from datagen.sample import MASK, METADATA, RGB_FULL, read_sample


@dataclass(frozen=True, kw_only=True)
class ModelClip:
    """One clip as a model is given it."""

    key: str
    video: Path  # with the removed objects
    quadmask: Path
    prompt: str  # what remains and happens
    removed: str  # what is removed, in words: for models that take no mask


def find_model_clips(data: Path) -> list[ModelClip]:
    """Clips of a run folder (its samples) or an eval set, sorted by key; raises `DataError` where there are none."""
    if not data.is_dir():
        raise DataError(f"{data}: no such folder; expected a run folder or an eval set")
    if (data / "samples").is_dir():
        folders = _folders_with(data / "samples", METADATA)
        clips = [_clip(folder, folder / RGB_FULL, folder / MASK, folder) for folder in folders]
    else:
        folders = _folders_with(data, INPUT_VIDEO)
        clips = [
            _clip(folder, folder / INPUT_VIDEO, folder / QUADMASK, data / GROUND_TRUTH / folder.name)
            for folder in folders
        ]
    if not clips:
        raise DataError(
            f"{data}: holds no finished samples (samples/<key>/{METADATA}) and no eval set (<key>/{INPUT_VIDEO})"
        )
    return clips


def words_of(removed: Iterable[RemovedThing]) -> str:
    """Removed things as a person would name them: "person", "mug and box"."""
    names = ["person" if thing.kind == "person" else thing.category.replace("_", " ") for thing in removed]
    names = list(dict.fromkeys(names))
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _folders_with(parent: Path, name: str) -> list[Path]:
    return sorted(folder for folder in parent.iterdir() if (folder / name).is_file() and folder.suffix != ".partial")


def _clip(folder: Path, video: Path, quadmask: Path, described: Path) -> ModelClip:
    for path in (video, quadmask):
        if not path.is_file():
            raise DataError(f"{path}: no such file; the video, its quadmask and its prompt belong together")
    removed = words_of(read_sample(described).metadata.removed) if (described / METADATA).is_file() else "object"
    return ModelClip(key=folder.name, video=video, quadmask=quadmask, prompt=_prompt(folder / PROMPT), removed=removed)


def _prompt(path: Path) -> str:
    try:
        return str(json.loads(path.read_text())["bg"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f'{path}: expected {{"bg": "what remains and what happens"}}') from None
