"""Laws, on courses whose mechanics are known, and on a box that falls in pixels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from datagen.spec import World
from inference.metrics.api import Case
from inference.metrics.geometry import UP, centres, on_plane, plane_of_motion, poses_of, project
from inference.metrics.laws import _greatest_rise, downward_acceleration, measure, reaching_time, sinks
from inference.metrics.motion import free_flight, motions

FPS = 12.0
TIMES = np.arange(16) / FPS


def fall(height_m: float, gravity: float = 9.81, floor_m: float = 0.1) -> np.ndarray:
    return np.maximum(height_m - gravity / 2 * TIMES**2, floor_m)


def test_free_flight_is_where_gravity_alone_acts() -> None:
    height = fall(2.0)
    flies = free_flight(height, FPS, 9.81)
    landed = int(np.flatnonzero(height == 0.1)[0])
    np.testing.assert_array_equal(np.flatnonzero(flies), np.arange(landed))
    assert not free_flight(fall(2.0, gravity=4.9), FPS, 9.81)[:3].any()
    assert not free_flight(np.full(16, 1.0), FPS, 9.81).any()
    assert not free_flight(np.array([1.0, 0.9]), FPS, 9.81).any()


@pytest.mark.parametrize("gravity", [9.81, 4.9, 0.0])
def test_downward_acceleration(gravity: float) -> None:
    airborne = np.arange(16) < 6
    assert downward_acceleration(2.0 - gravity / 2 * TIMES**2, airborne, FPS) == pytest.approx(gravity, abs=1e-9)
    assert math.isnan(downward_acceleration(fall(2.0), np.arange(16) < 3, FPS))


def test_reaching_time_is_between_frames() -> None:
    height = np.array([1.0, 0.8, 0.4, 0.0, 0.0])
    assert reaching_time(height, 0, 0.6, 10.0) == pytest.approx(0.15)
    assert reaching_time(height, 0, -1.0, 10.0) is None
    assert reaching_time(np.array([1.0, np.nan, 0.4, np.nan]), 0, 0.7, 10.0) == pytest.approx(0.1)


def test_energy_rises_when_something_is_pushed() -> None:
    course = np.stack([np.zeros(16), np.zeros(16), fall(1.5)], axis=1)
    assert _greatest_rise(course, 120.0, 9.81 * 100) < 0.05
    lifted = course.copy()
    lifted[10:, 2] += np.linspace(0, 1, 6)
    assert _greatest_rise(lifted, FPS, 9.81) > 0.9
    assert math.isnan(_greatest_rise(np.full((16, 3), np.nan), FPS, 9.81))


def test_a_plane_takes_pixels_back_to_where_they_come_from(case: Case) -> None:
    poses = poses_of(case, "box", World.COUNTERFACTUAL)
    assert poses is not None
    course = centres(case, "box", poses)
    plane = plane_of_motion(case, course)
    assert abs(plane.normal @ UP) < 1e-9
    pixels, depth = project(case, course)
    assert (depth > 0).all()
    np.testing.assert_allclose(on_plane(case, pixels, plane), course, atol=1e-6)
    assert np.isnan(on_plane(case, np.full_like(pixels, np.nan), plane)).all()


def test_the_truth_breaks_no_law(case: Case) -> None:
    found = measure(case, case.truth.copy()).values
    assert found["law_contact_time_error_s"] < 0.01
    assert found["law_sinks_m"] == 0
    assert found["law_energy_rise_m"] < 0.1
    assert found["law_gravity_error"] < 1.5  # whole pixels of a picture 96 wide


def test_a_box_that_stays_up_does_not_fall(case: Case) -> None:
    found = measure(case, case.hidden.copy()).values
    assert found["law_gravity_error"] == pytest.approx(9.81, abs=1.5)
    assert found["law_contact_time_error_s"] > 0.2


def test_a_box_below_the_floor_sinks(case: Case) -> None:
    motion = motions(case, case.truth.copy())[0]
    assert sinks(case, motion) == 0
    lower = replace(motion, prediction=motion.prediction - np.array([0.0, 0.0, 0.3]))
    assert sinks(case, lower) == pytest.approx(0.3, abs=0.05)
