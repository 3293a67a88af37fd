"""A scene, described: everything that is needed to make one sample. Same spec, same bytes.

Conventions, stated once: metres, seconds, kilograms, radians; Z up, right-handed; quaternions (w, x, y, z); poses are
`world_from_object`, arrays [..., 7] of position and quaternion; frame 0 is the first frame of the clip, at t = 0;
cameras look along their -Z with +Y up (OpenGL's and Blender's axes); images uint8 [height, width, 3] sRGB;
masks uint8 [num_frames, height, width].
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from datagen.errors import SpecError

MIXED_PACE = "mixed"
KEY_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*")


class World(StrEnum):
    """The two courses of a scene."""

    FACTUAL = "factual"  # as it was filmed or first simulated
    COUNTERFACTUAL = "counterfactual"  # the removed objects were never there, and physics was run again


class Engine(StrEnum):
    """What draws the pictures; the layers behind a mask are Cycles' in any case."""

    CYCLES = "cycles"
    EEVEE = "eevee"


class Device(StrEnum):
    """What Cycles computes on; EEVEE takes the GPU that the system gives it."""

    AUTO = "auto"  # the first kind of GPU that is there, or the CPU
    CPU = "cpu"
    CUDA = "cuda"
    OPTIX = "optix"
    HIP = "hip"
    METAL = "metal"
    ONEAPI = "oneapi"


class Pace(StrEnum):
    """How the camera moves."""

    STATIC = "static"
    DOLLY = "dolly"
    PAN = "pan"
    ORBIT = "orbit"
    HANDHELD = "handheld"


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The stretch of time that a sample shows."""

    start_s: float  # of frame 0, in the sequence's own time
    num_frames: int
    fps: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and 0 < self.fps < math.inf and self.num_frames >= 1):
            raise SpecError(
                f"a clip of {self.num_frames} frames at {self.fps:g} per second from {self.start_s:g} s cannot be "
                "made; expected at least one frame and a rate above 0 (a fraction will do)"
            )

    def times_s(self) -> list[float]:
        """Time of each frame since frame 0 [s]."""
        return [index / self.fps for index in range(self.num_frames)]

    @property
    def duration_s(self) -> float:
        """From the first frame to the last [s]."""
        return (self.num_frames - 1) / self.fps


@dataclass(frozen=True, kw_only=True)
class GeometryRef:
    """A mesh (or a skinned person) inside a file."""

    file: str  # path of the FBX, GLB or OBJ; a relative one starts at the folder of the spec that names it
    sha256: str  # of that file
    node: str  # name of the object in the file; "" for the whole file


@dataclass(frozen=True, kw_only=True)
class ObjectSpec:
    """A rigid object."""

    name: str
    category: str  # HUMOTO's name without a duplicate's suffix, or the asset's category
    geometry: GeometryRef
    scale: float = 1.0  # of the file's mesh, uniform
    static: bool = False  # part of the scene's furniture: never moves in either world
    licence: str = ""  # of the mesh, where it has one of its own; else the data set's


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


@dataclass(frozen=True, kw_only=True)
class PersonSpec:
    """A person played back from motion capture."""

    name: str
    geometry: GeometryRef  # node is the armature
    mocap_fps: float
    look: PersonLook | None = None  # None: drawn by the scene's seed and the person's name, of the recorded shape


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


class RoomKind(StrEnum):
    """What a room is for: decides surfaces and furniture."""

    KITCHEN = "kitchen"
    LIVING_ROOM = "living room"
    OFFICE = "office"
    WORKSHOP = "workshop"
    HALL = "hall"


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
class RoomWish:
    """What the room around a scene should be; what stands where is found after physics, out of everything's way."""

    kind: RoomKind = RoomKind.HALL
    seed: int = 0


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
class CollisionWish:
    """What a collision scene should be; which objects lie where is drawn, and redrawn, when it is simulated."""

    family: str  # "launch", "pile", "domino", "support", "ramp", "container"
    manifest: str  # absolute path of the asset manifest
    split: str  # "train", "test" or "all": which assets may be drawn
    num_objects: int
    num_removed: int
    null_effect: bool  # the removed objects should touch nothing
    max_draws: int = 20


@dataclass(frozen=True, kw_only=True)
class PhysicsSettings:
    """How physics is run again, and what a trajectory must satisfy. Limits are explained in `physics.certificate`."""

    substep_hz: int = 480
    gravity_m_s2: float = 9.81
    contact_mm: float = 5.0  # body-to-object distance that counts as touching
    settle_s: float = 0.5  # how long an object is set free to see whether the person held it
    settle_mm: float = 20.0
    settle_deg: float = 5.0
    max_penetration_p95_mm: float = 2.0
    max_penetration_mm: float = 8.0
    max_speed_m_s: float = 12.0
    max_bystander_mm: float = 1.0
    max_free_fall_error: float = 0.01
    min_effect_mm: float = 50.0
    min_effect_deg: float = 10.0
    perturbed: int = 4  # simulations from a start jittered within measurement noise: the spread of the true outcome
    timeout_s: float = 600.0


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """How a scene is rendered. Two runs with equal settings on one machine give equal pixels."""

    engine: Engine = Engine.CYCLES
    device: Device = Device.AUTO
    width: int = 672
    height: int = 384
    samples: int = 4
    denoise: bool = True
    max_bounces: int = 2
    light_samples: int = 4  # of the layers of light, which find shadows
    light_scale: int = 2  # the layers of light are this many times smaller than the picture
    reuse_unchanged: bool = True  # render the counterfactual only where it differs; the rest is the factual picture
    timeout_s: float = 7200.0


@dataclass(frozen=True, kw_only=True)
class PaceShares:
    """How often each pace is drawn, relative to the others."""

    static: float = 0.55
    dolly: float = 0.11
    pan: float = 0.11
    orbit: float = 0.11
    handheld: float = 0.12


@dataclass(frozen=True, kw_only=True)
class CameraSettings:
    """How cameras move, and what of a real lens and shutter their pictures have (off in all layers of masks)."""

    pace: str = MIXED_PACE  # drawn by `paces`; or the name of one of them for all scenes
    paces: PaceShares = field(default_factory=PaceShares)
    aperture_f: float = 0.0  # as in `CameraWish`
    shutter: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """What a sample holds beside its two videos: geometry of both worlds (see `geometry_layers`), and more worlds."""

    segmentation: bool = False
    depth: bool = False
    flow: bool = False
    hidden: bool = False  # the factual motion with the removed objects hidden, as a video
    perturbed: int = 0  # so many of the perturbed simulations (`PhysicsSettings.perturbed`), as videos

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the kinds of geometry that are asked for."""
        return tuple(name for name in ("segmentation", "depth", "flow") if getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class SceneSpec:
    """Everything that is needed to make one sample."""

    key: str
    source: str  # "humoto" or "kubric"
    seed: int
    data_set: str = "humoto"  # "humoto", "demo" (the embedded default), "gso", ...: decides the licence
    sequence: str  # HUMOTO's sequence or Kubric's scene family
    description: str
    clip: Clip
    objects: tuple[ObjectSpec, ...]
    people: tuple[PersonSpec, ...] = ()
    removed: tuple[str, ...]
    collision: CollisionWish | None = None  # a planned collision scene names no objects yet
    camera: CameraWish
    light: LightWish
    floor: SurfaceWish
    wall: SurfaceWish
    room: RoomWish = field(default_factory=RoomWish)
    physics: PhysicsSettings = field(default_factory=PhysicsSettings)
    render: RenderSettings = field(default_factory=RenderSettings)
    layers: LayerSettings = field(default_factory=LayerSettings)

    def __post_init__(self) -> None:
        check_key(self.key)
        names = [*names_of(self.objects), *names_of(self.people)]
        if len(set(names)) != len(names):
            raise SpecError(f"{self.key}: names must differ; found {sorted(names)}")
        if unknown := sorted(set(self.removed) - set(names)):
            raise SpecError(f"{self.key}: cannot remove {unknown}; the scene has {sorted(names)}")
        if not self.removed and self.collision is None:
            raise SpecError(f"{self.key}: nothing is removed; name at least one of {sorted(names)}")

    def kept_objects(self) -> tuple[ObjectSpec, ...]:
        """Objects that are there in both worlds."""
        return tuple(thing for thing in self.objects if thing.name not in self.removed)

    def ids(self) -> dict[str, int]:
        """Value of each object and person in id layers, from 1; 0 is the room."""
        return {name: index + 1 for index, name in enumerate((*names_of(self.objects), *names_of(self.people)))}


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A static thing that stands or hangs at a wall; its mesh never leaves the box that is given here."""

    kind: str  # one of `datagen.furnishing.KINDS`
    wall: int  # 0..3, counter-clockwise from the one at y_min (see `datagen.rooms.walls_of`)
    along_m: float  # from the wall's start to the middle of the box
    bottom_m: float
    width_m: float
    depth_m: float
    height_m: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Room:
    """A box with a floor at z = 0; walls face inwards."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float
    height: float
    pieces: tuple[Piece, ...] = ()
    key_window: int | None = None  # place in `pieces` of the window that the key light comes through


@dataclass(frozen=True, kw_only=True)
class Blur:
    """How far beyond its sharp outline a lens and a shutter show something in a frame, at most [px]."""

    removed: float  # removed objects and people
    moved: float  # objects that move differently
    light: float  # shadows of both


@dataclass(frozen=True, kw_only=True)
class Staging:
    """Where camera, room and lights stand; found from both worlds' trajectories once physics is done."""

    room: Room
    focal_length_mm: float
    sensor_width_mm: float
    world_from_camera: tuple[tuple[float, ...], ...]  # [num_frames][7]
    pace: Pace = Pace.STATIC  # that was taken: a wished path that cannot keep the action in frame ends as static
    path_scale: float = 0.0  # of the wished path; negative: the other way round; 0: static
    focus_m: tuple[float, ...] = ()  # [num_frames] along the view axis; empty without an aperture
    blur_px: tuple[Blur, ...] = ()  # [num_frames]; empty: all is sharp
    key_light: tuple[float, float, float]  # position of its centre
    key_target: tuple[float, float, float]  # point that it faces


def check_key(key: str) -> str:
    """`key` itself if it can name files and shard members; WebDataset cuts names at the first dot."""
    if not KEY_PATTERN.fullmatch(key):
        raise SpecError(f"'{key}' cannot be a key: letters, digits, '_' and '-' only; try '{slug(key)}'")
    return key


def slug(name: str) -> str:
    """The nearest name that can be a key."""
    return re.sub(r"[^A-Za-z0-9_\-]+", "_", name).strip("_-") or "unnamed"


def category_of(name: str) -> str:
    """HUMOTO's object name without the suffix of a duplicate: `mug.001` is a `mug`."""
    return re.sub(r"[._]\d{3}$", "", name)


def names_of(things: Iterable[ObjectSpec | PersonSpec]) -> tuple[str, ...]:
    """Names, in order."""
    return tuple(thing.name for thing in things)
