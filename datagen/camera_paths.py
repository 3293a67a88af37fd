"""How a camera moves: the path that a wish draws around the pose from which a tripod would film.

A path is a function of time, so that it can be asked between frames too. All of it scales with one number: 1 is the
path as wished, 0 the tripod, a negative number the path the other way round.

    dolly      along a horizontal line, looking in one direction; eased in and out
    pan        about a fixed point, eased likewise
    orbit      along an arc around the vertical axis through the target, which stays where it is in the picture
    handheld   a standing person: noise of position and direction between 0.3 and 6 Hz

Moves are eased as human reaches are: the quintic of least jerk (Flash and Hogan 1985, doi
10.1523/JNEUROSCI.05-07-01688.1985, eq. 2), whose velocity and acceleration begin and end at 0. A pan is no faster than
a film-maker's rule of thumb allows, 7 seconds for what crosses the frame. Lengths, speeds and the size of the shake are
our choice: we know of no published figures for hand-held video that we could hold them against.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from datagen.camera import Lens
from datagen.seeding import generator_for, seed_for
from datagen.settings import MIXED_PACE, CameraSettings
from datagen.wishes import CameraWish, Pace

DOLLY_M = (0.3, 1.2)
MAX_SPEED_M_S = 0.35  # mean over the clip, of dolly and orbit: a slow walk is three times as fast
PAN_DEG = (6.0, 18.0)
CROSSING_S = 7.0  # of the frame by what stands still, at the mean speed of the fastest pan
ORBIT_DEG = (10.0, 35.0)
SHAKE_HZ = (0.3, 6.0)
SHAKE_NYQUIST = 0.9  # of half the frame rate: faster shake would only alias
SHAKE_TONES = 24  # sinusoids of each axis
SHAKE_SLOPE = 1.2  # amplitudes fall as frequency to this power: sway is slow, tremor small
SHAKE_M = ((0.006, 0.015), (0.004, 0.010), (0.004, 0.010))  # rms, right, up and back
SHAKE_DEG = ((0.25, 0.6), (0.25, 0.6), (0.1, 0.25))  # rms, pitch, yaw and roll
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class Tripod:
    """Where a camera would stand if it did not move, and what it films."""

    position: np.ndarray  # [3] [m]
    axes: np.ndarray  # [3, 3], world from camera
    target: np.ndarray  # [3], middle of the action [m]
    lens: Lens
    fps: float


def set_in_motion(wish: CameraWish, seed: int, settings: CameraSettings) -> CameraWish:
    """The camera with a pace, by shares or the one that is set, and with a lens and shutter that blur as set."""
    shares = [float(getattr(settings.paces, pace)) for pace in Pace]
    drawn = str(generator_for(seed, "camera pace").choice(list(Pace), p=np.array(shares) / sum(shares)))
    return replace(
        wish,
        pace=Pace(drawn if settings.pace == MIXED_PACE else settings.pace),
        path_seed=seed_for(seed, "camera path"),
        aperture_f=settings.aperture_f,
        shutter=settings.shutter,
    )


def path_of(
    wish: CameraWish, pace: Pace, tripod: Tripod, times_s: np.ndarray, duration_s: float, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Positions float64 [T, 3] [m] and rotations [T, 3, 3] (world from camera) at times [T] [s] of a clip.

    Of eased paths the middle of the way is at the tripod, so that both ends are alike hard to frame.
    """
    way = scale * (eased(times_s / max(duration_s, 1e-9)) - 0.5)
    rng = generator_for(wish.path_seed, "path", pace)
    still = np.repeat(tripod.position[None], len(times_s), axis=0), np.repeat(tripod.axes[None], len(times_s), axis=0)
    match pace:
        case Pace.STATIC:
            return still
        case Pace.DOLLY:
            length_m = min(float(rng.uniform(*DOLLY_M)), MAX_SPEED_M_S * duration_s)
            return still[0] + way[:, None] * length_m * level_direction(rng, tripod.axes), still[1]
        case Pace.PAN:
            fastest_rad = field_of_view(tripod.lens) / CROSSING_S * duration_s
            angle_rad = min(math.radians(rng.uniform(*PAN_DEG)), fastest_rad) * rng.choice([-1.0, 1.0])
            return still[0], about_vertical(way * angle_rad) @ tripod.axes
        case Pace.ORBIT:
            away = tripod.position - tripod.target
            fastest_rad = MAX_SPEED_M_S * duration_s / float(np.linalg.norm(away[:2]))
            angle_rad = min(math.radians(rng.uniform(*ORBIT_DEG)), fastest_rad) * rng.choice([-1.0, 1.0])
            turns = about_vertical(way * angle_rad)
            return tripod.target + turns @ away, turns @ tripod.axes
        case Pace.HANDHELD:
            metres, degrees = shake(rng, times_s, tripod.fps)
            turns = Rotation.from_rotvec(scale * np.radians(degrees)).as_matrix()
            return still[0] + scale * metres @ tripod.axes.T, tripod.axes @ turns


def eased(share: np.ndarray) -> np.ndarray:
    """Share of the way at a share of the time, both 0..1, by least jerk; clipped outside."""
    time = np.clip(share, 0.0, 1.0)
    return np.asarray(time**3 * (10 - 15 * time + 6 * time**2))


def level_direction(rng: np.random.Generator, axes: np.ndarray) -> np.ndarray:
    """A horizontal unit vector [3]: forwards, backwards or to a side of the camera, with some slant."""
    forward = -axes[:, 2] * np.array([1.0, 1.0, 0.0])
    forward /= np.linalg.norm(forward)
    angle_rad = math.pi / 2 * rng.integers(4) + math.radians(rng.uniform(-15.0, 15.0))
    return np.asarray(about_vertical(np.array([angle_rad]))[0] @ forward)


def about_vertical(angles_rad: np.ndarray) -> np.ndarray:
    """Rotations float64 [T, 3, 3] about the vertical."""
    return np.asarray(Rotation.from_rotvec(angles_rad[:, None] * UP).as_matrix())


def field_of_view(lens: Lens) -> float:
    """Angle between the left and the right border of the picture [rad]."""
    return 2 * math.atan(lens.sensor_width_mm / (2 * lens.focal_length_mm))


def shake(rng: np.random.Generator, times_s: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets along the camera's axes [T, 3] [m] and turns about them [T, 3] [degrees] of a camera held in the hands.

    Each axis is a sum of sinusoids with random phases, so that its spectrum ends where `SHAKE_HZ` says. Frequencies are
    spread evenly by their logarithm, one at random in each of `SHAKE_TONES` equal parts of the band.
    """
    low, high = SHAKE_HZ[0], min(SHAKE_HZ[1], SHAKE_NYQUIST * fps / 2)
    rms = np.array([rng.uniform(*span) for span in (*SHAKE_M, *SHAKE_DEG)])
    places = (np.arange(SHAKE_TONES) + rng.uniform(size=(len(rms), SHAKE_TONES))) / SHAKE_TONES
    frequencies_hz = low * (max(high, low) / low) ** places
    phases_rad = rng.uniform(0, 2 * math.pi, size=frequencies_hz.shape)
    amplitudes = frequencies_hz**-SHAKE_SLOPE
    amplitudes *= (rms / np.sqrt(0.5 * np.sum(amplitudes**2, axis=1)))[:, None]
    waves = np.sin(2 * math.pi * frequencies_hz * times_s[:, None, None] + phases_rad)
    offsets = np.sum(amplitudes * waves, axis=-1)
    return offsets[:, :3], offsets[:, 3:]
