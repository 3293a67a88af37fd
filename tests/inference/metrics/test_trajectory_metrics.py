"""Trajectory figures: PISA's by hand, and a box that goes where it should or elsewhere."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from inference.metrics.api import Case
from inference.metrics.courses import known_objects, visible_centroids
from inference.metrics.trajectory import (
    NAMES,
    axis_difference,
    centroid_errors,
    chamfer_distance,
    mask_iou,
    measure,
    pisa_centroid_error,
    principal_axis,
)


def test_pisa_takes_each_coordinate_by_itself() -> None:
    truth = [(0.0, 0.0), (10.0, 0.0), (20.0, 30.0)]
    prediction = [(3.0, 4.0), (10.0, -5.0), (8.0, 14.0)]
    by_hand, terms = 0.0, 0
    for (x, y), (u, v) in zip(truth, prediction, strict=True):
        for one, other in ((x, u), (y, v)):
            by_hand += math.sqrt((one - other) ** 2)
            terms += 1
    by_hand = by_hand / terms / math.sqrt(2) / 256
    assert pisa_centroid_error(np.array(prediction), np.array(truth), 256) == pytest.approx(by_hand)
    assert by_hand == pytest.approx((3 + 4 + 0 + 5 + 12 + 16) / 6 / math.sqrt(2) / 256)
    assert math.isnan(pisa_centroid_error(np.zeros((0, 2)), np.zeros((0, 2)), 256))


def square(row: int, column: int, height: int = 3, width: int = 3) -> np.ndarray:
    mask = np.zeros((20, 30), dtype=bool)
    mask[row : row + height, column : column + width] = True
    return mask


def test_pisa_masks_by_hand() -> None:
    first, second = square(2, 2), square(2, 4)
    assert mask_iou(first, second) == pytest.approx(3 / 15)
    assert mask_iou(first, first) == 1
    assert mask_iou(np.zeros_like(first), np.zeros_like(first)) == 1
    for one, other in ((first, second), (first, square(10, 20)), (square(0, 0, 2, 5), square(1, 1))):
        points, others = np.argwhere(one), np.argwhere(other)
        gaps = np.array([[math.dist(point, place) for place in others] for point in points])
        assert chamfer_distance(one, other) == pytest.approx(gaps.min(axis=1).mean() + gaps.min(axis=0).mean())


@pytest.mark.parametrize(("height", "width", "angle"), [(3, 12, 0.0), (12, 3, 90.0)])
def test_principal_axis(height: int, width: int, angle: float) -> None:
    ratio, found = principal_axis(square(2, 2, height, width))
    assert ratio > 3
    assert found == pytest.approx(angle, abs=1e-6)


def test_axis_difference() -> None:
    flat, upright = square(2, 2, 3, 12), square(2, 2, 12, 3)
    assert axis_difference(flat, upright) == pytest.approx(90)
    assert axis_difference(flat, flat) == pytest.approx(0)
    assert math.isnan(axis_difference(square(2, 2), upright))  # a square has no axis
    assert math.isnan(axis_difference(flat, np.zeros_like(flat)))
    diagonal = np.eye(20, 30, dtype=bool)
    assert axis_difference(flat, diagonal) == pytest.approx(45)
    assert axis_difference(diagonal, diagonal[:, ::-1]) == pytest.approx(90)  # across the seam of 180 degrees


def test_centroids_count_from_the_corner() -> None:
    masks = np.stack([square(0, 0), square(4, 6), np.zeros((20, 30), dtype=bool)])
    np.testing.assert_allclose(visible_centroids(masks, 4)[:2], [[1.5, 1.5], [7.5, 5.5]])
    assert np.isnan(visible_centroids(masks, 4)[2]).all()


def test_missing_frames_are_held_and_off_by_a_size(case: Case) -> None:
    one = known_objects(case)[0]
    centroids = one.truth_px.copy()
    centroids[4:] = np.nan
    errors = centroid_errors(one, centroids)
    assert (errors[:4] == 0).all()
    expected = np.maximum(np.linalg.norm(one.truth_px[3] - one.truth_px[4:], axis=1), one.looks.size_px)
    np.testing.assert_allclose(errors[4:], expected)
    np.testing.assert_allclose(
        centroid_errors(one, np.full_like(centroids, np.nan))[one.seen],
        np.maximum(np.linalg.norm(one.start - one.truth_px, axis=1), one.looks.size_px)[one.seen],
    )


def test_truth_is_at_the_floor(case: Case) -> None:
    found = measure(case, case.truth.copy()).values
    assert found["traj_centroid_px"] == pytest.approx(found["tracker_floor_px"])
    assert found["tracker_floor_px"] < 0.5
    assert found["traj_iou"] > 0.9
    assert found["traj_chamfer_px"] < 0.5
    assert found["traj_discard"] == 0


def test_hidden_keeps_the_box_up(case: Case) -> None:
    found = measure(case, case.hidden.copy())
    one, track = known_objects(case)[0], found.tracks[0]
    assert found.values["traj_centroid_px"] == pytest.approx(
        np.linalg.norm(one.hidden_px - one.truth_px, axis=1)[one.seen].mean(), rel=0.1
    )
    assert found.values["traj_discard"] == 1  # frozen
    assert track.name == "box"
    assert track.prediction_px.shape == track.truth_px.shape == track.hidden_px.shape == (case.entry.num_frames, 2)
    assert track.perturbed_px.shape == (3, case.entry.num_frames, 2)
    np.testing.assert_allclose(track.prediction_px, track.hidden_px, atol=1.5)


def test_without_the_box_it_has_vanished(case: Case) -> None:
    from inference.metrics.plate import clean_plate

    found = measure(case, clean_plate(case).copy()).values
    assert found["traj_discard"] == 1
    assert found["traj_iou"] == 0
    assert np.isnan(found["traj_axis_deg"]) and np.isnan(found["traj_centroid_pisa"])


def test_null_effect_says_why(case: Case) -> None:
    none = replace(case, entry=replace(case.entry, affected=()))
    found = measure(none, case.truth)
    assert set(found.values) == set(NAMES) and all(np.isnan(value) for value in found.values.values())
    assert found.notes["traj_centroid_px"] == "nothing moves differently"


def test_a_place_stays_where_it_is_in_the_world_when_the_camera_moves(case: Case) -> None:
    still = known_objects(case)[0]
    assert np.ptp(still.at_start_px, axis=0).max() < 1e-6 and still.at_start_px[0] == pytest.approx(still.start)
    moving = case.physics["world_from_camera"].copy()
    moving[:, 2] += 0.02 * np.arange(len(moving))
    course = known_objects(replace(case, physics={**case.physics, "world_from_camera": moving}))[0].at_start_px
    assert course[0] == pytest.approx(still.start, abs=5) and (np.diff(course[:, 1]) > 0.1).all()  # a rising camera
