"""Events: what happens to a box, and when."""

from __future__ import annotations

import math

import numpy as np

from inference.metrics.api import Case
from inference.metrics.events import events_of, first_lasting, greatest_drop, landing, measure, order_kept
from inference.metrics.motion import motions


def test_first_lasting() -> None:
    def first(*flags: int) -> int | None:
        return first_lasting(np.array(flags, dtype=bool))

    assert first(0, 1, 0, 1, 1) == 3
    assert first(0, 0, 0, 1) == 3
    assert first(0, 1, 0, 0) is None


def test_drop_and_landing() -> None:
    height = np.array([1.0, 0.95, 0.8, 0.5, 0.1, 0.1, 0.1])
    assert greatest_drop(height) == 0.9
    assert landing(height) == 4
    assert landing(np.array([1.0, 0.95, 0.8, 0.5, 0.1, -0.5, np.nan])) is None  # through the floor, out of sight
    assert greatest_drop(np.array([0.2, 1.0, 0.7])) == 1.0 - 0.7
    assert landing(np.full(5, np.nan)) is None
    assert greatest_drop(np.full(5, np.nan)) == 0


def test_order() -> None:
    assert order_kept([0, 5, 9], [1, 4, 20]) == 1
    assert order_kept([0, 5, 9], [9, 5, 1]) == 0
    assert order_kept([0, 5, 9], [0, 9, 5]) == 2 / 3
    assert math.isnan(order_kept([3, 4], [4, 3]))  # too near in time to have an order


def test_truth_and_factual_motion(case: Case) -> None:
    motion = motions(case, case.truth.copy())[0]
    events = events_of(motion, motion.known.truth_px, motion.truth)
    assert events.answers == (True, True, False)
    right = measure(case, case.truth.copy()).values
    assert right["events_right"] == 1 and right["events_time_error_s"] == 0 and right["divergence_error_s"] == 0
    wrong = measure(case, case.hidden.copy()).values
    assert wrong["events_right"] == 0
    assert wrong["events_time_error_s"] > 0.3
    assert wrong["divergence_error_s"] > 0.3
