"""A user's own environment maps and PBR textures: found by name, read once to see that they are what they claim.

A texture is a set of pictures whose names share a stem and end in what they are, as Poly Haven and ambientCG name
them: `oak_floor_diff_2k.jpg`, `oak_floor_rough_2k.jpg`, `oak_floor_nor_gl_2k.exr`, or `Tiles074_2K-JPG_Color.jpg`; or
a folder of pictures that are named by what they are alone; or one picture, which is then the colour.
"""

from __future__ import annotations

import re
from pathlib import Path

import OpenEXR
from PIL import Image

from datagen.codec import sha256_file
from datagen.entry import muted
from datagen.errors import DataError
from datagen.spec import InputFile, TextureSet
from datagen.splits import in_split, map_name

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
    width, height = _exr_size(path) if path.suffix.lower() == ".exr" else _hdr_size(path)
    if abs(width / height - 2) > ASPECT_SLACK:
        raise DataError(
            f"{path}: no environment map: it is {width}x{height}, expected twice as wide as high (equirectangular); "
            "take it out of the folder"
        )


def _exr_size(path: Path) -> tuple[int, int]:
    """Of a readable EXR in colour; its pixels are read."""
    try:
        with muted(), OpenEXR.File(str(path)) as file:
            channels = file.channels()
            picture = next((channels[name].pixels for name in ("RGB", "RGBA") if name in channels), None)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path}: not a readable EXR ({_line(error)}); put a whole file there or take it out") from None
    if picture is None:
        raise DataError(f"{path}: expected an EXR in colour (R, G, B), found channels {', '.join(sorted(channels))}")
    return picture.shape[1], picture.shape[0]


def _hdr_size(path: Path) -> tuple[int, int]:
    with path.open("rb") as file:
        head = file.read(HDR_HEADER_BYTES)
    size = HDR_SIZE.search(head)
    if not head.startswith(b"#?") or size is None:
        raise DataError(f"{path}: not a Radiance HDR picture; put a whole file there or take it out")
    return int(size[2]), int(size[1])


def read_textures(folder: str, split: str, setting: str) -> tuple[TextureSet, ...]:
    """Texture sets of a folder, its sub-folders and a split, by name; none for "".

    Raises `DataError` for a folder without pictures, a picture that cannot be read, and a set without colour.
    """
    if not folder:
        return ()
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
    for name, maps in found.items():
        _check_set(where, name, maps)
    chosen = in_split(sorted(found), split, str, where=where, kind="textures", setting=setting)
    return tuple(_texture(name, found[name]) for name in chosen)


def texture_name(path: Path, folder: Path) -> tuple[str, str]:
    """Which material a picture belongs to, and what of it: a key of `MAPS`, or "picture"."""
    stem = RESOLUTION.sub("", path.stem)
    for kind, words in MAPS.items():
        match = re.fullmatch(rf"(?:(?P<name>.+?)[_-])?(?:{words})", stem, re.IGNORECASE)
        if match:
            alone = path.parent.name if path.parent != folder else folder.name
            return match["name"] or RESOLUTION.sub("", alone), kind
    return stem, "picture"


def _check_set(where: str, name: str, maps: dict[str, Path]) -> None:
    if "color" not in maps and "picture" not in maps:
        given = ", ".join(path.name for path in maps.values())
        raise DataError(f"{where}: the material '{name}' has no picture of its colour, only {given}; {LAYOUT}")
    for path in maps.values():
        _check_picture(path)


def _check_picture(path: Path) -> None:
    """Raise `DataError` for a picture that cannot be decoded to its end."""
    if path.suffix.lower() == ".exr":
        _exr_size(path)
        return
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: not a readable picture ({_line(error)}); put a whole file there or take it out"
        ) from None


def _texture(name: str, maps: dict[str, Path]) -> TextureSet:
    rough, normal = maps.get("roughness"), maps.get("normal")
    return TextureSet(
        name=name,
        color=_input(maps["color"] if "color" in maps else maps["picture"]),
        roughness=_input(rough) if rough else None,
        normal=_input(normal) if normal else None,
    )


def _input(path: Path) -> InputFile:
    return InputFile(path=str(path), sha256=sha256_file(path))


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
