"""The counterfactual margin: 1 for the truth, -1 for the factual motion, graded between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datagen.quadmask import MaskLayers
from datagen.video import decode_rgb, encode_rgb
from inference.metrics.api import Case
from inference.metrics.margin import measure, normalised_difference, num_levels


def margin_of(case: Case, video: np.ndarray) -> float:
    return measure(case, video).values["margin"]


def test_ends(case: Case) -> None:
    assert margin_of(case, case.truth) == 1
    assert margin_of(case, case.hidden) == -1


def test_coding_hardly_matters(case: Case, tmp_path) -> None:
    for video, expected in ((case.truth, 1), (case.hidden, -1)):
        encode_rgb(tmp_path / "again.mp4", video, case.entry.fps, crf=14)
        again = decode_rgb(tmp_path / "again.mp4")
        assert (again != video).any()
        assert margin_of(case, again) == pytest.approx(expected, abs=0.03)


def test_half_of_each_is_nothing(case: Case) -> None:
    middle = ((case.truth.astype(np.float32) + case.hidden) / 2).round().astype(np.uint8)
    assert abs(margin_of(case, middle)) < 0.05


def test_graded_by_share_of_truth(case: Case) -> None:
    shares = np.linspace(0, 1, 6)
    blends = [(share * case.truth + (1 - share) * case.hidden.astype(np.float32)) for share in shares]
    margins = [margin_of(case, blend.round().astype(np.uint8)) for blend in blends]
    assert (np.diff(margins) > 0).all()


def test_what_changes_elsewhere_does_not_count(case: Case) -> None:
    far = case.truth.copy()
    far[:, :4, :4] = 255 - far[:, :4, :4]
    assert not case.layers.moved[:, :8, :8].any()
    assert margin_of(case, far) == 1


def test_nothing_affected_is_not_a_number(case: Case) -> None:
    none = MaskLayers(**{name: np.zeros_like(layer) for name, layer in case.layers.arrays().items()})
    found = measure(replace(case, layers=none), case.truth)
    assert np.isnan(found.values["margin"])
    assert "nothing is affected" in found.notes["margin"]
    same = measure(replace(case, hidden=case.truth), case.truth)
    assert np.isnan(same.values["margin"])
    assert "look the same" in same.notes["margin"]


def test_normalised_difference() -> None:
    first, second = np.array([0.0, 1.0, 0.0, 2.0]), np.array([1.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(normalised_difference(first, second), [-1, 1, 0, 0.5])


def test_pyramid_fits_the_picture() -> None:
    assert [num_levels(384, 672), num_levels(64, 96), num_levels(4, 4)] == [5, 4, 1]
