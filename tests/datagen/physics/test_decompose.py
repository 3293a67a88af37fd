"""Convex parts: mass properties, the cache, and meshes that enclose nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

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
