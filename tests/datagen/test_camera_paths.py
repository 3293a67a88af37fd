"""Camera paths: smooth, within their limits, the same for the same seed, and shake that ends where its band does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datagen import camera_paths
from datagen.camera import Lens, look_at, project
from datagen.camera_paths import Tripod, eased, field_of_view, path_of, set_in_motion, shake
from datagen.looks import draw_camera
from datagen.settings import CameraSettings, PaceShares
from datagen.wishes import Pace

LENS = Lens(focal_length_mm=35.0, sensor_width_mm=36.0, width=672, height=384)
TARGET = np.array([0.3, 0.2, 0.9])
POSITION = np.array([2.6, -1.4, 1.5])
DURATION_S = 59 / 12
FINE_S = np.linspace(0, DURATION_S, 2000)
SEEDS = range(25)
MOVING = [pace for pace in Pace if pace is not Pace.STATIC]


def tripod(fps: float = 12.0) -> Tripod:
    axes = Rotation.from_quat(look_at(POSITION, TARGET)[3:], scalar_first=True).as_matrix()
    return Tripod(position=POSITION, axes=axes, target=TARGET, lens=LENS, fps=fps)


def path(pace: Pace, seed: int, scale: float = 1.0, times_s: np.ndarray = FINE_S) -> tuple[np.ndarray, np.ndarray]:
    wish = set_in_motion(draw_camera(seed), seed, CameraSettings(pace=pace))
    return path_of(wish, pace, tripod(), times_s, DURATION_S, scale)


def turns_deg(axes: np.ndarray) -> np.ndarray:
    """Angle of each rotation [T, 3, 3] to the tripod's [degrees]."""
    return np.degrees((Rotation.from_matrix(axes) * Rotation.from_matrix(tripod().axes).inv()).magnitude())


@pytest.mark.parametrize("pace", Pace)
def test_same_seed_same_path_and_other_seeds_others(pace: Pace) -> None:
    for first, again in zip(path(pace, 3), path(pace, 3), strict=True):
        assert np.array_equal(first, again)
    if pace is not Pace.STATIC:
        ends = {tuple(np.concatenate([part[-1].ravel() for part in path(pace, seed)]).round(9)) for seed in SEEDS}
        assert len(ends) > 0.8 * len(SEEDS)


@pytest.mark.parametrize("pace", Pace)
def test_scale_0_is_the_tripod_and_a_negative_scale_the_other_way(pace: Pace) -> None:
    positions, axes = path(pace, 4, 0.0)
    assert positions == pytest.approx(np.tile(POSITION, (len(FINE_S), 1)))
    assert np.abs(axes - tripod().axes).max() < 1e-12
    if pace in (Pace.DOLLY, Pace.PAN, Pace.ORBIT):
        for there, back in zip(path(pace, 4), path(pace, 4, -1.0), strict=True):
            assert np.abs(there - back[::-1]).max() < 1e-9


@pytest.mark.parametrize("pace", MOVING)
@pytest.mark.parametrize("seed", SEEDS)
def test_paths_are_smooth(pace: Pace, seed: int) -> None:
    """No step in position, direction, or their velocities, and no motion at the ends of an eased path."""
    step_s = FINE_S[1]
    for track in path(pace, seed):
        flat = track.reshape(len(track), -1)
        velocity = np.diff(flat, axis=0) / step_s
        assert np.abs(np.diff(velocity, axis=0)).max() < 0.03
        if pace is not Pace.HANDHELD:
            assert np.abs(velocity[[0, -1]]).max() < 1e-3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dolly_goes_along_a_level_line_within_its_limits(seed: int) -> None:
    positions, axes = path(Pace.DOLLY, seed)
    way = positions - positions[0]
    length_m = float(np.linalg.norm(way[-1]))
    assert camera_paths.DOLLY_M[0] <= length_m <= camera_paths.DOLLY_M[1] + 1e-9
    assert length_m <= camera_paths.MAX_SPEED_M_S * DURATION_S + 1e-9
    assert np.abs(way[:, 2]).max() < 1e-12 and np.linalg.norm(np.cross(way, way[-1]), axis=1).max() < 1e-9
    assert np.array_equal(axes, np.tile(axes[0], (len(axes), 1, 1)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pan_turns_about_the_vertical_and_no_faster_than_the_rule(seed: int) -> None:
    positions, axes = path(Pace.PAN, seed)
    assert np.ptp(positions, axis=0).max() == 0
    assert np.abs(axes[:, 2, 2] - tripod().axes[2, 2]).max() < 1e-12  # the same slope all along
    angle_deg = 2 * float(turns_deg(axes)[[0, -1]].mean())
    low, high = camera_paths.PAN_DEG
    assert low - 1e-6 <= angle_deg <= high + 1e-6
    assert angle_deg <= math.degrees(field_of_view(LENS)) / camera_paths.CROSSING_S * DURATION_S + 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_an_orbit_keeps_its_target_where_it_is_in_the_picture(seed: int) -> None:
    positions, axes = path(Pace.ORBIT, seed)
    away = positions - TARGET
    assert np.ptp(np.linalg.norm(away[:, :2], axis=1)) < 1e-9 and np.ptp(away[:, 2]) < 1e-9
    for index in (0, 700, 1999):
        pose = np.concatenate([positions[index], Rotation.from_matrix(axes[index]).as_quat(scalar_first=True)])
        assert project(TARGET, pose, LENS)[0] == pytest.approx([LENS.width / 2, LENS.height / 2], abs=1e-6)
    assert (
        camera_paths.MAX_SPEED_M_S * DURATION_S * 1.01 > np.linalg.norm(np.diff(positions, axis=0), axis=1).sum() > 0.1
    )


@pytest.mark.parametrize("fps", [12.0, 30.0])
def test_shake_has_its_band_and_its_size(fps: float) -> None:
    """A long stretch under a Hann window: what lies outside the band is the window's own leakage."""
    times_s = np.arange(0, 200, 0.01)
    highest = min(camera_paths.SHAKE_HZ[1], camera_paths.SHAKE_NYQUIST * fps / 2)
    for seed in range(5):
        metres, degrees = shake(np.random.default_rng(seed), times_s, fps)
        for track, spans in ((metres, camera_paths.SHAKE_M), (degrees, camera_paths.SHAKE_DEG)):
            for axis, (low, high) in enumerate(spans):
                assert 0.9 * low < track[:, axis].std() < 1.1 * high
                power = np.abs(np.fft.rfft(track[:, axis] * np.hanning(len(times_s)))) ** 2
                hz = np.fft.rfftfreq(len(times_s), 0.01)
                outside = (hz < camera_paths.SHAKE_HZ[0] - 0.02) | (hz > highest + 0.02)
                assert power[outside].sum() < 1e-6 * power.sum()
                assert power[hz > 2].sum() > 1e-3 * power.sum()  # a tremor, not only sway


def test_easing_begins_and_ends_at_rest() -> None:
    assert eased(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])) == pytest.approx([0, 0, 0.5, 1, 1])
    share = np.linspace(0, 1, 1001)
    assert (np.diff(eased(share)) >= 0).all() and np.diff(eased(share)).max() * 1000 == pytest.approx(1.875, abs=1e-3)


def test_paces_are_drawn_by_their_shares_and_one_can_be_set() -> None:
    def drawn(settings: CameraSettings) -> list[Pace]:
        return [set_in_motion(draw_camera(seed), seed, settings).pace for seed in range(600)]

    usual = drawn(CameraSettings())
    assert abs(usual.count(Pace.STATIC) / 600 - 0.55) < 0.06 and set(usual) == set(Pace)
    assert set(drawn(CameraSettings(pace="orbit"))) == {Pace.ORBIT}
    only = PaceShares(static=0, dolly=1, pan=1, orbit=0, handheld=0)
    assert set(drawn(CameraSettings(paces=only))) == {Pace.DOLLY, Pace.PAN}
    assert usual == drawn(CameraSettings())
