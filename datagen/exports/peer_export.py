"""`datagen export peer:<name>`: the inputs of one peer, and a run.sh that calls it.

DEST/data/...      what the peer reads
DEST/run.sh        the call, clip by clip; what is there already is not made again
DEST/outputs/      where the peer's results go
DEST/export.json   how each clip was fitted, for the import
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from pathlib import Path

from datagen.codec import atomic_folder, write_json
from datagen.errors import DataError
from datagen.exports.clips import ModelClip, find_model_clips
from datagen.exports.peer import (
    EXPORT_RECORD,
    OUTPUTS,
    RUN_SCRIPT,
    ExportedClip,
    Peer,
    PeerExport,
    fit_clip,
    info_of,
    plan_clip,
)

FORMAT_VERSION = 1
EXECUTABLE = 0o755


def export_peer(peer: Peer, data: Path, dest: Path, done: Callable[[str], None] = lambda key: None) -> PeerExport:
    """Write DEST, whole or not at all; `done` is called with each key.

    Raises `DataError` where `data` holds no clips, and for a DEST that is not empty.
    """
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise DataError(f"{dest}: exists and is not empty; expected a new folder: choose another, or remove it")
    clips = find_model_clips(data)
    plans = tuple(plan_clip(peer, clip.key, index, info_of(clip)) for index, clip in enumerate(clips))
    if dest.is_dir():
        dest.rmdir()
    with atomic_folder(dest) as partial:
        _write_inputs(peer, clips, plans, partial, done)
        (partial / OUTPUTS).mkdir()
        script = partial / RUN_SCRIPT
        script.write_text(run_script(peer, plans))
        script.chmod(EXECUTABLE)
        export = PeerExport(format_version=FORMAT_VERSION, peer=peer.name, clips=plans)
        write_json(partial / EXPORT_RECORD, export)
    return export


def _write_inputs(
    peer: Peer,
    clips: list[ModelClip],
    plans: tuple[ExportedClip, ...],
    dest: Path,
    done: Callable[[str], None],
) -> None:
    for clip, plan in zip(clips, plans, strict=True):
        fitted = fit_clip(clip, plan)
        for one in peer.inputs:
            path = dest / one.path.format(key=clip.key, index=plan.index)
            path.parent.mkdir(parents=True, exist_ok=True)
            one.write(path, fitted)
        done(clip.key)
    if peer.index is not None:
        peer.index(dest, [(plan, clip.prompt) for clip, plan in zip(clips, plans, strict=True)])


def run_script(peer: Peer, plans: tuple[ExportedClip, ...]) -> str:
    """run.sh: bash that asks for the peer's settings and calls it."""
    head = [
        "#!/bin/bash",
        f"# {peer.title} ({peer.source}). Licence: {peer.licence}.",
        *([f"# {peer.notes}"] if peer.notes else []),
        f"# Then: datagen import peer:{peer.name} THIS_FOLDER PREDICTIONS",
        "set -euo pipefail",
        'HERE="$(cd "$(dirname "$0")" && pwd)"',
    ]
    for one in peer.settings:
        if one.default:
            head.append(f': "${{{one.name}:={one.default}}}"  # {one.meaning}')
        else:
            head.append(f': "${{{one.name}:?set it to: {one.meaning}}}"')
    calls = _one_call(peer, plans) if peer.once else _calls(peer, plans)
    return "\n".join([*head, "", *calls]) + "\n"


def _one_call(peer: Peer, plans: tuple[ExportedClip, ...]) -> list[str]:
    keys = ",".join(plan.key for plan in plans)
    return [f"KEYS={shlex.quote(keys)}", peer.call]


def _calls(peer: Peer, plans: tuple[ExportedClip, ...]) -> list[str]:
    lines = [
        "run() {",
        '    KEY="$1" INDEX="$2" NUM_FRAMES="$3" FPS="$4" WIDTH="$5" HEIGHT="$6" SECONDS_UP="$7" RESULT="$8"',
        '    OUT="$HERE/outputs/$KEY"',
        '    if compgen -G "$HERE/outputs/$RESULT" > /dev/null; then echo "$KEY: done"; return; fi',
        '    mkdir -p "$OUT"',
        "(",
        peer.call,
        ")",
        "}",
        "",
    ]
    for plan in plans:
        seconds = math.ceil(plan.padded_frames / plan.sent_fps)
        result = peer.output.format(key=plan.key, index=plan.index)
        facts = (plan.key, plan.index, plan.padded_frames, f"{plan.sent_fps:g}", plan.sent_width, plan.sent_height)
        lines.append("run " + " ".join(shlex.quote(str(fact)) for fact in (*facts, seconds, result)))
    return lines
