"""How near the prediction's pixels are to the truth's, in the whole picture and in each region of the quadmask.

Regions: removed (REMOVE and OVERLAP), affected (AFFECTED), keep (KEEP), by the eval set's quadmask.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from datagen.quadmask import Label, removed_pixels
from inference.flow import SMALLEST_SIDE, estimate_flow
from inference.metrics import perceptual
from inference.metrics.api import Case, Direction, Measured, Metric
from inference.metrics.vmaf import vmaf

MAX_PSNR = 60.0  # of equal pictures; keeps means finite
MS_SSIM_SIDE = 161  # its fourth halving must still hold the window of 11 pixels
SSIM_SIDE = 11
MIN_PIXELS = 40  # of a region, over the clip
CONSISTENT_PX = 1.0  # forward and backward flow agree: the pixel is seen in both frames
REGIONS = ("whole", "removed", "affected", "keep")
WORDS = {
    "whole": "all pixels",
    "removed": "pixels of the removed object (REMOVE, OVERLAP)",
    "affected": "pixels that change (AFFECTED)",
    "keep": "pixels that should stay as filmed (KEEP)",
}


def _metric(
    name: str, title: str, unit: str, high: float, definition: str, source: str, direction: Direction = Direction.HIGHER
) -> Metric:
    return Metric(
        name=name,
        group="appearance",
        title=title,
        unit=unit,
        direction=direction,
        low=-1.0 if name.startswith("ssim") else 0.0,
        high=high,
        definition=definition,
        source=source,
    )


METRICS: tuple[Metric, ...] = (
    *(
        _metric(
            f"psnr_{region}",
            f"PSNR {region}",
            "dB",
            MAX_PSNR,
            f"10 log10(255^2 / mean squared error) over {WORDS[region]} of all frames and channels, at most 60",
            "",
        )
        for region in REGIONS
    ),
    *(
        _metric(
            f"ssim_{region}",
            f"SSIM {region}",
            "",
            1.0,
            f"structural similarity of grey values, Gaussian window of 1.5 px, its map averaged over {WORDS[region]}",
            "Wang et al., IEEE TIP 2004; scikit-image",
        )
        for region in REGIONS
    ),
    _metric(
        "ms_ssim",
        "MS-SSIM",
        "",
        1.0,
        "structural similarity at five scales, grey values, mean over frames",
        "Wang et al., Asilomar 2003; torchmetrics",
    ),
    _metric("vmaf", "VMAF", "", 100.0, "mean over frames, model vmaf_v0.6.1", "Netflix; ffmpeg's libvmaf"),
    _metric(
        "warp_error",
        "warping error",
        "levels",
        255.0,
        "mean absolute difference between each frame and the next, carried back along the prediction's own flow, where "
        "forward and backward flow agree",
        "after Lai et al., ECCV 2018; flow by OpenCV's DIS",
        Direction.LOWER,
    ),
    *perceptual.METRICS,
)


def measure(case: Case, prediction: np.ndarray) -> Measured:
    """Appearance of a prediction uint8 [num_frames, height, width, 3], without networks."""
    return measure_with(case, prediction, {})


def measure_with(case: Case, prediction: np.ndarray, backbones: Mapping[str, Path]) -> Measured:
    """Likewise, with the networks that the user has, by metric name ("lpips", "dists")."""
    regions = regions_of(case.quadmask)
    errors = squared_errors(prediction, case.truth, regions)
    similar, notes = similarities(prediction, case.truth, regions)
    values = {f"psnr_{name}": psnr(error) for name, error in errors.items()} | similar
    notes |= {f"psnr_{name}": "the clip has no such pixels" for name, error in errors.items() if np.isnan(error)}
    values["vmaf"], why = vmaf(prediction, case.truth, case.entry.fps)
    if why:
        notes["vmaf"] = why
    values["warp_error"] = warping_error(prediction)
    if np.isnan(values["warp_error"]):
        notes["warp_error"] = "too few or too small frames for flow, or no pixel that can be followed"
    features, absent = perceptual.perceptual(prediction, case.truth, backbones)
    return Measured(values=values | features, notes=notes | absent)


def regions_of(quadmask: np.ndarray) -> dict[str, np.ndarray | None]:
    """Bool [num_frames, height, width] by name; None is the whole picture."""
    return {
        "whole": None,
        "removed": removed_pixels(quadmask),
        "affected": quadmask == Label.AFFECTED,
        "keep": quadmask == Label.KEEP,
    }


def psnr(mean_squared_error: float) -> float:
    """Peak signal to noise ratio [dB] of an error in levels^2, at most `MAX_PSNR`."""
    if np.isnan(mean_squared_error):
        return float("nan")
    return float(min(MAX_PSNR, 10 * np.log10(255**2 / max(mean_squared_error, 1e-9))))


def squared_errors(
    prediction: np.ndarray, truth: np.ndarray, regions: dict[str, np.ndarray | None]
) -> dict[str, float]:
    """Mean squared error of each region over all frames, nan where it has hardly a pixel."""
    frames = [
        np.square(now.astype(np.float32) - then).mean(axis=-1) for now, then in zip(prediction, truth, strict=True)
    ]
    return _region_means(frames, regions)


def _region_means(maps: list[np.ndarray], regions: dict[str, np.ndarray | None]) -> dict[str, float]:
    """Mean of maps [height, width], one a frame, over each region."""
    means = {}
    for name, region in regions.items():
        if region is None:
            means[name] = float(np.mean([frame.mean(dtype=np.float64) for frame in maps]))
            continue
        total = sum(float(frame[mask].sum(dtype=np.float64)) for frame, mask in zip(maps, region, strict=True))
        count = int(region.sum())
        means[name] = total / count if count >= MIN_PIXELS else float("nan")
    return means


def similarities(
    prediction: np.ndarray, truth: np.ndarray, regions: dict[str, np.ndarray | None], multiscale: bool = True
) -> tuple[dict[str, float], dict[str, str]]:
    """SSIM of each region, MS-SSIM if wanted, and why one is missing."""
    names = [f"ssim_{region}" for region in regions]
    if min(truth.shape[1:3]) < SSIM_SIDE:
        why = f"smaller than the window of {SSIM_SIDE} pixels"
        return dict.fromkeys([*names, "ms_ssim"], float("nan")), dict.fromkeys([*names, "ms_ssim"], why)
    pairs = [(_grey(now), _grey(then)) for now, then in zip(prediction, truth, strict=True)]
    maps = [
        structural_similarity(now, then, data_range=255, gaussian_weights=True, use_sample_covariance=False, full=True)[
            1
        ]
        for now, then in pairs
    ]
    values = {f"ssim_{name}": value for name, value in _region_means(maps, regions).items()}
    notes = {name: "the clip has no such pixels" for name, value in values.items() if np.isnan(value)}
    if not multiscale:
        return values, notes
    if min(truth.shape[1:3]) < MS_SSIM_SIDE:
        return values | {"ms_ssim": float("nan")}, notes | {"ms_ssim": f"smaller than {MS_SSIM_SIDE} pixels"}
    scores = [_ms_ssim(now, then) for now, then in pairs]
    return values | {"ms_ssim": float(np.mean(scores))}, notes


def _grey(frame: np.ndarray) -> np.ndarray:
    """Luma float32 [height, width], 0 to 255."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY).astype(np.float32))


def _ms_ssim(now: np.ndarray, then: np.ndarray) -> float:
    import torch  # here, because reading what metrics there are must not cost seconds
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    first, second = (torch.from_numpy(frame)[None, None] for frame in (now, then))
    with torch.inference_mode():
        return float(multiscale_structural_similarity_index_measure(first, second, data_range=255.0, normalize="relu"))


def warping_error(video: np.ndarray) -> float:
    """Mean absolute difference [levels] of what is carried along a video's own flow; nan without any."""
    if len(video) < 2 or min(video.shape[1:3]) < SMALLEST_SIDE:
        return float("nan")
    forward, backward = estimate_flow(video), estimate_flow(video[::-1])[::-1]
    y, x = np.mgrid[: video.shape[1], : video.shape[2]].astype(np.float32)
    total, count = 0.0, 0
    for frame, (there, back) in enumerate(zip(forward, backward, strict=True)):
        at_x, at_y = x + there[..., 0], y + there[..., 1]
        carried = cv2.remap(video[frame + 1], at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        returned = cv2.remap(back, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = (at_x >= 0) & (at_x <= x[0, -1]) & (at_y >= 0) & (at_y <= y[-1, 0])
        usable = inside & (np.linalg.norm(there + returned, axis=-1) < CONSISTENT_PX)
        difference = cv2.absdiff(carried, np.ascontiguousarray(video[frame]))
        total += float(difference[usable].sum(dtype=np.float64)) / 3
        count += int(usable.sum())
    return total / count if count else float("nan")
