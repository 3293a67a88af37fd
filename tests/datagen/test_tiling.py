"""What can be laid out edge to edge, and what shows that it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from datagen.tiling import blank_share, seam_steps, why_no_tile

SIZE = 128


def grain(height: int = SIZE, width: int = SIZE, seed: int = 0) -> np.ndarray:
    """A photograph's structure that repeats: long waves of whole periods, and noise; uint8 [height, width, 4]."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:height, :width] * 2 * np.pi / np.array([height, width])[:, None, None]
    waves = 30 * np.sin(2 * down + 1) * np.cos(across) + 20 * np.sin(3 * across + down)
    color = 128 + waves[..., None] + rng.normal(0, 3, (height, width, 3))
    return opaque(color)


def opaque(color: np.ndarray) -> np.ndarray:
    alpha = np.full((*color.shape[:2], 1), 255.0)
    return np.concatenate([color, alpha], axis=2).clip(0, 255).astype(np.uint8)


def checker(squares: int) -> np.ndarray:
    down, across = np.mgrid[:SIZE, :SIZE] * squares // SIZE
    return opaque(np.repeat(((down + across) % 2 * 220 + 15.0)[..., None], 3, axis=2))


@pytest.mark.parametrize(
    "tile",
    [grain(), grain(64, 96), grain(1024, 128), checker(2), checker(8), opaque(np.full((SIZE, SIZE, 3), 255.0))],
    ids=["grain", "small", "long", "halves", "checker", "white"],
)
def test_tiles(tile: np.ndarray) -> None:
    assert why_no_tile(tile) == ""


def test_planks_with_joints_at_the_edge_tile() -> None:
    planks = grain()
    planks[::32, :, :3] = 20
    assert why_no_tile(planks) == ""


@pytest.mark.parametrize("ground", [0, 255, 128])
def test_an_atlas_is_told(ground: int) -> None:
    atlas = grain()
    atlas[:, :24, :3] = atlas[40:60, :, :3] = ground
    assert 0.2 < blank_share(atlas[..., :3]) < 0.35
    assert "an atlas of an object" in why_no_tile(atlas)


def test_what_is_cut_out_is_told() -> None:
    leaf = grain()
    leaf[:30, :, 3] = 0
    assert "23% of it is transparent" in why_no_tile(leaf)


def test_seams_are_told() -> None:
    cut = grain()[:90, :100]
    seam, inside = seam_steps(cut[..., :3], 0)
    assert seam > 2 * inside
    assert "does not tile: its left and right edges differ by" in why_no_tile(grain()[:, :100])
    assert "does not tile: its top and bottom edges differ by" in why_no_tile(grain()[:100])


def test_a_light_that_falls_off_is_a_seam() -> None:
    lit = grain().astype(float)[..., :3] * np.linspace(0.8, 1.2, SIZE)[:, None, None]
    assert "top and bottom" in why_no_tile(opaque(lit))


def test_tiny_pictures_are_told() -> None:
    assert "it is 5x20" in why_no_tile(grain(20, 5))
