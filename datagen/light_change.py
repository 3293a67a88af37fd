"""Where light on surfaces that stay differs between two worlds, from pictures in little and finer ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import scipy
from PIL import Image

from datagen.regions import any_in_cells, bounding_box, clusters, grown

MIN_LIGHT_CHANGE = 0.07  # about 4 of 255 on display, and as much of noise
DARK_SHARE = 0.02  # of the bright parts of the clip; where less arrives, its change cannot be seen
BLUR_PX = 2.5  # standard deviation, in pixels of the layer of light
LOCAL_PX = 3
MIN_LOCAL_CHANGE = 0.035  # in the pixel's own neighbourhood: else a sharp shadow would grow by the blur
SPECK_SHARE = 6e-5  # of the picture: smaller spots and holes of changed light are noise (15 px of 384x672)
VISIBLE_CHANGE = 0.05  # what counts; finer light has too little noise to need a margin
UNDECIDED_CHANGE = (0.015, 0.25)  # by the coarse layers: below is no change, above is one
FINE_PIXELS = 224 * 128  # of the picture in which finer light has the samples that are set, and these sizes of means
LEAST_FINE_SAMPLES = 8
FINE_MEAN_PX = 3  # side of the square whose mean decides
FIRST_SHARE = 8  # the first level of finer light has an eighth of the samples,
FIRST_BLUR_PX = 1.5  # which a wider mean makes sure of
CONTESTED_CHANGE = (VISIBLE_CHANGE / 2, 2 * VISIBLE_CHANGE)  # by the first level: the second decides
CONTESTED_RIM_PX = 1  # with what the mean reaches


def fine_samples(most: int, width: int, height: int) -> int:
    """Samples a pixel of finer light's second level, a power of two or `most`, which a picture of `FINE_PIXELS` gets.

    A share of the picture gets about as many rays whatever its size: the place of a penumbra's contour, as a share of
    the picture, needs no more.
    """
    wanted = most * FINE_PIXELS / (width * height)
    return int(min(max(2 ** round(math.log2(wanted)), LEAST_FINE_SAMPLES), most))


def first_samples(samples: int) -> int:
    """Samples a pixel of the first level, which says where the second is needed."""
    return max(1, samples // FIRST_SHARE)


def change_of_light(first: np.ndarray, second: np.ndarray, excluded: np.ndarray, dark: float) -> np.ndarray:
    """Where light on a surface that stays differs between two worlds, bool [height, width].

    first, second: luminance float32 [h, w], same seed, perhaps smaller than the picture. excluded: bool [height,
    width], pixels at which the two worlds show different surfaces. They are left out *before* the blur, else their
    contrast leaks into a rim around them. dark: luminance below which a change is not seen. Changed is |dL| / L > 7 %
    after a wide blur, which few samples need, and > 3.5 % in the 3x3 pixels around.
    """
    if np.array_equal(first, second):
        return np.zeros_like(excluded)
    weight = _weight(excluded, first)
    change = np.abs(first - second) * weight
    light = np.maximum(np.maximum(first, second), dark) * weight
    local = _ratio(_mean(change), _mean(light)) > MIN_LOCAL_CHANGE
    ratio = np.zeros_like(change)
    if box := bounding_box(local, _blur_reach(BLUR_PX)):
        near = box.slices
        ratio[near] = local[near] * _ratio(_blur(change[near]), _blur(light[near]))
    if not (ratio > MIN_LIGHT_CHANGE).any():
        return np.zeros_like(excluded)
    return _without_specks(_enlarged(ratio, excluded) > MIN_LIGHT_CHANGE, excluded) & ~excluded


def undecided(first: np.ndarray, second: np.ndarray, excluded: np.ndarray, dark: float) -> np.ndarray:
    """Where such layers cannot tell whether light changed, bool [height, width].

    Those near what counts, and those that they do not see, because their own pixels show what is excluded too.
    """
    seen = _weight(excluded, first)
    ratio = _enlarged(_signed_change(first, second, seen, dark), excluded)
    least, most = UNDECIDED_CHANGE
    near = (ratio > least) & (ratio < most) & ~excluded
    return np.asarray((grown(near, 1) | (_enlarged(1 - seen, excluded) > 0)) & ~excluded)


def fine_change(
    coarse: tuple[np.ndarray, np.ndarray], fine: tuple[np.ndarray, np.ndarray], excluded: np.ndarray, dark: float
) -> np.ndarray:
    """Where light changed, by coarse layers [h, w] and by finer ones [height, width] that are 0 where these suffice."""
    lit = _enlarged(_signed_change(*coarse, _weight(excluded, coarse[0]), dark), excluded) > MIN_LIGHT_CHANGE
    side_px = 2 * round((FINE_MEAN_PX * _fine_scale(excluded) - 1) / 2) + 1
    known, change = _known_change(fine, excluded, dark, functools.partial(_mean, side_px=side_px))
    lit = np.where(known, change > VISIBLE_CHANGE, lit)
    return _without_specks(lit & ~excluded, excluded) & ~excluded


def contested(fine: tuple[np.ndarray, np.ndarray], dark: float) -> np.ndarray:
    """Where few samples of finer light [height, width], 0 where it is not needed, leave open whether it changed."""
    scale, none = _fine_scale(fine[0]), np.zeros(fine[0].shape, dtype=bool)
    blur = functools.partial(_blur, deviation_px=FIRST_BLUR_PX * scale)
    known, change = _known_change(fine, none, dark, blur)
    least, most = CONTESTED_CHANGE
    return np.asarray(grown(known & (change > least) & (change < most), round(CONTESTED_RIM_PX * scale)) & known)


def _fine_scale(picture: np.ndarray) -> float:
    """How many times wider than at `FINE_PIXELS` means of finer light are."""
    return max(1.0, math.sqrt(picture.size / FINE_PIXELS))


def _known_change(
    fine: tuple[np.ndarray, np.ndarray], excluded: np.ndarray, dark: float, mean: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Where finer light is there and counts, bool, and its `_signed_change`, 0 elsewhere, float32 [height, width]."""
    known = ((fine[0] > 0) | (fine[1] > 0)) & ~excluded
    change = np.zeros(known.shape, dtype=np.float32)
    for box in clusters(known, _blur_reach(FIRST_BLUR_PX * _fine_scale(known))):  # beyond, nothing has weight
        here, first, second = (picture[box.slices] for picture in (known, *fine))
        change[box.slices] = here * _signed_change(first, second, here.astype(np.float32), dark, mean)
    return known, change


def _signed_change(
    first: np.ndarray,
    second: np.ndarray,
    weight: np.ndarray,
    dark: float,
    mean: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """|mean dL| / mean L, float32 [h, w]: of the mean (`_blur`) and not of changes, so that noise cancels."""
    mean = mean or _blur
    light = np.maximum(np.maximum(first, second), dark) * weight
    return np.abs(_ratio(mean((first - second) * weight), mean(light)))


def _weight(excluded: np.ndarray, light: np.ndarray) -> np.ndarray:
    """1 at the pixels of a layer of light that show nothing of what is excluded, float32 [h, w]."""
    return (~grown(_reduced(excluded, light.shape), 1)).astype(np.float32)


def _reduced(region: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which pixels of a smaller picture show any of a region bool [height, width], bool of the shape."""
    height, width = shape
    scale = region.shape[0] // height
    if region.shape == (scale * height, scale * width):
        return any_in_cells(region, scale)
    share = Image.fromarray(region.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    return np.asarray(share) > 0


def _enlarged(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A layer of light in the size of the picture."""
    height, width = like.shape
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def _blur(picture: np.ndarray, deviation_px: float = BLUR_PX) -> np.ndarray:
    """Gaussian mean, float32; beyond the border counts as nothing, which cancels in a ratio."""
    return np.asarray(
        scipy.ndimage.gaussian_filter(picture.astype(np.float32), deviation_px, mode="constant", truncate=3.0)
    )


def _blur_reach(deviation_px: float) -> int:
    """How far `_blur` looks."""
    return math.ceil(3 * deviation_px)


def _mean(picture: np.ndarray, side_px: int = LOCAL_PX) -> np.ndarray:
    """Mean of the pixels around, likewise."""
    return np.asarray(scipy.ndimage.uniform_filter(picture.astype(np.float32), side_px, mode="constant"))


def _ratio(change: np.ndarray, light: np.ndarray) -> np.ndarray:
    """change / light; 0 where there is no light."""
    return np.divide(change, light, out=np.zeros_like(change), where=light > 0)


def _without_specks(mask: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """`mask` without small spots that touch none of `neighbours`, and with small holes filled."""
    least = max(4, round(SPECK_SHARE * mask.size))
    box = bounding_box(mask, margin_px=least)  # what a part or a hole has outside shows as `least` pixels inside
    kept = np.zeros_like(mask)
    if box is not None:
        near = mask[box.slices]
        spots = near & ~_small_parts(near | neighbours[box.slices], least)
        kept[box.slices] = spots | _small_parts(~spots, least)
    return kept


def _small_parts(mask: np.ndarray, least: int) -> np.ndarray:
    """Pixels of connected parts (diagonals count) of fewer than `least` pixels."""
    parts, _ = scipy.ndimage.label(mask, np.ones((3, 3), dtype=int), output=np.intp)
    small = np.bincount(parts.ravel()) < least
    small[0] = False
    return np.asarray(small[parts]) if small.any() else np.zeros_like(mask)
