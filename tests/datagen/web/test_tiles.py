"""Views come back from where the layout says, in their frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import DataError
from datagen.video import decode_rgb, probe
from datagen.web.records import Tiles
from datagen.web.tiles import GRID, MAX_SIDE, layout, write_poster, write_tiles

NAMES = ("a", "b", "c", "d", "e")


def cut(frames: np.ndarray, tiles: Tiles, view: str) -> np.ndarray:
    """A view of decoded pictures."""
    row, column = divmod(tiles.views.index(view), tiles.columns)
    y, x = row * tiles.pitch[1], column * tiles.pitch[0]
    return frames[:, y : y + tiles.height, x : x + tiles.width]


def gradient(level: int, num_frames: int, height: int, width: int) -> np.ndarray:
    """Smooth frames that differ between views and frames."""
    ramp = np.linspace(0, 60, width)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    frames = ramp[None] + level + 12.0 * np.arange(num_frames)[:, None, None, None]
    return np.repeat(frames, 3, axis=3).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(96, 64), (51, 37), (16, 16)])
def test_views_come_back(tmp_path: Path, width: int, height: int) -> None:
    views = {name: gradient(20 * number, 6, height, width) for number, name in enumerate(NAMES)}
    tiles = write_tiles(tmp_path / "views.mp4", views, fps=12.0, num_frames=6)
    decoded = decode_rgb(tmp_path / "views.mp4")
    info = probe(tmp_path / "views.mp4")
    assert (info.num_frames, info.fps) == (6, 12.0)
    for name, frames in views.items():
        assert np.abs(cut(decoded, tiles, name).astype(float) - frames).mean() < 3


def test_equal_views_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        write_tiles(tmp_path / name, {"a": gradient(0, 5, 32, 48)}, fps=12.0, num_frames=5)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_view_that_ends_early_or_differs_in_size_is_named(tmp_path: Path) -> None:
    whole = gradient(0, 4, 32, 48)
    with pytest.raises(DataError, match="'short' ends before frame 2"):
        write_tiles(tmp_path / "x.mp4", {"whole": whole, "short": whole[:2]}, fps=12.0, num_frames=4)
    with pytest.raises(DataError, match="'small', frame 0 is 24x32, 'whole' is 48x32"):
        write_tiles(tmp_path / "x.mp4", {"whole": whole, "small": whole[:, :, :24]}, fps=12.0, num_frames=4)
    assert list(tmp_path.iterdir()) == []


@given(count=st.integers(1, 20), width=st.integers(1, 1280), height=st.integers(1, 720))
def test_layouts_fit_and_start_on_the_grid(count: int, width: int, height: int) -> None:
    tiles = layout(
        "x.mp4", tuple(f"v{number}" for number in range(count)), fps=1, num_frames=1, width=width, height=height
    )
    assert tiles.rows * tiles.columns >= count > (tiles.rows - 1) * tiles.columns
    assert tiles.pitch[0] >= width and tiles.pitch[1] >= height and not any(side % GRID for side in tiles.pitch)
    assert tiles.columns * tiles.pitch[0] <= MAX_SIDE[0]


def test_sixteen_views_of_the_standard_size_fit_a_phone() -> None:
    tiles = layout("x.mp4", tuple(map(str, range(16))), fps=12, num_frames=60, width=672, height=384)
    assert tiles.columns * tiles.pitch[0] <= MAX_SIDE[0] and tiles.rows * tiles.pitch[1] <= MAX_SIDE[1]


def test_posters_are_small(tmp_path: Path) -> None:
    write_poster(tmp_path / "x.jpg", np.random.default_rng(0).integers(0, 255, (384, 672, 3), dtype=np.uint8))
    assert (tmp_path / "x.jpg").stat().st_size < 40_000
