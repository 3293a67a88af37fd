"""`datagen export FORMAT DATA... DEST` and `datagen import peer:<name> EXPORT DEST`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from datagen.errors import ConfigError, did_you_mean

PEER = "peer:"

FormatArgument = Annotated[str, typer.Argument(metavar="FORMAT", help="peer:<name>, or one of the other formats.")]
PathsArgument = Annotated[
    list[Path], typer.Argument(metavar="DATA... DEST", help="Run folders or eval sets, then the folder to make.")
]
EXIT_PROBLEMS = 1


def export_command(form: FormatArgument, paths: PathsArgument) -> None:
    """Write finished samples in the layout of something else.

    Example: datagen export peer:propainter runs/eval-set exports/propainter
    """
    if len(paths) < 2:
        raise ConfigError(f"export {form}: expected DATA and DEST, found {', '.join(map(str, paths))} alone")
    *data, dest = paths
    if form.startswith(PEER):
        _export_peer(form.removeprefix(PEER), data, dest)
    elif form in FORMATS:
        FORMATS[form](data, dest)
    else:
        raise ConfigError(f"there is no format '{form}'{did_you_mean(form, known_formats())}")


def import_command(
    form: FormatArgument,
    export: Annotated[Path, typer.Argument(metavar="EXPORT", help="The folder that `datagen export` made.")],
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="Where <key>.mp4 and <key>.json go.")],
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where a clip has no usable result.")] = False,
) -> None:
    """Take a peer's results back as predictions: named by key, as long and as large as the input.

    Example: datagen import peer:propainter exports/propainter predictions/propainter
    """
    from datagen.exports.peer_import import import_peer
    from datagen.exports.peers import find_peer

    if not form.startswith(PEER):
        raise ConfigError(f"import {form}: expected peer:<name>{did_you_mean(PEER + form, known_formats())}")
    outcomes = import_peer(find_peer(form.removeprefix(PEER)), export, dest)
    missing = [outcome for outcome in outcomes if outcome.record is None]
    for outcome in missing:
        typer.echo(f"{outcome.key}: {outcome.reason}", err=True)
    typer.echo(f"{len(outcomes) - len(missing)} of {len(outcomes)} clips in {dest}")
    if missing and strict:
        raise typer.Exit(EXIT_PROBLEMS)


def known_formats() -> list[str]:
    """All names that FORMAT may have."""
    from datagen.exports.peers import PEERS

    return [*FORMATS, *(PEER + peer.name for peer in PEERS)]


def _export_peer(name: str, data: list[Path], dest: Path) -> None:
    from datagen.exports.peer_export import export_peer
    from datagen.exports.peers import find_peer

    if len(data) != 1:
        raise ConfigError(f"export {PEER}{name}: expected one run folder or eval set, found {len(data)}")
    peer = find_peer(name)
    export = export_peer(peer, data[0], dest, lambda key: typer.echo(f"{key}: written", err=True))
    cut = sum(clip.sent_frames < clip.num_frames for clip in export.clips)
    note = f"; {cut} of them cut to the {peer.max_frames} frames that it takes" if cut else ""
    typer.echo(f"{len(export.clips)} clips for {peer.title} in {dest}{note}; run {dest}/run.sh")


def _export_void_eval(data: list[Path], dest: Path) -> None:
    from datagen.exports.void_eval import export_void_eval

    exported = export_void_eval(data, dest, report=lambda key: typer.echo(f"{key}: written", err=True))
    for line in exported.lacks:
        typer.echo(line, err=True)
    for origin in exported.manifest.origins:
        typer.echo(f"{origin['source']}: {origin['note']}", err=True)
    typer.echo(f"{len(exported.manifest.entries)} clips ({exported.num_new} of them new) in {dest}")


FORMATS: Mapping[str, Callable[[list[Path], Path], None]] = {"void-eval": _export_void_eval}
