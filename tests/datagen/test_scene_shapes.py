"""Meshes of a collision scene: of the size that they have there, and named where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datagen.codec import sha256_file
from datagen.errors import DataError
from datagen.meshes import write_obj
from datagen.scene_shapes import _mesh
from datagen.spec import GeometryRef, ObjectSpec

CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def thing(folder: Path, file: str) -> ObjectSpec:
    write_obj(folder / "block.obj", [(CORNERS, FACES)])
    geometry = GeometryRef(file=file, sha256=sha256_file(folder / "block.obj"), node="")
    return ObjectSpec(name="block", category="block", geometry=geometry, scale=0.5)


def test_a_mesh_has_its_size_in_the_scene(tmp_path: Path) -> None:
    shape = _mesh(thing(tmp_path, "block.obj"), tmp_path)
    assert np.allclose(shape.vertices, CORNERS / 2) and np.array_equal(shape.faces, FACES)


def test_what_a_packed_sample_left_behind_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lies in the run that the sample was made in"):
        _mesh(thing(tmp_path, "block.obj"), None)


def test_another_file_in_its_place_is_not_shown(tmp_path: Path) -> None:
    block = thing(tmp_path, str(tmp_path / "block.obj"))
    (tmp_path / "block.obj").write_text("v 0 0 0\n")
    with pytest.raises(DataError, match="is gone, or has changed"):
        _mesh(block, None)
