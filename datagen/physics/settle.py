"""What happens to an object that is set free.

Contact alone proves nothing (a hand lies on a table, a chair carries a person); an object counts as held or supported
when a body touches it AND it moves once the body is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from datagen.physics.bodies import Body
from datagen.physics.materials import Material
from datagen.physics.world import run_world
from datagen.settings import PhysicsSettings
from datagen.trajectory import apply_pose, rotation_angle

SETTLE_FRAMES = 5


@dataclass(frozen=True, kw_only=True)
class Settling:
    """How far an object gets within a moment after it is set free."""

    moved_mm: float
    turned_deg: float
    sunk_mm: float  # deepest below where it began
    slid_mm: float  # farthest to the side

    def beyond(self, settings: PhysicsSettings) -> bool:
        """Whether it moved more than a badly captured resting pose explains."""
        return self.moved_mm > settings.settle_mm or self.turned_deg > settings.settle_deg


def settle(freed: Body, others: tuple[Body, ...], floor: Material, settings: PhysicsSettings) -> Settling:
    """Set one dynamic body free among others that stay where they are.

    Whether it moves by centimetres does not need the fine steps of a landing, so the rate of the steps is not raised.
    """
    fps = (SETTLE_FRAMES - 1) / settings.settle_s
    fixed = tuple(replace(body, parts=None) for body in others)
    run = run_world(
        (freed, *fixed),
        floor,
        num_frames=SETTLE_FRAMES,
        fps=fps,
        substep_hz=settings.substep_hz,
        gravity_m_s2=settings.gravity_m_s2,
        finer_for_speed=False,
    )
    return displacement(run.poses[:, 0], freed.vertices)


def displacement(poses: np.ndarray, vertices: np.ndarray) -> Settling:
    """Greatest move of an object's middle and greatest turn, from the first of its poses [num_frames, 7]."""
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    path = np.stack([apply_pose(pose, middle[None])[0] for pose in poses])
    moved = np.linalg.norm(path - path[0], axis=1).max()
    turned = rotation_angle(poses, np.broadcast_to(poses[0], poses.shape)).max()
    sunk = float(path[0, 2] - path[:, 2].min())
    slid = float(np.linalg.norm(path[:, :2] - path[0, :2], axis=1).max())
    return Settling(
        moved_mm=float(moved) * 1000,
        turned_deg=float(np.degrees(turned)),
        sunk_mm=sunk * 1000,
        slid_mm=slid * 1000,
    )
