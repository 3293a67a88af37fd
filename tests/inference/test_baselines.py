"""Baselines fill the removed region and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from datagen.errors import DataError
from datagen.quadmask import Label
from inference.baselines import BASELINES, GROWTH_PX, Baseline
from tests.inference.test_flow import texture


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(video with a red square that crosses a still background, quadmask, background)."""
    background = np.stack([texture(64, 96)] * 8)
    video, mask = background.copy(), np.full((8, 64, 96), int(Label.KEEP), np.uint8)
    for t in range(8):
        part = (t, slice(20, 36), slice(10 + 8 * t, 22 + 8 * t))
        video[part] = (255, 0, 0)
        mask[part] = Label.REMOVE if t % 2 else Label.OVERLAP
    mask[:, 50:] = Label.AFFECTED
    return video, mask, background


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_pixels_away_from_the_region_stay(name: str, scene: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    video, mask, _ = scene
    out = BASELINES[name](video, mask)
    assert out.shape == video.shape
    assert out.dtype == np.uint8
    for t in range(8):
        far = np.ones((64, 96), bool)
        far[20 - GROWTH_PX : 36 + GROWTH_PX, 10 + 8 * t - GROWTH_PX : 22 + 8 * t + GROWTH_PX] = False
        assert np.array_equal(out[t][far], video[t][far])


def error(baseline: Baseline, scene: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    video, mask, background = scene
    hole = mask <= Label.OVERLAP
    return float(np.abs(baseline(video, mask).astype(int) - background)[hole].mean())


def test_what_was_seen_elsewhere_in_time_comes_back(scene: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    errors = {name: error(baseline, scene) for name, baseline in BASELINES.items()}
    assert errors["background_median"] == 0
    assert errors["flow_propagation"] < 0.5 * errors["telea"]
    assert errors["telea"] < 0.5 * errors["identity"]


def test_what_was_never_seen_is_filled_from_around() -> None:
    video = np.full((3, 32, 48, 3), 90, np.uint8)
    mask = np.full((3, 32, 48), int(Label.KEEP), np.uint8)
    mask[:, 10:20, 10:20] = Label.REMOVE
    video[:, 10:20, 10:20] = 255
    for name in ("background_median", "telea", "flow_propagation"):
        assert np.abs(BASELINES[name](video, mask).astype(int) - 90).max() <= 2, name


def test_a_mask_of_another_size_is_refused() -> None:
    for baseline in BASELINES.values():
        with pytest.raises(DataError, match="baseline"):
            baseline(np.zeros((2, 32, 32, 3), np.uint8), np.zeros((3, 32, 32), np.uint8))
