"""`datagen import peer:<name>`: a peer's results back as predictions, one <key>.mp4 a clip, as large as the input.

Beside each lies <key>.json, an `ImportRecord`: where it came from and what was undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.codec import read_record, sha256_file, write_json
from datagen.errors import DataError
from datagen.exports.peer import EXPORT_RECORD, OUTPUTS, ExportedClip, Peer, PeerExport, resized
from datagen.video import decode_rgb, encode_rgb, probe

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ImportRecord:
    """<key>.json"""

    format_version: int
    key: str
    peer: str
    output: str  # the peer's own file, below its outputs
    sha256: str  # of that file
    found: str  # its length, rate and size
    done: tuple[str, ...]  # in words, in order


@dataclass(frozen=True, kw_only=True)
class ImportOutcome:
    """One clip: `record`, or the reason why there is none."""

    key: str
    record: ImportRecord | None = None
    reason: str = ""


def import_peer(peer: Peer, export: Path, dest: Path) -> list[ImportOutcome]:
    """Predictions of every clip of an export; what was imported before and has not changed is left as it is.

    Raises `DataError` for a folder that is no export of this peer, and where the peer left nothing at all.
    """
    plans = read_export(peer, export).clips
    outcomes = [_import_clip(peer, plan, export / OUTPUTS, dest) for plan in plans]
    if all(outcome.record is None for outcome in outcomes):
        expected = peer.output.format(key=plans[0].key, index=plans[0].index)
        raise DataError(
            f"{export / OUTPUTS}: no result of {peer.title} can be used ({outcomes[0].key}: {outcomes[0].reason}); "
            f"expected {expected} and the like: has run.sh been run?"
        )
    return outcomes


def read_export(peer: Peer, export: Path) -> PeerExport:
    """The record of an export of this peer."""
    if not (export / EXPORT_RECORD).is_file():
        raise DataError(
            f"{export}: no {EXPORT_RECORD}; expected the folder that `datagen export peer:{peer.name}` made"
        )
    record = read_record(PeerExport, export / EXPORT_RECORD)
    if record.peer != peer.name:
        raise DataError(f"{export}: an export for '{record.peer}'; import it with peer:{record.peer}")
    return record


def _import_clip(peer: Peer, plan: ExportedClip, outputs: Path, dest: Path) -> ImportOutcome:
    pattern = peer.output.format(key=plan.key, index=plan.index)
    found = sorted(outputs.glob(pattern))
    if not found:
        return ImportOutcome(key=plan.key, reason=f"no {pattern}")
    source, record_path = found[-1], dest / f"{plan.key}.json"
    digest = sha256_file(source)
    if record_path.is_file() and (dest / f"{plan.key}.mp4").is_file():
        before = read_record(ImportRecord, record_path)
        if (before.peer, before.sha256) == (peer.name, digest):
            return ImportOutcome(key=plan.key, record=before)
    try:
        frames, info = decode_rgb(source), probe(source)
    except DataError as error:
        return ImportOutcome(key=plan.key, reason=str(error))
    restored, done = restore(peer, plan, frames, info.fps)
    dest.mkdir(parents=True, exist_ok=True)
    encode_rgb(dest / f"{plan.key}.mp4", restored, plan.fps)
    record = ImportRecord(
        format_version=FORMAT_VERSION,
        key=plan.key,
        peer=peer.name,
        output=str(source.relative_to(outputs)),
        sha256=digest,
        found=f"{len(frames)} frames at {info.fps:g}/s, {info.width}x{info.height}",
        done=done,
    )
    write_json(record_path, record)
    return ImportOutcome(key=plan.key, record=record)


def restore(peer: Peer, plan: ExportedClip, frames: np.ndarray, fps: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """The clip's own frames uint8 [at most sent_frames, height, width, 3] from a peer's [n, h, w, 3]; what was done."""
    done = []
    if peer.panels > 1:
        width = frames.shape[2] // peer.panels
        frames = frames[:, :, (peer.panels - 1) * width :]
        done.append(f"took the last of {peer.panels} pictures side by side")
    if len(frames) > plan.sent_frames:
        done.append(f"cut {len(frames)} frames to {plan.sent_frames}")
        frames = frames[: plan.sent_frames]
    if len(frames) < plan.num_frames:
        done.append(f"has {len(frames)} of {plan.num_frames} frames")
    size = (frames.shape[2], frames.shape[1])
    if size != (plan.width, plan.height):
        done.append(f"resized {size[0]}x{size[1]} to {plan.width}x{plan.height}")
        frames = np.stack([resized(frame, (plan.width, plan.height)) for frame in frames])
    if fps != plan.fps:
        done.append(f"frames were taken one for one: {fps:g} a second became {plan.fps:g}")
    return frames, tuple(done)
