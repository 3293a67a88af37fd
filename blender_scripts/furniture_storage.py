"""Shelves, cabinets, boxes, and what is in them."""

from __future__ import annotations

import itertools

import bpy
import numpy as np

from blender_scripts.furniture_kitchen import leaf
from blender_scripts.site import WALL_GAP_M, Site


def bookshelf(site: Site) -> None:
    """Sides, back and boards with books and a few boxes."""
    wood = site.finish.wood if site.rng.random() < 0.6 else site.finish.front
    rack(site, wood, WALL_GAP_M, max(3, round(site.height / 0.34)))


def rack(site: Site, wood: bpy.types.Material, back: float, rows: int) -> None:
    """A carcass with so many rows of books."""
    parts = site.parts
    for x in (site.left, site.right - 0.022):
        parts.box((x, x + 0.022), (back, site.depth), (0.0, site.height), wood, 0.003)
    parts.box((site.left, site.right), (back, back + 0.008), (0.0, site.height), wood, 0)
    heights = np.linspace(0.05, site.height - 0.022, rows + 1)
    for z in heights:
        parts.box((site.left, site.right), (back, site.depth - 0.004), (z, z + 0.022), wood, 0.003)
    for low, high in zip(heights[:-1] + 0.022, heights[1:], strict=True):
        row_of_books(site, (site.left + 0.03, site.right - 0.03), low, high - low, back + 0.03)


def row_of_books(site: Site, x: tuple[float, float], z: float, clear: float, back: float) -> None:
    """Books from one end on, with gaps, at times lying; the row may end early."""
    rng, parts = site.rng, site.parts
    at, end = x[0], x[0] + (x[1] - x[0]) * float(rng.uniform(0.55, 1.0))
    deep = site.depth - back - 0.01
    while at < end - 0.05:
        color = site.finish.books[int(rng.integers(len(site.finish.books)))]
        if rng.random() < 0.06:
            at += float(rng.uniform(0.05, 0.2))
        elif rng.random() < 0.08 and at + 0.2 < end:
            for layer in range(int(rng.integers(1, 4))):
                low = z + 0.03 * layer
                if low + 0.03 < z + clear:
                    parts.box((at, at + 0.2), (back, back + 0.8 * deep), (low, low + 0.028), color, 0)
            at += 0.215
        else:
            wide, tall = float(rng.uniform(0.016, 0.05)), clear * float(rng.uniform(0.62, 0.93))
            parts.box((at, at + wide), (back, back + deep * float(rng.uniform(0.7, 0.95))), (z, z + tall), color, 0)
            at += wide + 0.0015


def sideboard(site: Site) -> None:
    """A low cupboard on legs with a lamp, vase or frame on it."""
    parts, finish, rng = site.parts, site.finish, site.rng
    top = site.height - 0.32
    parts.box((site.left, site.right), (WALL_GAP_M, site.depth - 0.03), (0.14, top), finish.wood, 0.005)
    for x in (site.left + 0.06, site.right - 0.06):
        for y in (0.08, site.depth - 0.08):
            parts.cone((x, y, 0.0), (x, y, 0.14), 0.014, 0.022, finish.dark, 8)
    edges = np.linspace(site.left + 0.02, site.right - 0.02, int(rng.integers(2, 5)) + 1)
    for start, end in itertools.pairwise(edges):
        leaf(site, (start, end), (0.17, top - 0.03), site.depth - 0.03, upright=False)
    x = float(rng.uniform(site.left + 0.15, site.right - 0.15))
    parts.cone((x, 0.2, top), (x, 0.2, top + 0.16), 0.05, 0.075, finish.pot)
    parts.cone((x, 0.2, top + 0.16), (x, 0.2, top + 0.24), 0.075, 0.035, finish.pot)
    x = -x if abs(x) > 0.25 else x + 0.3
    if abs(x) < site.right - 0.12:
        parts.box((x - 0.09, x + 0.09), (0.1, 0.115), (top, top + 0.24), finish.dark, 0.002)
        parts.box((x - 0.075, x + 0.075), (0.1155, 0.117), (top + 0.015, top + 0.225), finish.books[0], 0)


def filing_cabinet(site: Site) -> None:
    """Steel drawers."""
    parts, steel, front = site.parts, site.finish.steel, site.depth - 0.035
    parts.box((site.left, site.right), (WALL_GAP_M, front), (0.0, site.height), steel, 0.004)
    rows = max(2, round(site.height / 0.33))
    edges = np.linspace(0.04, site.height - 0.01, rows + 1)
    for low, high in itertools.pairwise(edges):
        span = (low + 0.003, high - 0.003)
        parts.box((site.left + 0.008, site.right - 0.008), (front, front + 0.018), span, steel, 0.003)
        z = high - 0.07
        parts.box((-0.06, 0.06), (front + 0.018, front + 0.034), (z, z + 0.012), site.finish.metal, 0.003)


def metal_shelf(site: Site) -> None:
    """Angle posts, boards, and boxes and tins on them."""
    parts, finish, rng = site.parts, site.finish, site.rng
    for x in (site.left, site.right - 0.035):
        for y in (WALL_GAP_M, site.depth - 0.035):
            parts.box((x, x + 0.035), (y, y + 0.035), (0.0, site.height), finish.steel, 0)
    levels = np.linspace(0.12, site.height - 0.05, 5)
    for level, z in enumerate(levels):
        parts.box((site.left, site.right), (WALL_GAP_M, site.depth), (z, z + 0.03), finish.card, 0.003)
        room = (levels[level + 1] if level + 1 < len(levels) else site.height) - z - 0.04
        at = site.left + 0.05
        while room > 0.1 and at < site.right - 0.2:
            wide = float(rng.uniform(0.14, 0.36))
            if rng.random() < 0.7 and at + wide < site.right - 0.03:
                thing(site, at, wide, z + 0.03, room)
            at += wide + float(rng.uniform(0.02, 0.12))


def thing(site: Site, x: float, wide: float, z: float, room: float) -> None:
    """A carton, a coloured case or a tin."""
    parts, finish, rng = site.parts, site.finish, site.rng
    tall, y = min(room, float(rng.uniform(0.12, 0.3))), (WALL_GAP_M + 0.04, site.depth - 0.04)
    kind = int(rng.integers(3))
    if kind == 0:
        parts.box((x, x + wide), y, (z, z + tall), finish.card, 0.004)
    elif kind == 1:
        color = finish.books[int(rng.integers(len(finish.books)))]
        parts.box((x, x + wide), y, (z, z + tall * 0.8), color, 0.012)
    else:
        radius = min(0.11, wide / 2)
        centre = (x + radius, 0.5 * (y[0] + y[1]))
        parts.cone((*centre, z), (*centre, z + tall), radius, radius, finish.metal, 20)


def crates(site: Site) -> None:
    """Slatted crates or cartons in a stack that leans on nothing."""
    parts, rng = site.parts, site.rng
    z = 0.0
    while z < site.height - 0.24:
        tall = min(float(rng.uniform(0.24, 0.34)), site.height - z)
        inset = float(rng.uniform(0.0, 0.06))
        x, y = (site.left + inset, site.right - inset), (WALL_GAP_M + inset, site.depth - inset)
        if rng.random() < 0.5:
            parts.box(x, y, (z, z + tall), site.finish.card, 0.004)
            middle = 0.5 * (x[0] + x[1])
            parts.box((middle - 0.025, middle + 0.025), y, (z + tall - 0.0005, z + tall), site.finish.white, 0)
        else:
            slats(site, x, y, z, tall)
        z += tall


def slats(site: Site, x: tuple[float, float], y: tuple[float, float], z: float, tall: float) -> None:
    """A crate of boards with gaps."""
    parts, wood = site.parts, site.finish.wood
    parts.box((x[0] + 0.02, x[1] - 0.02), (y[0] + 0.02, y[1] - 0.02), (z, z + tall - 0.03), site.finish.dark, 0)
    for low in np.arange(z, z + tall - 0.055, 0.075):
        parts.box(x, (y[1] - 0.016, y[1]), (low, low + 0.06), wood, 0.002)
        for side in (x[0], x[1] - 0.016):
            parts.box((side, side + 0.016), (y[0], y[1] - 0.016), (low, low + 0.06), wood, 0.002)


BUILDERS = {
    "bookshelf": bookshelf,
    "sideboard": sideboard,
    "filing_cabinet": filing_cabinet,
    "metal_shelf": metal_shelf,
    "crates": crates,
}
