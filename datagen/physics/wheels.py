"""Things that stand on castors roll on the floor instead of sliding over it.

Castors swivel, so a wheeled body meets the floor with one small friction in every direction: what keeps a cart rolling
is a few hundredths of its weight (compare K. Al-Eisawi et al., "Factors affecting minimum push and pull forces of
manual carts", Applied Ergonomics 30, 1999). Only the floor counts: what stands on the cart meets it with the friction
of the cart's own material, and a body that has tipped over slides like any other. Not modelled: brakes, the sideways
kick of a castor that swivels round, and wheels that do not swivel.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from pybullet_utils.bullet_client import BulletClient

from datagen.physics.bodies import FLOOR, Body
from datagen.physics.materials import Material
from datagen.rotations import inverse, matrix_of, unit
from datagen.spec import category_of

ROLLING_FLOOR = "floor under castors"  # a second floor at the same height; a body meets one of the two

ROLLING_SHARE = 0.05  # the floor's share of friction under castors: 0.05 x 0.6 of a metal cart = 3 % of its weight
MAX_TILT_DEG = 20.0  # a body that leans farther than this no longer stands on its wheels
WHEELED = frozenset({"cart", "trolley", "dolly", "pushcart"})  # whole words of a category
WHEELED_NAMES = ("office_chair", "swivel_chair", "desk_chair")  # parts of one; HUMOTO's working_chair has legs


def has_wheels(name: str) -> bool:
    """Whether things of this HUMOTO name stand on castors; a carton is no cart."""
    category = category_of(name).lower().replace("-", "_")
    return bool(WHEELED & set(re.split(r"[_ ]", category))) or any(part in category for part in WHEELED_NAMES)


def rolling_floor(floor: Material) -> Material:
    """The floor as castors feel it."""
    return replace(floor, name=f"{floor.name} under castors", friction=ROLLING_SHARE)


class Castors:
    """Gives every body on castors the floor that fits how it stands, while a world runs."""

    def __init__(self, client: BulletClient, bodies: tuple[Body, ...], ids: dict[str, int]) -> None:
        self.client, self.ids = client, ids
        self.rolling: dict[str, bool] = {}
        if ROLLING_FLOOR not in ids:
            self.wheels_up: dict[str, np.ndarray] = {}
            return
        self.wheels_up = {
            body.name: matrix_of(inverse(unit(body.object_from_body[3:]))) @ body.wheels_up
            for body in bodies
            if body.dynamic and body.wheels_up is not None
        }
        for body in bodies:
            self._meet(body.name, rolling=False)
        self.follow()

    def follow(self) -> None:
        """Look how the bodies stand now."""
        for name, wheels_up in self.wheels_up.items():
            x, y, z, w = self.client.getBasePositionAndOrientation(self.ids[name])[1]
            up = matrix_of(unit(np.array([w, x, y, z]))) @ wheels_up
            rolling = bool(up[2] > np.cos(np.radians(MAX_TILT_DEG)))
            if self.rolling[name] != rolling:
                self._meet(name, rolling=rolling)

    def _meet(self, name: str, *, rolling: bool) -> None:
        self.rolling[name] = rolling
        self.client.setCollisionFilterPair(self.ids[name], self.ids[FLOOR], -1, -1, int(not rolling))
        self.client.setCollisionFilterPair(self.ids[name], self.ids[ROLLING_FLOOR], -1, -1, int(rolling))
