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
from datagen.settings import LayerSettings, PhysicsSettings, RenderSettings
from datagen.wishes import CameraWish, LightWish, PersonLook, RoomWish, SurfaceWish

KEY_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*")


class World(StrEnum):
    """The two courses of a scene."""

    FACTUAL = "factual"  # as it was filmed or first simulated
    COUNTERFACTUAL = "counterfactual"  # the removed objects were never there, and physics was run again


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
class PersonSpec:
    """A person played back from motion capture."""

    name: str
    geometry: GeometryRef  # node is the armature
    mocap_fps: float
    look: PersonLook | None = None  # None: drawn by the scene's seed and the person's name, of the recorded shape


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
