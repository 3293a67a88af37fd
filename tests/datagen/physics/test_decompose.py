"""Convex parts: mass properties, the cache, and meshes that enclose nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from datagen.errors import SceneFailed
from datagen.physics import decompose
from datagen.physics.decompose import convex_parts, parts_from_hulls


def test_mass_properties_of_a_box() -> None:
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    box.apply_translation((1.0, 2.0, 3.0))
    parts = parts_from_hulls("box", (np.array(box.vertices),))
    assert parts.volume == pytest.approx(6.0)
    assert np.allclose(parts.centre, (1, 2, 3))
    assert np.allclose(parts.inertia, box.moment_inertia)


def test_two_halves_weigh_what_the_whole_weighs() -> None:
    whole = trimesh.creation.box((2.0, 1.0, 1.0))
    halves = []
    for x in (-0.5, 0.5):
        half = trimesh.creation.box((1.0, 1.0, 1.0))
        half.apply_translation((x, 0, 0))
        halves.append(np.array(half.vertices))
    parts = parts_from_hulls("box", tuple(halves))
    assert parts.volume == pytest.approx(2.0)
    assert np.allclose(parts.inertia, whole.moment_inertia)


@pytest.mark.parametrize("turned", [slice(None), slice(None, None, 2), slice(0, 3)])
def test_inside_out_mesh_has_its_centre_inside(tmp_path: Path, turned: slice) -> None:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    box.apply_translation((0.5, 0.0, 0.0))
    faces = np.array(box.faces, dtype=np.int32)
    faces[turned] = faces[turned, ::-1]
    parts = convex_parts("box", np.array(box.vertices), faces, tmp_path)
    assert np.allclose(parts.centre, (0.5, 0, 0), atol=1e-6)
    assert parts.volume == pytest.approx(1e-3, rel=1e-3)


def test_second_call_reads_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = trimesh.creation.box((0.1, 0.2, 0.1))
    arrays = np.array(box.vertices), np.array(box.faces, dtype=np.int32)
    first = convex_parts("box", *arrays, tmp_path)

    def fail(*_: object) -> None:
        raise AssertionError("decomposed again")

    monkeypatch.setattr(decompose, "_decompose", fail)
    second = convex_parts("box", *arrays, tmp_path)
    assert all(np.array_equal(one, other) for one, other in zip(first.hulls, second.hulls, strict=True))
    assert not list(tmp_path.glob("*.partial"))


def test_flat_mesh_is_a_failed_scene(tmp_path: Path) -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 0]])
    faces = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]], dtype=np.int32)
    with pytest.raises(SceneFailed, match="'sheet' is flat"):
        convex_parts("sheet", vertices, faces, tmp_path)
    assert not list(tmp_path.glob("*.npz"))


def _boards() -> tuple[np.ndarray, np.ndarray]:
    """A rack of two shelves, 0.45 m apart, on four posts; its pieces touch and do not share corners."""
    boxes = [trimesh.creation.box((0.4, 0.6, 0.02)) for _ in range(2)]
    boxes[0].apply_translation((0, 0, 0.15))
    boxes[1].apply_translation((0, 0, 0.6))
    for x in (-0.19, 0.19):
        for y in (-0.29, 0.29):
            post = trimesh.creation.box((0.02, 0.02, 0.7))
            boxes.append(post.apply_translation((x, y, 0.35)))
    mesh = trimesh.util.concatenate(boxes)
    return np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int32)


def test_space_between_shelves_stays_free(tmp_path: Path) -> None:
    parts = convex_parts("cart", *_boards(), tmp_path)
    load = np.stack(np.meshgrid([-0.15, 0.15], [-0.2, 0.2], np.linspace(0.162, 0.588, 8)), -1).reshape(-1, 3)
    for hull in parts.hulls:
        equations = ConvexHull(hull).equations
        depth = -(load @ equations[:, :3].T + equations[:, 3]).max(axis=1)
        assert depth.max() < 0.002


def test_boards_take_one_part_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompose, "_coacd", lambda *_: pytest.fail("took a box apart"))
    assert len(convex_parts("cart", *_boards(), tmp_path).hulls) == 6


def test_cavity_keeps_its_void(tmp_path: Path) -> None:
    outer, inner = trimesh.creation.box((0.2, 0.2, 0.2)), trimesh.creation.box((0.16, 0.16, 0.16))
    inner.invert()
    mesh = trimesh.util.concatenate([outer, inner])
    parts = convex_parts("hollow", np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int32), tmp_path)
    assert parts.volume == pytest.approx(0.2**3 - 0.16**3, rel=0.1)
