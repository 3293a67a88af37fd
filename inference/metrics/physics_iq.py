"""Physics-IQ's four metrics and its score, with the physical variance from perturbed re-simulations.

Motamed et al., "Do generative video models understand physical principles?" (arXiv 2501.09038) hold a generated video
against a filmed one by *where* something moves (spatial IoU), *when and where* (spatio-temporal IoU), *where and how
much* (weighted spatial IoU), and by how it looks (MSE). What a second filming of the same scene scores is the physical
variance: more cannot be asked of a model. Here the second filming is the counterfactual from a start within measurement
noise, rendered.

Motion masks follow the released code of the benchmark. It shrinks its large videos to a quarter for the comparison;
ours are small already and stay as they are. Its cameras stand on tripods: where a camera moves, every pixel does, and
the masks tell nothing of the objects. There only the MSE applies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from inference.metrics.api import Case, Direction, Measured, Metric
from inference.metrics.derived import per_case
from inference.metrics.plate import camera_rests

BLUR_PX = 5
RUNNING_MEAN_SHARE = 0.3  # of the new frame
MOTION_LEVELS = 10  # grey levels off the running mean
MORPHOLOGY_PX = 5

SOURCE = "Physics-IQ, Motamed et al. 2025 (arXiv 2501.09038)"


def _metric(
    name: str, title: str, definition: str, direction: Direction = Direction.HIGHER, high: float = 1.0
) -> Metric:
    return Metric(
        name=name,
        group="physics_iq",
        title=title,
        unit="",
        direction=direction,
        low=0.0,
        high=high,
        definition=definition,
        source=SOURCE,
    )


METRICS: tuple[Metric, ...] = (
    _metric(
        "piq_spatiotemporal_iou",
        "spatio-temporal IoU",
        "IoU of the motion masks of prediction and truth in each frame, mean over frames; both empty: 1",
    ),
    _metric("piq_spatial_iou", "spatial IoU", "IoU of the pixels that move at any time"),
    _metric(
        "piq_weighted_spatial_iou",
        "weighted spatial IoU",
        "sum of the lesser over sum of the greater share of frames in which a pixel moves",
    ),
    _metric("piq_mse", "MSE", "mean squared difference of all pixels, colours in [0, 1]", Direction.LOWER),
    _metric(
        "piq_score",
        "Physics-IQ score",
        "100 clip(mean of the three IoUs, each over that of a perturbed outcome with the truth, "
        "- (MSE - that of a perturbed outcome), 0, 1)",
        high=100.0,
    ),
)

MOTION = tuple(metric.name for metric in METRICS if metric.name != "piq_mse")  # what follows from motion masks
CAMERA_MOVES = "the camera moves, and with it every pixel: motion masks need a camera at rest"


@dataclass(frozen=True, kw_only=True)
class Four:
    """Physics-IQ's figures for one pair of videos."""

    spatiotemporal_iou: float
    spatial_iou: float
    weighted_spatial_iou: float
    mse: float

    @property
    def overlaps(self) -> np.ndarray:
        """The three IoUs, float64 [3]."""
        return np.array([self.spatiotemporal_iou, self.spatial_iou, self.weighted_spatial_iou])


def measure(case: Case, prediction: np.ndarray) -> Measured:
    """The four and the score of a prediction uint8 [num_frames, height, width, 3]."""
    if not camera_rests(case):
        unknown = dict.fromkeys(MOTION, float("nan"))
        return Measured(
            values=unknown | {"piq_mse": _mse(prediction, case.truth)}, notes=dict.fromkeys(MOTION, CAMERA_MOVES)
        )
    truth, variance = _reference(case)
    found = compare(prediction, case.truth, motion_masks(prediction), truth)
    notes = {} if variance else {"piq_score": "the clip has no perturbed outcome to tell the physical variance by"}
    return Measured(
        values={
            "piq_spatiotemporal_iou": found.spatiotemporal_iou,
            "piq_spatial_iou": found.spatial_iou,
            "piq_weighted_spatial_iou": found.weighted_spatial_iou,
            "piq_mse": found.mse,
            "piq_score": score(found, variance) if variance else float("nan"),
        },
        notes=notes,
    )


@per_case
def _reference(case: Case) -> tuple[np.ndarray, tuple[Four, ...]]:
    """Motion masks of the truth, and the figures of each perturbed outcome against it."""
    truth = motion_masks(case.truth)
    return truth, tuple(compare(video, case.truth, motion_masks(video), truth) for video in case.perturbed)


def score(found: Four, variance: Sequence[Four]) -> float:
    """Physics-IQ's score, 0 to 100, by the mean of the physical variance.

    An IoU that perturbed outcomes do not reach at all (0) cannot be asked of a model: it counts as reached.
    """
    reachable = np.mean([one.overlaps for one in variance], axis=0)
    ratios = np.where(reachable > 0, found.overlaps / np.where(reachable > 0, reachable, 1.0), 1.0)
    excess = found.mse - float(np.mean([one.mse for one in variance]))
    return float(100 * np.clip(ratios.mean() - excess, 0.0, 1.0))


def motion_masks(video: np.ndarray) -> np.ndarray:
    """Where something moves, bool [num_frames, height, width], of uint8 [num_frames, height, width, 3].

    Grey, blurred 5x5, held against a running mean with share 0.3 of the new frame: moving where the difference is above
    10 levels; opened and closed 5x5. The first frame starts the mean and is empty.
    """
    kernel = np.ones((MORPHOLOGY_PX, MORPHOLOGY_PX), np.uint8)
    masks = np.zeros(video.shape[:3], dtype=bool)
    mean: np.ndarray | None = None
    for index, frame in enumerate(video):
        grey = cv2.GaussianBlur(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), (BLUR_PX, BLUR_PX), 0)
        if mean is None:
            mean = grey.astype(np.float64)
            continue
        cv2.accumulateWeighted(grey, mean, RUNNING_MEAN_SHARE)
        moving = (cv2.absdiff(grey, cv2.convertScaleAbs(mean)) > MOTION_LEVELS).astype(np.uint8)
        opened = cv2.morphologyEx(moving, cv2.MORPH_OPEN, kernel)
        masks[index] = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel) > 0
    return masks


def compare(video: np.ndarray, truth: np.ndarray, moving: np.ndarray, truth_moving: np.ndarray) -> Four:
    """The four of two videos of one shape, and their motion masks."""
    both = (moving & truth_moving).sum(axis=(1, 2))
    either = (moving | truth_moving).sum(axis=(1, 2))
    share, truth_share = moving.mean(axis=0), truth_moving.mean(axis=0)
    return Four(
        spatiotemporal_iou=float(np.mean(_ratio(both, either))),
        spatial_iou=_iou(moving.any(axis=0), truth_moving.any(axis=0)),
        weighted_spatial_iou=float(
            _ratio(np.minimum(share, truth_share).sum(), np.maximum(share, truth_share).sum()),
        ),
        mse=_mse(video, truth),
    )


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    return float(_ratio((first & second).sum(), (first | second).sum()))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 1 where both are nothing."""
    whole = np.asarray(whole, dtype=np.float64)
    return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 1.0))


def _mse(first: np.ndarray, second: np.ndarray) -> float:
    frames = [np.mean((now.astype(np.float32) - then) ** 2) for now, then in zip(first, second, strict=True)]
    return float(np.mean(frames) / 255**2)
