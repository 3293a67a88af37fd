"""Distances of points to a surface, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import trimesh

from datagen.physics.distance import closest_on_triangles, distances_to_mesh


def test_distances_to_a_box() -> None:
    box = trimesh.creation.box((2.0, 2.0, 2.0))
    points = np.array([[0, 0, 1.5], [1.3, 1.4, 0], [0, 0, 0.9], [0, 0, 3.0]])
    found = distances_to_mesh(points, np.array(box.vertices), np.array(box.faces), margin=0.6)
    assert np.allclose(found[:3], [0.5, 0.5, 0.1])
    assert np.isinf(found[3])


def test_distances_agree_with_dense_samples() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.1)
    points = np.random.default_rng(0).normal(size=(50, 3)) * 0.08
    found = distances_to_mesh(points, np.array(ball.vertices), np.array(ball.faces), margin=1.0)
    samples, _ = trimesh.sample.sample_surface(ball, 200_000, seed=0)
    dense = np.linalg.norm(points[:, None] - samples[None, ::40], axis=2).min(axis=1)
    assert np.all(found <= dense + 1e-9)
    assert np.all(found > dense - 0.006)


def test_degenerate_triangles_count_as_lines() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    found = distances_to_mesh(np.array([[0.5, 0.2, 0.0]]), vertices, np.array([[0, 1, 2]]), margin=1.0)
    assert np.allclose(found, 0.2)


def test_boxes_leave_out_nothing_within_the_margin() -> None:
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(40, 3))
    faces = rng.integers(0, 30, (60, 3))  # some corners belong to no triangle, some triangles are edges
    points = rng.normal(size=(300, 3)) * 2
    corners = np.broadcast_to(vertices[faces], (len(points), len(faces), 3, 3)).reshape(-1, 3, 3)
    asked = np.repeat(points, len(faces), axis=0)
    plain = np.linalg.norm(asked - closest_on_triangles(asked, corners), axis=1).reshape(len(points), -1).min(axis=1)
    for margin in (0.01, 0.2, 1.0):
        found = distances_to_mesh(points, vertices, faces, margin)
        assert np.array_equal(found, np.where(plain > margin, np.inf, plain))
