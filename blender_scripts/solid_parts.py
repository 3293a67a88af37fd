"""Meshes of many simple parts in one object: boxes with broken edges, turned shapes, leaves.

The object's frame stands at a wall: x along it, y away from it into the room, z up; metres. Blender's bevel numbers
what it makes by addresses in memory, and sums follow that order; so corners and faces are sorted by place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector

Range = tuple[float, float]
ROUNDING_DIGITS = 6  # of metres


class Parts:
    """A mesh that grows part by part, each with a material of its own."""

    def __init__(self) -> None:
        self.points: list[np.ndarray] = []  # of each part, [V, 3]
        self.faces: list[tuple[int, ...]] = []
        self.slots: list[int] = []  # of each face: its material
        self.materials: list[bpy.types.Material] = []
        self.num_points = 0

    def box(self, x: Range, y: Range, z: Range, material: bpy.types.Material, edge_m: float = 0.004) -> None:
        """A box, its edges broken by a bevel of `edge_m` where it is large enough for that."""
        size = Vector((x[1] - x[0], y[1] - y[0], z[1] - z[0]))
        middle = Vector((x[0] + x[1], y[0] + y[1], z[0] + z[1])) / 2
        mesh = bmesh.new()
        bmesh.ops.create_cube(mesh, size=1.0, matrix=Matrix.LocRotScale(middle, None, size))
        if edge_m and min(size) > 3 * edge_m:
            bmesh.ops.bevel(mesh, geom=mesh.edges[:], offset=edge_m, segments=2, profile=0.5, affect="EDGES")
        self._add_sorted(mesh, material)

    def cushion(self, x: Range, y: Range, z: Range, material: bpy.types.Material) -> None:
        """A soft box: rounded by a third of its least side."""
        self.box(x, y, z, material, 0.32 * min(x[1] - x[0], y[1] - y[0], z[1] - z[0]))

    def rod(
        self,
        start: Sequence[float],
        end: Sequence[float],
        radius_m: float,
        material: bpy.types.Material,
        sides: int = 10,
    ) -> None:
        """A round bar between two points."""
        self.cone(start, end, radius_m, radius_m, material, sides)

    def cone(
        self,
        start: Sequence[float],
        end: Sequence[float],
        radius_m: float,
        end_radius_m: float,
        material: bpy.types.Material,
        sides: int = 16,
    ) -> None:
        """A round bar whose radius changes from end to end."""
        low, high = Vector(start), Vector(end)
        turn = (high - low).to_track_quat("Z", "Y").to_matrix().to_4x4()
        mesh = bmesh.new()
        bmesh.ops.create_cone(
            mesh,
            cap_ends=True,
            segments=sides,
            radius1=radius_m,
            radius2=end_radius_m,
            depth=(high - low).length,
            matrix=Matrix.Translation((low + high) / 2) @ turn,
        )
        self._add_sorted(mesh, material)

    def sheet(self, rows: np.ndarray, material: bpy.types.Material) -> None:
        """A smooth surface through a grid of points [R, C, 3]."""
        num_rows, num_columns = rows.shape[:2]
        number = np.arange(num_rows * num_columns).reshape(num_rows, num_columns)
        sides = (number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1])
        faces = np.stack(sides, axis=-1).reshape(-1, 4)
        self._add(rows.reshape(-1, 3), [tuple(face) for face in faces.tolist()], material)

    def leaf(
        self, root: np.ndarray, tip: np.ndarray, width_m: float, droop_m: float, material: bpy.types.Material
    ) -> None:
        """A long leaf from root to tip [3] that sags in the middle of its way outwards."""
        run = tip - root
        side = np.array([-run[1], run[0], 0.0])
        side *= width_m / 2 / max(float(np.linalg.norm(side)), 1e-6)
        shares = np.array([0.0, 0.35, 0.7, 1.0])
        spine = root + shares[:, None] * run + np.outer(np.sin(math.pi * shares), (0.0, 0.0, droop_m))
        wide = np.array([0.25, 1.0, 0.8, 0.05])[:, None] * side
        self.sheet(np.stack([spine - wide, spine, spine + wide], axis=1), material)

    def done(self, name: str, matrix: np.ndarray) -> bpy.types.Object:
        """The finished object at a pose [4, 4], flat where it is flat and smooth where it is round."""
        data = bpy.data.meshes.new(name)
        data.from_pydata(np.concatenate(self.points).tolist(), [], self.faces)
        for material in self.materials:
            data.materials.append(material)
        data.polygons.foreach_set("material_index", self.slots)
        data.shade_smooth()
        data.set_sharp_from_angle(angle=math.radians(40))
        thing = bpy.data.objects.new(name, data)
        thing.matrix_world = Matrix(matrix.tolist())
        thing.color = (0.0, 0.0, 0.0, 1.0)  # nothing of the room is ever removed
        bpy.context.scene.collection.objects.link(thing)
        return thing

    def _add_sorted(self, mesh: bmesh.types.BMesh, material: bpy.types.Material) -> None:
        """A part whose corners all lie in different places; frees it."""
        mesh.verts.index_update()
        points = np.round([corner.co for corner in mesh.verts], ROUNDING_DIGITS) + 0.0  # no negative zeros
        order = np.lexsort(points.T[::-1])
        number = np.argsort(order)
        faces = [tuple(int(number[corner.index]) for corner in face.verts) for face in mesh.faces]
        mesh.free()
        turned = [face[at:] + face[:at] for face in faces for at in (face.index(min(face)),)]
        self._add(points[order], sorted(turned), material)

    def _add(self, points: np.ndarray, faces: list[tuple[int, ...]], material: bpy.types.Material) -> None:
        """A part: points [V, 3], and faces by their numbers."""
        if material not in self.materials:
            self.materials.append(material)
        self.points.append(points)
        self.faces += [tuple(self.num_points + number for number in face) for face in faces]
        self.slots += [self.materials.index(material)] * len(faces)
        self.num_points += len(points)
