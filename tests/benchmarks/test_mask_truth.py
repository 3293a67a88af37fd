"""The oracle of masks and the published recipes, on pictures whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.mask_truth import (
    changed_light,
    chosen_frames,
    compare_frame,
    draw_sheet,
    figures,
    humoto_recipe,
    iou,
    kubric_recipe,
    oracle_layers,
)
from datagen.quadmask import Label, MaskLayers, Policy

SHAPE = (48, 64)
PERSON, BALL_BEFORE, BALL_AFTER = np.s_[10:40, 8:16], np.s_[12:18, 18:24], np.s_[36:42, 44:50]
SHADOW, BALL_SHADOW = np.s_[40:46, 4:20], np.s_[42:46, 40:56]


def region(*parts: tuple) -> np.ndarray:
    result = np.zeros(SHAPE, dtype=bool)
    for part in parts:
        result[part] = True
    return result


def scene(noise: float = 0.01) -> dict[str, np.ndarray]:
    """A person with a shadow holds a ball, which without them lies elsewhere and darkens the floor by 20 %."""
    rng = np.random.default_rng(0)
    light = {world: np.full((*SHAPE, 3), 0.5) for world in ("factual", "hidden", "counterfactual")}
    light["factual"][SHADOW] *= 0.5
    light["counterfactual"][BALL_SHADOW] *= 0.8
    light["factual"][PERSON] = 0.1
    for world in ("factual", "hidden"):
        light[world][BALL_BEFORE] = 0.9
    light["counterfactual"][BALL_AFTER] = 0.9
    found = {
        "removed": region(PERSON).astype(np.float32),
        "moved_before": region(BALL_BEFORE).astype(np.float32),
        "moved_after": region(BALL_AFTER).astype(np.float32),
        "cheap_coverage": region(PERSON).astype(np.float32),
        "cheap_removed": region(PERSON),
    }
    for seed in range(2):
        pattern = rng.normal(0, noise, (*SHAPE, 1))  # one pattern in all worlds
        for world, values in light.items():
            own = rng.normal(0, noise / 10, (*SHAPE, 1))
            for depth in ("light", "deep"):
                found[f"{depth}_{world}_{seed}"] = (values + pattern + own).astype(np.float32)
    for world, values in light.items():
        found[f"cheap_{world}"] = np.rint(255 * values ** (1 / 2.2)).astype(np.uint8)
    return found


def test_the_oracle_finds_each_layer() -> None:
    layers = oracle_layers(scene())
    moved = region(BALL_BEFORE, BALL_AFTER)
    assert np.array_equal(layers.removed[0], region(PERSON))
    assert np.array_equal(layers.moved[0], moved)
    for found, truth in (
        (layers.lit_by_moved[0], region(BALL_SHADOW) & ~moved),
        (layers.own_effects[0], region(SHADOW) & ~region(PERSON) & ~moved),
    ):
        value = iou([(found, truth)])
        assert value is not None and value > 0.6  # means over 3x3 pixels round the corners
        inner = truth.copy()
        inner[1:-1, 1:-1] &= truth[2:, 1:-1] & truth[:-2, 1:-1] & truth[1:-1, 2:] & truth[1:-1, :-2]
        assert found[inner].all()


def test_light_that_only_noise_changes_has_not_changed() -> None:
    found = scene(noise=0.2)
    rng = np.random.default_rng(1)
    for world in ("factual", "hidden"):
        for seed in range(2):
            found[f"light_{world}_{seed}"] = (0.5 + rng.normal(0, 0.2, (*SHAPE, 3))).astype(np.float32)
    assert changed_light(found, ("light_factual", "light_hidden"), region(PERSON), 0.05).mean() < 0.02
    faint = scene(noise=0.0)
    faint["light_counterfactual_0"] = faint["light_counterfactual_1"] = faint["light_hidden_0"] * 0.96
    pictures = "light_hidden", "light_counterfactual"
    assert not changed_light(faint, pictures, region(PERSON), 0.05).any()
    assert changed_light(faint, pictures, region(PERSON), 0.03)[~region(PERSON)].all()


def test_the_recipes_threshold_pictures() -> None:
    found = scene()
    moved = region(BALL_BEFORE, BALL_AFTER, BALL_SHADOW)
    by_kubric = kubric_recipe(found, Policy.VOID)
    assert np.array_equal(by_kubric == Label.REMOVE, region(PERSON))
    assert np.array_equal(by_kubric == Label.AFFECTED, moved)
    by_humoto = humoto_recipe(found, Policy.VOID)
    grown = by_humoto == Label.REMOVE
    assert grown[24, 6] and grown[24, 17] and not grown[24, 5]  # two pixels wider
    assert np.array_equal((by_humoto == Label.AFFECTED) | (by_humoto == Label.OVERLAP), moved)
    shadow = region(SHADOW) & ~region(PERSON)
    assert (kubric_recipe(found, Policy.EFFECTS)[shadow] == Label.AFFECTED).all()


def test_figures_and_sheet(tmp_path: Path) -> None:
    found = scene()
    oracle = oracle_layers(found)
    ours = MaskLayers(**{name: np.repeat(layer, 3, axis=0) for name, layer in oracle.arrays().items()})
    frames = [compare_frame(found, ours, 2, 0.05)]
    values = figures(frames)
    assert set(values["layers"].values()) == {1.0}
    assert values["void: ours"]["AFFECTED"] == 1.0 and values["void: humoto recipe"]["REMOVE"] < 0.9
    assert values["void: ours"]["OVERLAP"] is None
    assert values["void: halves of the oracle"]["AFFECTED"] == 1.0
    assert frames[0].decided[Policy.VOID].mean() > 0.9 and values["void, decided: ours"]["AFFECTED"] == 1.0
    draw_sheet(frames, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (7 * SHAPE[1], 2 * SHAPE[0])


def test_halves_of_the_oracle_can_disagree() -> None:
    found = scene()
    found["deep_counterfactual_1"][SHAPE[0] // 2 :] = found["deep_hidden_1"][SHAPE[0] // 2 :]  # no shadow by one seed
    frames = [compare_frame(found, oracle_layers(found), 0, 0.05)]
    agreement = figures(frames)["void: halves of the oracle"]
    assert agreement["REMOVE"] == 1.0 and agreement["AFFECTED"] is not None and agreement["AFFECTED"] < 0.8


@pytest.mark.parametrize(("divergence", "expected"), [(None, (4, 7, 11)), (1, (5, 8, 11)), (10, (11,)), (11, (11,))])
def test_frames_lie_where_the_worlds_differ(divergence: int | None, expected: tuple[int, ...]) -> None:
    assert chosen_frames(divergence, 12, 3) == expected


def test_a_pixel_near_a_threshold_is_not_decided() -> None:
    found = scene(noise=0.0)
    for seed in range(2):
        found[f"deep_counterfactual_{seed}"][:4] = found[f"deep_hidden_{seed}"][:4] * 0.96
    found["removed"][:, 16] = 1.2 / 255
    oracle = oracle_layers(found)
    decided = compare_frame(found, oracle, 0, 0.05).decided[Policy.VOID]
    assert not decided[:3].any() and not decided[20:30, 16].any() and decided[20:30, 20:].all()
