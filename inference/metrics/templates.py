"""What an object looks like: cut-outs of it from both worlds, at times when it is seen well."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inference.metrics.api import Case
from inference.metrics.derived import object_id

RING_PX = 3  # at full size: where the plate should be seen around the object
KEY_TIMES = 5  # frames of each world that stand for all of its views
WELL_SEEN = 0.6  # of the object's usual area
MIN_PIXELS = 6
ALIKE_AREA = 0.03  # relative
ALIKE_LEVELS = 5.0


@dataclass(frozen=True, kw_only=True)
class Template:
    """A cut-out. Anchor is the centroid of its pixels, in pixels from the cut-out's upper left corner."""

    frame: int  # that it was cut from
    picture: np.ndarray  # float32 [h, w, 3]
    mask: np.ndarray  # float32 [h, w], 0 or 1
    ring: np.ndarray  # float32 [h, w], 0 or 1
    anchor: np.ndarray  # [2] (right, down)

    @property
    def area(self) -> float:
        """Pixels of the object."""
        return float(self.mask.sum())


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """All that is known of how an object looks."""

    name: str
    truth: dict[int, Template]  # by frame, where it is seen at all
    factual: dict[int, Template]
    views: tuple[Template, ...]  # a few of both worlds, seen well
    size_px: float  # square root of its usual area

    def candidates(self, frame: int) -> list[Template]:
        """Cut-outs to look for in a frame: how it looks just then in either world, and the usual views."""
        return unlike([*(world[frame] for world in (self.truth, self.factual) if frame in world), *self.views])


def appearance_of(case: Case, name: str) -> Appearance | None:
    """How an object looks in both worlds; None where neither shows it."""
    number = object_id(case, name)
    in_truth = case.ids_counterfactual == number
    in_factual = (case.ids_factual == number) & ~case.layers.removed
    truth, factual = _cut(case.truth, in_truth), _cut(case.input, in_factual)
    if not truth and not factual:
        return None
    usual = float(np.median([one.area for one in [*truth.values(), *factual.values()]]))
    views = unlike([view for world in (truth, factual) for view in _key_views(world, usual)])
    return Appearance(name=name, truth=truth, factual=factual, views=tuple(views), size_px=float(np.sqrt(usual)))


def unlike(templates: list[Template]) -> list[Template]:
    """The cut-outs without those that look like one before: an object at rest has one view."""
    kept: list[Template] = []
    for template in templates:
        if not any(_alike(template, other) for other in kept):
            kept.append(template)
    return kept


def _alike(one: Template, other: Template) -> bool:
    if one is other:
        return True
    if np.abs(np.subtract(one.mask.shape, other.mask.shape)).max() > 1 or abs(one.area / other.area - 1) > ALIKE_AREA:
        return False
    height, width = np.minimum(one.mask.shape, other.mask.shape)
    both = one.mask[:height, :width] * other.mask[:height, :width]
    difference = np.abs(one.picture[:height, :width] - other.picture[:height, :width]).mean(axis=-1)
    return float((difference * both).sum()) < ALIKE_LEVELS * max(1.0, float(both.sum()))


def _cut(video: np.ndarray, mask: np.ndarray) -> dict[int, Template]:
    """A cut-out of every frame that shows the object."""
    found = {}
    for frame in np.flatnonzero(mask.any(axis=(1, 2))):
        if mask[frame].sum() >= MIN_PIXELS:
            found[int(frame)] = cut_out(int(frame), video[frame], mask[frame])
    return found


def cut_out(frame: int, picture: np.ndarray, mask: np.ndarray) -> Template:
    """The cut-out of a mask bool [height, width], with room for its ring; repeats the border where it leaves it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    pad = RING_PX + 1
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    colours = cv2.copyMakeBorder(np.ascontiguousarray(picture[box]), pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    inside = np.pad(mask[box], pad).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RING_PX + 1,) * 2)
    soft = cv2.dilate(inside, np.ones((3, 3), np.uint8))  # the edge's mixed pixels are neither
    y, x = np.nonzero(inside)
    return Template(
        frame=frame,
        picture=colours.astype(np.float32),
        mask=inside.astype(np.float32),
        ring=(cv2.dilate(inside, kernel) - soft).astype(np.float32),
        anchor=np.array([x.mean() + 0.5, y.mean() + 0.5]),
    )


def _key_views(world: dict[int, Template], usual: float) -> list[Template]:
    """A few views spread over time."""
    good = [one for one in world.values() if one.area >= WELL_SEEN * usual]
    if not good:
        return []
    picks = np.unique(np.linspace(0, len(good) - 1, KEY_TIMES).round().astype(int))
    return [good[pick] for pick in picks]


def shrink(template: Template, scale: float) -> Template:
    """The cut-out at another scale (< 1), by area."""
    if scale >= 1:
        return template
    height, width = template.mask.shape
    size = (max(3, round(width * scale)), max(3, round(height * scale)))
    ratio = np.array([size[0] / width, size[1] / height])

    def smaller(array: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA))

    mask = smaller(template.mask)
    colours = smaller(template.picture * template.mask[..., None]) / np.maximum(mask, 1e-6)[..., None]
    return Template(
        frame=template.frame,
        picture=colours,
        mask=mask,
        ring=smaller(template.ring),
        anchor=template.anchor * ratio,
    )
