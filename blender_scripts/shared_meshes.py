"""Meshes whose tree of rays Cycles keeps from picture to picture, on GPUs other than by OptiX.

For a final picture Cycles puts all meshes of a single user into one tree (BVH), and builds that anew for each picture
in which anything moves: on a CPU by Embree and quickly, for CUDA by its own builder, which took a quarter of a small
picture's time. A mesh that two objects show has a tree of its own, which stays as long as the mesh does. By OptiX every
mesh has its own in any case, and second users cost a third of a picture of marks.
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy


def share_meshes(things: Iterable[bpy.types.Object]) -> None:
    """Give the mesh of each object a second user, which no ray of ours meets: only those that fog scatters see it.

    things: must never be hidden, or the mesh would have a single user for a while.
    """
    for thing in things:
        twin = thing.copy()
        twin.name = f"{thing.name} (second user)"
        twin.visible_camera = twin.visible_diffuse = twin.visible_glossy = False
        twin.visible_transmission = twin.visible_shadow = False
        twin.visible_volume_scatter = True
        bpy.context.scene.collection.objects.link(twin)
