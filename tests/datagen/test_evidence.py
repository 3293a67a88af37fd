"""Where things moved and where light changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from datagen.camera import Lens, look_at
from datagen.errors import DataError
from datagen.evidence import (
    RenderedLayers,
    contested_light,
    derive_layers,
    moved_flags,
    undecided_light,
    with_spill,
)
from datagen.light_change import change_of_light
from datagen.placement import Blur
from datagen.quadmask import Policy
from datagen.trajectory import Trajectory

SHAPE = (2, 40, 60)
SHARP, SOFT = Blur(removed=0, moved=0, light=0), Blur(removed=2.4, moved=1.0, light=5.0)
CORNERS = np.array([[x, y, z] for x in (-0.1, 0.1) for y in (-0.1, 0.1) for z in (-0.1, 0.1)])
LENS = Lens(focal_length_mm=36.0, sensor_width_mm=36.0, width=100, height=60)  # focal_px = 100


def rendered(**layers: np.ndarray) -> RenderedLayers:
    empty = np.zeros(SHAPE, dtype=np.float32)
    bright = np.ones((SHAPE[0], SHAPE[1] // 2, SHAPE[2] // 2), dtype=np.float32)
    default = {
        "removed_coverage": empty,
        "ids_hidden": empty,
        "ids_counterfactual": empty,
        "light_factual": bright,
        "light_hidden": bright,
        "light_counterfactual": bright,
    }
    return RenderedLayers(**{**default, **layers})


def box(top: int, left: int, value: float = 1.0, background: float = 0.0) -> np.ndarray:
    """A 10x10 box in every frame."""
    picture = np.full(SHAPE, background, dtype=np.float32)
    picture[:, top : top + 10, left : left + 10] = value
    return picture


def moved(*ids: int) -> np.ndarray:
    flags = np.zeros((SHAPE[0], 4), dtype=bool)
    flags[:, list(ids)] = True
    return flags


def test_nothing_changes_in_a_still_scene() -> None:
    layers = derive_layers(rendered(ids_hidden=box(5, 5), ids_counterfactual=box(5, 5)), moved())
    assert not any(layer.any() for layer in layers.arrays().values())


def test_any_coverage_is_removed() -> None:
    layers = derive_layers(rendered(removed_coverage=box(5, 5, 0.01)), moved())
    assert np.array_equal(layers.removed, box(5, 5).astype(bool))


def test_silhouettes_of_moved_things_are_as_fine_as_told() -> None:
    """With layers of their own they are not grown, and also show what ids at pixel centres miss."""
    wide = np.pad(box(25, 40), ((0, 0), (0, 0), (1, 0)))[..., :-1]  # a pixel further right
    layers = derive_layers(
        rendered(
            ids_hidden=box(5, 5),
            ids_counterfactual=box(25, 40),
            moved_hidden=box(5, 5),
            moved_counterfactual=np.maximum(box(25, 40), 0.1 * wide),
        ),
        moved(1),
    )
    assert np.array_equal(layers.moved_after, (box(5, 5) + box(25, 40) + wide).astype(bool))
    assert np.array_equal(layers.moved_before, (box(5, 5) + box(25, 40)).astype(bool))


def test_light_by_more_samples_decides_where_it_is_there() -> None:
    """A change of 6 % by coarse layers is none or one as finer light says, and asks for it."""
    bright = np.ones((2, 20, 30), dtype=np.float32)
    coarse = {"light_hidden": bright, "light_counterfactual": bright * 0.94}
    window = box(10, 10)
    silhouettes = {name: np.zeros(SHAPE, dtype=np.float32) for name in ("moved_hidden", "moved_counterfactual")}
    assert undecided_light(rendered(**coarse, **silhouettes), moved()).all()
    for change, expected in ((0.04, False), (0.06, True)):
        fine = {"fine_hidden": window, "fine_counterfactual": window * (1 - change)}
        found = derive_layers(rendered(**coarse, **fine), moved()).lit_by_moved
        assert (found[window > 0] == expected).all() and not found[window == 0].any()


def test_light_by_few_samples_that_is_near_what_counts_is_contested() -> None:
    window = box(10, 10)
    for change, expected in ((0.01, False), (0.04, True), (0.06, True), (0.2, False)):
        fine = {"fine_hidden": window, "fine_counterfactual": window * (1 - change)}
        assert np.array_equal(contested_light(rendered(**fine)), (window > 0) & expected)


def test_optional_layers_are_checked_too() -> None:
    with pytest.raises(DataError, match="layer 'fine_hidden': expected"):
        rendered(fine_hidden=np.ones((2, 10, 10), dtype=np.float32))


def test_both_places_of_a_moved_object() -> None:
    layers = derive_layers(rendered(ids_hidden=box(5, 5), ids_counterfactual=box(25, 40)), moved(1), edge_px=0)
    both = (box(5, 5) + box(25, 40)).astype(bool)
    assert np.array_equal(layers.moved_before, both) and np.array_equal(layers.moved_after, both)


def test_a_turned_object_counts_though_the_same_ids_are_seen() -> None:
    turned = rendered(ids_hidden=box(5, 5), ids_counterfactual=box(5, 5))
    layers = derive_layers(turned, moved(1), edge_px=0)
    assert np.array_equal(layers.moved, box(5, 5).astype(bool))


def test_moved_objects_grow_by_a_pixel() -> None:
    layers = derive_layers(rendered(ids_hidden=box(5, 5), ids_counterfactual=box(5, 5)), moved(1))
    expected = np.zeros(SHAPE, dtype=bool)
    expected[:, 4:16, 4:16] = True
    assert np.array_equal(layers.moved, expected)


def test_a_shadow_of_what_moved_is_found_and_clean() -> None:
    key = np.ones((SHAPE[0], 20, 30), dtype=np.float32)
    shadowed = key.copy()
    shadowed[:, 12:18, 3:12] = 0.5
    layers = derive_layers(rendered(light_counterfactual=shadowed), moved())
    core = np.zeros(SHAPE, dtype=bool)
    core[:, 24:36, 6:24] = True
    reach = np.zeros(SHAPE, dtype=bool)
    reach[:, 18:42, 0:30] = True
    assert layers.lit_by_moved[core].all()
    assert not layers.lit_by_moved[~reach].any()
    assert not layers.own_effects.any()


def test_the_removed_objects_own_shadow_is_apart() -> None:
    key = np.ones((SHAPE[0], 20, 30), dtype=np.float32)
    shadowed = key.copy()
    shadowed[:, 5:10, 5:10] = 0.3
    layers = derive_layers(rendered(light_factual=shadowed), moved())
    assert layers.own_effects.any() and not layers.lit_by_moved.any()


def test_a_slight_change_of_light_is_none() -> None:
    key = np.ones((SHAPE[0], 20, 30), dtype=np.float32)
    assert not derive_layers(rendered(light_counterfactual=key * 0.96), moved()).lit_by_moved.any()
    assert derive_layers(rendered(light_counterfactual=key * 0.92), moved()).lit_by_moved.all()


def test_dark_corners_do_not_flicker() -> None:
    key = np.ones((SHAPE[0], 20, 30), dtype=np.float32)
    key[:, :, :10] = 1e-4
    changed = key.copy()
    changed[:, :, :10] = 2e-4
    assert not derive_layers(rendered(light_hidden=key, light_counterfactual=changed), moved()).lit_by_moved.any()


def test_no_rim_around_what_is_excluded() -> None:
    first = np.ones((40, 60), dtype=np.float32)
    second, excluded = first.copy(), np.zeros((40, 60), dtype=bool)
    excluded[10:20, 10:20] = True
    second[10:20, 10:20] = 0.1
    assert not change_of_light(first, second, excluded, dark=0.0).any()
    half = (first[::2, ::2], second[::2, ::2])
    assert not change_of_light(*half, excluded, dark=0.0).any()


def test_a_shadow_reaches_up_to_what_casts_it() -> None:
    first = np.ones((40, 60), dtype=np.float32)
    second, excluded = first.copy(), np.zeros((40, 60), dtype=bool)
    excluded[10:20, 10:20] = True
    second[10:20, 20:40] = 0.5
    changed = change_of_light(first, second, excluded, dark=0.0)
    assert changed[11:19, 20:40].all() and not changed[excluded].any()


def test_specks_go_and_holes_close() -> None:
    first = np.ones((200, 300), dtype=np.float32)
    second = first.copy()
    second[50:100, 50:100] = 0.5
    second[70, 70] = 1.0
    second[150, 200] = 0.9  # 10 % in one pixel: 0.4 % after the blur
    changed = change_of_light(first, second, np.zeros_like(first, dtype=bool), dark=0.0)
    assert changed[50:100, 50:100].all() and not changed[130:].any()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"ids_hidden": np.zeros((2, 40, 61))}, r"layer 'ids_hidden'.*\(2, 40, 61\)"),
        ({"light_hidden": np.zeros((1, 20, 30))}, r"layer 'light_hidden'.*\(1, 20, 30\)"),
        ({"removed_coverage": box(1, 1, np.nan)}, "layer 'removed_coverage': frame 0 .* no numbers"),
        ({"ids_counterfactual": box(1, 1, -1.0)}, "layer 'ids_counterfactual': frame 0 holds -1"),
    ],
)
def test_bad_layers_are_named(layers: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        derive_layers(rendered(**layers), moved())


def test_an_id_that_no_object_has_is_named() -> None:
    with pytest.raises(DataError, match="'ids_hidden': frame 0 holds id 9; the scene's ids end at 3"):
        derive_layers(rendered(ids_hidden=box(1, 1, 9.0)), moved())


def test_flags_of_another_length_are_refused() -> None:
    with pytest.raises(DataError, match=r"moved flags: expected bool \[2, ids\]"):
        derive_layers(rendered(), np.zeros((3, 4), dtype=bool))


@pytest.mark.parametrize(
    ("distance_m", "shift_m", "expected"),
    [
        (1.0, 0.0, False),
        (0.2, 0.0009, False),  # 1 mm is the floor, however near
        (0.2, 0.0015, True),
        (4.0, 0.009, False),  # 0.25 px at 4 m is 10 mm; the near corners are at 3.9 m
        (4.0, 0.012, True),
    ],
)
def test_moved_is_what_can_be_seen_to_have_moved(distance_m: float, shift_m: float, expected: bool) -> None:
    pose = np.tile([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (2, 1, 1))
    shifted = pose.copy()
    shifted[1, 0, 0] = shift_m
    camera = np.tile(look_at(np.array([0.0, -distance_m, 0.0]), np.zeros(3)), (2, 1))
    worlds = [Trajectory.from_poses(("box",), 12.0, poses) for poses in (pose, shifted)]
    flags = moved_flags({"person": 1, "box": 2}, *worlds, {"box": CORNERS}, LENS, camera)
    assert flags.tolist() == [[False, False, False], [False, False, expected]]


def test_turning_in_place_moves_the_corners() -> None:
    pose = np.tile([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (1, 1, 1))
    turned = pose.copy()
    turned[0, 0, 3:] = (np.cos(0.1), 0.0, 0.0, np.sin(0.1))
    camera = look_at(np.array([0.0, -2.0, 0.0]), np.zeros(3))[None]
    worlds = [Trajectory.from_poses(("box",), 12.0, poses) for poses in (pose, turned)]
    assert moved_flags({"box": 1}, *worlds, {"box": CORNERS}, LENS, camera)[0, 1]
    with pytest.raises(DataError, match="no bounding box of 'box'"):
        moved_flags({"box": 1}, *worlds, {}, LENS, camera)


def test_what_is_in_one_world_only_is_not_moved() -> None:
    pose = np.tile([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (1, 2, 1))
    both = Trajectory.from_poses(("box", "gone"), 12.0, pose)
    one = Trajectory.from_poses(("box",), 12.0, pose[:, :1])
    camera = look_at(np.array([0.0, -2.0, 0.0]), np.zeros(3))[None]
    assert not moved_flags({"box": 1, "gone": 2}, both, one, {"box": CORNERS}, LENS, camera).any()


def test_a_sharp_shadow_grows_little() -> None:
    first = np.ones((100, 150), dtype=np.float32)
    second, none = first.copy(), np.zeros((200, 300), dtype=bool)
    second[30:60, 40:90] = 0.2
    changed = change_of_light(first, second, none, dark=0.0)
    assert changed[60:120, 80:180].all()
    changed[56:124, 76:184] = False  # two pixels of the small picture
    assert not changed.any()


def test_few_samples_of_a_soft_shadow_make_one_area() -> None:
    """A tenth of the samples is lost at random: 10 % less light, in single pixels all or nothing."""
    first = np.ones((100, 150), dtype=np.float32)
    second, none = first.copy(), np.zeros((100, 150), dtype=bool)
    samples = np.random.default_rng(0).random((40, 60, 4)) > 0.15
    second[30:70, 40:100] = samples.mean(axis=-1)
    changed = change_of_light(first, second, none, dark=0.0)
    assert changed[35:65, 45:95].mean() > 0.95
    changed[26:74, 36:104] = False
    assert not changed.any()


def test_traces_are_effects_and_leave_the_other_layers_alone() -> None:
    layers = derive_layers(rendered(removed_coverage=box(5, 5), ids_hidden=box(25, 40)), moved(1), edge_px=0)
    full = np.full((*SHAPE, 3), 100, dtype=np.uint8)
    other = full.copy()
    other[:, 10, 16], other[:, 30, 52], other[:, 20, 30] = 120, 120, 120
    grown = with_spill(layers, full, other)
    assert grown.own_effects[:, (10, 30), (16, 52)].all()
    assert grown.own_effects.sum() == layers.own_effects.sum() + 2 * SHAPE[0]
    assert np.array_equal(grown.affected(Policy.VOID), layers.affected(Policy.VOID))
    assert np.array_equal(grown.removed, layers.removed)


def test_blur_widens_every_layer_by_its_extent() -> None:
    shadowed = np.ones((SHAPE[0], 20, 30), dtype=np.float32)
    shadowed[:, 5:10, 14:20] = 0.3
    pictures = rendered(removed_coverage=box(5, 5), light_factual=shadowed)
    sharp, blurred = derive_layers(pictures, moved()), derive_layers(pictures, moved(), blur_px=(SHARP, SOFT))
    for name, layer in sharp.arrays().items():
        assert np.array_equal(getattr(blurred, name)[0], layer[0])
    near_removed = ndimage.distance_transform_edt(~sharp.removed[1]) <= 3
    near_shadow = ndimage.distance_transform_edt(~sharp.own_effects[1]) <= 5
    assert np.array_equal(blurred.removed[1], near_removed) and near_removed.sum() > sharp.removed[1].sum()
    assert np.array_equal(blurred.own_effects[1], near_shadow & ~near_removed)


def test_a_trace_beside_where_something_was_is_no_keep() -> None:
    """What only the factual world shows, and only in front of what stays: beside it no other layer is near."""
    layers = derive_layers(rendered(ids_hidden=box(5, 5), ids_counterfactual=box(25, 40)), moved(1), edge_px=0)
    alone = replace(layers, moved_after=np.zeros_like(layers.moved_after))
    full = np.full((*SHAPE, 3), 90, dtype=np.uint8)
    other = full.copy()
    other[:, 10, 16] = 120
    grown = with_spill(alone, full, other)
    assert grown.affected(Policy.EFFECTS)[:, 10, 16].all() and grown.own_effects.sum() == SHAPE[0]
