"""What of Blender's objects a scene sets: where they are, whether they are seen, what marks show of them."""

from __future__ import annotations

import bpy
import numpy as np


def place(thing: bpy.types.Object, pose: np.ndarray) -> None:
    """Give an object a pose [7], if it has another one."""
    if not np.array_equal(thing.location, np.float32(pose[:3])):
        thing.location = pose[:3]
    if not np.array_equal(thing.rotation_quaternion, np.float32(pose[3:])):
        thing.rotation_quaternion = pose[3:]


def set_hidden(thing: bpy.types.Object, hidden: bool) -> None:
    """Leave an object out of pictures, or show it."""
    if thing.hide_render != hidden:
        thing.hide_render = hidden


def release(thing: bpy.types.Object) -> None:
    """Let an object go where it is put."""
    thing.animation_data_clear()
    thing.constraints.clear()
    thing.rotation_mode = "QUATERNION"


def mark(thing: bpy.types.Object, number: int, removed: bool) -> None:
    """What `renderer.mark_material` shows of an object: its id, and whether it is removed."""
    thing.pass_index = number
    thing.color = (1.0 if removed else 0.0, 0.0, 0.0, 1.0)
