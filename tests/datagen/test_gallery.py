"""Contact sheets show what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic import make_scene, make_spec

from datagen.codec import write_json
from datagen.config import resolve_config
from datagen.errors import DataError
from datagen.gallery import OVERLAY, contact_sheet, difference, overlay, read_band
from datagen.quadmask import Label
from datagen.runs import open_run
from datagen.sample import compose_sample
from datagen.shards import write_shards


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("gallery") / "run"
    folder = open_run(root, source="humoto", data=root, limit=None, config=resolve_config("preview"), versions={})
    for key in ("alpha", "beta", "gamma"):
        scene = make_scene(root, make_spec(key, num_frames=9))
        write_json(folder.spec_path(key), scene.spec)
        compose_sample(scene.spec, scene.physics, scene.render, folder.folder("compose", key), {})
    write_shards(folder.sample_paths(), folder.shards, "humoto", 2)
    return root


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


def test_one_band_for_each_sample(run: Path, tmp_path: Path) -> None:
    width, height = size_of(contact_sheet(run / "samples" / "alpha", tmp_path / "one.png"))
    assert size_of(contact_sheet(run, tmp_path / "run.png")) == (width, 3 * height)
    assert size_of(contact_sheet(run, tmp_path / "limit.png", max_samples=2)) == (width, 2 * height)
    assert size_of(contact_sheet(run / "shards", tmp_path / "all.png")) == (width, 3 * height)
    assert size_of(contact_sheet(run / "shards" / "humoto-000001.tar", tmp_path / "shard.png")) == (width, height)


def test_frames_from_the_first_to_the_last(run: Path) -> None:
    band = read_band(run / "samples" / "alpha", 3)
    assert band.frames == (0, 4, 8)
    assert [label.split("\n")[0] for label, _ in band.rows] == ["full", "removed", "mask", "difference"]
    assert all(len(pictures) == 3 for _, pictures in band.rows)
    assert read_band(run / "samples" / "alpha", 99).frames == tuple(range(9))
    assert read_band(run / "samples" / "alpha", 1).frames == (0,)


def test_the_overlay_colors_labels_alone() -> None:
    picture = np.full((2, 2, 3), 100, dtype=np.uint8)
    mask = np.array([[Label.REMOVE, Label.OVERLAP], [Label.AFFECTED, Label.KEEP]], dtype=np.uint8)
    drawn = overlay(picture, mask)
    assert drawn[1, 1].tolist() == [100, 100, 100]
    for at, label in (((0, 0), Label.REMOVE), ((0, 1), Label.OVERLAP), ((1, 0), Label.AFFECTED)):
        assert int(np.argmax(drawn[at])) == int(np.argmax(OVERLAY[label]))


def test_difference_has_no_sign_and_does_not_wrap() -> None:
    first = np.array([[[10, 200, 0]]], dtype=np.uint8)
    second = np.array([[[12, 100, 0]]], dtype=np.uint8)
    assert difference(first, second).tolist() == difference(second, first).tolist() == [[[8, 255, 0]]]


def test_what_holds_no_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a run folder, a sample folder"):
        contact_sheet(tmp_path, tmp_path / "sheet.png")
    config = resolve_config("preview")
    open_run(tmp_path / "run", source="humoto", data=tmp_path, limit=None, config=config, versions={})
    with pytest.raises(DataError, match="holds no finished sample"):
        contact_sheet(tmp_path / "run", tmp_path / "sheet.png")
    with pytest.raises(DataError, match="at least 1 frame"):
        contact_sheet(tmp_path, tmp_path / "sheet.png", num_frames=0)
    assert not (tmp_path / "sheet.png").exists()
