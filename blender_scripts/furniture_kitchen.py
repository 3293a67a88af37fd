"""Counters, cupboards, fridges."""

from __future__ import annotations

import itertools

import numpy as np

from blender_scripts.site import WALL_GAP_M, Site

WORKTOP_M = 0.9  # height
UNIT_M = 0.55  # about the width of a cupboard
GROOVE_M = 0.0025


def counter(site: Site) -> None:
    """Base units with doors or drawers under one worktop; a sink, and a few things on it."""
    parts, finish, front = site.parts, site.finish, site.depth - 0.03
    parts.box((site.left, site.right), (WALL_GAP_M, front - 0.06), (0.0, 0.1), finish.dark, 0)
    parts.box((site.left, site.right), (WALL_GAP_M, front - 0.02), (0.1, WORKTOP_M - 0.04), finish.front, 0)
    edges = np.linspace(site.left, site.right, max(2, round(site.width / UNIT_M)) + 1)
    for start, end in itertools.pairwise(edges):
        rows = (0.1, 0.38, 0.63, 0.86) if site.rng.random() < 0.3 else (0.1, 0.86)
        for low, high in itertools.pairwise(rows):
            leaf(site, (start, end), (low, high), front - 0.02, upright=len(rows) == 2)
    parts.box((site.left, site.right), (WALL_GAP_M, site.depth), (WORKTOP_M - 0.04, WORKTOP_M), finish.worktop, 0.005)
    if site.width > 1.5:
        sink(site, float(site.rng.uniform(site.left + 0.45, site.right - 0.45)))
    for _ in range(int(site.rng.integers(1, 4))):
        on_top(site, float(site.rng.uniform(site.left + 0.15, site.right - 0.15)))


def leaf(site: Site, x: tuple[float, float], z: tuple[float, float], y: float, upright: bool) -> None:
    """A door or drawer front with its handle."""
    parts, finish = site.parts, site.finish
    parts.box(
        (x[0] + GROOVE_M, x[1] - GROOVE_M), (y, y + 0.02), (z[0] + GROOVE_M, z[1] - GROOVE_M), finish.front, 0.002
    )
    middle, out = 0.5 * (x[0] + x[1]), y + 0.02
    if upright:
        at = x[1] - 0.05
        parts.box((at - 0.006, at + 0.006), (out, out + 0.009), (z[1] - 0.2, z[1] - 0.06), finish.metal, 0.002)
    else:
        parts.box((middle - 0.08, middle + 0.08), (out, out + 0.009), (z[1] - 0.06, z[1] - 0.048), finish.metal, 0.002)


def sink(site: Site, x: float) -> None:
    """A steel basin's rim, dark inside, and a tap."""
    parts, metal, top = site.parts, site.finish.metal, WORKTOP_M
    parts.box((x - 0.25, x + 0.25), (0.12, 0.52), (top, top + 0.006), metal, 0.002)
    parts.box((x - 0.22, x + 0.22), (0.15, 0.49), (top + 0.006, top + 0.007), site.finish.dark, 0)
    parts.rod((x, 0.09, top), (x, 0.09, top + 0.2), 0.012, metal)
    parts.rod((x, 0.09, top + 0.2), (x, 0.25, top + 0.22), 0.01, metal)


def on_top(site: Site, x: float) -> None:
    """A jar, a board against the wall, or a machine."""
    parts, finish, rng, top = site.parts, site.finish, site.rng, WORKTOP_M
    kind = int(rng.integers(3))
    if kind == 0:
        radius, tall = float(rng.uniform(0.04, 0.065)), float(rng.uniform(0.12, 0.24))
        parts.cone((x, 0.2, top), (x, 0.2, top + tall), radius, radius * 0.9, finish.pot)
        parts.cone((x, 0.2, top + tall), (x, 0.2, top + tall + 0.02), radius * 0.7, radius * 0.7, finish.dark)
    elif kind == 1:
        parts.box((x - 0.1, x + 0.1), (WALL_GAP_M, WALL_GAP_M + 0.02), (top, top + 0.27), finish.wood, 0.005)
    else:
        parts.box((x - 0.12, x + 0.12), (0.12, 0.38), (top, top + 0.2), finish.dark, 0.015)
        parts.box((x - 0.1, x + 0.1), (0.375, 0.385), (top + 0.05, top + 0.17), finish.metal, 0.002)


def wall_cupboard(site: Site) -> None:
    """Doors side by side."""
    edges = np.linspace(site.left, site.right, max(2, round(site.width / UNIT_M)) + 1)
    site.parts.box((site.left, site.right), (0.0, site.depth - 0.033), (0.0, site.height), site.finish.front, 0.002)
    for start, end in itertools.pairwise(edges):
        leaf(site, (start, end), (0.0, site.height), site.depth - 0.033, upright=True)


def fridge(site: Site) -> None:
    """Two doors with long handles."""
    parts, skin = site.parts, site.finish.white if site.rng.random() < 0.55 else site.finish.metal
    body, split = site.depth - 0.09, site.height * float(site.rng.uniform(0.3, 0.62))
    parts.box((site.left, site.right), (WALL_GAP_M, body), (0.03, site.height), skin, 0.008)
    parts.box((site.left + 0.03, site.right - 0.03), (0.1, body - 0.03), (0.0, 0.03), site.finish.dark, 0)
    for low, high in ((0.04, split - 0.005), (split + 0.005, site.height)):
        parts.box((site.left, site.right), (body + 0.005, site.depth - 0.04), (low, high), skin, 0.012)
        grip = (split + 0.08, split + 0.38) if low > split else (split - 0.4, split - 0.08)
        x = site.left + 0.06
        parts.rod((x, site.depth - 0.015, grip[0]), (x, site.depth - 0.015, grip[1]), 0.011, site.finish.metal)
        for z in grip:
            parts.rod((x, site.depth - 0.045, z), (x, site.depth - 0.012, z), 0.009, site.finish.metal)


BUILDERS = {"counter": counter, "wall_cupboard": wall_cupboard, "fridge": fridge}
