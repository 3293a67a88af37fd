"""Samples in tar files: the same bytes again, and readable by others."""

from __future__ import annotations

import gc
import json
import shutil
import tarfile
import warnings
from pathlib import Path

import pytest
import webdataset
from synthetic import make_scene, make_spec

from datagen.errors import DataError
from datagen.sample import METADATA, REQUIRED_FILES, compose_sample
from datagen.shards import INDEX_FILE, read_index, read_shard, unpack_shard, write_shards

KEYS = ("alpha", "beta", "gamma")
EXTENSIONS = ("json", "layers.npz", "mask.mp4", "physics.npz", "prompt.json", "rgb_full.mp4", "rgb_removed.mp4")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("samples")
    made = []
    for key in KEYS:
        scene = make_scene(root / "work", make_spec(key, num_frames=3))
        made.append(compose_sample(scene.spec, scene.physics, scene.render, root / key, {}).root)
    return made


def test_plain_tarfile_reads_them(samples: list[Path], tmp_path: Path) -> None:
    index = write_shards(samples, tmp_path, "humoto", 2)
    assert [entry.file for entry in index.shards] == ["humoto-000000.tar", "humoto-000001.tar"]
    assert [entry.keys for entry in index.shards] == [("alpha", "beta"), ("gamma",)]
    with tarfile.open(tmp_path / "humoto-000000.tar") as archive:
        members = archive.getmembers()
        assert [one.name for one in members] == [f"{key}.{part}" for key in KEYS[:2] for part in EXTENSIONS]
        assert {(one.mtime, one.uid, one.gid, one.uname, one.gname) for one in members} == {(0, 0, 0, "", "")}
        stream = archive.extractfile("alpha.rgb_full.mp4")
        assert stream is not None and stream.read() == (samples[0] / "rgb_full.mp4").read_bytes()


def test_webdataset_reads_them(samples: list[Path], tmp_path: Path) -> None:
    write_shards(samples, tmp_path, "humoto", 2)
    urls = [str(path) for path in sorted(tmp_path.glob("*.tar"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # webdataset leaves its files to the garbage collector
        found = list(webdataset.WebDataset(urls, shardshuffle=False))
        gc.collect()
    assert [one["__key__"] for one in found] == list(KEYS)
    for one, sample in zip(found, samples, strict=True):
        assert {name for name in one if not name.startswith("__")} == set(EXTENSIONS)
        assert json.loads(one["json"])["key"] == sample.name
        assert one["mask.mp4"] == (sample / "mask.mp4").read_bytes()


def test_equal_samples_give_equal_bytes(samples: list[Path], tmp_path: Path) -> None:
    first = write_shards(samples, tmp_path / "first", "humoto", 2)
    second = write_shards(samples[::-1], tmp_path / "second", "humoto", 2)
    assert first == second
    for entry in first.shards:
        assert (tmp_path / "first" / entry.file).read_bytes() == (tmp_path / "second" / entry.file).read_bytes()


def test_what_does_not_change_is_not_written(samples: list[Path], tmp_path: Path) -> None:
    write_shards(samples[:2], tmp_path, "humoto", 2)
    before = (tmp_path / "humoto-000000.tar").stat()
    write_shards(samples, tmp_path, "humoto", 2)
    after = (tmp_path / "humoto-000000.tar").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["humoto-000000.tar", "humoto-000001.tar", INDEX_FILE]


def test_shards_of_no_more_use_go(samples: list[Path], tmp_path: Path) -> None:
    write_shards(samples, tmp_path, "humoto", 1)
    (tmp_path / "kubric-000000.tar").write_bytes(b"another source")
    write_shards(samples, tmp_path, "humoto", 3)
    assert sorted(path.name for path in tmp_path.glob("*.tar")) == ["humoto-000000.tar", "kubric-000000.tar"]


def test_the_index_adds_up(samples: list[Path], tmp_path: Path) -> None:
    index = write_shards(samples, tmp_path, "humoto", 2)
    assert read_index(tmp_path) == index
    totals = index.totals
    assert (totals.samples, totals.shards, totals.frames, totals.seconds) == (3, 2, 9, 0.75)
    assert totals.bytes == sum((tmp_path / entry.file).stat().st_size for entry in index.shards)
    assert totals.sizes == {"96x64@12": 3} and totals.removed == {"stick": 3}
    assert sum(totals.mask_share.values()) == pytest.approx(1, abs=1e-5)


def test_samples_come_back(samples: list[Path], tmp_path: Path) -> None:
    write_shards(samples, tmp_path, "humoto", 3)
    assert [one.key for one in read_shard(tmp_path / "humoto-000000.tar")] == list(KEYS)
    for folder, sample in zip(unpack_shard(tmp_path / "humoto-000000.tar", tmp_path / "out"), samples, strict=True):
        for name in (METADATA, *REQUIRED_FILES):
            assert (folder / name).read_bytes() == (sample / name).read_bytes()


def test_no_samples_make_an_empty_index(tmp_path: Path) -> None:
    assert write_shards([], tmp_path, "humoto", 2).totals.samples == 0
    assert [path.name for path in tmp_path.iterdir()] == [INDEX_FILE]


def test_bad_requests_are_refused(samples: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"keys \['alpha'\] occur more than once"):
        write_shards([samples[0], samples[0]], tmp_path, "humoto", 2)
    with pytest.raises(DataError, match="at least 1 sample per shard, found 0"):
        write_shards(samples, tmp_path, "humoto", 0)


def test_a_changed_sample_is_not_packed(samples: list[Path], tmp_path: Path) -> None:
    copy = shutil.copytree(samples[0], tmp_path / "alpha")
    with (copy / "rgb_full.mp4").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(DataError, match=r"rgb_full\.mp4: its sha256 is not the one"):
        write_shards([copy], tmp_path / "out", "humoto", 2)
    (copy / "rgb_full.mp4").unlink()
    with pytest.raises(DataError, match=r"rgb_full\.mp4: no such file"):
        write_shards([copy], tmp_path / "out", "humoto", 2)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_shard_is_named(samples: list[Path], tmp_path: Path, share: float) -> None:
    write_shards(samples, tmp_path, "humoto", 3)
    path = tmp_path / "humoto-000000.tar"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match=r"humoto-000000\.tar"):
        list(read_shard(path))


def test_a_cut_anywhere_is_noticed(samples: list[Path], tmp_path: Path) -> None:
    """Also between two members, and inside the padding at the end."""
    write_shards(samples[:1], tmp_path, "humoto", 1)
    path = tmp_path / "humoto-000000.tar"
    whole = path.read_bytes()
    assert len(list(read_shard(path))) == 1
    for size in range(tarfile.BLOCKSIZE, len(whole), tarfile.BLOCKSIZE):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"humoto-000000\.tar"):
            list(read_shard(path))


def test_a_member_that_is_no_sample_file_is_refused(tmp_path: Path) -> None:
    for name in ("../evil.json", "/etc/x.json", "nodot", ".hidden", "key..", "a b.json"):
        path = tmp_path / "bad.tar"
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo(name))
        with pytest.raises(DataError, match="expected a plain file named <key>"):
            list(read_shard(path))
