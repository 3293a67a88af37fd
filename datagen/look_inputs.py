"""A user's own environment maps and PBR textures: found by name, read once to see that they are what they claim.

A texture is a set of pictures whose names share a stem and end in what they are, as Poly Haven and ambientCG name
them: `oak_floor_diff_2k.jpg`, `oak_floor_rough_2k.jpg`, `oak_floor_nor_gl_2k.exr`, or `Tiles074_2K-JPG_Color.jpg`; or
a folder of pictures that are named by what they are alone; or one picture, which is then the colour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image

from datagen.codec import sha256_file
from datagen.entry import muted
from datagen.errors import DataError
from datagen.splits import in_split, map_name
from datagen.tiling import why_no_tile
from datagen.wishes import InputFile, TextureSet

HDRI_SUFFIXES = (".exr", ".hdr")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".exr")
HDR_SIZE = re.compile(rb"\n\n-Y (\d+) \+X (\d+)\n")
HDR_HEADER_BYTES = 2000
ASPECT_SLACK = 0.02  # of a map that is twice as wide as it is high
RESOLUTION = re.compile(r"[_-]\d+k(?:-(?:jpg|png|exr))?(?=[_-]|$)", re.IGNORECASE)
MAPS = {
    "color": r"base[_-]?colou?r|albedo|diffuse|diff|colou?r|col",
    "roughness": r"roughness|rough",
    "normal": r"normal[_-]?gl|nor[_-]?gl|normal|nrm",
    "unused": r"normal[_-]?dx|nor[_-]?dx|displacement|disp|height|ambient[_-]?occlusion|ao|arm|metal(?:ness|lic)?"
    r"|spec(?:ular)?|opacity|preview",
}
DISPLAY_GAMMA = 2.2  # of linear EXR colours, when they are looked at
LAYOUT = "name them NAME_color.jpg, NAME_roughness.jpg, NAME_normal.png, or one folder a material"


def read_maps(folder: str, split: str, setting: str) -> tuple[InputFile, ...]:
    """Environment maps of a folder and split, by name; none for "".

    setting: which decides the split, for messages. Raises `DataError` for a folder without maps and for a file that
    is no equirectangular map.
    """
    if not folder:
        return ()
    where = f"--hdri {folder}"
    found = sorted(path.absolute() for path in Path(folder).glob("*") if path.suffix.lower() in HDRI_SUFFIXES)
    if not found:
        raise DataError(f"{where}: expected a folder with {' or '.join(HDRI_SUFFIXES)} files, found none")
    for path in found:
        check_map(path)
    chosen = in_split(found, split, map_name, where=where, kind="environment maps", setting=setting)
    return tuple(_input(path) for path in chosen)


def check_map(path: Path) -> None:
    """Raise `DataError` unless a file is an environment map: EXR or Radiance HDR, twice as wide as high."""
    height, width = _read_exr(path).shape[:2] if path.suffix.lower() == ".exr" else _hdr_shape(path)
    if abs(width / height - 2) > ASPECT_SLACK:
        raise DataError(
            f"{path}: no environment map: it is {width}x{height}, expected twice as wide as high (equirectangular); "
            "take it out of the folder"
        )


def _read_exr(path: Path) -> np.ndarray:
    """Pixels, float [height, width, 3 or 4], of an EXR in colour."""
    try:
        with muted(), OpenEXR.File(str(path)) as file:
            channels = file.channels()
            picture = next((channels[name].pixels for name in ("RGB", "RGBA") if name in channels), None)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path}: not a readable EXR ({_line(error)}); put a whole file there or take it out") from None
    if picture is None:
        raise DataError(f"{path}: expected an EXR in colour (R, G, B), found channels {', '.join(sorted(channels))}")
    return np.asarray(picture)


def _hdr_shape(path: Path) -> tuple[int, int]:
    """Height and width, from the header."""
    with path.open("rb") as file:
        head = file.read(HDR_HEADER_BYTES)
    size = HDR_SIZE.search(head)
    if not head.startswith(b"#?") or size is None:
        raise DataError(f"{path}: not a Radiance HDR picture; put a whole file there or take it out")
    return int(size[1]), int(size[2])


@dataclass(frozen=True, kw_only=True)
class Textures:
    """What a folder of textures holds: those of a split that can be used, and why others cannot, by name."""

    usable: tuple[TextureSet, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


def read_textures(folder: str, split: str, setting: str) -> Textures:
    """Texture sets of a folder, its sub-folders and a split, by name; none for "".

    A set is left out, with its reason, when a picture cannot be read, when it has no colour, and when its colour does
    not tile. Raises `DataError` for a folder without pictures, and where no set of it can be used.
    """
    if not folder:
        return Textures()
    where = f"--textures {folder}"
    files = sorted(
        path.absolute()
        for pattern in ("*", "*/*")
        for path in Path(folder).glob(pattern)
        if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES
    )
    if not files:
        raise DataError(
            f"{where}: expected a folder with pictures ({', '.join(PICTURE_SUFFIXES)}), found none; {LAYOUT}"
        )
    found: dict[str, dict[str, Path]] = {}
    for path in files:
        name, kind = texture_name(path, Path(folder).absolute())
        if kind != "unused":
            found.setdefault(name, {}).setdefault(kind, path)
    problems: dict[str, str] = {}
    for name, maps in found.items():
        try:
            _check_set(where, name, maps)
        except DataError as error:
            problems[name] = str(error)
    if found.keys() == problems.keys():
        others = f" (and {len(problems) - 1} more that cannot be used)" if len(problems) > 1 else ""
        raise DataError(f"{next(iter(problems.values()), f'{where}: no picture of a colour; {LAYOUT}')}{others}")
    usable = sorted(found.keys() - problems.keys())
    chosen = in_split(usable, split, str, where=where, kind="textures", setting=setting)
    return Textures(usable=tuple(_texture(name, found[name]) for name in chosen), problems=problems)


def texture_name(path: Path, folder: Path) -> tuple[str, str]:
    """Which material a picture belongs to, and what of it: a key of `MAPS`, or "picture"."""
    stem = RESOLUTION.sub("", path.stem)
    for kind, words in MAPS.items():
        match = re.fullmatch(rf"(?:(?P<name>.+?)[_-])?(?:{words})", stem, re.IGNORECASE)
        if match:
            alone = path.parent.name if path.parent != folder else folder.name
            return match["name"] or RESOLUTION.sub("", alone), kind
    return stem, "picture"


def _check_set(where: str, name: str, maps: Mapping[str, Path]) -> None:
    if "color" not in maps and "picture" not in maps:
        given = ", ".join(path.name for path in maps.values())
        raise DataError(f"{where}: the material '{name}' has no picture of its colour, only {given}; {LAYOUT}")
    pixels = {path: read_picture(path) for path in maps.values()}
    color = _color_of(maps)
    if reason := why_no_tile(pixels[color]):
        raise DataError(f"{color}: {reason}")


def read_picture(path: Path) -> np.ndarray:
    """A picture as it looks, uint8 [height, width, 4] in sRGB with alpha; raises `DataError` for a broken one."""
    if path.suffix.lower() == ".exr":
        seen = np.clip(np.nan_to_num(_read_exr(path).astype(np.float32)), 0, 1)
        color = np.rint(seen[..., :3] ** (1 / DISPLAY_GAMMA) * 255).astype(np.uint8)
        alpha = np.rint(seen[..., 3:] * 255) if seen.shape[2] == 4 else np.full((*seen.shape[:2], 1), 255)
        return np.concatenate([color, alpha.astype(np.uint8)], axis=2)
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith("I;16"):  # which Pillow would cut at 255
                grey = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
                return np.asarray(grey.convert("RGBA"))
            return np.asarray(picture.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: not a readable picture ({_line(error)}); put a whole file there or take it out"
        ) from None


def _texture(name: str, maps: Mapping[str, Path]) -> TextureSet:
    rough, normal = maps.get("roughness"), maps.get("normal")
    return TextureSet(
        name=name,
        color=_input(_color_of(maps)),
        roughness=_input(rough) if rough else None,
        normal=_input(normal) if normal else None,
    )


def _color_of(maps: Mapping[str, Path]) -> Path:
    return maps["color"] if "color" in maps else maps["picture"]


def _input(path: Path) -> InputFile:
    return InputFile(path=str(path), sha256=sha256_file(path))


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
