"""What is held out: by name alone, takes together, and told when there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from datagen.errors import ConfigError, DataError
from datagen.looks import ENVIRONMENTS, draw_light, environments_of
from datagen.splits import check_split, in_split, is_in_split, map_name, recording_name, split_of


def test_takes_of_an_act_and_sizes_of_a_map_stay_together() -> None:
    assert recording_name("carry_vase_with_right_hand-942") == recording_name("carry_vase_with_right_hand-17")
    assert recording_name("sit-on-chair") == "sit-on-chair"
    assert map_name(Path("/maps/hall_1k.exr")) == map_name(Path("/maps/hall_16k.hdr")) == "hall"
    assert map_name(Path("/maps/hall_mk.exr")) == "hall_mk"


def test_every_name_is_in_one_split_and_in_all() -> None:
    names = [f"carry_thing_{index}" for index in range(500)]
    assert all(is_in_split(name, "train") != is_in_split(name, "test") for name in names)
    assert all(is_in_split(name, "all") for name in names)
    assert 0.15 < sum(split_of(name) == "test" for name in names) / len(names) < 0.25


def test_an_empty_split_says_what_to_do() -> None:
    kept = ["lamp"]
    assert split_of("lamp") == "train"
    names = {"where": "--data D", "kind": "sequences", "setting": "humoto.split"}
    assert in_split(kept, "train", str, **names) == in_split(kept, "all", str, **names) == kept
    with pytest.raises(DataError, match=r"--data D: none of its 1 sequences .* 'test' .* --set humoto\.split=all"):
        in_split(kept, "test", str, **names)


def test_an_unknown_split_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"'humoto\.split': no split 'tets'; did you mean 'test'\? \(train, test or all"
    ):
        check_split("tets", "'humoto.split'")


def test_no_environment_map_of_test_lights_training() -> None:
    train, test = (set(environments_of(split)) - {""} for split in ("train", "test"))
    assert train and test and not train & test
    assert train | test | {""} == set(ENVIRONMENTS) == set(environments_of("all"))
    for split in ("train", "test"):
        drawn = {draw_light(seed, split).environment for seed in range(100)}
        assert drawn == set(environments_of(split))
