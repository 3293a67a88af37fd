"""Which files are sequences, which clips they give, and the scenes that come of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datagen.codec import dump_json
from datagen.errors import DataError, SpecError
from datagen.people import draw_look
from datagen.sequence import Sequence
from datagen.settings import PhysicsSettings, RenderSettings
from datagen.sources.humoto import Plan, SequenceFile, find_sequences, plan_scenes
from tests.datagen.physics.scenes import pose, sequence_of

FRAMES = 150
BOX = (0.1, 0.1, 0.1)


def lifted() -> Sequence:
    """A box rests on the floor, is lifted by a hand from frame 40 to 1 m at frame 70, and held there."""
    height = np.interp(np.arange(FRAMES), [40, 70], [0.05, 1.05])
    poses = np.stack([pose(0, 0, z) for z in height])
    hand = poses[:, :3] + (0, 0, 0.052)
    hand[:35] += (0, 0, 1.0)
    return sequence_of({"box": (BOX, poses)}, hand)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_every_layout_is_found(tmp_path: Path) -> None:
    nested = touch(tmp_path / "nested" / "carry_vase-942" / "carry_vase-942.fbx")
    touch(tmp_path / "nested" / "carry_vase-942" / "carry_vase-942.glb")
    nested.with_suffix(".yaml").write_text("short_script: a person carries a vase\n")
    flat = touch(tmp_path / "flat" / "b-1.glb")
    touch(tmp_path / "flat" / "a-2.fbx")
    (tmp_path / "flat" / "animations.json").write_text(json.dumps([{"fileName": "a-2.fbx", "short_script": "drinks"}]))
    assert [(one.file, one.description) for one in find_sequences(tmp_path / "nested")] == [
        (nested, "a person carries a vase")
    ]
    assert [(one.name, one.description) for one in find_sequences(tmp_path / "flat")] == [
        ("a-2", "drinks"),
        ("b-1", "b-1"),
    ]
    assert [one.name for one in find_sequences(flat)] == ["b-1"]


def test_missing_and_empty_folders_teach_the_layout(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        find_sequences(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match="sequence folders") as caught:
        find_sequences(tmp_path)
    assert "notes.txt" in str(caught.value)
    with pytest.raises(DataError, match=r"expected an \.fbx or \.glb"):
        find_sequences(tmp_path / "notes.txt")


@pytest.mark.parametrize("name", ["carry vase", "carry.vase-1"])
def test_a_name_that_cannot_be_a_key_is_a_problem_of_its_sequence(tmp_path: Path, name: str) -> None:
    touch(tmp_path / f"{name}.fbx")
    touch(tmp_path / "good-1.fbx")
    bad, good = sorted(find_sequences(tmp_path), key=lambda one: one.name == "good-1")
    assert name in bad.problem
    assert "rename" in bad.problem
    assert not good.problem


def plan(names: list[str], limit: int | None = None, **options: float) -> Plan:
    files = [SequenceFile(name=name, file=Path(f"/data/{name}.fbx"), description="lifts a box") for name in names]
    return plan_scenes(
        files,
        {name: lifted() for name in names if name != "lost"},
        num_frames=24,
        fps=12,
        physics=PhysicsSettings(),
        render=RenderSettings(),
        seed=3,
        limit=limit,
        **options,  # type: ignore[arg-type]
    )


def test_scenes_go_round_robin_over_sequences() -> None:
    scenes = plan(["a", "b", "c"], limit=4).scenes
    assert [scene.sequence for scene in scenes] == ["a", "b", "c", "a"]
    assert len({scene.key for scene in scenes}) == 4
    assert scenes[0].key.startswith("a-f00")
    assert scenes[0].removed == ("Armature",)
    assert dump_json(scenes[0]) == dump_json(plan(["a", "b", "c"]).scenes[0])


def test_every_person_is_drawn_at_planning_with_room_for_what_it_handles() -> None:
    scenes = plan(["a", "b", "c"]).scenes
    looks = [scene.people[0].look for scene in scenes]
    assert None not in looks and len({repr(look) for look in looks}) == len(scenes)
    for scene, look in zip(scenes, looks, strict=True):
        assert look is not None
        wish = draw_look(scene.seed, "Armature")
        assert replace(look, shape=wish.shape) == wish
        assert look.shape.belly_m <= wish.shape.belly_m


def test_one_bad_sequence_spoils_no_other() -> None:
    result = plan(["a", "lost"], limit=2)
    assert {scene.sequence for scene in result.scenes} == {"a"}
    assert list(result.problems) == ["lost"]


@pytest.mark.parametrize(("num_frames", "fps"), [(24, 0.0), (24, -12.0), (24, float("nan")), (0, 12.0)])
def test_a_clip_that_cannot_be_is_refused_before_any_sequence(num_frames: int, fps: float) -> None:
    with pytest.raises(SpecError, match="cannot be made"):
        plan_scenes([], {}, num_frames=num_frames, fps=fps, physics=PhysicsSettings(), render=RenderSettings(), seed=0)


def test_a_clip_longer_than_its_sequence_is_that_sequences_problem() -> None:
    files = [SequenceFile(name="a", file=Path("/data/a.fbx"), description="")]
    plan = plan_scenes(
        files, {"a": lifted()}, num_frames=85, fps=12, physics=PhysicsSettings(), render=RenderSettings(), seed=0
    )
    assert not plan.scenes and "num_frames=60 fits" in plan.problems["a"]


def test_more_clips_of_a_sequence_change_no_earlier_ones() -> None:
    few, many = (plan(["a"], per_sequence=count, effect_share=0.5).scenes for count in (1, 3))
    assert len(many) > len(few) == 1 and many[0] == few[0]


def test_a_run_draws_by_the_configured_share() -> None:
    """Where every sequence has clips with and without an effect, the first clips show the share."""
    names = [f"s{index:03d}" for index in range(16)]
    files = [SequenceFile(name=name, file=Path(f"/data/{name}.fbx"), description="") for name in names]
    sequence = lifted()
    scenes = plan_scenes(
        files,
        dict.fromkeys(names, sequence),
        num_frames=4,
        fps=12,
        physics=PhysicsSettings(),
        render=RenderSettings(),
        seed=1,
        per_sequence=1,
        effect_share=0.5,
        limit=16,
    ).scenes
    quiet = sum(scene.clip.start_s < 1.0 for scene in scenes)
    assert len(scenes) == 16 and 3 <= quiet <= 13
