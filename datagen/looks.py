"""How a scene should look: camera, light and surfaces drawn by seed from ranges that a filmed room could have."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from datagen.errors import SpecError
from datagen.seeding import generator_for, seed_for
from datagen.splits import is_in_split
from datagen.wishes import (
    CameraWish,
    InputFile,
    LightKind,
    LightWish,
    Pace,
    RoomKind,
    RoomWish,
    SurfaceWish,
    TextureSet,
)

SENSOR_WIDTH_MM = 36.0  # full frame, so that focal lengths read as photographers know them
FOCAL_LENGTHS_MM = (24.0, 28.0, 32.0, 35.0, 40.0, 50.0, 60.0)
CAMERA_HEIGHT_M = (1.25, 1.75)  # a tripod or a standing person's phone

ENVIRONMENTS = ("interior", "courtyard", "city", "forest", "")
ROOM_SHARES = {
    RoomKind.KITCHEN: 0.24,
    RoomKind.LIVING_ROOM: 0.26,
    RoomKind.OFFICE: 0.2,
    RoomKind.WORKSHOP: 0.16,
    RoomKind.HALL: 0.14,
}
LIGHT_SHARES = {LightKind.WINDOW: 0.45, LightKind.LAMP: 0.3, LightKind.SKY: 0.25}


@dataclass(frozen=True, kw_only=True)
class LightRanges:
    """From what a light of a kind is drawn."""

    elevation_deg: tuple[float, float]
    temperature_k: tuple[float, float]
    size_m: tuple[float, float]
    strength: tuple[float, float]
    fill: tuple[float, float]


LIGHTS = {
    LightKind.WINDOW: LightRanges(
        elevation_deg=(20, 30), temperature_k=(5000, 6800), size_m=(0.9, 1.3), strength=(0.9, 1.2), fill=(0.65, 0.85)
    ),
    LightKind.LAMP: LightRanges(
        elevation_deg=(42, 60), temperature_k=(2800, 4000), size_m=(0.35, 0.8), strength=(0.9, 1.15), fill=(0.75, 1.0)
    ),
    LightKind.SKY: LightRanges(
        elevation_deg=(38, 58), temperature_k=(4500, 6500), size_m=(0.6, 0.9), strength=(0.75, 1.0), fill=(1.15, 1.4)
    ),
}

Range = tuple[float, float]

# hues of paint and cloth that rooms have, one drawn as often as another: warm ones three times
PAINTS: tuple[Range, ...] = ((0.05, 0.14), (0.05, 0.14), (0.05, 0.14), (0.24, 0.42), (0.52, 0.62))
CLOTHS: tuple[Range, ...] = ((0.00, 0.13), (0.05, 0.13), (0.25, 0.40), (0.54, 0.64))

# kind: hues, saturation and value in sRGB, size of a piece [m], roughness
FLOORS: dict[str, tuple[tuple[tuple[Range, ...], Range, Range], Range, Range]] = {
    "wood": ((((0.06, 0.095),), (0.26, 0.50), (0.40, 0.68)), (0.10, 0.20), (0.40, 0.60)),
    "parquet": ((((0.055, 0.09),), (0.28, 0.50), (0.40, 0.64)), (0.07, 0.10), (0.32, 0.50)),
    "tiles": ((((0.06, 0.14),), (0.04, 0.20), (0.50, 0.72)), (0.30, 0.60), (0.30, 0.5)),
    "stone": ((((0.06, 0.13),), (0.03, 0.16), (0.42, 0.66)), (0.40, 0.80), (0.28, 0.5)),
    "linoleum": ((PAINTS, (0.06, 0.24), (0.42, 0.66)), (1.0, 2.0), (0.42, 0.6)),
    "carpet": ((CLOTHS, (0.06, 0.24), (0.36, 0.60)), (0.01, 0.02), (0.90, 1.00)),
    "concrete": ((((0.07, 0.14),), (0.02, 0.09), (0.46, 0.64)), (0.80, 1.60), (0.50, 0.75)),
}
WALLS: dict[str, tuple[tuple[tuple[Range, ...], Range, Range], Range, Range]] = {
    "plaster": ((PAINTS, (0.02, 0.14), (0.68, 0.86)), (0.60, 1.20), (0.80, 0.95)),
    "wallpaper": ((PAINTS, (0.05, 0.18), (0.66, 0.84)), (0.08, 0.26), (0.75, 0.9)),
    "wainscot": ((PAINTS, (0.06, 0.30), (0.58, 0.80)), (0.09, 0.16), (0.75, 0.9)),
    "half tiled": ((PAINTS, (0.03, 0.16), (0.70, 0.86)), (0.10, 0.20), (0.75, 0.9)),
    "bricks": ((((0.02, 0.06),), (0.25, 0.45), (0.48, 0.66)), (0.21, 0.25), (0.80, 0.95)),
    "concrete": ((((0.07, 0.14),), (0.02, 0.07), (0.60, 0.76)), (0.80, 1.60), (0.60, 0.85)),
}
SURFACES = {"floor": FLOORS, "wall": WALLS}
SURFACE_SHARES: dict[str, dict[RoomKind, dict[str, float]]] = {
    "floor": {
        RoomKind.KITCHEN: {"tiles": 0.35, "stone": 0.2, "linoleum": 0.25, "wood": 0.2},
        RoomKind.LIVING_ROOM: {"wood": 0.4, "parquet": 0.35, "carpet": 0.25},
        RoomKind.OFFICE: {"carpet": 0.4, "linoleum": 0.25, "parquet": 0.15, "wood": 0.2},
        RoomKind.WORKSHOP: {"concrete": 0.6, "wood": 0.2, "linoleum": 0.2},
        RoomKind.HALL: {"stone": 0.4, "parquet": 0.25, "tiles": 0.2, "concrete": 0.15},
    },
    "wall": {
        RoomKind.KITCHEN: {"half tiled": 0.5, "plaster": 0.4, "wainscot": 0.1},
        RoomKind.LIVING_ROOM: {"plaster": 0.45, "wallpaper": 0.3, "wainscot": 0.15, "bricks": 0.1},
        RoomKind.OFFICE: {"plaster": 0.75, "wallpaper": 0.1, "concrete": 0.15},
        RoomKind.WORKSHOP: {"plaster": 0.35, "bricks": 0.35, "concrete": 0.3},
        RoomKind.HALL: {"plaster": 0.4, "wainscot": 0.3, "wallpaper": 0.15, "bricks": 0.15},
    },
}
WALL_WORDS = ("wall", "plaster", "brick", "stucco", "paint", "facade")  # a texture with one of them in its name
TEXTURED_SHARE = 0.75  # of the surfaces that the user has textures for
TEXTURE_WIDTH_M = (0.9, 1.8)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything of a scene's room that physics does not know."""

    room: RoomWish
    light: LightWish
    floor: SurfaceWish
    wall: SurfaceWish


def draw_camera(seed: int) -> CameraWish:
    """A camera on a tripod or at eye height; where it stands is found by `datagen.staging`."""
    rng = generator_for(seed, "camera")
    return CameraWish(
        focal_length_mm=float(rng.choice(FOCAL_LENGTHS_MM)),
        sensor_width_mm=SENSOR_WIDTH_MM,
        azimuth_rad=float(rng.uniform(-math.pi, math.pi)),
        height_m=float(rng.uniform(*CAMERA_HEIGHT_M)),
        pace=Pace.STATIC,
    )


def draw_look(
    seed: int, split: str = "all", maps: Sequence[InputFile] = (), textures: Sequence[TextureSet] = ()
) -> Look:
    """A room, its light and its surfaces, of a split; with the user's own maps and textures, where there are any."""
    room = draw_room(seed)
    return Look(
        room=room,
        light=draw_light(seed, split, maps),
        floor=draw_surface(seed, "floor", room.kind, textures),
        wall=draw_surface(seed, "wall", room.kind, textures),
    )


def draw_room(seed: int) -> RoomWish:
    """What the room is for."""
    rng = generator_for(seed, "room kind")
    kind = str(rng.choice(list(ROOM_SHARES), p=list(ROOM_SHARES.values())))
    return RoomWish(kind=RoomKind(kind), seed=seed_for(seed, "room"))


def environments_of(split: str) -> tuple[str, ...]:
    """Environments of "train", "test" or "all"; the plain sky, which is no map, is in each of them."""
    return tuple(name for name in ENVIRONMENTS if not name or is_in_split(name, split))


def draw_light(seed: int, split: str = "all", maps: Sequence[InputFile] = ()) -> LightWish:
    """A window, a lamp or the sky, and an environment that fills the shadows: the user's, or one of a split."""
    rng = generator_for(seed, "light")
    kind = LightKind(str(rng.choice(list(LIGHT_SHARES), p=list(LIGHT_SHARES.values()))))
    ranges = LIGHTS[kind]
    own = maps[int(rng.integers(len(maps)))] if maps else None
    return LightWish(
        kind=kind,
        key_azimuth_rad=float(rng.uniform(-math.pi, math.pi)),
        key_elevation_rad=math.radians(float(rng.uniform(*ranges.elevation_deg))),
        key_temperature_k=float(rng.uniform(*ranges.temperature_k)),
        key_size_m=float(rng.uniform(*ranges.size_m)),
        key_strength=float(rng.uniform(*ranges.strength)),
        fill_strength=float(rng.uniform(*ranges.fill)),
        environment=own.path if own else str(rng.choice(environments_of(split))),
        environment_sha256=own.sha256 if own else "",
    )


def draw_surface(
    seed: int, part: str, room: RoomKind = RoomKind.HALL, textures: Sequence[TextureSet] = ()
) -> SurfaceWish:
    """A material for `part`, "floor" or "wall", that such a room may have."""
    if part not in SURFACES:
        raise SpecError(f"cannot draw a surface for '{part}'; a room has {sorted(SURFACES)}")
    rng = generator_for(seed, "surface", part)
    shares = SURFACE_SHARES[part][room]
    kind = str(rng.choice(list(shares), p=list(shares.values())))
    (hues, *others), scale_m, roughness = SURFACES[part][kind]
    spans = (hues[int(rng.integers(len(hues)))], *others)
    hue, saturation, value = (float(rng.uniform(*span)) for span in spans)
    wish = SurfaceWish(
        kind=kind,
        color=linear_from_srgb(colorsys.hsv_to_rgb(hue, saturation, value)),
        scale_m=float(rng.uniform(*scale_m)),
        roughness=float(rng.uniform(*roughness)),
        seed=seed_for(seed, "surface", part, "pattern"),
    )
    own = [one for one in textures if suits(one, part)]
    if own and rng.random() < TEXTURED_SHARE:
        texture = own[int(rng.integers(len(own)))]
        wish = replace(wish, texture=texture, scale_m=float(rng.uniform(*TEXTURE_WIDTH_M)))
    return wish


def suits(texture: TextureSet, part: str) -> bool:
    """Whether a texture is for floors or for walls, by its name; for floors where that says nothing."""
    return any(word in texture.name.lower() for word in WALL_WORDS) == (part == "wall")


def linear_from_srgb(color: tuple[float, float, float]) -> tuple[float, float, float]:
    """Scene-linear RGB of a display colour, both 0..1 (IEC 61966-2-1)."""
    srgb = np.asarray(color, dtype=np.float64)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    red, green, blue = (float(channel) for channel in linear)
    return red, green, blue
