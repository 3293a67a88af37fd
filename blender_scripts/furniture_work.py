"""Desks and workbenches, and the boards above them."""

from __future__ import annotations

import numpy as np

from blender_scripts.site import WALL_GAP_M, Site

DESK_M = 0.74


def desk(site: Site) -> None:
    """Top, legs, drawers, a screen, a keyboard and papers."""
    parts, finish, rng = site.parts, site.finish, site.rng
    parts.box((site.left, site.right), (WALL_GAP_M, site.depth), (DESK_M - 0.03, DESK_M), finish.worktop, 0.004)
    for x in (site.left + 0.04, site.right - 0.08):
        for y in (0.06, site.depth - 0.1):
            parts.box((x, x + 0.04), (y, y + 0.04), (0.0, DESK_M - 0.03), finish.dark, 0.004)
    start = site.right - 0.52
    parts.box((start, start + 0.4), (0.12, site.depth - 0.08), (0.08, DESK_M - 0.05), finish.front, 0.004)
    for z in (0.1, 0.3, 0.5):
        y = site.depth - 0.08
        parts.box((start + 0.01, start + 0.39), (y, y + 0.016), (z, z + 0.19), finish.front, 0.003)
    x = float(rng.uniform(site.left + 0.38, site.right - 0.4))
    parts.box((x - 0.11, x + 0.11), (0.12, 0.3), (DESK_M, DESK_M + 0.012), finish.dark, 0.003)
    parts.rod((x, 0.18, DESK_M), (x, 0.18, DESK_M + 0.2), 0.016, finish.dark)
    parts.box((x - 0.29, x + 0.29), (0.19, 0.22), (DESK_M + 0.1, DESK_M + 0.44), finish.dark, 0.004)
    parts.box(
        (x - 0.22, x + 0.22), (site.depth - 0.26, site.depth - 0.13), (DESK_M, DESK_M + 0.016), finish.white, 0.004
    )
    papers(site, x - 0.42 if x > 0 else x + 0.36)


def papers(site: Site, x: float) -> None:
    """A few sheets and a mug's worth of pens."""
    parts, finish = site.parts, site.finish
    x = min(max(x, site.left + 0.13), site.right - 0.25)
    for layer in range(3):
        shift = 0.012 * layer
        low = DESK_M + 0.006 * layer
        parts.box((x + shift, x + 0.21), (0.3 + shift, 0.58), (low, low + 0.005), finish.white, 0)
    parts.cone((x, 0.2, DESK_M), (x, 0.2, DESK_M + 0.1), 0.035, 0.04, finish.pot)
    for step in (-0.012, 0.008, 0.02):
        parts.rod((x + step, 0.2, DESK_M + 0.02), (x + 2 * step, 0.2 + step, DESK_M + 0.16), 0.004, finish.books[1], 6)


def workbench(site: Site) -> None:
    """A thick top on heavy legs with a shelf, a vice and things left lying."""
    parts, finish, rng, top = site.parts, site.finish, site.rng, 0.88
    parts.box((site.left, site.right), (WALL_GAP_M, site.depth), (top - 0.07, top), finish.wood, 0.006)
    for x in (site.left + 0.06, site.right - 0.15):
        for y in (0.06, site.depth - 0.14):
            parts.box((x, x + 0.09), (y, y + 0.09), (0.0, top - 0.07), finish.wood, 0.005)
    parts.box((site.left + 0.06, site.right - 0.06), (0.06, site.depth - 0.08), (0.2, 0.23), finish.card, 0.003)
    for _ in range(3):
        x = float(rng.uniform(site.left + 0.2, site.right - 0.5))
        parts.box((x, x + 0.26), (0.12, 0.46), (0.23, 0.23 + float(rng.uniform(0.1, 0.3))), finish.books[2], 0.01)
    x = site.left + 0.3
    parts.box((x - 0.07, x + 0.07), (site.depth - 0.26, site.depth - 0.02), (top, top + 0.05), finish.steel, 0.01)
    for y in (site.depth - 0.2, site.depth - 0.09):
        parts.box((x - 0.07, x + 0.07), (y, y + 0.05), (top + 0.05, top + 0.15), finish.steel, 0.008)
    for _ in range(int(rng.integers(2, 5))):
        x, y = float(rng.uniform(site.left + 0.5, site.right - 0.3)), float(rng.uniform(0.12, site.depth - 0.2))
        if rng.random() < 0.5:
            parts.box((x, x + 0.22), (y, y + 0.1), (top, top + 0.13), finish.books[3], 0.01)
        else:
            parts.cone((x, y, top), (x, y, top + 0.14), 0.05, 0.05, finish.metal)


def pegboard(site: Site) -> None:
    """Tools on hooks."""
    parts, finish, rng = site.parts, site.finish, site.rng
    parts.box((site.left, site.right), (0.008, 0.02), (0.0, site.height), finish.card, 0.002)
    for x in np.arange(site.left + 0.1, site.right - 0.08, 0.16):
        if rng.random() < 0.2:
            continue
        high = site.height - float(rng.uniform(0.06, 0.16))
        long = float(rng.uniform(0.18, 0.34))
        low = max(high - long, 0.03)
        grip = low + 0.45 * (high - low)
        handle = finish.books[int(rng.integers(len(finish.books)))]
        parts.rod((x, 0.036, grip), (x, 0.036, high), 0.007, finish.metal, 8)
        parts.cone((x, 0.036, low), (x, 0.036, grip), 0.016, 0.013, handle, 10)
        if rng.random() < 0.5:
            parts.box((x - 0.05, x + 0.05), (0.022, 0.055), (high - 0.03, high), finish.steel, 0.005)


def whiteboard(site: Site) -> None:
    """A board in an aluminium frame with a tray and some writing."""
    parts, finish, rng = site.parts, site.finish, site.rng
    parts.box((site.left, site.right), (0.0, 0.014), (0.05, site.height), finish.metal, 0.003)
    parts.box((site.left + 0.02, site.right - 0.02), (0.014, 0.0155), (0.07, site.height - 0.02), finish.white, 0)
    parts.box((site.left + 0.2, site.right - 0.2), (0.0, site.depth), (0.03, 0.05), finish.metal, 0.003)
    for line in range(int(rng.integers(3, 7))):
        z, x = site.height - 0.14 - 0.09 * line, site.left + 0.12 + float(rng.uniform(0, 0.06))
        if z < 0.2:
            break
        ink = finish.books[int(rng.integers(len(finish.books)))]
        end = x + float(rng.uniform(0.15, 0.55)) * (site.width - 0.3)
        while x < end:
            word = float(rng.uniform(0.04, 0.13))
            parts.box((x, min(x + word, end)), (0.0155, 0.0162), (z, z + 0.016), ink, 0)
            x += word + 0.025


BUILDERS = {"desk": desk, "workbench": workbench, "pegboard": pegboard, "whiteboard": whiteboard}
