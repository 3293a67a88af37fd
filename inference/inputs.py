"""The videos that a run is to clean: a void-eval folder, a run folder of the pipeline, shards, or two files.

void-eval    DATA/<key>/{input_video.mp4, quadmask_0.mp4, prompt.json}    other folders are left alone
run folder   DATA/samples/<key>/{rgb_full.mp4, mask.mp4, prompt.json}
shards       DATA/*.tar or one .tar; what is needed of each sample is unpacked into a scratch folder
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.codec import atomic_path
from datagen.errors import ConfigError, DataError
from datagen.shards import read_shard
from datagen.video import iterate_rgb, probe

EVAL_VIDEO, EVAL_MASKS, PROMPT = "input_video.mp4", "*quadmask*.mp4", "prompt.json"
SAMPLE_VIDEO, SAMPLE_MASK = "rgb_full.mp4", "mask.mp4"
PERSON = re.compile(
    r"\b(person|people|human|humans|man|men|woman|women|boy|girl|child|children|kid|kids|baby|guy|lady|someone|somebody"
    r"|hand|hands|arm|arms|player|actor|worker|pedestrian|he|she|his|her)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One video to clean; `key` names its outputs."""

    key: str
    video: Path
    quadmask: Path
    prompt: str

    def frames(self) -> Iterator[np.ndarray]:
        """Frames uint8 [height, width, 3]."""
        return iterate_rgb(self.video)

    def grey(self) -> Iterator[np.ndarray]:
        """The quadmask's channel 0 as it was stored, uint8 [height, width]."""
        return (frame[..., 0] for frame in iterate_rgb(self.quadmask))

    def fps(self) -> float:
        """Rate of the video, which its output shall have."""
        return probe(self.video).fps


def find_clips(data: Path, scratch: Path) -> list[Clip]:
    """All clips of `data`, sorted by key; raises `DataError` where there are none or a file of one is missing."""
    if not data.exists():
        raise DataError(f"{data}: no such folder; expected a void-eval folder, a run folder or shards")
    clips = _clips_of_shards([data], scratch) if data.is_file() else _clips_of_folder(data, scratch)
    if not clips:
        raise DataError(
            f"{data}: holds no videos; expected <key>/{EVAL_VIDEO} (void-eval), samples/<key>/{SAMPLE_VIDEO} (a run "
            "folder) or *.tar (shards)"
        )
    return sorted(clips, key=lambda clip: clip.key)


def one_clip(video: Path, quadmask: Path, prompt: str, out: Path) -> Clip:
    """The clip of two files, named after the video that is to be written."""
    if out.suffix != ".mp4":
        raise ConfigError(f"--out {out}: expected the name of an .mp4")
    for path in (video, quadmask):
        if not path.is_file():
            raise DataError(f"{path}: no such file; expected a video")
    return Clip(key=out.stem, video=video.resolve(), quadmask=quadmask.resolve(), prompt=prompt)


def warnings_of(clip: Clip) -> list[str]:
    """What is likely to be a mistake, and is done all the same."""
    found = []
    if word := PERSON.search(clip.prompt):
        found.append(
            f"{clip.key}: the prompt mentions '{word[0]}'; VOID paints what the prompt names: describe what remains, "
            "not who is removed"
        )
    if clip.video.name == EVAL_VIDEO and (masks := sorted(clip.video.parent.glob("mask*.mp4"))):
        found.append(
            f"{clip.key}: {masks[0].name} lies beside the quadmask and is not used here "
            "(the released script takes it instead)"
        )
    return found


def read_prompt(path: Path) -> str:
    """The text under "bg"."""
    try:
        return _prompt_of(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise DataError(f'{path}: no such file; expected {{"bg": "what remains and what happens"}}') from None


def _clips_of_folder(data: Path, scratch: Path) -> list[Clip]:
    if (data / EVAL_VIDEO).is_file():
        return [_eval_clip(data)]
    if (data / "samples").is_dir():
        return [_sample_clip(folder) for folder in _folders(data / "samples") if not folder.name.endswith(".partial")]
    if shards := sorted(data.glob("*.tar")):
        return _clips_of_shards(shards, scratch)
    return [_eval_clip(folder) for folder in _folders(data) if (folder / EVAL_VIDEO).is_file() or _masks(folder)]


def _eval_clip(folder: Path) -> Clip:
    masks = _masks(folder)
    if len(masks) != 1:
        names = ", ".join(path.name for path in masks) or "none"
        raise DataError(f"{folder}: expected one quadmask, quadmask_0.mp4, found {names}")
    return _clip(folder, folder / EVAL_VIDEO, masks[0])


def _sample_clip(folder: Path) -> Clip:
    return _clip(folder, folder / SAMPLE_VIDEO, folder / SAMPLE_MASK)


def _clip(folder: Path, video: Path, quadmask: Path) -> Clip:
    for path in (video, quadmask):
        if not path.is_file():
            raise DataError(f"{path}: no such file; the video, its quadmask and its prompt belong together")
    return Clip(
        key=folder.resolve().name,
        video=video.resolve(),
        quadmask=quadmask.resolve(),
        prompt=read_prompt(folder / PROMPT),
    )


def _clips_of_shards(shards: list[Path], scratch: Path) -> list[Clip]:
    """Clips of tar files, unpacked under `scratch`."""
    folders = []
    for shard in shards:
        for sample in read_shard(shard):
            folders.append(scratch / sample.key)
            for name in (SAMPLE_VIDEO, SAMPLE_MASK, PROMPT):
                if name not in sample.files:
                    raise DataError(f"{shard}: sample {sample.key} lacks {name}; pack the run again")
                with atomic_path(scratch / sample.key / name) as partial:
                    partial.write_bytes(sample.files[name])
    return [_sample_clip(folder) for folder in folders]


def _prompt_of(text: bytes, where: str) -> str:
    try:
        found = json.loads(text)["bg"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise DataError(f'{where}: expected {{"bg": "what remains and what happens"}}') from None
    if not isinstance(found, str) or not found.strip():
        raise DataError(f"{where}: 'bg' is empty; expected what remains and what happens, in words")
    return found.strip()


def _masks(folder: Path) -> list[Path]:
    return sorted(folder.glob(EVAL_MASKS))


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir())
