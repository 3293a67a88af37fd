"""A render's folder as arrays, and what is said of a damaged one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic import draw_frame, make_scene, make_spec

from datagen.errors import DataError
from datagen.frames import RenderedScene, make_stack
from datagen.layers import Layer


@pytest.fixture
def render(tmp_path: Path) -> Path:
    return make_scene(tmp_path, make_spec(num_frames=2)).render


def test_what_was_drawn_comes_back(render: Path) -> None:
    scene = RenderedScene(render)
    for frame in range(2):
        for name, picture in draw_frame(make_spec(num_frames=2), frame).items():
            found = scene.frame(name, frame)
            assert np.array_equal(found, picture)
            assert found.dtype == picture.dtype
    assert scene.frames("rgb_factual").shape == (2, 64, 96, 3)
    assert scene.frames("light_hidden").shape == (2, 32, 48)


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
    (render / "rgb_factual" / "0001.bmp").unlink()
    (render / "ids_hidden.npy").unlink()
    with pytest.raises(DataError, match=r"rgb_factual/0001\.bmp: no such file; expected frame 1 of 2"):
        RenderedScene(render).frames("rgb_factual")
    with pytest.raises(DataError, match=r"ids_hidden\.npy: no such file; expected the 2 frames of 'ids_hidden'"):
        RenderedScene(render).frames("ids_hidden")


@pytest.mark.parametrize(("file", "name"), [("rgb_factual/0000.bmp", "rgb_factual"), ("ids_hidden.npy", "ids_hidden")])
@pytest.mark.parametrize("keep", [0, 100, 9000])
def test_a_truncated_file_is_named(render: Path, file: str, name: str, keep: int) -> None:
    path = render / file
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=f"{path.name}: not a readable"):
        RenderedScene(render).frame(name, 0)


def test_another_size_is_named(render: Path) -> None:
    Image.new("RGB", (10, 12)).save(render / "rgb_factual" / "0000.bmp")
    with pytest.raises(DataError, match="expected 96x64 pixels, found 10x12"):
        RenderedScene(render).frame("rgb_factual", 0)
    for other in (np.zeros((2, 12, 10), np.uint16), np.zeros((2, 64, 96), np.float32)):
        np.save(render / "ids_hidden.npy", other)
        with pytest.raises(DataError, match=rf"expected uint16 \(2, 64, 96\), found {other.dtype}"):
            RenderedScene(render).frame("ids_hidden", 0)


def test_a_layer_of_values_takes_its_space_at_once(tmp_path: Path) -> None:
    """What is written to mapped memory when the disk is full kills the process; asked before, it is one line."""
    layer = Layer(name="ids", suffix=".npy", width=96, height=64, meaning="", values="uint16")
    stack = make_stack(tmp_path, layer, num_frames=5)
    assert stack.shape == (5, 64, 96) and not stack.any()
    assert (tmp_path / "ids.npy").stat().st_blocks * 512 >= stack.nbytes


def test_another_kind_of_picture_is_named(render: Path) -> None:
    Image.new("L", (96, 64)).save(render / "rgb_factual" / "0000.bmp")
    with pytest.raises(DataError, match="found mode L"):
        RenderedScene(render).frame("rgb_factual", 0)
