"""Mask levels, sizes and padding, against the released code's arithmetic done here in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_clips import moving_square

from datagen.errors import DataError
from datagen.quadmask import Label
from inference.conditioning import (
    PIXEL_NOISE,
    MaskMode,
    check_labels,
    mask_levels,
    mirror_in_time,
    resized,
    snap_to_labels,
    with_pixel_noise,
)

GREY = np.arange(256)


def released_levels(labels: np.ndarray, mode: MaskMode) -> np.ndarray:
    """What the released script encodes for a snapped quadmask: 1 - m of the inverted mask m, snapped once more."""
    inverted = (255 - labels.astype(np.float64)) / 255
    if mode is MaskMode.TRIMASK:
        inverted = np.select([inverted > 0.75, inverted >= 0.25], [1.0, 127 / 255], 0.0)
    if mode is MaskMode.BINARY:
        inverted = np.where(inverted > 0.5, 1.0, 0.0)
    return 1 - inverted


@pytest.mark.parametrize("mode", MaskMode)
def test_levels_are_those_of_the_released_code(mode: MaskMode) -> None:
    labels = np.array([int(label) for label in Label], dtype=np.uint8)
    found = mask_levels(torch.from_numpy(labels), mode).double().numpy()
    np.testing.assert_allclose(found, released_levels(labels, mode), atol=1e-7)


@pytest.mark.parametrize(
    ("mode", "levels"),
    [
        (MaskMode.TRIMASK, [0, 0, 0.502, 1]),
        (MaskMode.QUAD, [0, 0.247, 0.498, 1]),
        (MaskMode.BINARY, [0, 0, 0, 1]),
    ],
)
def test_levels_as_documented(mode: MaskMode, levels: list[float]) -> None:
    found = mask_levels(torch.tensor([0, 63, 127, 255], dtype=torch.uint8), mode)
    np.testing.assert_allclose(found.numpy(), levels, atol=5e-4)


def test_every_grey_value_snaps_to_a_label() -> None:
    found = snap_to_labels(torch.from_numpy(GREY))
    expected = np.select([GREY <= 31, GREY <= 95, GREY <= 191], [0, 63, 127], 255)
    np.testing.assert_array_equal(found.numpy(), expected)
    assert snap_to_labels(torch.tensor([31.4, 95.1, 191.5])).tolist() == [63, 127, 255]  # means of areas lie between


def test_resizing_takes_the_mean_of_each_area_before_snapping() -> None:
    frame = np.zeros((4, 4), dtype=np.uint8)
    frame[:2, 2:] = 255  # one block of four KEEP
    frame[2:, :2] = [[0, 255], [0, 255]]  # half and half: 127.5
    grey = resized([frame], 2, 2)
    assert grey.shape == (1, 1, 2, 2)
    np.testing.assert_allclose(grey[0, 0].numpy(), [[0, 255], [127.5, 0]])
    assert snap_to_labels(grey)[0, 0].tolist() == [[Label.REMOVE, Label.KEEP], [Label.AFFECTED, Label.REMOVE]]


def test_area_of_a_size_that_does_not_divide() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    found = resized([frame], 4, 6)[0].numpy()
    for row in range(4):
        for column in range(6):
            rows = slice(row * 9 // 4, -(-(row + 1) * 9 // 4))
            columns = slice(column * 11 // 6, -(-(column + 1) * 11 // 6))
            mean = frame[rows, columns].astype(np.float64).mean(axis=(0, 1))
            np.testing.assert_allclose(found[:, row, column], mean, rtol=1e-5)


@pytest.mark.parametrize("num_frames", [1, 2, 5, 13, 30])
def test_mirrored_in_time(num_frames: int) -> None:
    there = list(range(num_frames))
    expected = (there + there[::-1]) * 30
    found = mirror_in_time(torch.arange(num_frames)[:, None], 29)
    assert found.flatten().tolist() == expected[:29]


def test_pixel_noise_leaves_blank_pixels_and_has_its_strength() -> None:
    video = torch.zeros(4, 3, 64, 64)
    video[:, :, :32] = -1
    noisy = with_pixel_noise(video, torch.Generator().manual_seed(0))
    assert torch.equal(noisy[:, :, :32], video[:, :, :32])
    assert noisy[:, :, 32:].std().item() == pytest.approx(PIXEL_NOISE, rel=0.02)
    assert abs(noisy[:, :, 32:].mean().item()) < 1e-3
    assert torch.equal(noisy, with_pixel_noise(video, torch.Generator().manual_seed(0)))


def test_no_frames_and_strange_frames_are_refused() -> None:
    with pytest.raises(DataError, match="no frames"):
        resized([], 32, 32)
    with pytest.raises(DataError, match="uint8"):
        resized([np.zeros((4, 4), np.float32)], 2, 2)


def test_an_inverted_quadmask_and_an_empty_one() -> None:
    _, mask = moving_square(4, 64, 96)
    check_labels(mask)
    with pytest.raises(DataError, match=r"the quadmask removes 96 % .*REMOVE 96\.4 %.* likely inverted: REMOVE is 0"):
        check_labels(snap_to_labels(torch.from_numpy(255 - mask)).numpy())
    with pytest.raises(DataError, match=r"removes nothing \(REMOVE 0\.0 %"):
        check_labels(np.full_like(mask, Label.AFFECTED))
