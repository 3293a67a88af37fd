"""Where light changed: coarse layers, and finer ones where those cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from datagen.light_change import (
    CONTESTED_CHANGE,
    LEAST_FINE_SAMPLES,
    UNDECIDED_CHANGE,
    VISIBLE_CHANGE,
    _reduced,
    change_of_light,
    contested,
    fine_change,
    fine_samples,
    first_samples,
    undecided,
)
from datagen.regions import grown

HEIGHT, WIDTH = 96, 160
NONE = np.zeros((HEIGHT, WIDTH), dtype=bool)


def penumbra(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Light that fades by 40 % from left to right between a quarter and three quarters, float32."""
    across = np.clip((np.arange(width) / width - 0.25) / 0.5, 0, 1)
    return np.tile(1 - 0.4 * across, (height, 1)).astype(np.float32)


def lit(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.ones((height, width), dtype=np.float32)


def half(picture: np.ndarray) -> np.ndarray:
    return picture[::2, ::2]


def test_what_is_near_the_threshold_is_undecided_and_what_moved_is_not_asked() -> None:
    moving = NONE.copy()
    moving[:40] = True
    found = undecided(half(lit()), half(penumbra()), moving, dark=0.0)
    least, most = (WIDTH * (0.25 + 0.5 * change / 0.4) for change in UNDECIDED_CHANGE)
    row = found[70]
    assert (
        row[int(least) + 4 : int(most) - 4].all() and not row[: int(least) - 8].any() and not row[int(most) + 8 :].any()
    )
    assert not found[:40].any()
    assert not undecided(half(lit()), half(lit()), NONE, dark=0.0).any()


def test_what_coarse_pixels_share_with_moved_surfaces_is_undecided() -> None:
    moving = NONE.copy()
    moving[40:60, 50:90] = True
    found = undecided(half(lit()), half(lit()), moving, dark=0.0)
    beside = grown(moving, 2) & ~moving
    assert found[beside].all() and not found[~grown(moving, 5)].any()


def test_finer_light_places_the_contour_that_coarse_light_misses() -> None:
    coarse = half(lit()), half(penumbra())
    wanted = undecided(*coarse, NONE, dark=0.0)
    noise = np.random.default_rng(0).normal(0, 0.02, (HEIGHT, WIDTH)).astype(np.float32)
    found = fine_change(coarse, (lit() * wanted, (penumbra() + noise) * wanted), NONE, dark=0.0)
    contour = WIDTH * (0.25 + 0.5 * VISIBLE_CHANGE / 0.4)
    first = found.argmax(axis=1)
    assert abs(np.median(first) - contour) < 1.5 and np.ptp(first) <= 8
    assert found[:, int(contour) + 5 :].all()  # also where nothing finer was rendered: the coarse layers are sure


def test_few_samples_leave_the_contour_open_and_are_sure_of_the_rest() -> None:
    wanted = NONE.copy()
    wanted[:, 20:140] = True
    noise = np.random.default_rng(0).normal(0, 0.02, (HEIGHT, WIDTH)).astype(np.float32)
    found = contested((lit() * wanted, (penumbra() + noise) * wanted), dark=0.0)
    least, most = (WIDTH * (0.25 + 0.5 * change / 0.4) for change in CONTESTED_CHANGE)
    assert found[:, int(least) + 1 : int(most)].mean() > 0.95
    assert found[:, : int(least) - 6].mean() < 0.05 and not found[:, int(most) + 10 :].any()
    assert not contested((lit(), lit()), dark=0.0).any() and not contested((NONE * 1.0, NONE * 1.0), dark=0.0).any()


def test_few_samples_look_wider_in_a_larger_picture() -> None:
    first, second = lit(384, 672), lit(384, 672)
    second[:, 300:] *= 0.94
    found = contested((first, second), dark=0.0)
    assert found[:, 300:].all() and 3 <= 300 - found[0].argmax() <= 8


def test_the_first_level_has_an_eighth_of_the_samples() -> None:
    assert [first_samples(samples) for samples in (1, 4, 16, 128)] == [1, 1, 2, 16]


def test_without_finer_light_coarse_layers_decide_and_moved_pixels_are_none() -> None:
    moving = NONE.copy()
    moving[:40] = True
    nothing = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    found = fine_change((half(lit()), half(penumbra())), (nothing, nothing), moving, dark=0.0)
    assert found[60:, 100:].all() and not found[:, :40].any() and not found[:40].any()


def test_the_surfaces_that_moved_do_not_leak_into_the_light_beside_them() -> None:
    moving = NONE.copy()
    moving[30:60, 50:90] = True
    second = lit()
    second[moving] = 0.1
    assert not fine_change((half(lit()), half(lit())), (lit(), second), moving, dark=0.0).any()


@pytest.mark.parametrize(
    ("width", "height", "samples"), [(96, 64, 128), (224, 128, 128), (336, 192, 64), (672, 384, 16), (1920, 1080, 8)]
)
def test_a_share_of_the_picture_gets_as_many_rays_at_every_size(width: int, height: int, samples: int) -> None:
    assert fine_samples(128, width, height) == samples
    assert fine_samples(64, width, height) == max(samples // 2, LEAST_FINE_SAMPLES)
    assert fine_samples(1, width, height) == 1


def test_what_is_far_apart_is_told_as_if_alone() -> None:
    """Means are taken within boxes; those of the whole picture would say the same."""
    rng = np.random.default_rng(0)
    places = np.s_[5:20, 10:40], np.s_[70:90, 30:60], np.s_[30:60, 120:150]
    first, second = lit() + 0.1 * rng.random((2, HEIGHT, WIDTH), dtype=np.float32)
    alone = []
    for place in places:
        only = NONE.copy()
        only[place] = True
        alone.append(only)
    together = np.logical_or.reduce(alone)

    def finer(where: np.ndarray) -> np.ndarray:
        return contested((first * where, second * where), dark=0.0)

    def changed(where: np.ndarray) -> np.ndarray:
        return change_of_light(first, np.where(where, 0.9 * second, first), NONE, dark=0.0)

    for told in (finer, changed):
        assert told(together).any()
        assert np.array_equal(told(together), np.logical_or.reduce([told(only) for only in alone]))


@pytest.mark.parametrize("scale", [1, 2, 3, 8])
def test_every_pixel_of_the_light_that_shows_any_of_a_region_is_told(scale: int) -> None:
    """96x160 is no multiple of 3."""
    spots = np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.01
    height, width = -(-HEIGHT // scale), -(-WIDTH // scale)
    share = Image.fromarray(spots.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    assert np.array_equal(_reduced(spots, (height, width)), np.asarray(share) > 0)
