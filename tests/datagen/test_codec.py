"""Strict records, reproducible arrays, and writes that are whole or absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datagen.codec import (
    atomic_folder,
    atomic_path,
    dump_json,
    parse_record,
    partial_of,
    read_npz,
    sha256_file,
    sha256_record,
    write_npz,
)
from datagen.errors import DataError, StorageError
from datagen.settings import RenderSettings
from datagen.spec import Clip


def test_records_round_trip() -> None:
    clip = Clip(start_s=0.1 + 0.2, num_frames=24, fps=12.0)
    assert parse_record(Clip, dump_json(clip), "here") == clip
    assert sha256_record(clip) == sha256_record(Clip(start_s=0.1 + 0.2, num_frames=24, fps=12.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"widht": 3}', "unknown key 'widht'; did you mean 'width'?"),
        ('{"width": "3"}', "'width': expected a valid integer, found '3'"),
        ("{", "expected"),
    ],
)
def test_strictness(text: str, message: str) -> None:
    with pytest.raises(DataError, match="here: ") as caught:
        parse_record(RenderSettings, text, "here")
    assert message in str(caught.value) or "not JSON" in str(caught.value)


def test_equal_arrays_give_equal_bytes(tmp_path: Path) -> None:
    arrays = {"b": np.arange(4.0), "a": np.array(["x", "yy"])}
    write_npz(tmp_path / "one.npz", arrays)
    write_npz(tmp_path / "two.npz", dict(reversed(arrays.items())))
    assert sha256_file(tmp_path / "one.npz") == sha256_file(tmp_path / "two.npz")
    assert read_npz(tmp_path / "one.npz")["a"].tolist() == ["x", "yy"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rubbish", b"no zip at all"])
def test_a_broken_npz_is_a_data_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npz"):
        read_npz(tmp_path / "x.npz")


def test_nothing_half_written_survives(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with pytest.raises(RuntimeError), atomic_folder(target) as partial:
        (partial / "file").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_refused_write_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"), atomic_path(tmp_path / "file" / "below") as partial:
        partial.write_text("x")
    assert not partial_of(tmp_path / "file").exists()
