"""Doors, windows and what hangs on walls."""

from __future__ import annotations

import itertools
import math

import bpy
import numpy as np

from blender_scripts.furniture_storage import row_of_books
from blender_scripts.site import Site

CASING_M = 0.07  # round a door or a window
RECESS_M = 0.16  # from the wall's face out to a window's panes
SILL_M = 0.1
OPENING = "window"  # the kind of piece behind which the wall is open


def opening_of(width_m: float, height_m: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the wall is open behind a window: x from its middle and z from its bottom."""
    half = width_m / 2 - CASING_M
    return (-half, half), (CASING_M, height_m - CASING_M)


def window(site: Site) -> None:
    """Frame with panes in a recess of the wall, what is outside, a sill; curtains or a blind."""
    parts, finish, rng = site.parts, site.finish, site.rng
    (left, right), (low, high) = opening_of(site.width, site.height)
    back = -RECESS_M
    parts.box((left - 0.06, right + 0.06), (back - 0.03, back - 0.028), (low - 0.06, high + 0.06), finish.outside, 0)
    for x in ((left - 0.005, left), (right, right + 0.005)):
        parts.box(x, (back, 0.0), (low, high), finish.trim, 0)
    for z in ((low - 0.005, low), (high, high + 0.005)):
        parts.box((left, right), (back, 0.0), z, finish.trim, 0)
    bars = np.linspace(left, right, int(rng.integers(2, 4)))
    for x in bars:
        start = min(max(x - 0.03, left), right - 0.06)
        parts.box((start, start + 0.06), (back, back + 0.05), (low, high), finish.trim, 0.006)
    for z in (low, high - 0.06, *((low + 0.68 * (high - low),) if rng.random() < 0.4 else ())):
        parts.box((left, right), (back, back + 0.05), (z, z + 0.06), finish.trim, 0.006)
    parts.box((left - CASING_M, right + CASING_M), (0.0, SILL_M), (low - 0.035, low), finish.trim, 0.006)
    for x in ((left - CASING_M, left), (right, right + CASING_M)):
        parts.box(x, (0.0, 0.014), (low, high + CASING_M), finish.trim, 0.003)
    parts.box((left, right), (0.0, 0.014), (high, high + CASING_M), finish.trim, 0.003)
    if rng.random() < 0.55:
        curtains(site, high)
    elif rng.random() < 0.5:
        parts.box((left, right), (back + 0.06, back + 0.064), (high - 0.25 * (high - low), high), finish.curtain, 0)


def curtains(site: Site, high: float) -> None:
    """Two bunches of cloth on a rod, as folds of a sine."""
    top = min(high + 0.05, site.height - 0.02)
    site.parts.rod((site.left, 0.075, top), (site.right, 0.075, top), 0.01, site.finish.dark)
    bunch = 0.17 * site.width
    for start in (site.left, site.right - bunch):
        xs = np.linspace(start, start + bunch, 25)
        folds = 0.075 + 0.03 * np.sin(np.linspace(0, 8 * math.pi, 25))
        rows = [np.stack([xs, folds, np.full(25, z)], axis=-1) for z in (0.02, 0.5 * top, top)]
        site.parts.sheet(np.stack(rows), site.finish.curtain)


def door(site: Site) -> None:
    """A closed door with two panels, its casing and a handle."""
    parts, finish = site.parts, site.finish
    left, right, top = site.left + CASING_M, site.right - CASING_M, site.height - CASING_M
    leaf = finish.trim if site.rng.random() < 0.6 else finish.wood
    parts.box((left, right), (0.0, 0.018), (0.005, top), leaf, 0.002)
    for x in ((site.left, left), (right, site.right)):
        parts.box(x, (0.0, 0.034), (0.0, site.height), finish.trim, 0.004)
    parts.box((left, right), (0.0, 0.034), (top, site.height), finish.trim, 0.004)
    for low, high in ((0.18, 0.88), (1.02, top - 0.15)):
        parts.box((left + 0.12, right - 0.12), (0.018, 0.026), (low, high), leaf, 0.0025)
        parts.box((left + 0.17, right - 0.17), (0.026, 0.03), (low + 0.05, high - 0.05), leaf, 0.0015)
    hinge = 1.0 if site.rng.random() < 0.5 else -1.0
    latch = hinge * (right - 0.06)
    parts.box((latch - 0.02, latch + 0.02), (0.018, 0.026), (0.94, 1.12), finish.metal, 0.003)
    parts.rod((latch, 0.02, 1.05), (latch, 0.075, 1.05), 0.009, finish.metal)
    parts.rod((latch, 0.075, 1.05), (latch - hinge * 0.12, 0.075, 1.05), 0.009, finish.metal)


def picture(site: Site) -> None:
    """A frame, a mount, and soft fields of colour."""
    parts, finish, rng = site.parts, site.finish, site.rng
    frame = finish.dark if rng.random() < 0.4 else finish.wood
    edge = float(rng.uniform(0.015, 0.035))
    for x in ((site.left, site.left + edge), (site.right - edge, site.right)):
        parts.box(x, (0.0, site.depth - 0.008), (0.0, site.height), frame, 0.003)
    for z in ((0.0, edge), (site.height - edge, site.height)):
        parts.box((site.left + edge, site.right - edge), (0.0, site.depth - 0.008), z, frame, 0.003)
    parts.box((site.left + edge, site.right - edge), (0.0, 0.012), (edge, site.height - edge), finish.white, 0)
    border = edge + float(rng.choice([0.0, 0.05, 0.08]))
    x0, x1, z0, z1 = site.left + border, site.right - border, border, site.height - border
    cuts = np.concatenate([[z0], np.sort(rng.uniform(z0, z1, size=int(rng.integers(1, 4)))), [z1]])
    for low, high in itertools.pairwise(cuts):
        parts.box((x0, x1), (0.012, 0.013), (low, high), paint(site), 0)
    for _ in range(int(rng.integers(0, 4))):
        radius = float(rng.uniform(0.08, 0.22)) * min(x1 - x0, z1 - z0)
        at = float(rng.uniform(x0 + radius, x1 - radius))
        rise = float(rng.uniform(z0 + radius, z1 - radius))
        parts.cone((at, 0.013, rise), (at, 0.0138, rise), radius, radius, paint(site), 24)


def paint(site: Site) -> bpy.types.Material:
    """One of the room's colours."""
    return site.finish.books[int(site.rng.integers(len(site.finish.books)))]


def clock(site: Site) -> None:
    """A dial with hands."""
    parts, finish, radius = site.parts, site.finish, 0.5 * min(site.width, site.height)
    z = site.height / 2
    parts.cone((0, 0.0, z), (0, 0.035, z), radius, radius, finish.dark, 36)
    parts.cone((0, 0.035, z), (0, 0.037, z), radius * 0.9, radius * 0.9, finish.white, 36)
    for length, turn in ((0.5, float(site.rng.uniform(0, 6.28))), (0.75, float(site.rng.uniform(0, 6.28)))):
        end = (radius * length * math.sin(turn), 0.04, z + radius * length * math.cos(turn))
        parts.rod((0, 0.04, z), end, 0.005, finish.dark, 6)


def wall_shelf(site: Site) -> None:
    """A board on brackets with books and a pot."""
    parts, finish = site.parts, site.finish
    parts.box((site.left, site.right), (0.0, site.depth), (0.1, 0.125), finish.wood, 0.003)
    for x in (site.left + 0.12, site.right - 0.14):
        parts.box((x, x + 0.02), (0.0, site.depth - 0.05), (0.075, 0.1), finish.dark, 0)
        parts.box((x, x + 0.02), (0.0, 0.02), (0.0, 0.1), finish.dark, 0)
    row_of_books(site, (site.left + 0.03, site.right - 0.25), 0.125, site.height - 0.14, 0.02)
    x = site.right - 0.12
    parts.cone((x, site.depth / 2, 0.125), (x, site.depth / 2, 0.24), 0.05, 0.065, finish.pot)


def coat_rack(site: Site) -> None:
    """A board with hooks, and a coat or a bag on some."""
    parts, finish, rng = site.parts, site.finish, site.rng
    top = site.height
    parts.box((site.left, site.right), (0.0, 0.02), (top - 0.12, top - 0.02), finish.wood, 0.004)
    for x in np.arange(site.left + 0.1, site.right - 0.05, 0.17):
        parts.rod((x, 0.02, top - 0.08), (x, 0.09, top - 0.06), 0.007, finish.metal, 8)
        if rng.random() < 0.45:
            hanging(site, float(x), top - 0.07)


def hanging(site: Site, x: float, top: float) -> None:
    """Cloth that widens towards its hem, in folds."""
    long, half = float(site.rng.uniform(0.55, top - 0.05)), min(0.15, site.right - abs(x))
    across = np.linspace(-1, 1, 17)
    rows = []
    for share in (0.0, 0.12, 0.5, 1.0):
        wide = half * (0.15 if share == 0 else 0.62 + 0.38 * share)
        folds = 0.1 + 0.035 * share * np.sin(across * 9) + 0.06 * (1 - across**2) * min(1.0, 3 * share)
        rows.append(np.stack([x + wide * across, folds, np.full(17, top - share * long)], axis=-1))
    color = site.finish.accent if site.rng.random() < 0.5 else site.finish.fabric
    site.parts.sheet(np.stack(rows), color)


def switch(site: Site) -> None:
    """One or two plates with a rocker."""
    for z in np.arange(0.0, site.height - 0.08, 0.085):
        high = min(z + 0.083, site.height)
        site.parts.box((site.left, site.right), (0.0, 0.009), (z, high), site.finish.white, 0.002)
        inner = (site.left + 0.02, site.right - 0.02)
        site.parts.box(inner, (0.009, site.depth), (z + 0.02, high - 0.02), site.finish.white, 0.001)


BUILDERS = {
    "window": window,
    "door": door,
    "picture": picture,
    "clock": clock,
    "wall_shelf": wall_shelf,
    "coat_rack": coat_rack,
    "switch": switch,
}
