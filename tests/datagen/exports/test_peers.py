"""Peers: inputs written, run.sh run against a fake that behaves as the peer does, results imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datagen.codec import read_record, write_json
from datagen.errors import ConfigError, DataError
from datagen.exports.clips import find_model_clips, words_of
from datagen.exports.peer import EXPORT_RECORD, PeerExport, mirrored, padded_length
from datagen.exports.peer_export import export_peer, run_script
from datagen.exports.peer_import import import_peer
from datagen.exports.peers import PEERS, PROPAINTER, ROSE, VIDEO_PAINTER, find_peer
from datagen.metadata import RemovedThing
from datagen.quadmask import Label
from datagen.sample import MASK, RGB_FULL, compose_sample
from datagen.video import decode_mask, decode_rgb, encode_rgb, probe
from tests.datagen.exports.fake_peers import make_checkouts
from tests.datagen.synthetic import make_scene, make_spec

KEYS = ("alpha", "beta")
FRAMES = 25


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    for key in KEYS:
        scene = make_scene(root / "work", make_spec(key, num_frames=FRAMES))
        compose_sample(scene.spec, scene.physics, scene.render, root / "samples" / key, {})
    return root


@pytest.fixture(scope="module")
def one_clip(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For peers with large pictures of their own: half the work."""
    root = tmp_path_factory.mktemp("one")
    shutil.copytree(run_folder / "samples" / KEYS[0], root / "samples" / KEYS[0])
    return root


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_checkouts(tmp_path_factory.mktemp("checkouts"))


def call(export: Path, checkouts: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **checkouts, "PATH": path}
    return subprocess.run(
        [str(export / "run.sh")], env=environment, cwd=export, capture_output=True, text=True, check=False
    )


def greens(frames: np.ndarray) -> np.ndarray:
    red, green, blue = (frames[..., channel].astype(int) for channel in range(3))
    return (green > 140) & (red < 110) & (blue < 110)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_round_trip(peer, run_folder: Path, one_clip: Path, checkouts: dict[str, str], tmp_path: Path) -> None:
    """The result comes back frame by frame, and what the peer painted lies where the mask says."""
    export, keys = tmp_path / "export", KEYS
    if peer.size is not None:
        run_folder, keys = one_clip, KEYS[:1]
    export_peer(peer, run_folder, export)
    ran = call(export, checkouts)
    assert ran.returncode == 0, ran.stderr
    predictions = tmp_path / "predictions"
    outcomes = import_peer(peer, export, predictions)
    assert [outcome.key for outcome in outcomes] == list(keys)
    for outcome in outcomes:
        assert outcome.record is not None, outcome.reason
        sample, video = run_folder / "samples" / outcome.key, predictions / f"{outcome.key}.mp4"
        assert probe(video) == probe(sample / RGB_FULL)
        frames, given = decode_rgb(video), decode_rgb(sample / RGB_FULL)
        removed = decode_mask(sample / MASK) <= Label.OVERLAP
        if peer.name == "runway":
            removed = np.zeros_like(removed)
            removed[:, :, : removed.shape[2] // 2] = True
        for frame in range(FRAMES):
            painted = greens(frames[frame])
            assert (painted & removed[frame]).sum() / max((painted | removed[frame]).sum(), 1) > 0.75, frame
            same = ~painted & ~removed[frame]
            assert np.abs(frames[frame].astype(int) - given[frame])[same].mean() < 12, frame


def test_a_second_run_and_a_second_import_do_nothing(
    run_folder: Path, checkouts: dict[str, str], tmp_path: Path
) -> None:
    export, predictions = tmp_path / "export", tmp_path / "predictions"
    export_peer(ROSE, run_folder, export)
    assert call(export, checkouts).returncode == 0
    first = import_peer(ROSE, export, predictions)
    stamps = {path.name: path.stat().st_mtime_ns for path in predictions.iterdir()}
    again = call(export, checkouts)
    assert "alpha: done" in again.stdout and "beta: done" in again.stdout
    assert import_peer(ROSE, export, predictions) == first
    assert {path.name: path.stat().st_mtime_ns for path in predictions.iterdir()} == stamps


def test_padding_is_mirrored_and_cut_again(run_folder: Path, tmp_path: Path) -> None:
    export_peer(VIDEO_PAINTER, run_folder, tmp_path / "export")
    plan = read_record(PeerExport, tmp_path / "export" / EXPORT_RECORD).clips[0]
    assert (plan.num_frames, plan.sent_frames, plan.padded_frames) == (FRAMES, FRAMES, 49)
    sent = decode_rgb(tmp_path / "export/data/videovo/raw_video/000000000/000000000000.0.mp4")
    assert sent.shape == (49, 480, 720, 3)
    assert np.abs(sent[FRAMES].astype(int) - sent[FRAMES - 2]).mean() < 2


@pytest.mark.parametrize(("num_frames", "length"), [(1, 17), (17, 17), (18, 33), (60, 65), (85, 97)])
def test_lengths_of_16n_plus_1(num_frames: int, length: int) -> None:
    assert padded_length(ROSE, num_frames) == length


def test_mirrored() -> None:
    assert mirrored(3, 8).tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert mirrored(1, 3).tolist() == [0, 0, 0]
    assert mirrored(4, 4).tolist() == [0, 1, 2, 3]


def test_a_missing_and_a_broken_result_are_told_and_the_rest_is_imported(run_folder: Path, tmp_path: Path) -> None:
    export = tmp_path / "export"
    export_peer(PROPAINTER, run_folder, export)
    with pytest.raises(DataError, match=r"no result of ProPainter can be used \(alpha: no alpha/inpaint_out.mp4\)"):
        import_peer(PROPAINTER, export, tmp_path / "none")
    for key in KEYS:
        (export / "outputs" / key).mkdir()
    encode_rgb(export / "outputs/alpha/inpaint_out.mp4", np.full((FRAMES, 32, 48, 3), 90, np.uint8), 12)
    (export / "outputs/beta/inpaint_out.mp4").write_bytes(b"not a video")
    good, bad = import_peer(PROPAINTER, export, tmp_path / "some")
    assert good.record is not None and good.record.done[0] == "resized 48x32 to 96x64"
    assert bad.record is None and "not a readable video" in bad.reason
    assert not (tmp_path / "some" / "beta.mp4").exists()


def test_a_result_that_is_too_short_says_so(run_folder: Path, tmp_path: Path) -> None:
    export = tmp_path / "export"
    export_peer(PROPAINTER, run_folder, export)
    (export / "outputs/alpha").mkdir()
    encode_rgb(export / "outputs/alpha/inpaint_out.mp4", np.full((7, 64, 96, 3), 90, np.uint8), 12)
    outcome = import_peer(PROPAINTER, export, tmp_path / "some")[0]
    assert outcome.record is not None and f"has 7 of {FRAMES} frames" in outcome.record.done


def test_another_peers_export_is_refused(run_folder: Path, tmp_path: Path) -> None:
    export_peer(ROSE, run_folder, tmp_path / "export")
    with pytest.raises(DataError, match="an export for 'rose'"):
        import_peer(PROPAINTER, tmp_path / "export", tmp_path / "out")
    with pytest.raises(DataError, match=r"no export\.json"):
        import_peer(PROPAINTER, tmp_path, tmp_path / "out")


def test_a_folder_with_something_in_it_is_not_written_to(run_folder: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "mine.json", {})
    with pytest.raises(DataError, match="exists and is not empty"):
        export_peer(ROSE, run_folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


def test_names_are_suggested() -> None:
    with pytest.raises(ConfigError, match="no peer 'propanter'; did you mean 'propainter'"):
        find_peer("propanter")


def test_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_model_clips(tmp_path / "none")
    with pytest.raises(DataError, match="no finished samples"):
        find_model_clips(tmp_path)


def test_words_of_removed_things() -> None:
    person = RemovedThing(name="human", kind="person", category="person")
    mugs = [RemovedThing(name=f"mug.00{index}", kind="object", category="beer_mug") for index in range(2)]
    assert words_of([person]) == "person"
    assert words_of([person, *mugs]) == "person and beer mug"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_run_sh_names_what_is_missing(peer, tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text(run_script(peer, ()))
    bare = subprocess.run(
        ["bash", str(script)], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert bare.returncode != 0 and "set it to:" in bare.stderr


def test_every_peer_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "PEERS.md").read_text()
    table = page.partition("<!-- peers -->")[2].partition("<!-- end of peers -->")[0]
    names = [row.split("|")[1].strip() for row in table.strip().splitlines()]
    assert names == [peer.name for peer in PEERS]
