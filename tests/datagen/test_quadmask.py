"""What each label means, and what each coarser form of a mask keeps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datagen.errors import DataError
from datagen.quadmask import (
    Form,
    Label,
    MaskLayers,
    Policy,
    check_mask,
    compose_mask,
    in_form,
    parse_form,
    parse_policy,
    resize_mask,
    to_binary,
    to_grid,
    to_trimask,
)

LEVELS = [int(label) for label in Label]


def masks(max_side: int = 40) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, 4), st.integers(8, max_side), st.integers(8, max_side))
    return shapes.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from(LEVELS)))


def layers_of(*values: bool) -> MaskLayers:
    names = ("removed", "moved_before", "moved_after", "lit_by_moved", "own_effects")
    return MaskLayers(**{name: np.full((1, 1, 1), value) for name, value in zip(names, values, strict=True)})


def test_the_four_grey_levels() -> None:
    assert [(label.name, int(label)) for label in Label] == [
        ("REMOVE", 0),
        ("OVERLAP", 63),
        ("AFFECTED", 127),
        ("KEEP", 255),
    ]


@pytest.mark.parametrize("values", list(product((False, True), repeat=5)))
@pytest.mark.parametrize("policy", list(Policy))
def test_truth_table(values: tuple[bool, ...], policy: Policy) -> None:
    removed, before, after, lit, own = values
    affected = before or after or lit or (own and policy is Policy.EFFECTS)
    expected = {
        (True, False): Label.REMOVE,
        (True, True): Label.OVERLAP,
        (False, True): Label.AFFECTED,
        (False, False): Label.KEEP,
    }
    assert compose_mask(layers_of(*values), policy)[0, 0, 0] == expected[removed, affected]


def test_layers_of_different_shapes_are_refused() -> None:
    good = np.zeros((2, 3, 4), dtype=bool)
    with pytest.raises(DataError, match=r"layer 'lit_by_moved'.*\(2, 3, 4\).*\(2, 3, 5\)"):
        MaskLayers(
            removed=good, moved_before=good, moved_after=good, lit_by_moved=np.zeros((2, 3, 5), bool), own_effects=good
        )
    with pytest.raises(DataError, match=r"layer 'removed'.*uint8"):
        bad = good.astype(np.uint8)
        MaskLayers(removed=bad, moved_before=good, moved_after=good, lit_by_moved=good, own_effects=good)


def test_a_wrong_value_is_named_with_its_frame() -> None:
    mask = np.full((3, 4, 5), Label.KEEP, dtype=np.uint8)
    mask[2, 1, 1:3] = (128, 64)
    with pytest.raises(DataError, match=r"m\.mp4: frame 2 holds values 64, 128 in 2 pixels.*\[0, 63, 127, 255\]"):
        check_mask(mask, "m.mp4")


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((2, 3, 4), dtype=np.float32),
        np.zeros((3, 4), dtype=np.uint8),
        np.zeros((0, 3, 4), dtype=np.uint8),
        np.zeros((2, 3, 4, 3), dtype=np.uint8),
    ],
)
def test_a_wrong_type_or_shape_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(DataError, match=rf"expected uint8 \[num_frames, height, width\].*{mask.dtype}"):
        check_mask(mask)


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.zeros((0, 3, 4), dtype=np.uint8), "a mask of no frames"),
        (np.zeros((2, 0, 4), dtype=np.uint8), "frames without pixels"),
        (np.full((2, 3, 4), 0.5), r"frame 0 holds values 0\.5: label pixels with \[0, 63, 127, 255\]"),
        (np.full((2, 3, 4), True), r"found bool \(2, 3, 4\); frame 0 holds values 1"),
        (np.zeros((2, 3, 4, 3), dtype=np.uint8), "its channels are equal: take channel 0"),
    ],
)
def test_what_is_no_mask_is_told_with_its_values(mask: np.ndarray, told: str) -> None:
    with pytest.raises(DataError, match=rf"m\.mp4: expected uint8 .*{told}"):
        check_mask(mask, "m.mp4")


def test_unequal_channels_are_named_with_their_frame() -> None:
    mask = np.full((3, 4, 5, 3), Label.KEEP, dtype=np.uint8)
    mask[1, 2, 3] = (0, 63, 127)
    with pytest.raises(
        DataError, match=r"m: frame 1 is coloured in 1 pixels, e\.g\. \(0, 63, 127\) in row 2, column 3"
    ):
        check_mask(mask, "m")


@pytest.mark.parametrize(
    ("like", "told"),
    [
        ((2, 4, 5), "the video has no frame 2: the mask has 3 frames, the video 2"),
        ((7, 4, 5), "the mask has no frame 3: the mask has 3 frames, the video 7"),
        ((3, 5, 4), "frame 0 is 5x4, the video 4x5"),
    ],
)
def test_a_mask_of_another_length_or_size_is_refused(like: tuple[int, int, int], told: str) -> None:
    mask = np.full((3, 4, 5), Label.KEEP, dtype=np.uint8)
    assert check_mask(mask, like=(3, 4, 5)) is mask
    with pytest.raises(DataError, match=told):
        check_mask(mask, like=like)


def test_an_unknown_policy_is_corrected() -> None:
    with pytest.raises(DataError, match="'effect'; did you mean 'effects'"):
        parse_policy("effect")


@given(masks())
def test_binary_and_trimask(mask: np.ndarray) -> None:
    removed = (mask == Label.REMOVE) | (mask == Label.OVERLAP)
    assert np.array_equal(to_binary(mask), np.where(removed, 0, 255))
    trimask = to_trimask(mask)
    assert np.array_equal(trimask == Label.REMOVE, removed)
    assert np.array_equal(trimask == Label.AFFECTED, mask == Label.AFFECTED)
    assert Label.OVERLAP not in trimask


@given(masks(), st.integers(1, 8))
def test_grid_against_its_definition(mask: np.ndarray, min_cells: int) -> None:
    grid = to_grid(mask, min_cells)
    cell = min(mask.shape[1:]) // min_cells
    expected = mask.copy()
    for frame, top, left in product(range(len(mask)), range(0, mask.shape[1], cell), range(0, mask.shape[2], cell)):
        part = expected[frame, top : top + cell, left : left + cell]
        if (part == Label.AFFECTED).any():
            part[part == Label.KEEP] = Label.AFFECTED
            part[part == Label.REMOVE] = Label.OVERLAP
    assert np.array_equal(grid, expected)
    assert np.array_equal(to_grid(grid, min_cells), grid)


def test_grid_refuses_more_cells_than_pixels() -> None:
    with pytest.raises(DataError, match="expected 1 to 8 cells"):
        to_grid(np.full((1, 8, 20), Label.KEEP, dtype=np.uint8), 9)


@given(masks(), st.integers(1, 60), st.integers(1, 60))
def test_resize_invents_no_value(mask: np.ndarray, width: int, height: int) -> None:
    resized = resize_mask(mask, width, height)
    assert resized.shape == (len(mask), height, width)
    assert set(np.unique(resized)) <= set(np.unique(mask))


@given(masks(16), st.integers(1, 4))
def test_whole_enlargement_is_undone(mask: np.ndarray, factor: int) -> None:
    large = resize_mask(mask, mask.shape[2] * factor, mask.shape[1] * factor)
    assert np.array_equal(large, mask.repeat(factor, axis=1).repeat(factor, axis=2))
    assert np.array_equal(resize_mask(large, mask.shape[2], mask.shape[1]), mask)


def test_forms_tell_what_their_names_say() -> None:
    mask = np.array([[[0, 63, 127, 255]] * 8], dtype=np.uint8)
    assert np.array_equal(in_form(mask, Form.QUAD), mask)
    assert np.array_equal(in_form(mask, Form.BINARY), to_binary(mask))
    assert np.array_equal(in_form(mask, Form.TRIMASK), to_trimask(mask))
    assert np.array_equal(in_form(np.tile(mask, (1, 1, 2)), Form.GRID), to_grid(np.tile(mask, (1, 1, 2))))
    assert parse_form("grid") is Form.GRID
    with pytest.raises(DataError, match="unknown form of mask 'quadd'; did you mean 'quad'"):
        parse_form("quadd")
