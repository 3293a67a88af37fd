"""Where room, camera and lights stand, found after physics from what happens."""

from __future__ import annotations

from dataclasses import dataclass

from datagen.wishes import Pace


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
