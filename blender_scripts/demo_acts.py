"""The demo's sequences: what each person does with which objects. People face -Y at heading 0; +X is their left."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from blender_scripts import demo_objects as objects
from blender_scripts.demo_actor import Actor, Reach, carry_frame, matrices
from blender_scripts.demo_body import Outfit, load_body
from blender_scripts.demo_gait import ease, keyed, travel
from blender_scripts.demo_hands import CLOSED, flat_curl, grasp, relaxed_curl
from blender_scripts.demo_rig import turn
from blender_scripts.demo_staging import (
    between,
    contact,
    finish,
    keyed_ground,
    line,
    offset,
    pair,
    prop,
    standing,
    turned,
)
from blender_scripts.demo_take import Colour, Take

__all__ = ["ACTS", "make_take"]

Act = Callable[[], Take]

WOOD: Colour = (0.42, 0.25, 0.12)
PALE_WOOD: Colour = (0.60, 0.43, 0.25)
CERAMIC: Colour = (0.75, 0.72, 0.66)
CARDBOARD: Colour = (0.50, 0.34, 0.19)
METAL: Colour = (0.55, 0.57, 0.60)
RED: Colour = (0.60, 0.07, 0.05)
GREEN: Colour = (0.12, 0.35, 0.18)
TABLE_TOP = 0.78


def carry_mug() -> Take:
    num_frames = 210
    outfit = Outfit(shirt=(0.55, 0.16, 0.10), trousers=(0.05, 0.08, 0.16), skin=(0.30, 0.15, 0.09), bun=True)
    body = load_body("tall_woman", outfit)
    actor = Actor(
        body=body,
        ground=keyed_ground(num_frames, ((0.0, 0.95), (0.0, -0.92), (0.04, -0.78)), ((14, 112), (172, 200))),
        heading=np.zeros(num_frames),
        moves=((14, 112), (172, 200)),
        lean=keyed(num_frames, (100, 0.02), (138, 0.74), (174, 0.70), (208, 0.03)),
        chest_turn=keyed(num_frames, (105, 0.0), (142, 0.22), (172, 0.20), (205, 0.0)),
    )
    trunk = actor.trunk()
    handle = np.radians(55)
    held = turned(
        grasp(
            body,
            "Right",
            objects.lathe_distance(objects.MUG_PROFILE),
            fingers=np.array([0.18, -1.0, 0.10]),
            palm=np.array([1.0, 0.15, 0.0]),
            at=np.array([0.0, 0.0, 0.066]),
        ),
        handle,
    )
    carried = carry_frame(actor, trunk) @ offset(-0.17, -0.33, 0.14, handle)
    resting = standing(num_frames, -0.20, -1.13, TABLE_TOP, handle)
    poses = between(carried, resting, ease(num_frames, 106, 150), 0.03)
    reach = Reach(
        side="Right", grasp=held, poses=poses, touch=contact(num_frames, leave=153), approach=(-0.10, 0.08, 0.08)
    )
    gaze = keyed(
        num_frames,
        (0, (0.0, -2.5, 1.3)),
        (40, (0.0, -2.5, 1.2)),
        (100, (-0.2, -1.2, 0.8)),
        (170, (-0.2, -1.2, 0.8)),
        (200, (0.3, -2.5, 1.3)),
    )
    posture = actor.reach(trunk, reach)
    beside = keyed(num_frames, (80, 0.0), (104, 1.0), (176, 1.0), (206, 0.0))
    posture = actor.gesture(
        posture,
        "Left",
        beside,
        np.array([0.27, 0.06, -0.10]),
        np.array([0.0, -0.35, -1.0]),
        np.array([-1.0, 0.3, 0.0]),
        relaxed_curl(),
    )
    return finish(
        "carry_mug_with_right_hand_and_set_down_on_table-001",
        "Carry a mug with the right hand across the room and set it down on a table.",
        "A person stands with a mug in the right hand, walks to a table, bends forward, sets the mug down and lets go.",
        actor,
        outfit,
        actor.look(posture, gaze),
        prop("mug", objects.mug(), CERAMIC, poses),
        prop("table", objects.table(1.2, 0.7, TABLE_TOP), WOOD, standing(num_frames, 0.0, -1.42, 0.0)),
        prop("serving_bowl", objects.bowl(), GREEN, standing(num_frames, 0.34, -1.52, TABLE_TOP)),
    )


def hold_board() -> Take:
    num_frames = 180
    outfit = Outfit(
        shirt=(0.75, 0.72, 0.65), trousers=(0.10, 0.13, 0.09), long_sleeves=True, hair=(0.03, 0.02, 0.02), bun=True
    )
    body = load_body("short_woman", outfit)
    actor = Actor(
        body=body,
        ground=line(num_frames, (0.0, 0.0), (0.12, -0.5), travel(num_frames, 60, 108)),
        heading=keyed(num_frames, (60, 0.0), (108, 0.5)),
        moves=((60, 108),),
        lean=0.02,
    )
    posture = actor.trunk()
    poses = carry_frame(actor, posture) @ offset(0.0, -0.36, 0.17)
    hands = pair(
        body,
        objects.box_distance((0.38, 0.25, 0.02), (0, 0, 0.01)),
        fingers=np.array([-0.65, -0.8, 0.0]),
        palm=np.array([-0.1, 0.0, 1.0]),
        at=np.array([0.155, 0.02, 0.0]),
        start=flat_curl(),
    )
    for side, held in hands.items():
        posture = actor.reach(posture, Reach(side=side, grasp=held, poses=poses, touch=contact(num_frames)))
    gaze = keyed(
        num_frames,
        (0, (0.0, -0.4, 1.0)),
        (45, (0.0, -0.4, 1.0)),
        (70, (0.9, -2.5, 1.3)),
        (120, (0.6, -2.0, 1.2)),
        (150, (0.3, -0.8, 1.0)),
    )
    return finish(
        "hold_cutting_board_with_both_hands_and_turn-002",
        "Hold a cutting board in front of the chest with both hands and turn.",
        "A person holds a cutting board on both hands in front of the chest, takes some steps and stands still.",
        actor,
        outfit,
        actor.look(posture, gaze),
        prop("cutting_board", objects.box(0.38, 0.25, 0.02), PALE_WOOD, poses),
    )


def lift_bowl() -> Take:
    num_frames = 225
    outfit = Outfit(shirt=(0.10, 0.30, 0.20), trousers=(0.30, 0.24, 0.16), hair=(0.22, 0.12, 0.06))
    body = load_body("man", outfit)
    actor = Actor(
        body=body,
        ground=keyed_ground(num_frames, ((0.0, -0.02), (0.0, 0.28), (1.05, 0.42)), ((86, 112), (118, 190))),
        heading=keyed(num_frames, (100, 0.0), (160, 1.35)),
        moves=((86, 112), (118, 190)),
        lean=keyed(num_frames, (2, 0.05), (40, 0.74), (66, 0.74), (110, 0.05)),
    )
    posture = actor.trunk()
    counter = 0.84
    resting = standing(num_frames, 0.0, -0.35, counter)
    carried = carry_frame(actor, posture) @ offset(0.0, -0.37, 0.16)
    poses = between(resting, carried, ease(num_frames, 60, 108), 0.02)
    hands = pair(
        body,
        objects.lathe_distance(objects.BOWL_PROFILE),
        fingers=np.array([-0.15, -1.0, 0.12]),
        palm=np.array([-0.95, 0.0, 0.30]),
        at=np.array([0.12, 0.02, 0.070]),
        start=flat_curl(),
        limits=0.6 * CLOSED,
    )
    for side, held in hands.items():
        posture = actor.reach(
            posture,
            Reach(
                side=side,
                grasp=held,
                poses=poses,
                touch=contact(num_frames, arrive=44),
                approach=np.array([0.0, 0.10, 0.14]) - 0.12 * held.palm,
            ),
        )
    gaze = keyed(
        num_frames,
        (0, (0.0, -0.4, 0.9)),
        (80, (0.0, -0.4, 0.9)),
        (120, (2.0, -0.2, 1.2)),
        (180, (3.0, -0.3, 1.2)),
        (215, (1.6, 0.2, 1.1)),
    )
    inside = poses @ offset(0.0, 0.0, objects.BOWL_FLOOR + objects.BALL_RADIUS)
    return finish(
        "lift_serving_bowl_with_ball_from_table_and_carry-003",
        "Lift a bowl with a ball in it off a table with both hands and carry it away.",
        "A person bends over a table, lifts a bowl with a ball in it with both hands, steps back, turns and walks.",
        actor,
        outfit,
        actor.look(posture, gaze),
        prop("serving_bowl", objects.bowl(), (0.20, 0.32, 0.50), poses),
        prop("ball", objects.ball(), RED, inside),
        prop("table", objects.table(1.1, 0.6, counter), WOOD, standing(num_frames, 0.0, -0.54, 0.0)),
    )


def gesture_at_table() -> Take:
    num_frames = 195
    outfit = Outfit(
        shirt=(0.42, 0.38, 0.10), trousers=(0.05, 0.05, 0.06), long_sleeves=True, hair=(0.30, 0.17, 0.07), bun=True
    )
    body = load_body("short_woman", outfit)
    actor = Actor(
        body=body,
        ground=line(num_frames, (0.0, 0.0), (-0.16, 0.05), travel(num_frames, 96, 126)),
        heading=keyed(num_frames, (20, 0.1), (60, -0.1), (96, -0.1), (126, 0.35)),
        moves=((96, 126),),
        lean=keyed(num_frames, (0, 0.0), (40, 0.05), (90, 0.0), (150, 0.06), (190, 0.0)),
        chest_turn=keyed(num_frames, (0, 0.0), (40, -0.15), (80, 0.1), (130, 0.0)),
    )
    posture = actor.trunk()
    t = actor.seconds()
    for side, out, phase in (("Left", 1.0, 0.0), ("Right", -1.0, 0.9)):
        lively = 0.05 * np.sin(2 * np.pi * 0.75 * t + phase) + 0.03 * np.sin(2 * np.pi * 1.25 * t + 2 * phase)
        wrist = np.column_stack([out * (0.26 + 0.8 * lively), -0.27 - 0.5 * lively, 0.20 + 0.9 * lively])
        fingers = np.column_stack([-out * (0.25 - 3 * lively), -1 + 0 * t, 0.25 + 3 * lively])
        palm = np.column_stack([-out * 0.9 + 0 * t, 0 * t, 0.45 + 4 * lively])
        keys = ((8, 0.0), (38, 1.0), (78, 1.0), (104, 0.0), (124, 0.0), (146, 1.0), (166, 1.0), (190, 0.0))
        share = (
            keyed(num_frames, *keys)
            if side == "Right"
            else keyed(num_frames, (12, 0.0), (44, 0.9), (82, 0.9), (108, 0.0))
        )
        posture = actor.gesture(posture, side, share, wrist, fingers, palm, 0.7 * relaxed_curl())
    gaze = keyed(
        num_frames,
        (0, (0.0, -2.0, 1.4)),
        (50, (-0.7, -2.0, 1.4)),
        (90, (0.5, -2.0, 1.4)),
        (130, (0.8, -0.6, 0.9)),
        (160, (0.8, -0.6, 0.9)),
        (190, (0.5, -2.0, 1.4)),
    )
    return finish(
        "stand_beside_table_and_gesture-004",
        "Stand beside a table and gesture without touching anything.",
        "A person stands near a table with a mug, a bowl and a box on it, talks with both hands and touches nothing.",
        actor,
        outfit,
        actor.look(posture, gaze),
        prop("table", objects.table(0.9, 0.6, TABLE_TOP), PALE_WOOD, standing(num_frames, 0.95, -0.40, 0.0, 0.1)),
        prop("mug", objects.mug(), CERAMIC, standing(num_frames, 0.72, -0.33, TABLE_TOP, 2.0)),
        prop("serving_bowl", objects.bowl(), (0.55, 0.45, 0.30), standing(num_frames, 0.98, -0.45, TABLE_TOP)),
        prop("box", objects.box(0.20, 0.14, 0.11), CARDBOARD, standing(num_frames, 1.18, -0.30, TABLE_TOP, 0.5)),
    )


def push_cart() -> Take:
    num_frames = 210
    outfit = Outfit(shirt=(0.16, 0.20, 0.34), trousers=(0.12, 0.11, 0.10), long_sleeves=True, hair=(0.05, 0.03, 0.02))
    body = load_body("man", outfit)
    share = travel(num_frames, 30, 168)
    actor = Actor(
        body=body,
        ground=line(num_frames, (0.0, 1.05), (0.0, -0.95), share),
        heading=np.zeros(num_frames),
        moves=((30, 168),),
        step_length=0.36,
        lean=keyed(num_frames, (18, 0.12), (48, 0.22), (140, 0.22), (175, 0.10)),
    )
    posture = actor.trunk()
    poses = matrices(turn(np.zeros(num_frames)), np.column_stack([actor.ground - [0.0, 0.78], np.zeros(num_frames)]))
    bar_y, bar_z, radius = objects.CART_BAR
    bar = objects.capsule_distance((-0.15, bar_y, bar_z), (0.15, bar_y, bar_z), radius)
    hands = pair(
        body,
        bar,
        fingers=np.array([0.0, -0.90, 0.40]),
        palm=np.array([0.0, -0.45, -0.9]),
        at=np.array([0.115, bar_y, bar_z]),
    )
    for side, held in hands.items():
        posture = actor.reach(posture, Reach(side=side, grasp=held, poses=poses, touch=contact(num_frames)))
    gaze = keyed(
        num_frames, (0, (0.0, -0.2, 0.8)), (30, (0.0, -3.0, 1.2)), (120, (0.2, -3.5, 1.2)), (190, (-1.5, -3.5, 1.4))
    )
    low, high = objects.CART_TRAYS
    return finish(
        "push_utility_cart_with_boxes_across_room-005",
        "Push a utility cart loaded with two boxes across the room with both hands.",
        "A person stands behind a utility cart with a box on each tray, pushes it two metres and stops.",
        actor,
        outfit,
        actor.look(posture, gaze),
        prop("utility_cart", objects.utility_cart(), METAL, poses),
        prop("box", objects.box(0.26, 0.34, 0.20), CARDBOARD, poses @ offset(0.03, -0.04, high)),
        prop("box.001", objects.box(0.30, 0.24, 0.26), (0.42, 0.30, 0.18), poses @ offset(-0.02, 0.06, low)),
    )


def take_box_from_shelf() -> Take:
    num_frames = 225
    outfit = Outfit(
        shirt=(0.62, 0.60, 0.58),
        trousers=(0.16, 0.10, 0.07),
        skin=(0.50, 0.30, 0.20),
        hair=(0.03, 0.02, 0.02),
        bun=True,
    )
    body = load_body("tall_woman", outfit)
    actor = Actor(
        body=body,
        ground=keyed_ground(num_frames, ((-0.06, 0.0), (-0.02, 0.28), (-1.05, 0.62)), ((84, 108), (114, 182))),
        heading=keyed(num_frames, (96, 0.0), (156, -1.7)),
        moves=((84, 108), (114, 182)),
        first="Left",
        lean=keyed(num_frames, (4, 0.02), (44, 0.16), (62, 0.16), (100, 0.03), (180, 0.03), (205, 0.14)),
    )
    posture = actor.trunk()
    board = 1.04
    resting = standing(num_frames, -0.06, -0.42, board)
    frame = carry_frame(actor, posture)
    carried = between(frame @ offset(0.0, -0.36, 0.08), frame @ offset(0.0, -0.47, 0.16), ease(num_frames, 178, 208))
    out = between(resting, standing(num_frames, -0.06, -0.30, board + 0.05), ease(num_frames, 58, 84), 0.0)
    poses = between(out, carried, ease(num_frames, 74, 116))
    size = (0.30, 0.20, 0.18)
    hands = pair(
        body,
        objects.box_distance(size, (0, 0, size[2] / 2)),
        fingers=np.array([-0.05, -1.0, 0.0]),
        palm=np.array([-1.0, 0.0, 0.05]),
        at=np.array([0.15, 0.03, 0.10]),
        start=flat_curl(),
    )
    for side, held in hands.items():
        posture = actor.reach(
            posture,
            Reach(
                side=side,
                grasp=held,
                poses=poses,
                touch=contact(num_frames, arrive=42),
                approach=np.array([0.0, 0.22, 0.10]) - 0.08 * held.palm,
            ),
        )
    gaze = keyed(
        num_frames, (0, (0.0, -0.5, 1.2)), (80, (0.0, -0.5, 1.2)), (120, (-2.0, 0.4, 1.2)), (222, (-3.0, 0.9, 1.4))
    )
    return finish(
        "take_box_from_shelf_and_hand_over-006",
        "Take a box from a shelf with both hands, turn, walk and hand it over.",
        "A person takes a box from a shelf with both hands, steps back, turns around, walks and holds the box out.",
        actor,
        outfit,
        actor.look(posture, gaze),
        prop("box", objects.box(*size), CARDBOARD, poses),
        prop("shelf", objects.shelf((0.10, 0.57, board)), PALE_WOOD, standing(num_frames, 0.0, -0.46, 0.0, np.pi)),
        prop("vase", objects.lathe(objects.VASE_PROFILE), (0.30, 0.36, 0.42), standing(num_frames, 0.33, -0.47, board)),
        prop("box.001", objects.box(0.34, 0.22, 0.24), (0.42, 0.30, 0.18), standing(num_frames, -0.12, -0.46, 0.57)),
    )


ACTS: Mapping[str, Act] = MappingProxyType(
    {
        "carry_mug_with_right_hand_and_set_down_on_table-001": carry_mug,
        "hold_cutting_board_with_both_hands_and_turn-002": hold_board,
        "lift_serving_bowl_with_ball_from_table_and_carry-003": lift_bowl,
        "stand_beside_table_and_gesture-004": gesture_at_table,
        "push_utility_cart_with_boxes_across_room-005": push_cart,
        "take_box_from_shelf_and_hand_over-006": take_box_from_shelf,
    }
)


def make_take(name: str, rng: np.random.Generator) -> Take:
    """A sequence by its name; the generator varies the colours of the clothes and nothing else."""
    if name not in ACTS:
        raise ValueError(f"no demo sequence {name!r}; there are {sorted(ACTS)}")
    take = ACTS[name]()
    return replace(take, outfit=take.outfit.varied(rng))
