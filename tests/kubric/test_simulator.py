"""Kubric's simulator, mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datagen.assets import AssetManifest, read_manifest
from datagen.physics.materials import floor_material, material_of
from datagen.trajectory import apply_pose
from kubric_jobs.assets import Palette
from kubric_jobs.course import run_course, touching_groups
from kubric_jobs.furniture import block_parts, build
from kubric_jobs.recorder import FLOOR
from kubric_jobs.things import Shape, Thing

FLOOR_MATERIAL = floor_material("wood")
GRAVITY = 9.81


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    folder = tmp_path_factory.mktemp("blocks")
    return build(folder / "block", "wooden_block", block_parts((0.1, 0.1, 0.1)), folder / "cache")


def thing(
    shape: Shape, name: str, position: tuple[float, float, float], *, at_rest: bool = True, **speed: tuple
) -> Thing:
    pose = np.array([*position, 1.0, 0.0, 0.0, 0.0])
    linear, angular = (np.array(speed.get(kind, (0.0, 0.0, 0.0)), dtype=float) for kind in ("linear", "angular"))
    return Thing(name=name, shape=shape, scale=1.0, pose=pose, linear=linear, angular=angular, at_rest=at_rest).at(pose)


def run(things: tuple[Thing, ...], num_frames: int = 25, substep_hz: float = 480, **more):
    return run_course(
        things, FLOOR_MATERIAL, num_frames=num_frames, fps=12.5, substep_hz=substep_hz, gravity_m_s2=GRAVITY, **more
    )


@pytest.mark.parametrize("substep_hz", [240, 480, 1000])
def test_time_runs_at_its_own_speed_whatever_the_step_rate(block: Shape, substep_hz: float) -> None:
    flight = run((thing(block, "a", (0, 0, 2.0), at_rest=False, linear=(1.0, 0.0, 2.0)),), 6, substep_hz)
    times = np.arange(6) / 12.5
    expected = 2.0 + 2.0 * times - GRAVITY / 2 * times * (times + flight.substep_s)  # Bullet's semi-implicit Euler
    assert flight.of("a")[:, 2] == pytest.approx(expected, abs=1e-5)
    assert flight.of("a")[:, 0] == pytest.approx(times, abs=1e-5)
    assert flight.airborne[1:].all() and not flight.impulse.size


def test_what_falls_comes_to_rest_on_the_floor(block: Shape) -> None:
    fall = run((thing(block, "a", (0, 0, 0.3), at_rest=False),), 40)
    assert fall.asleep[-1].all() and fall.first_touch("a")[FLOOR] > 1
    assert fall.of("a")[-1, 2] == pytest.approx(0.05, abs=0.0015)
    weight = 0.6 * GRAVITY / 12.5
    assert fall.impulse[-1, 0] == pytest.approx(weight, rel=0.05)
    assert float((fall.energy - np.minimum.accumulate(fall.energy)).max()) < 1e-3


def test_a_ball_stops_rolling(embedded: AssetManifest, asset_cache: Path, tmp_path: Path) -> None:
    palette = Palette(assets=embedded.assets, cache=asset_cache, own=tmp_path)
    ball = palette.shape(next(asset for asset in embedded.assets if asset.id == "bullet_ball"))
    assert ball is not None
    rolling = thing(ball, "ball", (0, 0, 0.066), at_rest=False, linear=(0.6, 0, 0), angular=(0, 0.6 / 0.065, 0))
    roll = run((rolling,), 100)
    assert 0.3 < roll.of("ball")[-1, 0] < 6.0 and roll.asleep[-1].all()


def test_what_sleeps_does_not_move_by_a_bit_until_it_is_pushed(block: Shape) -> None:
    resting = thing(block, "resting", (0, 0, 0.051))
    passing = thing(block, "passing", (-0.5, 0.106, 0.3), at_rest=False, linear=(2.0, 0.0, 0.0))
    near = run((resting, passing), asleep=["resting"])
    assert (near.of("resting") == near.of("resting")[0]).all() and near.asleep[:, 0].all()
    hitting = thing(block, "hitting", (-0.5, 0.0, 0.2), at_rest=False, linear=(2.0, 0.0, 0.0))
    hit = run((resting, hitting), asleep=["resting"])
    first = hit.first_touch("resting")["hitting"]
    assert (hit.of("resting")[:first] == hit.of("resting")[0]).all()
    assert hit.of("resting")[-1, 0] > 0.02


def test_a_tower_wakes_as_a_whole_and_sleeps_again(block: Shape) -> None:
    tower = tuple(thing(block, f"t{level}", (0, 0, 0.051 + 0.102 * level)) for level in range(3))
    settled = run(tower, 60, until_rest=True)
    tower = tuple(one.at(settled.of(one.name)[-1]) for one in tower)
    ball = thing(block, "hitting", (-0.5, 0.0, 0.2), at_rest=False, linear=(3.0, 0.0, 0.5))
    names = [one.name for one in tower]
    hit = run((*tower, ball), 60, asleep=names)
    assert hit.asleep[0, :3].all() and hit.asleep[-1].all()
    moved = np.linalg.norm(hit.poses[-1, :3, :3] - hit.poses[0, :3, :3], axis=1)
    assert moved[1] > 0.05 and moved[2] > 0.05


def test_step_rates_agree_on_where_things_rest(block: Shape) -> None:
    start = (thing(block, "a", (0, 0, 0.07), at_rest=False, linear=(0.8, 0.2, 0)),)
    ends = [run(start, 50, rate).of("a")[-1, :3] for rate in (240, 480)]
    assert np.linalg.norm(ends[0] - ends[1]) < 0.02


def test_heavy_pushes_light(block: Shape, tmp_path: Path) -> None:
    big = build(tmp_path / "big", "wooden_block", block_parts((0.3, 0.3, 0.3)), tmp_path / "cache")
    small = thing(block, "small", (0, 0, 0.051))
    large = thing(big, "large", (-0.6, 0, 0.16), at_rest=False, linear=(2.0, 0, 0))
    assert large.mass / small.mass == pytest.approx(27)
    end = run((small, large), 20, asleep=["small"])
    assert end.of("small")[-1, 0] > 0.03


def test_touching_groups() -> None:
    groups = touching_groups(["a", "b", "c", "d"], [("a", "b"), ("b", FLOOR), ("c", FLOOR), ("b", "d")])
    assert sorted(sorted(group) for group in groups) == [["a", "b", "d"], ["c"]]


def test_scans_rest_where_they_are_drawn(shared_data: Path, asset_cache: Path, tmp_path: Path) -> None:
    """The gap between the lowest drawn vertex and the floor, for every real asset."""
    manifest = read_manifest(shared_data / "objects", check_meshes=False)
    palette = Palette(assets=manifest.assets, cache=asset_cache, own=tmp_path)
    shapes = [shape for shape in (palette.shape(asset) for asset in manifest.assets) if shape is not None]
    assert len(shapes) == 22
    things = tuple(
        thing(shape, shape.asset_id, (0.6 * (index % 5), 0.6 * (index // 5), 0.005 - float(shape.solid.low[2])))
        for index, shape in enumerate(shapes)
    )
    rest = run(things, 90, until_rest=True)
    gaps = {one.name: float(apply_pose(rest.of(one.name)[-1], one.outline)[:, 2].min()) for one in things}
    assert max(abs(gap) for gap in gaps.values()) < 0.003, gaps
    assert material_of("cup").name == "ceramic"


def test_a_ghost_is_the_thing_itself_until_something_comes_near(
    embedded: AssetManifest, asset_cache: Path, block: Shape, tmp_path: Path
) -> None:
    """What comes, of many convex parts, is the same to the bit; and then nothing stops it."""
    palette = Palette(assets=embedded.assets, cache=asset_cache, own=tmp_path / "own")
    mug, bunny = (
        palette.shape(next(asset for asset in embedded.assets if asset.id == f"bullet_{name}"))
        for name in ("mug", "toy_bunny")
    )
    assert mug is not None and bunny is not None
    aside, stop = thing(bunny, "aside", (0.5, 0.8, 0.1)), thing(block, "stop", (0.3, 0.0, 0.05))
    coming = thing(mug, "coming", (-0.2, 0.0, 0.06), at_rest=False, linear=(2.0, 0.0, 0.0))
    there = run((stop, aside, coming), asleep=["stop", "aside"])
    gone = run((replace(stop, ghost=True), aside, coming), asleep=["aside"])
    assert gone.names == ("aside", "coming") and not any("stop" in pair for pair in gone.pairs)
    met = there.first_touch("coming")["stop"]
    assert met > 1 and (there.of("coming")[:met] == gone.of("coming")[:met]).all()
    assert gone.of("coming")[-1, 0] > there.of("coming")[-1, 0] + 0.02
    assert (gone.of("aside") == gone.of("aside")[0]).all()


@pytest.mark.parametrize("height_m", [0.06, 0.2])
def test_a_blow_is_not_handed_on_to_a_ghost(block: Shape, height_m: float) -> None:
    """Of two blocks that touch, the second is gone: the first slides as if it had been alone."""
    first, second = thing(block, "first", (0, 0, 0.05)), thing(block, "second", (0.1001, 0, 0.05))
    hitting = thing(block, "hitting", (-0.3, 0.0, height_m), at_rest=False, linear=(2.0, 0.0, 0.0))
    ghost = run((replace(second, ghost=True), first, hitting), asleep=["first"])
    alone = run((first, hitting), asleep=["first"])
    both = run((second, first, hitting), asleep=["second", "first"])
    assert np.abs(ghost.of("first") - alone.of("first")).max() < 1e-5
    assert np.abs(both.of("first") - alone.of("first")).max() > 0.02


def test_what_lay_on_a_ghost_falls_at_once(block: Shape) -> None:
    below, above = thing(block, "below", (0, 0, 0.05)), thing(block, "above", (0, 0, 0.1501))
    fall = run((replace(below, ghost=True), above), asleep=[])
    alone = run((above,), asleep=[])
    assert (fall.of("above") == alone.of("above")).all() and alone.of("above")[-1, 2] < 0.06
