"""A user's maps and textures: found by the names of libraries, refused when they are not what they claim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from datagen.errors import DataError
from datagen.look_inputs import Textures, read_maps, read_picture, read_textures, texture_name
from datagen.looks import draw_look, draw_surface
from datagen.splits import split_of
from datagen.wishes import RoomKind

SETTING = "humoto.split"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("oak_floor_diff_2k.jpg", ("oak_floor", "color")),
        ("oak_floor_rough_2k.jpg", ("oak_floor", "roughness")),
        ("oak_floor_nor_gl_4k.exr", ("oak_floor", "normal")),
        ("oak_floor_nor_dx_4k.exr", ("oak_floor", "unused")),
        ("oak_floor_disp_4k.png", ("oak_floor", "unused")),
        ("Tiles074_2K-JPG_Color.jpg", ("Tiles074", "color")),
        ("Tiles074_2K-JPG_NormalGL.jpg", ("Tiles074", "normal")),
        ("Tiles074_2K-JPG_Roughness.jpg", ("Tiles074", "roughness")),
        ("Tiles074_2K-JPG_AmbientOcclusion.jpg", ("Tiles074", "unused")),
        ("table_top_basecolor.jpg", ("table_top", "color")),
        ("wood_cutting_board.jpg", ("wood_cutting_board", "picture")),
        ("slate/albedo.png", ("slate", "color")),
    ],
)
def test_names(name: str, expected: tuple[str, str]) -> None:
    assert texture_name(Path("/textures") / name, Path("/textures")) == expected


def write_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (120, 90, 60)).save(path)


def write_map(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.ones((height, width, 3), dtype=np.float32)
    with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {"RGB": pixels}) as file:
        file.write(str(path))


def test_sets_are_put_together(tmp_path: Path) -> None:
    for name in ("oak_floor_diff_1k.png", "oak_floor_rough_1k.png", "oak_floor_nor_gl_1k.png", "brick_wall_color.png"):
        write_picture(tmp_path / name)
    write_picture(tmp_path / "slate" / "color.png")
    brick, oak, slate = read_textures(str(tmp_path), "all", SETTING).usable
    assert [one.name for one in (brick, oak, slate)] == ["brick_wall", "oak_floor", "slate"]
    assert oak.roughness is not None and oak.normal is not None and slate.normal is None
    assert oak.color.path == str(tmp_path / "oak_floor_diff_1k.png") and len(oak.color.sha256) == 64


def test_splits_share_no_texture(tmp_path: Path) -> None:
    for index in range(20):
        write_picture(tmp_path / f"floor{index}_color.png")
    names = {
        split: {one.name for one in read_textures(str(tmp_path), split, SETTING).usable} for split in ("train", "test")
    }
    assert names["train"] and names["test"] and not names["train"] & names["test"]
    assert all(split_of(name) == split for split, chosen in names.items() for name in chosen)


def test_textures_go_where_they_belong(tmp_path: Path) -> None:
    for name in ("oak_color.png", "old_plaster_color.png"):
        write_picture(tmp_path / name)
    textures = read_textures(str(tmp_path), "all", SETTING).usable
    used = {"floor": set(), "wall": set()}
    for seed in range(40):
        for part, names in used.items():
            texture = draw_surface(seed, part, RoomKind.HALL, textures).texture
            names.add(texture.name if texture else "")
    assert used == {"floor": {"", "oak"}, "wall": {"", "old_plaster"}}


def test_nothing_given_is_nothing_read() -> None:
    assert read_textures("", "train", SETTING) == Textures() and read_maps("", "train", SETTING) == ()


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_textures(str(folder), "all", SETTING)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bad_textures(tmp_path: Path) -> None:
    assert "expected a folder with pictures" in refused(tmp_path / "nowhere")
    write_picture(tmp_path / "oak_rough.png")
    assert "'oak' has no picture of its colour, only oak_rough.png" in refused(tmp_path)
    (tmp_path / "oak_color.jpg").write_text("no picture")
    assert "oak_color.jpg: not a readable picture" in refused(tmp_path)
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 50).convert("RGB").save(whole)
    (tmp_path / "oak_color.jpg").unlink()
    (tmp_path / "oak_color.png").write_bytes(whole.read_bytes()[:2000])
    whole.unlink()
    assert "oak_color.png: not a readable picture" in refused(tmp_path)


def test_what_cannot_be_used_is_left_out_and_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "slate_color.png")
    write_picture(tmp_path / "oak_rough.png")
    (tmp_path / "pine_color.jpg").write_text("no picture")
    found = read_textures(str(tmp_path), "all", SETTING)
    assert [one.name for one in found.usable] == ["slate"] and set(found.problems) == {"oak", "pine"}
    assert "has no picture of its colour" in found.problems["oak"]
    assert all("\n" not in problem for problem in found.problems.values())
    (tmp_path / "slate_color.png").write_text("no picture")
    assert "(and 2 more that cannot be used)" in refused(tmp_path)


def test_atlases_of_objects_are_told(shared_data: Path) -> None:
    told = refused(shared_data / "textures")
    assert "table_top_basecolor.jpg: an atlas of an object" in told and "1 more" in told


def test_linear_pictures_are_read_as_they_look(tmp_path: Path) -> None:
    write_map(tmp_path / "grey.exr", 16, 16)
    pixels = read_picture(tmp_path / "grey.exr")
    assert pixels.dtype == np.uint8 and pixels.shape == (16, 16, 4) and (pixels == 255).all()
    Image.fromarray(np.full((16, 16), 40000, dtype=np.uint16)).save(tmp_path / "height.png")
    assert (read_picture(tmp_path / "height.png")[..., 0] == 40000 >> 8).all()


def test_maps(tmp_path: Path) -> None:
    write_map(tmp_path / "hall_1k.exr", 64, 32)
    (own,) = read_maps(str(tmp_path), "all", SETTING)
    light = draw_look(3, "all", [own]).light
    assert light.environment == own.path and light.environment_sha256 == own.sha256


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("hall.exr", b"no picture at all", "not a readable EXR"),
        ("hall.hdr", b"no picture at all", "not a Radiance HDR picture"),
        (
            "hall.hdr",
            b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 64 +X 64\n",
            "it is 64x64, expected twice as wide as high",
        ),
    ],
)
def test_bad_maps(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_maps(str(tmp_path), "all", SETTING)


def test_a_square_picture_is_no_map(tmp_path: Path) -> None:
    write_map(tmp_path / "square.exr", 32, 32)
    with pytest.raises(DataError, match="no environment map: it is 32x32"):
        read_maps(str(tmp_path), "all", SETTING)
