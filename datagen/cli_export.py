"""`datagen export FORMAT DATA... DEST` and `datagen import peer:<name> EXPORT DEST`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from datagen.cli_options import EXIT_PROBLEMS
from datagen.errors import ConfigError, did_you_mean

PEER = "peer:"
VOID_TRAIN = "void-train"  # the only format with options of its own

FormatArgument = Annotated[str, typer.Argument(metavar="FORMAT", help="peer:<name>, or one of the other formats.")]
PathsArgument = Annotated[
    list[Path], typer.Argument(metavar="DATA... DEST", help="Run folders or eval sets, then the folder to make.")
]


def export_command(
    form: FormatArgument,
    paths: PathsArgument,
    warped_noise: Annotated[
        bool, typer.Option("--warped-noise", help="void-train: add flow-warped noise for the second pass.")
    ] = False,
    noise_scale: Annotated[
        int, typer.Option("--noise-scale", min=1, help="void-train: noise pixels a video pixel, each way.")
    ] = 4,
) -> None:
    """Write finished samples in the layout of something else.

    Example: datagen export peer:propainter runs/eval-set exports/propainter
    """
    if warped_noise and form != VOID_TRAIN:
        raise ConfigError(f"export {form}: --warped-noise belongs to `datagen export {VOID_TRAIN}`; leave it out")
    if len(paths) < 2:
        raise ConfigError(f"export {form}: expected DATA and DEST, found {', '.join(map(str, paths))} alone")
    *data, dest = paths
    if form.startswith(PEER):
        _export_peer(form.removeprefix(PEER), data, dest)
    elif form == VOID_TRAIN:
        _export_void_train(data, dest, warped_noise=warped_noise, noise_scale=noise_scale)
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

    return [*FORMATS, VOID_TRAIN, *(PEER + peer.name for peer in PEERS)]


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


def _export_void_train(data: list[Path], dest: Path, *, warped_noise: bool, noise_scale: int) -> None:
    from datagen.exports.void_train import export_void_train

    made = export_void_train(
        data, dest, warped_noise=warped_noise, noise_scale=noise_scale, report=lambda line: typer.echo(line, err=True)
    )
    noise = f", {made.num_noises} with warped noise" if made.num_noises else ""
    typer.echo(f"{made.num_clips} clips ({made.num_new} of them new{noise}) in {dest}")


def _export_huggingface(data: list[Path], dest: Path) -> None:
    from datagen.exports.huggingface import export_huggingface

    made = export_huggingface(data, dest)
    for note in made.notes:
        typer.echo(note, err=True)
    typer.echo(f"{made.num_train} samples for training and {made.num_test} held out, in {dest}")


FORMATS: Mapping[str, Callable[[list[Path], Path], None]] = {
    "huggingface": _export_huggingface,
    "void-eval": _export_void_eval,
}
