"""Which part of the counterfactual picture is rendered, and how it is laid over the factual one.

Where nothing changes, both videos show the same pixels: those of the factual picture. The changed region (removed and
affected by policy "effects") is rendered inside boxes with a margin, and laid over it with a short ramp.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from datagen.pixels import levels_at, whole_pixels

MARGIN_PX = 16  # of rendered picture around what changed: the ramp, and what the denoiser looks at
RAMP_PX = 8
MAX_RAMP_LEVELS = 3  # the ramp hides steps of noise and indirect light; whatever differs more is spill or was missed
SPILL_PX = 5  # a contact shadow this near to a silhouette is too narrow for the layers of light, which are smaller
MIN_SPILL_LEVELS = 8
BOX_COST = 0.04  # of a full picture: what one more render costs whatever its size
FOOTPRINT_PX = 1.06  # of three taps a pixel: those at (1, 1/3) too
CUT_PX = 8  # boxes are cut at every so many pixels


@dataclass(frozen=True, kw_only=True)
class Box:
    """Pixels left <= x < right, top <= y < bottom."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def finer(self, taps: int) -> Box:
        """The same part of a picture that is so many times larger."""
        return Box(left=taps * self.left, top=taps * self.top, right=taps * self.right, bottom=taps * self.bottom)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def boxes_around(region: np.ndarray, margin_px: int = MARGIN_PX, box_cost: float = BOX_COST) -> tuple[Box, ...]:
    """Boxes that hold a region bool [height, width] with a margin, few and small enough to be cheap to render.

    One box around all is cut in two, by the row or column that saves most, as long as that saves more than one more
    render costs. box_cost: that cost, as a share of a render of the full picture.
    """
    height, width = region.shape
    whole = Box(left=0, top=0, right=width, bottom=height)
    parts = _cut(region, whole, margin_px, box_cost * height * width)
    return tuple(sorted((_padded(box, margin_px, whole) for box in parts), key=lambda box: (box.top, box.left)))


def bounding_box(region: np.ndarray, margin_px: int) -> Box | None:
    """The one box around a region bool [height, width] with a margin; None around nothing."""
    whole = Box(left=0, top=0, right=region.shape[1], bottom=region.shape[0])
    tight = _tight(region, whole)
    return None if tight is None else _padded(tight, margin_px, whole)


def clusters(region: np.ndarray, gap_px: int) -> list[Box]:
    """Tight boxes that hold a region bool [height, width], cut wherever its rows or columns are further apart."""
    return _clusters(region, Box(left=0, top=0, right=region.shape[1], bottom=region.shape[0]), gap_px)


def _clusters(region: np.ndarray, within: Box, gap_px: int) -> list[Box]:
    """Those of the part of a region that lies within a box."""
    part = region[within.slices]
    parts = [
        Box(left=within.left + left, top=within.top + top, right=within.left + right, bottom=within.top + bottom)
        for top, bottom in _stretches(part.any(axis=1), gap_px)
        for left, right in _stretches(part[top:bottom].any(axis=0), gap_px)
    ]
    return parts if parts == [within] else [box for one in parts for box in _clusters(region, one, gap_px)]


def _stretches(line: np.ndarray, gap_px: int) -> list[tuple[int, int]]:
    """Begin and end of the parts of bool [length] whose nearest neighbours are at most so many pixels apart."""
    at = np.flatnonzero(line)
    ends = np.flatnonzero(np.diff(at) > gap_px)
    return list(zip(at[[0, *ends + 1]].tolist(), (at[[*ends, -1]] + 1).tolist(), strict=True)) if len(at) else []


def _cut(region: np.ndarray, within: Box, margin_px: int, cost: float) -> list[Box]:
    """Tight boxes around the part of a region that lies within a box."""
    box = _tight(region, within)
    if box is None:
        return []
    pairs = [
        (first, second)
        for halves in _halves(box)
        if (first := _tight(region, halves[0])) and (second := _tight(region, halves[1]))
    ]
    areas = [_padded(first, margin_px).area + _padded(second, margin_px).area for first, second in pairs]
    if not areas or min(areas) + cost >= _padded(box, margin_px).area:
        return [box]
    first, second = pairs[int(np.argmin(areas))]
    return _cut(region, first, margin_px, cost) + _cut(region, second, margin_px, cost)


def _halves(box: Box) -> Iterator[tuple[Box, Box]]:
    """A box cut in two, at every `CUT_PX`-th column and row."""
    for column in range(box.left + CUT_PX, box.right, CUT_PX):
        yield replace(box, right=column), replace(box, left=column)
    for row in range(box.top + CUT_PX, box.bottom, CUT_PX):
        yield replace(box, bottom=row), replace(box, top=row)


def _tight(region: np.ndarray, within: Box) -> Box | None:
    """Smallest box around what of a region lies within a box; None where nothing does."""
    part = region[within.slices]
    columns, rows = np.flatnonzero(part.any(axis=0)), np.flatnonzero(part.any(axis=1))
    if not len(rows):
        return None
    return Box(
        left=within.left + int(columns[0]),
        top=within.top + int(rows[0]),
        right=within.left + int(columns[-1]) + 1,
        bottom=within.top + int(rows[-1]) + 1,
    )


def _padded(box: Box, margin_px: int, within: Box | None = None) -> Box:
    """The box with a margin, cut off where another one ends."""
    grown = Box(
        left=box.left - margin_px,
        top=box.top - margin_px,
        right=box.right + margin_px,
        bottom=box.bottom + margin_px,
    )
    if within is None:
        return grown
    return Box(
        left=max(grown.left, within.left),
        top=max(grown.top, within.top),
        right=min(grown.right, within.right),
        bottom=min(grown.bottom, within.bottom),
    )


def any_in_cells(region: np.ndarray, cell_px: int) -> np.ndarray:
    """Which square cells of a region bool [height, width] hold any of it, bool [ceil(height / cell_px), ...]."""
    height, width = region.shape
    padded = np.pad(region, ((0, -height % cell_px), (0, -width % cell_px)))
    taps = itertools.product(range(cell_px), repeat=2)
    return functools.reduce(np.logical_or, (padded[row::cell_px, column::cell_px] for row, column in taps))


def rectangles(region: np.ndarray) -> tuple[Box, ...]:
    """Boxes that cover a region bool [height, width] exactly and do not overlap.

    The runs of each row; runs of the same columns in rows that follow each other are one box.
    """
    found: list[Box] = []
    since: dict[tuple[int, int], int] = {}  # columns of each run that has not ended -> its first row
    for row, runs in enumerate([*_runs(region), set()]):
        for left, right in [run for run in since if run not in runs]:
            found.append(Box(left=left, top=since.pop((left, right)), right=right, bottom=row))
        for run in sorted(runs):
            since.setdefault(run, row)
    return tuple(found)


def _runs(region: np.ndarray) -> list[set[tuple[int, int]]]:
    """Begin and end of each stretch of True, row by row."""
    steps = np.diff(np.pad(region.view(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, columns = np.nonzero(steps)
    runs: list[set[tuple[int, int]]] = [set() for _ in region]
    for row, begin, end in zip(rows[::2].tolist(), columns[::2].tolist(), columns[1::2].tolist(), strict=True):
        runs[row].add((begin, end))
    return runs


def footprint(taps: np.ndarray, per_pixel: int) -> np.ndarray:
    """Share of each pixel's footprint that shows something, float32 [height, width], from taps on a finer grid.

    taps: bool [per_pixel * height, per_pixel * width]; per_pixel is odd, so that one tap is the pixel's centre. The
    footprint is the disc in which the picture's filter gathers: Cycles' Blackman-Harris filter of width 1.5 ends 1.5
    pixels from the centre, and what lies beyond a straight edge at 1 pixel is 1/255 of it.
    """
    height, width = taps.shape[0] // per_pixel, taps.shape[1] // per_pixel
    reach = math.floor(FOOTPRINT_PX * per_pixel)
    padded = np.pad(taps, reach).view(np.uint8)
    first = per_pixel // 2
    offsets = range(-reach, reach + 1)
    near = [(row, column) for row in offsets for column in offsets if np.hypot(row, column) <= FOOTPRINT_PX * per_pixel]
    total = np.zeros((height, width), dtype=np.uint16)
    for row, column in near:
        start = first + reach + row, first + reach + column
        total += padded[start[0] :: per_pixel, start[1] :: per_pixel][:height, :width]
    return total.astype(np.float32) / len(near)


def spill(factual: np.ndarray, other: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Where the picture shows a trace of what is in the region, next to it, bool [height, width].

    Denoising spreads silhouettes by a pixel or two, further than coverage tells. factual, other: uint8 [height, width,
    3]; region: bool [height, width].
    """
    traces = np.zeros_like(region)
    if box := bounding_box(region, SPILL_PX):
        near = box.slices
        rim = grown(region[near], SPILL_PX) & ~region[near]
        first, second = levels_at(factual[near], rim), levels_at(other[near], rim)
        apart = (np.maximum(first, second) - np.minimum(first, second)) >= MIN_SPILL_LEVELS
        traces[near][rim] = apart[:, 0] | apart[:, 1] | apart[:, 2]
    return traces


def grown(region: np.ndarray, pixels: int) -> np.ndarray:
    """A region bool [height, width] with all that is at most so many rows and columns away; itself where that is 0."""
    if not pixels:
        return region
    result = np.zeros_like(region)
    if box := bounding_box(region, pixels):
        near = box.slices
        result[near] = _grown_by_rows(_grown_by_rows(region[near], pixels).T, pixels).T
    return result


def _grown_by_rows(region: np.ndarray, pixels: int) -> np.ndarray:
    """The union of a region with itself shifted by up to so many rows, in steps that double."""
    reach = 0
    while reach < pixels:
        step = min(reach + 1, pixels - reach)  # a larger one would have to look beyond the border
        before, region = region, region.copy(order="K")
        region[step:] |= before[:-step]
        region[:-step] |= before[step:]
        reach += step
    return region


def lay_over(factual: np.ndarray, other: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The factual picture with the other one in the region, uint8 [height, width, 3].

    Over `RAMP_PX` outside the region the other one fades out, by steps of at most `MAX_RAMP_LEVELS`; beyond, the result
    is the factual picture exactly.
    """
    box = bounding_box(region, RAMP_PX)
    if box is None:
        return factual
    result, near = factual.copy(), box.slices
    result[near] = _ramped(factual[near], other[near], region[near])
    return result


def _ramped(factual: np.ndarray, other: np.ndarray, region: np.ndarray) -> np.ndarray:
    """What `lay_over` returns, at the cost of all pixels."""
    result = factual.copy()
    np.copyto(whole_pixels(result), whole_pixels(other), where=region)
    squared = near_squared(region, RAMP_PX)
    ring = (squared > 0) & (squared < (RAMP_PX + 1) ** 2)
    weight = 1 - np.sqrt(squared[ring].astype(np.float64)) / (RAMP_PX + 1)
    weight = (weight * weight * (3 - 2 * weight))[:, None]
    base = levels_at(factual, ring)
    step = np.clip(levels_at(other, ring).astype(np.int16) - base, -MAX_RAMP_LEVELS, MAX_RAMP_LEVELS)
    whole_pixels(result)[ring] = whole_pixels(np.rint(base + weight * step).astype(np.uint8))
    return result


def near_squared(region: np.ndarray, reach_px: int) -> np.ndarray:
    """Squared distance in pixels to a region bool [height, width], or (reach_px + 1)^2 where that is less; integers.

    First along columns, then over rows, by shifts: for a short reach much cheaper than a distance transform.
    """
    beyond = reach_px + 1
    along = np.where(region, 0, beyond).astype(np.min_scalar_type(2 * beyond**2))
    column = along.copy()
    for step in range(1, beyond):
        np.minimum(column[step:], along[:-step] + step, out=column[step:])
        np.minimum(column[:-step], along[step:] + step, out=column[:-step])
    squared = column * column
    nearest = squared.copy()
    for step in range(1, beyond):
        np.minimum(nearest[:, step:], squared[:, :-step] + step * step, out=nearest[:, step:])
        np.minimum(nearest[:, :-step], squared[:, step:] + step * step, out=nearest[:, :-step])
    return nearest
