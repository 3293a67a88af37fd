"""Removal: gone is 1, still there is -1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from datagen.quadmask import MaskLayers, Policy
from inference.metrics.api import Case
from inference.metrics.removal import MIN_PIXELS, measure


def test_ends(case: Case) -> None:
    assert measure(case, case.truth).values["removed_gone"] == 1
    assert measure(case, case.hidden).values["removed_gone"] == 1
    assert measure(case, case.input).values["removed_gone"] == -1


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_half_gone(case: Case, share: float) -> None:
    ghost = (share * case.truth.astype(np.float32) + (1 - share) * case.input).round().astype(np.uint8)
    value = measure(case, ghost).values["removed_gone"]
    assert np.sign(value) == np.sign(share - 0.5)
    assert abs(value) < 1


def test_shadow(case: Case) -> None:
    """Only the shadow's pixels count, and the stick's own do not."""
    arrays = case.layers.arrays()
    shadow = np.zeros_like(case.layers.removed)
    shadow[:, -6:, 4:20] = True
    shadow &= ~case.layers.removed & ~case.layers.moved & ~case.layers.lit_by_moved
    darker = case.truth.copy()
    darker[shadow] = darker[shadow] // 2
    with_shadow = replace(case, input=darker, layers=MaskLayers(**(arrays | {"own_effects": shadow})))
    assert measure(with_shadow, case.truth).values["shadow_gone"] == 1
    assert measure(with_shadow, darker).values["shadow_gone"] == -1
    none = replace(case, layers=MaskLayers(**(arrays | {"own_effects": np.zeros_like(shadow)})))
    found = measure(none, case.truth)
    assert np.isnan(found.values["shadow_gone"]) and "no shadow" in found.notes["shadow_gone"]


def test_traces_beside_what_moves_are_no_shadow(case: Case) -> None:
    elsewhere = case.layers.affected(Policy.VOID)
    beside = ndimage.binary_dilation(elsewhere, np.ones((1, 3, 3), dtype=bool)) & ~elsewhere & ~case.layers.removed
    assert beside.sum() > MIN_PIXELS
    found = measure(replace(case, layers=replace(case.layers, own_effects=beside)), case.hidden)
    assert np.isnan(found.values["shadow_gone"])
