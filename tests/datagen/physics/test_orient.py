"""Faces turned outwards, whatever way they looked."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from datagen.physics.orient import outward_faces


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    return float(trimesh.Trimesh(vertices, faces, process=False).volume)


@pytest.mark.parametrize("seed", range(4))
def test_random_flips_are_undone(seed: int) -> None:
    ball = trimesh.creation.icosphere(subdivisions=2)
    faces = np.array(ball.faces, dtype=np.int32)
    flip = np.random.default_rng(seed).random(len(faces)) < 0.5
    faces[flip] = faces[flip, ::-1]
    assert volume(ball.vertices, outward_faces(np.array(ball.vertices), faces)) == pytest.approx(ball.volume)


def test_good_faces_stay_as_they_are() -> None:
    box = trimesh.creation.box((1, 2, 3))
    assert np.array_equal(outward_faces(np.array(box.vertices), np.array(box.faces)), box.faces)


def test_a_cavity_stays_a_cavity_and_a_separate_piece_is_turned() -> None:
    shell, hole, apart = (trimesh.creation.box((size,) * 3) for size in (4, 2, 1))
    hole.invert()
    apart.apply_translation((10, 0, 0))
    apart.invert()
    mesh = trimesh.util.concatenate([shell, hole, apart])
    faces = outward_faces(np.array(mesh.vertices), np.array(mesh.faces))
    assert volume(mesh.vertices, faces) == pytest.approx(64 - 8 + 1)
