"""Room around a body is measured on its points, to objects and to its own hands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datagen.physics.distance import distances_to_mesh
from datagen.sequence import BodyTrack, Sequence
from datagen.sources.body_room import FREE_OF_HANDS, OWN_HAND_M, OWN_HANDS, REGIONS, SEEN_M, BodyRoom, points_of
from datagen.trajectory import apply_pose
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
    near = BodyRoom(sequence(box), 0)
    room = near.over(range(0, FRAMES))
    assert room["belly"] == pytest.approx(0.02, abs=1e-4)
    assert room["chest"] == room["thighs"] == room["upper_arms"] == np.inf
    assert "hair" not in room
    assert near.over(range(10, 999))["belly"] == np.inf


def test_a_hand_of_ones_own_may_sink_into_clothes() -> None:
    far = np.full(FRAMES, 3.0)
    room = BodyRoom(sequence(far, hand=(0.01, 0, 0.1)), 0).over(range(0, FRAMES))
    assert room["belly"] == pytest.approx(0.01 + OWN_HAND_M, abs=1e-4)
    assert BodyRoom(sequence(far, hand=(SEEN_M + 0.01, 0, 0.1)), 0).over(range(0, FRAMES))["belly"] == np.inf


def crowded(seed: int) -> Sequence:
    """A body of random points among turning boxes, about as far from each other as is still seen."""
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(0.02, 0.5, (3, 3))
    poses = rng.normal(0, 0.3, (3, FRAMES, 7))
    boxes = {f"box_{index}": (tuple(size), track) for index, (size, track) in enumerate(zip(sizes, poses, strict=True))}
    made = sequence_of(boxes, np.zeros((FRAMES, 3)))
    parts = (*PARTS, "Neck", "LeftFoot")
    points = (rng.normal(0, 0.3, (1, 140, 3)) + rng.normal(0, 0.05, (FRAMES, 140, 3))).astype(np.float32)
    part = np.arange(140, dtype=np.uint8) % len(parts)
    return replace(made, people=(BodyTrack(name="Armature", points=points, part=part, part_names=parts),))


def measured_plainly(sequence: Sequence, frame: int) -> dict[str, float]:
    """Every point against every surface of the frame, and against every point of the hands."""
    body = sequence.people[0]
    hands = body.points[frame, points_of(body, OWN_HANDS)].astype(np.float64)
    result = {}
    for name, pattern in REGIONS:
        points = body.points[frame, points_of(body, pattern)].astype(np.float64)
        if not len(points):
            continue
        surfaces = ((apply_pose(track.poses[frame], track.vertices), track.faces) for track in sequence.objects)
        result[name] = min(float(distances_to_mesh(points, *surface, SEEN_M).min()) for surface in surfaces)
        to_hands = float(np.linalg.norm(points[:, None] - hands[None], axis=2).min())
        if name not in FREE_OF_HANDS and to_hands < SEEN_M:
            result[name] = min(result[name], to_hands + OWN_HAND_M)
    return result


@pytest.mark.parametrize("seed", range(5))
def test_nothing_near_is_overlooked(seed: int) -> None:
    made = crowded(seed)
    found = [BodyRoom(made, 0).over(range(frame, frame + 1)) for frame in range(FRAMES)]
    assert found == [pytest.approx(measured_plainly(made, frame), abs=1e-12) for frame in range(FRAMES)]
    gaps = np.array([list(room.values()) for room in found])
    assert 0.1 < np.isfinite(gaps).mean() < 0.9


def test_a_clip_has_the_least_room_of_its_frames_whatever_was_asked_before() -> None:
    made = crowded(0)
    room = BodyRoom(made, 0)
    room.over(range(2, 9))
    single = [BodyRoom(made, 0).over(range(frame, frame + 1)) for frame in (0, 3, 6, 9, 10)]
    assert room.over(range(0, 11)) == {name: min(one[name] for one in single) for name in single[0]}
