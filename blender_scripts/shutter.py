"""A real lens and shutter, for pictures only: depth of field, and motion while the shutter is open.

Masks, light and geometry are rendered sharp. While a picture with motion blur is rendered, every object and the camera
are keyed at the shutter's opening, in its middle and at its end; people move by their own motion capture anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from blender_scripts.build_scene import BuiltScene, SceneState
from blender_scripts.import_sequence import set_frame


def set_lens(scene: BuiltScene, blurred: bool) -> None:
    """Let the camera see as the wish says, or all sharp."""
    wish, render = scene.spec.camera, bpy.context.scene.render
    lens = scene.camera.data.dof
    lens.use_dof = blurred and wish.aperture_f > 0
    if lens.use_dof:
        lens.aperture_fstop = wish.aperture_f
    render.use_motion_blur = blurred and wish.shutter > 0
    render.motion_blur_position = "CENTER"
    render.motion_blur_shutter = max(open_frames(scene), 0.01)  # Blender's least; not used without motion blur


def open_frames(scene: BuiltScene) -> float:
    """How long the shutter is open, in Blender's frames: those of motion capture where there are people."""
    spec = scene.spec
    rate = spec.people[0].mocap_fps / spec.clip.fps if spec.people else 1.0
    return spec.camera.shutter * rate


@contextmanager
def exposed(scene: BuiltScene, state: SceneState) -> Iterator[None]:
    """Blender's scene in a state, keyed and focused as `set_lens` needs it; afterwards nothing is keyed."""
    if scene.staging.focus_m:
        scene.camera.data.dof.focus_distance = scene.staging.focus_m[state.frame]
    if state.swept is None or not bpy.context.scene.render.use_motion_blur:
        yield
        return
    now, half = bpy.context.scene.frame_current_final, open_frames(scene) / 2
    middle = np.concatenate([state.poses, state.camera[None]])
    things = [*(scene.objects[name] for name in state.names), scene.camera]
    for time, poses in ((now - half, state.swept[0]), (now, middle), (now + half, state.swept[1])):
        for thing, pose in zip(things, poses, strict=True):
            key(thing, pose, time)
    set_frame(now)
    try:
        yield
    finally:
        for thing in things:
            action = thing.animation_data.action
            thing.animation_data_clear()
            bpy.data.actions.remove(action)


def key(thing: bpy.types.Object, pose: np.ndarray, time: float) -> None:
    """Give an object a pose [7] at a time in Blender's frames, with even motion between such times."""
    thing.location, thing.rotation_quaternion = pose[:3], pose[3:]
    for path in ("location", "rotation_quaternion"):
        thing.keyframe_insert(path, frame=time, keytype="GENERATED")
    for curve in thing.animation_data.action.fcurves:
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
