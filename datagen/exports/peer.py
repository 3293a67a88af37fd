"""Other models that remove things from video: what each takes, how it is called, and what it leaves.

A peer is one `Peer` record (`datagen.exports.peers` has them all). Frames are handed over one for one: a peer's own
rate is only what its files say, so that nothing is lost or blended in time. Clips that are too short are mirrored at
their end, clips that are too long are cut; `export.json` says what was done, and the import undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from datagen.exports.clips import ModelClip
from datagen.quadmask import Label
from datagen.video import VideoInfo, decode_mask, decode_rgb, probe

EXPORT_RECORD = "export.json"
OUTPUTS = "outputs"  # where a peer's results lie, in the export's folder
RUN_SCRIPT = "run.sh"


@dataclass(frozen=True, kw_only=True)
class FittedClip:
    """A clip in the size and length that a peer takes."""

    key: str
    index: int  # in the export, from 0
    frames: np.ndarray  # uint8 [num_frames, height, width, 3]
    quadmask: np.ndarray  # uint8 [num_frames, height, width]
    fps: float  # what its files say
    prompt: str
    removed_words: str

    @property
    def removed(self) -> np.ndarray:
        """Pixels of what is to be removed, bool [num_frames, height, width]."""
        return np.asarray((self.quadmask == Label.REMOVE) | (self.quadmask == Label.OVERLAP))


@dataclass(frozen=True, kw_only=True)
class PeerInput:
    """One file or folder that a peer reads for each clip."""

    path: str  # below the export's folder; {key} and {index} are filled in
    write: Callable[[Path, FittedClip], None]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A variable that run.sh asks for."""

    name: str
    meaning: str
    default: str = ""  # "": the script stops and says what is missing


@dataclass(frozen=True, kw_only=True)
class ExportedClip:
    """What became of a clip on its way to a peer."""

    key: str
    index: int
    num_frames: int  # of the original
    fps: float
    width: int
    height: int
    sent_frames: int  # of these, handed over; the rest was cut
    padded_frames: int  # length that the peer was given
    sent_fps: float
    sent_width: int
    sent_height: int


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A model that can be held against ours.

    `call` is shell, run in the export's folder for every clip with $KEY, $INDEX (from 0), $NUM_FRAMES, $FPS, $WIDTH,
    $HEIGHT, $SECONDS_UP (rounded up), $HERE (the export's folder) and $OUT (the clip's own folder for results); with
    `once` it is run a single time with $KEYS (comma-separated) instead. `output` is a glob below OUTPUTS; the last
    match by name counts.
    """

    name: str  # as in `datagen export peer:<name>`
    title: str
    source: str  # repository, paper or address
    licence: str
    inputs: tuple[PeerInput, ...]
    settings: tuple[Setting, ...]
    call: str
    output: str
    once: bool = False
    size: tuple[int, int] | None = None  # width, height; None: the clip's own
    multiple: int = 1  # width and height are made multiples of this
    fps: float | None = None  # what the files say; None: the clip's own rate
    min_frames: int = 1
    max_frames: int | None = None
    step: int = 1  # lengths are step * n + 1; 1: any
    index: Callable[[Path, Sequence[tuple[ExportedClip, str]]], None] | None = None  # writes a list of clips, prompts
    panels: int = 1  # an output shows this many pictures side by side; the result is the last
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class PeerExport:
    """export.json"""

    format_version: int
    peer: str
    clips: tuple[ExportedClip, ...]


def plan_clip(peer: Peer, key: str, index: int, info: VideoInfo) -> ExportedClip:
    """Size and length in which a peer is given a clip."""
    sent = info.num_frames if peer.max_frames is None else min(info.num_frames, peer.max_frames)
    width, height = peer.size or (info.width, info.height)
    return ExportedClip(
        key=key,
        index=index,
        num_frames=info.num_frames,
        fps=info.fps,
        width=info.width,
        height=info.height,
        sent_frames=sent,
        padded_frames=padded_length(peer, sent),
        sent_fps=peer.fps or info.fps,
        sent_width=max(peer.multiple, round(width / peer.multiple) * peer.multiple),
        sent_height=max(peer.multiple, round(height / peer.multiple) * peer.multiple),
    )


def padded_length(peer: Peer, num_frames: int) -> int:
    """The shortest length that a peer takes and that holds all frames: at least `min_frames`, step * n + 1."""
    least = max(num_frames, peer.min_frames)
    return least if peer.step == 1 else -(-(least - 1) // peer.step) * peer.step + 1


def fit_clip(clip: ModelClip, plan: ExportedClip) -> FittedClip:
    """The clip's frames and quadmask as planned: cut or mirrored in time, resized (masks by the nearest pixel)."""
    order = mirrored(plan.sent_frames, plan.padded_frames)
    size = (plan.sent_width, plan.sent_height)
    frames = decode_rgb(clip.video)[: plan.sent_frames]
    mask = decode_mask(clip.quadmask)[: plan.sent_frames]
    return FittedClip(
        key=clip.key,
        index=plan.index,
        frames=np.stack([resized(frame, size) for frame in frames])[order],
        quadmask=np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST) for frame in mask])[order],
        fps=plan.sent_fps,
        prompt=clip.prompt,
        removed_words=clip.removed,
    )


def mirrored(num_frames: int, length: int) -> np.ndarray:
    """Indices int [length] of frames that run to the end and back again: 0 1 2 1 0 1 ..."""
    if num_frames == 1:
        return np.zeros(length, dtype=np.int64)
    there_and_back = np.concatenate([np.arange(num_frames), np.arange(num_frames - 2, 0, -1)])
    return np.resize(there_and_back, length)


def resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture [height, width, 3] in another size (width, height): by area where it shrinks, cubic where it grows."""
    if (frame.shape[1], frame.shape[0]) == size:
        return frame
    shrinks = size[0] * size[1] < frame.shape[0] * frame.shape[1]
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC))


def info_of(clip: ModelClip) -> VideoInfo:
    """Length, rate and size of a clip."""
    return probe(clip.video)
