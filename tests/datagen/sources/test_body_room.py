"""Room around a body is measured on its points, to objects and to its own hands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datagen.sequence import BodyTrack, Sequence
from datagen.sources.body_room import OWN_HAND_M, SEEN_M, room_around
from tests.datagen.physics.scenes import pose, sequence_of

FRAMES = 20
PARTS = ("Spine2", "Hips", "LeftArm", "RightUpLeg", "RightHand")


def sequence(box_x: np.ndarray, hand: tuple[float, float, float] = (0, 0, 9)) -> Sequence:
    """A point for each part, on a line upwards at x = 0, and a box of 0.2 m whose middle is at box_x [num_frames]."""
    poses = np.array([pose(x, 0, 0.1) for x in box_x])
    made = sequence_of({"box": ((0.2, 0.2, 0.2), poses)}, np.zeros((FRAMES, 3)))
    points = np.zeros((FRAMES, len(PARTS), 3), dtype=np.float32)
    points[:, :, 2] = 1.0 + np.arange(len(PARTS))
    points[:, 1, 2] = 0.1  # the hips are as high as the box
    points[:, 4] = hand
    body = BodyTrack(name="Armature", points=points, part=np.arange(len(PARTS), dtype=np.uint8), part_names=PARTS)
    return replace(made, people=(body,))


def test_the_nearest_frame_decides() -> None:
    box = np.full(FRAMES, 3.0)
    box[9] = 0.12  # 0.02 m from the hips
    room = room_around(sequence(box), 0, range(0, FRAMES))
    assert room["belly"] == pytest.approx(0.02, abs=1e-4)
    assert room["chest"] == room["thighs"] == room["upper_arms"] == np.inf
    assert "hair" not in room
    assert room_around(sequence(box), 0, range(10, 999))["belly"] == np.inf


def test_a_hand_of_ones_own_may_sink_into_clothes() -> None:
    far = np.full(FRAMES, 3.0)
    room = room_around(sequence(far, hand=(0.01, 0, 0.1)), 0, range(0, FRAMES))
    assert room["belly"] == pytest.approx(0.01 + OWN_HAND_M, abs=1e-4)
    assert room_around(sequence(far, hand=(SEEN_M + 0.01, 0, 0.1)), 0, range(0, FRAMES))["belly"] == np.inf
