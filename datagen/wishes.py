"""What a scene should look like, drawn by seed before physics: camera, light, room, surfaces, and people's clothes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Pace(StrEnum):
    """How the camera moves."""

    STATIC = "static"
    DOLLY = "dolly"
    PAN = "pan"
    ORBIT = "orbit"
    HANDHELD = "handheld"


@dataclass(frozen=True, kw_only=True)
class CameraWish:
    """What the camera should be; where it stands is found after physics, so that the action stays in frame."""

    focal_length_mm: float
    sensor_width_mm: float
    azimuth_rad: float  # direction from the action to the first camera that is tried
    height_m: float
    pace: Pace
    path_seed: int = 0  # of what a path leaves open: length, side, shake
    aperture_f: float = 0.0  # f-number; 0: all is sharp
    shutter: float = 0.0  # share of a frame's time that it is open, half before and half after; 0: no motion blur

    @property
    def blurs(self) -> bool:
        """Whether a picture shows things beyond their sharp silhouettes."""
        return self.aperture_f > 0 or self.shutter > 0


class LightKind(StrEnum):
    """What the key light is."""

    WINDOW = "window"  # daylight from the side, through a window of the room
    LAMP = "lamp"  # from above, small and warm
    SKY = "sky"  # the environment does most; the key only gives shadows a side


@dataclass(frozen=True, kw_only=True)
class LightWish:
    """A key light (window or lamp) and what fills the shadows."""

    kind: LightKind = LightKind.LAMP
    key_azimuth_rad: float
    key_elevation_rad: float
    key_temperature_k: float
    key_size_m: float  # edge of the emitting square: larger is softer
    key_strength: float  # irradiance relative to a well-exposed picture
    fill_strength: float  # of the sky or environment, likewise
    environment: str  # an environment map: its absolute path, or its name in Blender's wheel; "": a plain sky
    environment_sha256: str = ""  # of a map of the user's


class RoomKind(StrEnum):
    """What a room is for: decides surfaces and furniture."""

    KITCHEN = "kitchen"
    LIVING_ROOM = "living room"
    OFFICE = "office"
    WORKSHOP = "workshop"
    HALL = "hall"


@dataclass(frozen=True, kw_only=True)
class RoomWish:
    """What the room around a scene should be; what stands where is found after physics, out of everything's way."""

    kind: RoomKind = RoomKind.HALL
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file of the user's that a scene shows."""

    path: str  # absolute
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TextureSet:
    """A PBR material of the user's: one picture for each property that it gives."""

    name: str  # what it is split by
    color: InputFile
    roughness: InputFile | None = None
    normal: InputFile | None = None  # OpenGL's convention, +Y up


@dataclass(frozen=True, kw_only=True)
class SurfaceWish:
    """A material of the room: procedural, or of pictures that are laid over its colour."""

    kind: str  # one of `looks.FLOORS` or `looks.WALLS`
    color: tuple[float, float, float]  # linear RGB
    scale_m: float  # size of a plank, tile or brick
    roughness: float
    seed: int
    texture: TextureSet | None = None  # takes the place of the procedure; a picture is `scale_m` wide


@dataclass(frozen=True, kw_only=True)
class Garment:
    """Something to wear."""

    kind: str  # of `people.TOPS`, `people.BOTTOMS` or `people.FOOTWEAR`
    fabric: str  # "plain", "heather", "knit", "denim", "stripes", "pinstripes", "check", "dots", "leather", "skin"
    color: tuple[float, float, float]  # linear RGB
    accent: tuple[float, float, float]  # of stripes, soles and the like
    scale_m: float  # of the pattern
    seed: int


@dataclass(frozen=True, kw_only=True)
class BodyShape:
    """How far the person that is seen lies outside the one that was recorded [m], by region; inside where negative.

    Physics knows the recorded body alone. Hands, forearms, face and what an object comes near stay as they are.
    """

    chest_m: float = 0.0
    belly_m: float = 0.0
    upper_arms_m: float = 0.0
    thighs_m: float = 0.0
    calves_m: float = 0.0
    hair_m: float = 0.0
    feet: float = 0.0  # 0: as they are; 1: toes closed by a shoe or sock


@dataclass(frozen=True, kw_only=True)
class PersonLook:
    """What a person looks like; a person that comes with textures keeps them, and takes only the shape."""

    skin_tone: float  # from 0, the lightest, to 1
    skin: tuple[float, float, float]  # linear RGB, as all colours here
    hair_style: str  # of `people.HAIR_STYLES`
    hair: tuple[float, float, float]
    eyes: tuple[float, float, float]
    beard: float  # how dark: 0 none, 1 full
    top: Garment
    bottom: Garment
    feet: Garment
    shape: BodyShape = field(default_factory=BodyShape)
