"""A render's folder as arrays, and what is said of a damaged one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic import draw_frame, make_scene, make_spec, write_exr

from datagen.errors import DataError
from datagen.frames import RenderedScene


@pytest.fixture
def render(tmp_path: Path) -> Path:
    return make_scene(tmp_path, make_spec(num_frames=2)).render


def test_what_was_drawn_comes_back(render: Path) -> None:
    scene = RenderedScene(render)
    for frame in range(2):
        for name, picture in draw_frame(make_spec(num_frames=2), frame).items():
            found = scene.frame(name, frame)
            assert np.array_equal(found, picture)
            assert found.dtype == (np.uint8 if name.startswith("rgb") else np.float32)
    assert scene.frames("rgb_factual").shape == (2, 64, 96, 3)
    assert scene.frames("light_hidden").shape == (2, 32, 48)


def test_a_layer_frame_by_frame_is_the_same_as_a_whole_one(render: Path) -> None:
    scene = RenderedScene(render)
    files, whole = scene.files("removed_coverage"), scene.frames("removed_coverage")
    assert files.shape == whole.shape and len(files) == len(whole)
    assert scene.files("rgb_factual").shape == scene.frames("rgb_factual").shape
    assert all(np.array_equal(files[frame], whole[frame]) for frame in (0, 1, 1, 0))
    with pytest.raises(DataError, match="no frame 2"):
        files[2]


def test_an_unknown_layer_is_corrected(render: Path) -> None:
    with pytest.raises(DataError, match="no layer 'rgb_factul'; did you mean 'rgb_factual'"):
        RenderedScene(render).frame("rgb_factul", 0)


def test_a_frame_outside_the_clip_is_refused(render: Path) -> None:
    with pytest.raises(DataError, match="no frame 2 of 'rgb_factual'; there are 0 to 1"):
        RenderedScene(render).frame("rgb_factual", 2)


def test_a_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.json: no such file"):
        RenderedScene(tmp_path)


def test_a_missing_frame_is_named(render: Path) -> None:
    (render / "ids_hidden" / "0001.exr").unlink()
    with pytest.raises(DataError, match=r"ids_hidden/0001\.exr: no such file; expected frame 1 of 2"):
        RenderedScene(render).frames("ids_hidden")


@pytest.mark.parametrize("file", ["rgb_factual/0000.bmp", "ids_hidden/0000.exr"])
@pytest.mark.parametrize("keep", [0, 100])
def test_a_truncated_frame_is_named(render: Path, file: str, keep: int) -> None:
    path = render / file
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=f"{path.name}: not a readable"):
        RenderedScene(render).frame(path.parent.name, 0)


def test_another_size_is_named(render: Path) -> None:
    Image.new("RGB", (10, 12)).save(render / "rgb_factual" / "0000.bmp")
    write_exr(render / "ids_hidden" / "0000.exr", np.zeros((12, 10)))
    for name in ("rgb_factual", "ids_hidden"):
        with pytest.raises(DataError, match="expected 96x64 pixels, found 10x12"):
            RenderedScene(render).frame(name, 0)


def test_another_kind_of_picture_is_named(render: Path) -> None:
    Image.new("L", (96, 64)).save(render / "rgb_factual" / "0000.bmp")
    write_exr(render / "ids_hidden" / "0000.exr", np.zeros((64, 96)), channel="R")
    with pytest.raises(DataError, match="found mode L"):
        RenderedScene(render).frame("rgb_factual", 0)
    with pytest.raises(DataError, match=r"expected a channel 'V', found \['R'\]"):
        RenderedScene(render).frame("ids_hidden", 0)
