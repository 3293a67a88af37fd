"""Appearance by region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datagen.errors import ConfigError
from datagen.quadmask import Label
from inference.metrics.api import Case
from inference.metrics.appearance import MAX_PSNR, measure, measure_with, psnr, warping_error
from inference.metrics.perceptual import check_backbones
from inference.metrics.vmaf import has_vmaf, vmaf


def test_the_truth_is_alike(case: Case) -> None:
    found = measure(case, case.truth)
    for region in ("whole", "removed", "affected", "keep"):
        assert found.values[f"psnr_{region}"] == MAX_PSNR
        assert found.values[f"ssim_{region}"] == pytest.approx(1)
    assert "161" in found.notes["ms_ssim"]  # the picture is too small
    assert "--backbone lpips=PATH" in found.notes["lpips"]


def test_each_region_by_itself(case: Case) -> None:
    off = case.truth.astype(np.int16)
    off[case.quadmask == Label.AFFECTED] += 10
    video = off.clip(0, 255).astype(np.uint8)
    found = measure(case, video).values
    assert found["psnr_affected"] == pytest.approx(10 * np.log10(255**2 / 100), abs=0.2)
    assert found["psnr_keep"] == found["psnr_removed"] == MAX_PSNR
    assert found["psnr_affected"] < found["psnr_whole"] < MAX_PSNR


def test_psnr() -> None:
    assert psnr(255**2) == 0
    assert psnr(0) == MAX_PSNR
    assert np.isnan(psnr(float("nan")))


def test_ms_ssim_of_a_picture_that_is_large_enough(case: Case) -> None:
    from dataclasses import replace

    def large(array: np.ndarray) -> np.ndarray:
        return array[:2].repeat(3, axis=1).repeat(3, axis=2)

    bigger = replace(case, truth=large(case.truth), quadmask=large(case.quadmask))
    blurred = np.stack([_box_blur(frame) for frame in bigger.truth])
    assert measure(bigger, bigger.truth).values["ms_ssim"] == pytest.approx(1)
    assert 0.3 < measure(bigger, blurred).values["ms_ssim"] < 0.999


def _box_blur(frame: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.blur(frame, (9, 9))


def test_vmaf_falls_with_blur(case: Case) -> None:
    assert has_vmaf()  # imageio-ffmpeg's binary brings it
    same, why = vmaf(case.truth, case.truth, case.entry.fps)
    blurred, _ = vmaf(np.stack([_box_blur(frame) for frame in case.truth]), case.truth, case.entry.fps)
    assert why == ""
    assert same > 90 > 60 > blurred
    assert "smaller" in vmaf(case.truth[:, :20], case.truth[:, :20], 12.0)[1]


def test_warping_error_is_flicker() -> None:
    rng = np.random.default_rng(0)
    still = np.repeat(rng.integers(0, 255, (1, 12, 16, 3), dtype=np.uint8).repeat(5, 1).repeat(5, 2), 4, axis=0)
    flicker = still.astype(np.int16)
    flicker[1::2] += 20
    assert warping_error(still) == 0
    assert warping_error(flicker.clip(0, 255).astype(np.uint8)) > 10
    assert np.isnan(warping_error(still[:1])) and np.isnan(warping_error(still[:, :8, :8]))


class _Mean(torch.nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return (first - second).abs().mean(dim=(1, 2, 3))


def test_a_network_that_the_user_brings(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "lpips.pt2"
    like = torch.zeros(1, 3, *case.truth.shape[1:3])
    torch.export.save(torch.export.export(_Mean(), (like, like + 1)), path)
    found = measure_with(case, case.hidden, {"lpips": path})
    expected = np.abs(case.hidden.astype(np.float64) - case.truth).mean() / 127.5
    assert found.values["lpips"] == pytest.approx(expected, rel=1e-4)
    assert "lpips" not in found.notes and "dists" in found.notes
    check_backbones({"lpips": path})
    with pytest.raises(ConfigError, match="did you mean 'lpips'"):
        check_backbones({"lpip": path})
    with pytest.raises(ConfigError, match="no such file"):
        check_backbones({"dists": tmp_path / "none.pt2"})


def test_a_broken_network_is_one_line(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "broken.pt2"
    path.write_bytes(b"no network")
    with pytest.raises(ConfigError, match="maps two pictures"):
        measure_with(case, case.truth, {"lpips": path})
