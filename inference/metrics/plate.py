"""The clean plate: what each frame shows where none of the objects that move differently is.

Camera and bystanders are the same in both worlds, so a pixel that such an object covers in one world is mostly open in
the other. What both cover is taken from other frames where the camera rests, else filled from its surroundings.
"""

from __future__ import annotations

import cv2
import numpy as np

from inference.metrics.api import Case
from inference.metrics.derived import affected_ids, per_case

SOFT_EDGE_PX = 2
SAME_POSE = 1e-6  # [m] and parts of a quaternion
FILL_RADIUS_PX = 3


@per_case
def clean_plate(case: Case) -> np.ndarray:
    """Uint8 [num_frames, height, width, 3]."""
    in_truth, in_hidden = covers(case)
    plate = np.where((in_truth & ~in_hidden)[..., None], case.hidden, case.truth)
    unknown = in_truth & in_hidden
    if camera_rests(case):
        unknown = _from_other_frames(plate, unknown)
    for index in np.flatnonzero(unknown.any(axis=(1, 2))):
        hole = unknown[index].astype(np.uint8)
        plate[index] = cv2.inpaint(np.ascontiguousarray(plate[index]), hole, FILL_RADIUS_PX, cv2.INPAINT_TELEA)
    return np.asarray(plate)


@per_case
def covers(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Where affected objects are seen in the truth and in `hidden`, with their soft edges, bool [F, H, W] each.

    What stands behind a removed object in `hidden` is not stored as ids; where nothing has moved there yet, it is what
    the truth shows.
    """
    ids = np.array(affected_ids(case))
    in_truth = np.isin(case.ids_counterfactual, ids)
    behind = case.layers.removed & (case.layers.moved_before | in_truth)
    in_hidden = np.isin(case.ids_factual, ids) | behind
    return _grown(in_truth), _grown(in_hidden)


def camera_rests(case: Case) -> bool:
    """Whether the camera keeps its pose over the clip."""
    poses = case.physics["world_from_camera"]
    return bool(np.abs(poses - poses[0]).max() < SAME_POSE)


def _grown(mask: np.ndarray) -> np.ndarray:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SOFT_EDGE_PX + 1,) * 2)
    return np.stack([cv2.dilate(frame.astype(np.uint8), kernel) for frame in mask]).astype(bool)


def _from_other_frames(plate: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Fill unknown pixels in place by their mean over the frames that know them; what no frame knows is returned."""
    rows, columns = np.nonzero(unknown.any(axis=0) & ~unknown.all(axis=0))
    values, hole = plate[:, rows, columns], unknown[:, rows, columns]
    known = (~hole)[..., None]
    mean = (values * known).sum(axis=0) / known.sum(axis=0)
    plate[:, rows, columns] = np.where(hole[..., None], mean.round().astype(np.uint8), values)
    return np.asarray(unknown & unknown.all(axis=0))
