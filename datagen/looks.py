"""How a scene should look: camera, light and surfaces drawn by seed from ranges that a filmed room could have."""

from __future__ import annotations

import colorsys
import math

import numpy as np

from datagen.errors import SpecError
from datagen.seeding import generator_for, seed_for
from datagen.spec import CameraWish, LightWish, Pace, SurfaceWish
from datagen.splits import is_in_split

SENSOR_WIDTH_MM = 36.0  # full frame, so that focal lengths read as photographers know them
FOCAL_LENGTHS_MM = (28.0, 32.0, 35.0, 40.0, 50.0)
CAMERA_HEIGHT_M = (1.25, 1.75)  # a tripod or a standing person's phone

ENVIRONMENTS = ("interior", "courtyard", "city", "forest", "")
KEY_ELEVATION_DEG = (38.0, 58.0)
KEY_TEMPERATURE_K = (3200.0, 6500.0)  # from a warm lamp to a north window
KEY_SIZE_M = (0.5, 0.9)

# kind: (hue, saturation, value) ranges in sRGB, size of a piece [m], roughness
FLOORS = {
    "wood": (((0.06, 0.095), (0.35, 0.60), (0.42, 0.68)), (0.10, 0.20), (0.45, 0.62)),
    "tiles": (((0.06, 0.14), (0.04, 0.20), (0.50, 0.72)), (0.30, 0.60), (0.32, 0.5)),
    "carpet": (((0.00, 1.00), (0.06, 0.24), (0.36, 0.60)), (0.01, 0.02), (0.90, 1.00)),
    "concrete": (((0.07, 0.14), (0.02, 0.09), (0.46, 0.64)), (0.80, 1.60), (0.50, 0.75)),
}
WALLS = {
    "plaster": (((0.05, 0.62), (0.03, 0.20), (0.68, 0.86)), (0.60, 1.20), (0.80, 0.95)),
    "bricks": (((0.02, 0.06), (0.25, 0.45), (0.48, 0.66)), (0.21, 0.25), (0.80, 0.95)),
    "concrete": (((0.07, 0.14), (0.02, 0.07), (0.54, 0.70)), (0.80, 1.60), (0.60, 0.85)),
}
SURFACES = {"floor": (FLOORS, (0.45, 0.2, 0.2, 0.15)), "wall": (WALLS, (0.74, 0.13, 0.13))}


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


def environments_of(split: str) -> tuple[str, ...]:
    """Environments of "train", "test" or "all"; the plain sky, which is no map, is in each of them."""
    return tuple(name for name in ENVIRONMENTS if not name or is_in_split(name, split))


def draw_light(seed: int, split: str = "all") -> LightWish:
    """A window or lamp from one side, and an environment of a split that fills the shadows."""
    rng = generator_for(seed, "light")
    return LightWish(
        key_azimuth_rad=float(rng.uniform(-math.pi, math.pi)),
        key_elevation_rad=math.radians(float(rng.uniform(*KEY_ELEVATION_DEG))),
        key_temperature_k=float(rng.uniform(*KEY_TEMPERATURE_K)),
        key_size_m=float(rng.uniform(*KEY_SIZE_M)),
        key_strength=float(rng.uniform(0.9, 1.15)),
        fill_strength=float(rng.uniform(0.85, 1.15)),
        environment=str(rng.choice(environments_of(split))),
    )


def draw_surface(seed: int, part: str) -> SurfaceWish:
    """A material for `part`, "floor" or "wall"."""
    if part not in SURFACES:
        raise SpecError(f"cannot draw a surface for '{part}'; a room has {sorted(SURFACES)}")
    kinds, shares = SURFACES[part]
    rng = generator_for(seed, "surface", part)
    kind = str(rng.choice(list(kinds), p=shares))
    hsv_ranges, scale_m, roughness = kinds[kind]
    hue, saturation, value = (float(rng.uniform(*span)) for span in hsv_ranges)
    return SurfaceWish(
        kind=kind,
        color=linear_from_srgb(colorsys.hsv_to_rgb(hue, saturation, value)),
        scale_m=float(rng.uniform(*scale_m)),
        roughness=float(rng.uniform(*roughness)),
        seed=seed_for(seed, "surface", part, "pattern"),
    )


def linear_from_srgb(color: tuple[float, float, float]) -> tuple[float, float, float]:
    """Scene-linear RGB of a display colour, both 0..1 (IEC 61966-2-1)."""
    srgb = np.asarray(color, dtype=np.float64)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    red, green, blue = (float(channel) for channel in linear)
    return red, green, blue
