"""Finding clips in each layout, and what is said about bad ones."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from tiny_clips import FPS, moving_square, write_eval_clip

from datagen.errors import ConfigError, DataError
from datagen.quadmask import Label
from datagen.video import encode_rgb
from inference.conditioning import check_labels
from inference.inputs import Clip, find_clips, one_clip, warnings_of

SAMPLE_FILES = {"input_video.mp4": "rgb_full.mp4", "quadmask_0.mp4": "mask.mp4", "prompt.json": "prompt.json"}


@pytest.fixture
def evalset(tmp_path: Path) -> Path:
    root = tmp_path / "evalset"
    write_eval_clip(root / "b", 3)
    write_eval_clip(root / "a", 2, "an empty shelf")
    (root / "ground_truth" / "a").mkdir(parents=True)
    return root


def as_run(evalset: Path, root: Path) -> Path:
    """The same clips as samples of a run folder."""
    for key in ("a", "b"):
        folder = root / "samples" / key
        folder.mkdir(parents=True)
        for ours, theirs in SAMPLE_FILES.items():
            (folder / theirs).write_bytes((evalset / key / ours).read_bytes())
    (root / "samples" / "c.partial").mkdir()
    return root


def as_shards(evalset: Path, root: Path) -> Path:
    """The same clips as a shard."""
    root.mkdir()
    with tarfile.open(root / "kubric-000000.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for key in ("a", "b"):
            for ours, theirs in sorted(SAMPLE_FILES.items(), key=lambda names: names[1]):
                contents = (evalset / key / ours).read_bytes()
                member = tarfile.TarInfo(f"{key}.{theirs}")
                member.size = len(contents)
                archive.addfile(member, io.BytesIO(contents))
    return root


@pytest.mark.parametrize("layout", [lambda evalset, root: evalset, as_run, as_shards])
def test_the_same_clips_in_every_layout(evalset: Path, tmp_path: Path, layout: Callable[[Path, Path], Path]) -> None:
    clips = find_clips(layout(evalset, tmp_path / "other"), tmp_path / "scratch")
    assert [(clip.key, clip.prompt) for clip in clips] == [("a", "an empty shelf"), ("b", "a quiet room")]
    for clip, num_frames in zip(clips, (2, 3), strict=True):
        _, mask = moving_square(num_frames)
        assert np.array_equal(np.stack(list(clip.grey())), mask)
        assert len(list(clip.frames())) == num_frames and clip.fps() == FPS


def test_one_key_and_one_shard(evalset: Path, tmp_path: Path) -> None:
    assert [clip.key for clip in find_clips(evalset / "b", tmp_path)] == ["b"]
    shard = as_shards(evalset, tmp_path / "shards") / "kubric-000000.tar"
    assert [clip.key for clip in find_clips(shard, tmp_path / "scratch")] == ["a", "b"]


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_clips(tmp_path / "none", tmp_path)
    with pytest.raises(DataError, match="holds no videos; expected"):
        find_clips(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "quadmask_0.mp4").unlink(), "expected one quadmask, quadmask_0.mp4, found none"),
        (
            lambda folder: (folder / "quadmask_1.mp4").write_bytes(b""),
            "expected one quadmask, .* found quadmask_0.mp4, quadmask_1.mp4",
        ),
        (lambda folder: (folder / "input_video.mp4").unlink(), r"input_video\.mp4: no such file"),
        (lambda folder: (folder / "prompt.json").unlink(), r"prompt\.json: no such file"),
        (lambda folder: (folder / "prompt.json").write_text("{"), r'prompt\.json: expected {"bg"'),
        (lambda folder: (folder / "prompt.json").write_text('{"fg": "x"}'), r'prompt\.json: expected {"bg"'),
        (lambda folder: (folder / "prompt.json").write_text('{"bg": " "}'), "'bg' is empty"),
    ],
)
def test_incomplete_clips(evalset: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(evalset / "a")
    with pytest.raises(DataError, match=message) as caught:
        find_clips(evalset, evalset)
    assert "\n" not in str(caught.value)


def test_a_shard_that_lacks_a_file(evalset: Path, tmp_path: Path) -> None:
    shard = tmp_path / "x-000000.tar"
    with tarfile.open(shard, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("a.mask.mp4"))
    with pytest.raises(DataError, match=r"sample a lacks rgb_full\.mp4"):
        find_clips(shard, tmp_path / "scratch")


def test_one_video_of_two_files(evalset: Path, tmp_path: Path) -> None:
    video, quadmask = evalset / "a/input_video.mp4", evalset / "a/quadmask_0.mp4"
    assert one_clip(video, quadmask, "a room", tmp_path / "out.mp4").key == "out"
    with pytest.raises(ConfigError, match=r"expected the name of an \.mp4"):
        one_clip(video, quadmask, "a room", tmp_path)
    with pytest.raises(DataError, match="no such file"):
        one_clip(video, tmp_path / "none.mp4", "a room", tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("A man walks past the table", "man"),
        ("the box falls from her hands", "her"),
        ("Two PEOPLE on a bench", "PEOPLE"),
        ("a manual on a table, women's shoes removed", "women"),
        ("A manhole, a salesroom and a chandelier", None),
        ("water moves; the ball rests", None),
    ],
)
def test_prompts_that_name_a_person(prompt: str, word: str | None) -> None:
    found = warnings_of(Clip(key="a", video=Path("x.mp4"), quadmask=Path("m.mp4"), prompt=prompt))
    assert (f"mentions '{word}'" in found[0]) if word else not found


def test_a_mask_beside_the_quadmask_is_told(evalset: Path) -> None:
    clip = find_clips(evalset / "a", evalset)[0]
    assert warnings_of(clip) == []
    encode_rgb(evalset / "a" / "mask_00.mp4", moving_square(2)[0], FPS)
    assert "mask_00.mp4 lies beside the quadmask" in warnings_of(find_clips(evalset / "a", evalset)[0])[0]


@pytest.mark.parametrize("key", ["BigBen", "ducky-float", "moving_ball"])
def test_published_examples_are_clips_with_clean_labels(shared_data: Path, tmp_path: Path, key: str) -> None:
    """Their quadmasks hold the documented values and nothing between them."""
    [clip] = find_clips(shared_data / "void_samples" / key, tmp_path)
    prompt = json.loads((shared_data / "void_samples" / key / "prompt.json").read_text())["bg"]
    assert (clip.key, clip.prompt, clip.fps()) == (key, prompt, 12.0) and not warnings_of(clip)
    labels = np.array([int(label) for label in Label])
    frames = np.stack([frame[::4, ::4] for frame in islice(clip.grey(), 0, 6 if key == "moving_ball" else 16, 5)])
    grey = np.unique(frames).astype(int)
    assert np.abs(grey[:, None] - labels).min(axis=1).max() <= 2, grey
    check_labels(frames)
