"""Meshes of many simple parts in one object: boxes with broken edges, turned shapes, leaves.

The object's frame stands at a wall: x along it, y away from it into the room, z up; metres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector

Range = tuple[float, float]


class Parts:
    """A mesh that grows part by part, each with a material of its own."""

    def __init__(self) -> None:
        self.mesh = bmesh.new()
        self.materials: list[bpy.types.Material] = []

    def box(self, x: Range, y: Range, z: Range, material: bpy.types.Material, edge_m: float = 0.004) -> None:
        """A box, its edges broken by a bevel of `edge_m` where it is large enough for that."""
        size = Vector((x[1] - x[0], y[1] - y[0], z[1] - z[0]))
        middle = Vector((x[0] + x[1], y[0] + y[1], z[0] + z[1])) / 2
        made = bmesh.ops.create_cube(self.mesh, size=1.0, matrix=Matrix.LocRotScale(middle, None, size))
        corners = made["verts"]
        if edge_m and min(size) > 3 * edge_m:
            edges = list(dict.fromkeys(edge for corner in corners for edge in corner.link_edges))  # sets have no order
            made = bmesh.ops.bevel(self.mesh, geom=edges, offset=edge_m, segments=2, profile=0.5, affect="EDGES")
            faces = made["faces"]
            corners = list(dict.fromkeys(corner for face in faces for corner in face.verts))
        self._paint({face for corner in corners for face in corner.link_faces}, material)

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
        made = bmesh.ops.create_cone(
            self.mesh,
            cap_ends=True,
            segments=sides,
            radius1=radius_m,
            radius2=end_radius_m,
            depth=(high - low).length,
            matrix=Matrix.Translation((low + high) / 2) @ turn,
        )
        self._paint({face for corner in made["verts"] for face in corner.link_faces}, material)

    def sheet(self, rows: np.ndarray, material: bpy.types.Material) -> None:
        """A smooth surface through a grid of points [R, C, 3]."""
        corners = [[self.mesh.verts.new(point) for point in row] for row in rows.tolist()]
        faces = [
            self.mesh.faces.new((corners[r][c], corners[r][c + 1], corners[r + 1][c + 1], corners[r + 1][c]))
            for r in range(len(corners) - 1)
            for c in range(len(corners[0]) - 1)
        ]
        self._paint(set(faces), material)

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
        self.mesh.normal_update()
        self.mesh.to_mesh(data)
        self.mesh.free()
        for material in self.materials:
            data.materials.append(material)
        data.shade_smooth()
        data.set_sharp_from_angle(angle=math.radians(40))
        thing = bpy.data.objects.new(name, data)
        thing.matrix_world = Matrix(matrix.tolist())
        thing.color = (0.0, 0.0, 0.0, 1.0)  # nothing of the room is ever removed
        bpy.context.scene.collection.objects.link(thing)
        return thing

    def _paint(self, faces: set[bmesh.types.BMFace], material: bpy.types.Material) -> None:
        if material not in self.materials:
            self.materials.append(material)
        for face in faces:
            face.material_index = self.materials.index(material)
