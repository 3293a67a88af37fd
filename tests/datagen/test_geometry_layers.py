"""Flow from depth and known motion, against points that are projected; and layers that are not as they should be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_scene, make_spec

from datagen.camera import Lens, look_at, project
from datagen.codec import read_npz, write_npz
from datagen.errors import DataError
from datagen.geometry_layers import (
    check_geometry,
    flow_frame,
    geometry_files,
    motion_of,
    pixel_centres,
    raw_path,
    unproject,
)
from datagen.sample import compose_sample
from datagen.settings import LayerSettings
from datagen.shards import unpack_shard, write_shards
from datagen.spec import World
from datagen.trajectory import apply_pose
from datagen.validate import validate_path

LENS = Lens(focal_length_mm=35.0, sensor_width_mm=36.0, width=24, height=16)
CAMERAS = np.stack([look_at(np.array([x, -3.0, 1.0]), np.array([0.0, 0.0, 0.7])) for x in (0.0, 0.05)])
ALL = LayerSettings(segmentation=True, depth=True, flow=True)


def test_unproject_undoes_project() -> None:
    depth = np.random.default_rng(0).uniform(1, 9, (16, 24))
    points = unproject(pixel_centres(16, 24), depth, CAMERAS[0], LENS)
    pixels, again = project(points, CAMERAS[0], LENS)
    assert np.allclose(pixels, pixel_centres(16, 24)) and np.allclose(again, depth)


def test_flow_of_room_object_and_skin() -> None:
    """Three parts of a picture, each of whose points is followed to the next frame by hand."""
    ids = np.zeros((16, 24), dtype=np.uint16)
    ids[:, 8:16], ids[:, 16:] = 1, 2
    depth = np.full((16, 24), 3.0, dtype=np.float32)
    depth[0, 0] = np.inf
    points = unproject(pixel_centres(16, 24), np.where(np.isfinite(depth), depth, 1), CAMERAS[0], LENS)
    poses = np.array([[0.1, 0.2, 0.5, 1, 0, 0, 0], [0.3, 0.2, 0.4, np.cos(0.2), 0, np.sin(0.2), 0]])
    skin = np.full((16, 24, 3), np.nan, dtype=np.float32)
    skin[:, 16:] = points[:, 16:] + [0.0, 0.1, -0.2]
    flow = flow_frame({"ids": ids, "depth": depth, "next_points": skin}, {1: motion_of(poses)}, CAMERAS, LENS)
    moved = points.copy()
    local = points[:, 8:16] - poses[0, :3]
    moved[:, 8:16] = apply_pose(poses[1], local.reshape(-1, 3)).reshape(local.shape)
    moved[:, 16:] = skin[:, 16:]
    expected = project(moved, CAMERAS[1], LENS)[0] - pixel_centres(16, 24)
    expected[0, 0] = np.nan
    assert np.allclose(flow, expected, atol=1e-5, equal_nan=True)
    for column, least in ((4, 0.02), (12, 1.0), (20, 1.0)):
        assert np.abs(expected[8, column]).max() > least


def test_what_gets_behind_the_camera_has_no_flow() -> None:
    raw = {"ids": np.ones((16, 24), dtype=np.uint16), "depth": np.full((16, 24), 1.0, dtype=np.float32)}
    toward = np.array([0.0, -5.0, 0.0, 1, 0, 0, 0])
    assert np.isnan(flow_frame(raw, {1: toward}, CAMERAS, LENS)).all()


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A sample with all optional layers, composed from what a render would leave."""
    spec = replace(make_spec(num_frames=3), layers=ALL)
    scene = make_scene(tmp_path, spec)
    shape = (spec.render.height, spec.render.width)
    for world in World:
        for frame in range(3):
            ids = np.zeros(shape, dtype=np.uint16)
            ids[20:30, 40:60] = spec.ids()["box"]
            raw = {"ids": ids, "depth": np.full(shape, 3.0, dtype=np.float32)}
            write_npz(raw_path(scene.render, world, frame), raw)
    return compose_sample(spec, scene.physics, scene.render, tmp_path / "samples" / spec.key, {}).root


def test_they_are_listed_packed_and_valid(sample: Path, tmp_path: Path) -> None:
    assert validate_path(sample).problems == ()
    flow = read_npz(sample / "flow.npz")
    assert flow["factual"].shape == (2, 64, 96, 2) and flow["factual"].dtype == np.float16
    assert not flow["factual"].any() and flow["counterfactual"][1, 25, 50, 1] > 1  # the box falls there
    assert read_npz(sample / "depth.npz")["factual"].dtype == np.float32
    write_shards([sample], tmp_path / "shards", "humoto", 8)
    (unpacked,) = unpack_shard(next((tmp_path / "shards").glob("*.tar")), tmp_path / "unpacked")
    for name in geometry_files(ALL):
        assert (unpacked / name).read_bytes() == (sample / name).read_bytes()
    assert validate_path(tmp_path / "shards").problems == ()


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("depth", lambda layer: layer[:2], r"'factual': expected float32 \(3, 64, 96\), found float32 \(2, 64, 96\)"),
        ("depth", lambda layer: layer * 0, "holds depths that are not above 0"),
        ("depth", lambda layer: layer.astype(np.float64), "found float64"),
        ("segmentation", lambda layer: layer + np.uint16(9), r"holds ids \[9, 11\]"),
        ("flow", lambda layer: layer + np.float16(np.inf), "holds endless flow"),
    ],
)
def test_damage_is_told(sample: Path, name: str, change: Callable, problem: str) -> None:
    arrays = read_npz(sample / f"{name}.npz")
    write_npz(sample / f"{name}.npz", arrays | {"factual": change(arrays["factual"])})
    found = [one.problem for one in validate_path(sample).problems]
    assert any("sha256" in one for one in found)
    assert any(re.search(problem, one) for one in found), found


def test_what_is_missing_is_named(sample: Path) -> None:
    (sample / "flow.npz").unlink()
    assert any("the spec asks for it" in one.problem for one in validate_path(sample).problems)
    spec = replace(make_spec(num_frames=3), layers=LayerSettings(depth=True))
    write_npz(sample / "depth.npz", {"factual": np.ones((3, 64, 96), dtype=np.float32)})
    assert list(check_geometry(spec, sample)) == ["depth.npz: 'counterfactual': lacks this array"]
    assert list(check_geometry(make_spec(), sample)) == []


def test_a_render_of_another_size_is_refused(tmp_path: Path) -> None:
    spec = replace(make_spec(num_frames=2), layers=LayerSettings(depth=True))
    scene = make_scene(tmp_path, spec)
    for world in World:
        for frame in range(2):
            write_npz(raw_path(scene.render, world, frame), {"ids": np.zeros((4, 4)), "depth": np.ones((4, 4))})
    with pytest.raises(DataError, match=r"'ids': expected shape \(64, 96\), found \(4, 4\); render the scene again"):
        compose_sample(spec, scene.physics, scene.render, tmp_path / "out", {})
