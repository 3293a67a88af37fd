"""The tracker: to a fraction of a pixel where the object is, and none where it is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.metrics.matching import fit_map, scene_of, sub_pixel
from inference.metrics.templates import Appearance, Template, cut_out
from inference.metrics.tracker import Candidate, Wanted, best_course, follow, footage_of

HEIGHT, WIDTH, NUM_FRAMES, RADIUS = 80, 120, 12, 7
RNG = np.random.default_rng(5)
PLATE = np.repeat(RNG.integers(90, 130, (1, HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8), NUM_FRAMES, axis=0)
PLATE = PLATE.repeat(4, axis=1).repeat(4, axis=2)
RED, BLUE = (200, 50, 40), (40, 60, 200)
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH] + 0.5
FALL = np.stack([20 + 6.5 * np.arange(NUM_FRAMES), 15 + 0.4 * np.arange(NUM_FRAMES) ** 2], axis=1)


def disc(place: np.ndarray) -> np.ndarray:
    """Coverage float [height, width] of a ball with a soft edge."""
    return np.clip(RADIUS - np.hypot(COLUMNS - place[0], ROWS - place[1]) + 0.5, 0, 1)


def paint(video: np.ndarray, course: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    out = video.astype(np.float64)
    for frame, place in enumerate(course):
        if np.isfinite(place).all():
            alpha = disc(place)[..., None]
            out[frame] = out[frame] * (1 - alpha) + alpha * np.array(colour)
    return out.round().astype(np.uint8)


def looks_of(colour: tuple[int, int, int]) -> Appearance:
    place = np.array([50.5, 40.5])
    picture = paint(PLATE[:1], place[None], colour)[0]
    view = cut_out(0, picture, disc(place) > 0.5)
    return Appearance(name="ball", truth={}, factual={}, views=(view,), size_px=float(np.sqrt(view.area)))


def wanted(colour: tuple[int, int, int], start: np.ndarray) -> Wanted:
    return Wanted(looks=looks_of(colour), start=start, usual_step_px=12.0)


def footage(video: np.ndarray):
    return footage_of(video, PLATE, np.ones(video.shape[:3], dtype=bool))


def test_follows_to_a_fraction_of_a_pixel() -> None:
    course = follow(footage(paint(PLATE, FALL, RED)), [wanted(RED, FALL[0])])[0]
    errors = np.linalg.norm(course.centroids - FALL, axis=1)
    assert errors.max() < 0.3
    assert not course.doubles.any()
    areas = course.masks.sum(axis=(1, 2))
    assert (np.abs(areas - np.pi * RADIUS**2) < 25).all()


@pytest.mark.parametrize("shift", [(12, -9, 6), (-15, 10, -10)])
def test_withstands_noise_blur_and_a_shift_of_colour(shift: tuple[int, int, int]) -> None:
    video = paint(PLATE, FALL, RED).astype(np.float64) + RNG.normal(0, 6, PLATE.shape) + np.array(shift)
    video = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in video]).clip(0, 255).astype(np.uint8)
    course = follow(footage(video), [wanted(RED, FALL[0])])[0]
    assert np.linalg.norm(course.centroids - FALL, axis=1).max() < 1.0


def test_what_is_not_there_is_not_found() -> None:
    course = follow(footage(PLATE.copy()), [wanted(RED, FALL[0])])[0]
    assert np.isnan(course.centroids).all()
    assert not course.masks.any()


def test_vanishes_half_way() -> None:
    way = FALL.copy()
    way[6:] = np.nan
    course = follow(footage(paint(PLATE, way, RED)), [wanted(RED, FALL[0])])[0]
    np.testing.assert_array_equal(np.isfinite(course.centroids[:, 0]), np.arange(NUM_FRAMES) < 6)


def test_another_colour_is_another_object() -> None:
    video = paint(paint(PLATE, FALL, RED), FALL[::-1], BLUE)
    course = follow(footage(video), [wanted(BLUE, FALL[-1])])[0]
    clear = np.linalg.norm(FALL - FALL[::-1], axis=1) > 2 * RADIUS
    assert np.linalg.norm(course.centroids - FALL[::-1], axis=1)[clear].max() < 0.5


def test_equal_objects_are_told_apart_by_where_they_start() -> None:
    other = np.stack([100 - 2.0 * np.arange(NUM_FRAMES), np.full(NUM_FRAMES, 64.0)], axis=1)
    video = paint(paint(PLATE, FALL, RED), other, RED)
    first, second = follow(footage(video), [wanted(RED, FALL[0]), wanted(RED, other[0])])
    apart = np.linalg.norm(FALL - other, axis=1) > 2 * RADIUS + 2
    for course, way in ((first, FALL), (second, other)):
        errors = np.linalg.norm(course.centroids - way, axis=1)
        assert errors[apart].max() < 0.5 and errors.max() < 2  # in the end they touch
    assert not first.doubles.any() and not second.doubles.any()


def test_a_second_copy_is_seen() -> None:
    copy = np.tile([100.0, 20.0], (NUM_FRAMES, 1))
    course = follow(footage(paint(paint(PLATE, FALL, RED), copy, RED)), [wanted(RED, FALL[0])])[0]
    assert np.linalg.norm(course.centroids - FALL, axis=1).max() < 0.5
    assert course.doubles.mean() > 0.8


def test_fit_is_one_where_the_object_is() -> None:
    place = np.array([31.5, 22.5])
    picture = paint(PLATE[:1], place[None], RED)[0].astype(np.float32)
    template = looks_of(RED).views[0]
    fit = fit_map(scene_of(picture, PLATE[0].astype(np.float32), 0), template, noise=27.0)
    row, column = np.unravel_index(fit.argmax(), fit.shape)
    np.testing.assert_allclose(np.array([column, row]) + template.anchor, place)
    assert fit.max() > 0.95
    assert np.median(fit) < 0


def test_sub_pixel_is_the_top_of_a_parabola() -> None:
    x = np.arange(-2, 3)
    fit = -((x[None] - 0.3) ** 2) - (x[:, None] + 0.2) ** 2
    np.testing.assert_allclose(sub_pixel(fit, 2, 2), [0.3, -0.2])
    np.testing.assert_array_equal(sub_pixel(fit, 0, 0), [0, 0])


def test_course_prefers_the_near_to_the_slightly_better() -> None:
    def seen(x: float, fit: float) -> Candidate:
        return Candidate(place=np.array([x, 10.0]), fit=fit, template=0)

    one = wanted(RED, np.array([10.0, 10.0]))
    found = [[seen(10, 0.8)], [seen(12, 0.7), seen(100, 0.8)], [seen(14, 0.8)], []]
    course = best_course(found, one)
    assert [pick.place[0] if pick else None for pick in course] == [10, 12, 14, None]


def test_cut_out_has_its_centroid_for_an_anchor() -> None:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[0:4, 10:20] = True
    view: Template = cut_out(3, PLATE[0], mask)
    assert view.area == 40
    rows, columns = np.nonzero(view.mask)
    np.testing.assert_allclose(view.anchor, [columns.mean() + 0.5, rows.mean() + 0.5])
    assert not (view.ring * view.mask).any()
