"""Sofas and benches, and what stands beside them: plants, lamps, radiators."""

from __future__ import annotations

import itertools
import math

import numpy as np

from blender_scripts.site import WALL_GAP_M, Site


def sofa(site: Site) -> None:
    """Frame, seat and back cushions, arms, a loose cushion."""
    parts, cloth = site.parts, site.finish.fabric
    arm, back = float(site.rng.uniform(0.13, 0.2)), WALL_GAP_M + 0.2
    for x in (site.left + 0.08, site.right - 0.08):
        for y in (0.1, site.depth - 0.1):
            parts.cone((x, y, 0.0), (x, y, 0.13), 0.016, 0.024, site.finish.dark, 8)
    parts.cushion((site.left, site.right), (WALL_GAP_M, site.depth - 0.03), (0.12, 0.28), cloth)
    parts.box((site.left + arm, site.right - arm), (WALL_GAP_M, back), (0.2, site.height - 0.04), cloth, 0.04)
    for start in (site.left, site.right - arm):
        parts.box((start, start + arm), (WALL_GAP_M, site.depth - 0.02), (0.14, 0.6), cloth, 0.05)
    inner = np.linspace(site.left + arm, site.right - arm, max(1, round((site.width - 2 * arm) / 0.7)) + 1)
    for start, end in itertools.pairwise(inner):
        parts.box((start + 0.004, end - 0.004), (back - 0.02, site.depth), (0.27, 0.43), cloth, 0.05)
        parts.box((start + 0.01, end - 0.01), (back - 0.06, back + 0.14), (0.42, site.height), cloth, 0.06)
    x = float(site.rng.choice([site.left + arm + 0.22, site.right - arm - 0.22]))
    parts.box((x - 0.2, x + 0.2), (back + 0.13, back + 0.26), (0.43, min(0.8, site.height)), site.finish.accent, 0.055)


def bench(site: Site) -> None:
    """A plank on legs, at times with things under it."""
    parts, wood = site.parts, site.finish.wood
    parts.box((site.left, site.right), (WALL_GAP_M, site.depth), (site.height - 0.045, site.height), wood, 0.006)
    for x in (site.left + 0.1, site.right - 0.15):
        parts.box((x, x + 0.05), (WALL_GAP_M + 0.04, site.depth - 0.04), (0.0, site.height - 0.045), wood, 0.005)
    parts.box((site.left + 0.12, site.right - 0.12), (0.16, 0.19), (0.15, 0.2), wood, 0.004)
    if site.rng.random() < 0.5:
        x = float(site.rng.uniform(site.left + 0.35, site.right - 0.4))
        for step, color in enumerate((site.finish.dark, site.finish.dark)):
            at = x + 0.13 * step
            parts.box((at - 0.045, at + 0.045), (0.08, 0.33), (0.0, 0.085), color, 0.025)


def plant(site: Site) -> None:
    """A pot with long leaves that stay inside the box."""
    parts, rng = site.parts, site.rng
    middle, tall = (site.left + site.right) / 2, float(rng.uniform(0.24, 0.34))
    y = site.depth / 2
    radius = 0.3 * min(site.width, site.depth)
    parts.cone((middle, y, 0.0), (middle, y, tall), radius * 0.72, radius, site.finish.pot, 20)
    parts.cone((middle, y, tall), (middle, y, tall + 0.004), radius * 0.92, radius * 0.92, site.finish.soil, 20)
    reach = 0.5 * min(site.width, site.depth) - 0.06
    stem = tall + 0.3 * (site.height - tall) if rng.random() < 0.5 else tall
    if stem > tall:
        parts.cone((middle, y, tall), (middle, y, stem), 0.02, 0.014, site.finish.wood, 8)
    for turn in np.arange(0, 2 * math.pi, 2 * math.pi / int(rng.integers(14, 24))):
        azimuth = turn + rng.uniform(-0.2, 0.2)
        lift, out = rng.uniform(0.15, 0.95), rng.uniform(0.55, 1.0) * reach
        root = np.array([middle, y, stem])
        rise = lift * (site.height - stem - 0.06)
        tip = root + np.array([out * math.cos(azimuth), out * math.sin(azimuth), rise])
        parts.leaf(root, tip, float(rng.uniform(0.04, 0.09)), 0.05, site.finish.leaf)


def floor_lamp(site: Site) -> None:
    """Foot, pole and a lit shade."""
    parts, y = site.parts, site.depth / 2
    shade = 0.5 * min(site.width, site.depth) - 0.02
    low = site.height - 0.28
    parts.cone((0, y, 0.0), (0, y, 0.025), 0.14, 0.13, site.finish.dark, 24)
    parts.rod((0, y, 0.02), (0, y, low + 0.1), 0.011, site.finish.metal)
    parts.cone((0, y, low), (0, y, site.height), shade, shade * 0.72, site.finish.glow, 28)


def radiator(site: Site) -> None:
    """Ribs between two plates, and a valve."""
    parts, white = site.parts, site.finish.white
    for x in np.arange(site.left + 0.02, site.right - 0.05, 0.05):
        parts.box((x, x + 0.035), (0.03, site.depth - 0.015), (0.08, site.height - 0.02), white, 0.008)
    parts.box((site.left, site.right - 0.04), (0.045, site.depth - 0.03), (0.1, 0.13), white, 0.008)
    parts.box(
        (site.left, site.right - 0.04),
        (0.045, site.depth - 0.03),
        (site.height - 0.06, site.height - 0.03),
        white,
        0.008,
    )
    parts.rod((site.right - 0.04, 0.07, 0.115), (site.right - 0.004, 0.07, 0.115), 0.016, site.finish.metal)
    parts.rod((site.right - 0.02, 0.07, 0.0), (site.right - 0.02, 0.07, 0.115), 0.008, site.finish.metal)


BUILDERS = {
    "sofa": sofa,
    "armchair": sofa,
    "bench": bench,
    "plant": plant,
    "floor_lamp": floor_lamp,
    "radiator": radiator,
}
