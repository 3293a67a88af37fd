"""Quadmasks: what each grey level means, how it follows from layers of evidence, and coarser forms of it.

With three versions of a scene (F factual, H factual motion with the removed objects hidden, C counterfactual):

    affected = moved_before | moved_after | lit_by_moved     policy "void": what the published generators mark
    affected = the above | own_effects                       policy "effects": KEEP is equal in both videos
    REMOVE = removed & ~affected   OVERLAP = removed & affected   AFFECTED = affected & ~removed   KEEP = the rest

How the layers come from a render is in `datagen.evidence`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum, StrEnum

import numpy as np

from datagen.errors import DataError, did_you_mean


class Label(IntEnum):
    """Grey levels of a quadmask; the gaps survive lossy video."""

    REMOVE = 0  # the removed object, and nothing changes behind it
    OVERLAP = 63  # the removed object, and the scene behind it changes too
    AFFECTED = 127  # changes because the object is gone
    KEEP = 255  # identical in both worlds


class Policy(StrEnum):
    """What counts as affected."""

    VOID = "void"  # the removed object's own shadow and reflection stay KEEP
    EFFECTS = "effects"  # they are AFFECTED


class Form(StrEnum):
    """How much a mask tells."""

    QUAD = "quad"  # all four labels
    BINARY = "binary"  # REMOVE and KEEP
    TRIMASK = "trimask"  # without OVERLAP
    GRID = "grid"  # AFFECTED by cells of a coarse grid


@dataclass(frozen=True, kw_only=True)
class MaskLayers:
    """The evidence behind a quadmask; each bool [num_frames, height, width].

    removed       any part of the pixel shows a removed object in F
    moved_before  the surface seen in H belongs to an object whose pose differs between the worlds, or H and C differ
    moved_after   likewise for the surface seen in C
    lit_by_moved  a surface that stays, whose light differs between H and C
    own_effects   a surface that stays, whose light differs between F and H; and, beside any of these layers, traces of
                  what differs that the pictures' denoiser spread
    """

    removed: np.ndarray
    moved_before: np.ndarray
    moved_after: np.ndarray
    lit_by_moved: np.ndarray
    own_effects: np.ndarray

    def __post_init__(self) -> None:
        expected = self.removed.shape
        for name, layer in self.arrays().items():
            if layer.dtype != np.bool_ or layer.ndim != 3 or layer.shape != expected:
                raise DataError(
                    f"layer '{name}': expected bool [num_frames, height, width] of shape {expected}, "
                    f"found {layer.dtype} {layer.shape}"
                )

    def arrays(self) -> dict[str, np.ndarray]:
        """The layers by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def moved(self) -> np.ndarray:
        """Pixels at which a moved object is seen in H or C, bool [num_frames, height, width]."""
        return np.asarray(self.moved_before | self.moved_after)

    def affected(self, policy: Policy = Policy.VOID) -> np.ndarray:
        """Pixels that change because of the removal, removed ones included, bool [num_frames, height, width]."""
        affected = self.moved | self.lit_by_moved
        return np.asarray(affected | self.own_effects if policy is Policy.EFFECTS else affected)


def parse_policy(name: str) -> Policy:
    """The policy of that name; raises `DataError` that names the known ones."""
    try:
        return Policy(name)
    except ValueError:
        raise DataError(f"unknown mask policy '{name}'{did_you_mean(name, [one.value for one in Policy])}") from None


def parse_form(name: str) -> Form:
    """The form of that name; raises `DataError` that names the known ones."""
    try:
        return Form(name)
    except ValueError:
        raise DataError(f"unknown form of mask '{name}'{did_you_mean(name, [one.value for one in Form])}") from None


def compose_mask(layers: MaskLayers, policy: Policy = Policy.VOID) -> np.ndarray:
    """The quadmask uint8 [num_frames, height, width] of a policy."""
    return label_pixels(layers.removed, layers.affected(policy))


def label_pixels(removed: np.ndarray, affected: np.ndarray) -> np.ndarray:
    """Labels uint8 of two bool arrays of one shape."""
    labels = np.full(removed.shape, Label.KEEP, dtype=np.uint8)
    for where, label in ((affected, Label.AFFECTED), (removed, Label.REMOVE), (removed & affected, Label.OVERLAP)):
        np.copyto(labels, np.uint8(label), where=where)
    return labels


def check_mask(mask: np.ndarray, where: str = "quadmask", like: tuple[int, ...] | None = None) -> np.ndarray:
    """`mask` itself if it is a quadmask; else `DataError` that names the first bad frame and its values.

    like: (num_frames, height, width) of the video that the mask belongs to, where there is one.
    """
    if mask.dtype != np.uint8 or mask.ndim != 3 or 0 in mask.shape:
        raise DataError(
            f"{where}: expected uint8 [num_frames, height, width] with at least one frame and pixel, "
            f"found {mask.dtype} {mask.shape}{_why_no_mask(mask, where)}"
        )
    for frame, picture in enumerate(mask):
        counts = np.bincount(picture.ravel(), minlength=256)
        counts[list(Label)] = 0
        if counts.any():
            raise DataError(
                f"{where}: frame {frame} holds values {_few(np.flatnonzero(counts))} in {int(counts.sum())} pixels; a "
                f"quadmask holds only {[int(label) for label in Label]}: store it without loss and resize it by class"
            )
    if like is not None:
        check_fits(mask, like, where)
    return mask


def check_fits(mask: np.ndarray, like: tuple[int, ...], where: str = "quadmask") -> None:
    """Raise `DataError` unless a mask [num_frames, height, width] has the length and size `like` of its video."""
    size, expected = (f"{shape[2]}x{shape[1]}" for shape in (mask.shape, like))
    if size != expected:
        raise DataError(f"{where}: frame 0 is {size}, the video {expected}; resize the mask by class (resize_mask)")
    if len(mask) != like[0]:
        lacks = "the video has no frame" if len(mask) > like[0] else "the mask has no frame"
        raise DataError(
            f"{where}: {lacks} {min(len(mask), like[0])}: the mask has {len(mask)} frames, the video {like[0]}; cut "
            "both to the same stretch"
        )


def check_grey(picture: np.ndarray, frame: int, where: str = "quadmask") -> None:
    """Raise `DataError` where the channels of a mask's frame [height, width, 3] differ."""
    unequal = (picture != picture[..., :1]).any(axis=-1)
    if unequal.any():
        row, column = np.unravel_index(np.argmax(unequal), unequal.shape)
        found = ", ".join(str(value) for value in picture[row, column])
        raise DataError(
            f"{where}: frame {frame} is coloured in {int(unequal.sum())} pixels, e.g. ({found}) in row {row}, column "
            f"{column}; a quadmask is grey: all channels equal"
        )


def _why_no_mask(mask: np.ndarray, where: str) -> str:
    """What an array that is no mask holds, and how to mend it."""
    if mask.ndim and not len(mask):
        return ": a mask of no frames"
    if 0 in mask.shape:
        return ": frames without pixels"
    if mask.ndim == 4:
        if mask.shape[-1] == 3:
            for frame, picture in enumerate(mask):
                check_grey(picture, frame, where)
        return "; its channels are equal: take channel 0" if mask.shape[-1] in (1, 3) else ""
    if mask.ndim != 3:
        return ""
    return f"; frame 0 holds values {_few(np.unique(mask[0]))}: label pixels with {[int(label) for label in Label]}"


def _few(values: np.ndarray) -> str:
    """The first of many values, in words."""
    return ", ".join(f"{value:g}" for value in values[:8].tolist()) + (", ..." if len(values) > 8 else "")


def removed_pixels(mask: np.ndarray) -> np.ndarray:
    """Where a removed object is seen, bool; any shape."""
    return np.asarray((mask == Label.REMOVE) | (mask == Label.OVERLAP))


def affected_pixels(mask: np.ndarray) -> np.ndarray:
    """Where the scene changes, behind the removed object too, bool; any shape."""
    return np.asarray((mask == Label.AFFECTED) | (mask == Label.OVERLAP))


def to_binary(mask: np.ndarray) -> np.ndarray:
    """Only what is removed: REMOVE, and KEEP elsewhere."""
    removed = removed_pixels(check_mask(mask))
    return label_pixels(removed, np.zeros_like(removed))


def to_trimask(mask: np.ndarray) -> np.ndarray:
    """REMOVE, AFFECTED and KEEP: what is behind the removed object is not told (OVERLAP becomes REMOVE)."""
    check_mask(mask)
    return np.where(mask == Label.OVERLAP, np.uint8(Label.REMOVE), mask)


def to_grid(mask: np.ndarray, min_cells: int = 8) -> np.ndarray:
    """The mask as a model that marks cells of a coarse grid would draw it, uint8 of the same shape.

    Square cells (cut at the right and lower edge), as large as leaves at least `min_cells` on the short side. A cell
    with any AFFECTED pixel becomes AFFECTED; REMOVE and OVERLAP stay pixel-exact, except that a REMOVE pixel in an
    AFFECTED cell becomes OVERLAP.
    """
    check_mask(mask)
    height, width = mask.shape[1:]
    if not 1 <= min_cells <= min(height, width):
        raise DataError(f"grid mask: expected 1 to {min(height, width)} cells on the short side, found {min_cells}")
    cell = min(height, width) // min_cells
    rows, columns = np.arange(0, height, cell), np.arange(0, width, cell)
    hit = np.logical_or.reduceat(np.logical_or.reduceat(mask == Label.AFFECTED, rows, axis=1), columns, axis=2)
    affected = hit[:, np.arange(height) // cell][:, :, np.arange(width) // cell]
    return label_pixels(removed_pixels(mask), affected | (mask == Label.OVERLAP))


def in_form(mask: np.ndarray, form: Form) -> np.ndarray:
    """A quadmask in one of its forms, uint8 of the same shape."""
    shaped = {Form.QUAD: check_mask, Form.BINARY: to_binary, Form.TRIMASK: to_trimask, Form.GRID: to_grid}
    return np.asarray(shaped[form](mask))


def resize_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """The mask in another size, by the class of the nearest pixel centre; never interpolated."""
    check_mask(mask)
    if width < 1 or height < 1:
        raise DataError(f"quadmask: expected a size of at least 1x1 to resize to, found {width}x{height}")
    rows = _nearest(mask.shape[1], height)
    columns = _nearest(mask.shape[2], width)
    return np.asarray(mask[:, rows[:, None], columns])


def _nearest(old: int, new: int) -> np.ndarray:
    """Index of the old pixel whose area holds the centre of each new one."""
    return np.minimum((2 * np.arange(new) + 1) * old // (2 * new), old - 1)
