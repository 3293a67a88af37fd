"""Shader nodes in one call each."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import bpy
import numpy as np

from blender_scripts.user_files import check_file
from datagen.looks import linear_from_srgb
from datagen.wishes import InputFile

Color = tuple[float, float, float]
Socket: TypeAlias = bpy.types.NodeSocket


class Graph:
    """The node tree of a material or world, empty at first."""

    def __init__(self, owner: bpy.types.Material | bpy.types.World) -> None:
        owner.use_nodes = True
        self.tree = owner.node_tree
        self.tree.nodes.clear()

    def add(self, kind: str, inputs: Mapping[Any, Any] | None = None, **settings: Any) -> bpy.types.Node:
        """A node of a kind such as "ShaderNodeMix"; inputs are sockets to link or values to set."""
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        for key, value in (inputs or {}).items():
            self.put(value, node.inputs[key])
        return node

    def put(self, value: Any, socket: bpy.types.NodeSocket) -> None:
        """Feed a socket with another socket or a value."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif socket.type == "RGBA" and isinstance(value, tuple) and len(value) == 3:
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def math(self, operation: str, *values: Any) -> bpy.types.NodeSocket:
        """A scalar operation."""
        return self.add("ShaderNodeMath", dict(enumerate(values)), operation=operation).outputs[0]

    def mix(self, share: Any, first: Any, second: Any, blend: str = "MIX") -> bpy.types.NodeSocket:
        """Colour between `first` (share 0) and `second` (share 1)."""
        inputs = {0: share, 6: first, 7: second}
        node = self.add("ShaderNodeMix", inputs, data_type="RGBA", blend_type=blend, clamp_factor=True)
        return node.outputs[2]

    def remap(self, value: Any, low: float, high: float, to_low: float, to_high: float) -> bpy.types.NodeSocket:
        """Linear from low..high to to_low..to_high, clamped."""
        return self.add("ShaderNodeMapRange", {0: value, 1: low, 2: high, 3: to_low, 4: to_high}).outputs[0]

    def curve(self, value: Any, knots: Sequence[Sequence[float]]) -> bpy.types.NodeSocket:
        """Straight lines through knots (x, y), flat beyond them."""
        node = self.add("ShaderNodeFloatCurve", {0: 1.0})
        line = node.mapping.curves[0]
        node.mapping.use_clip = False
        for x, y in knots[1:-1]:
            line.points.new(x, y)
        for point, (x, y) in zip(line.points, knots, strict=True):
            point.location, point.handle_type = (x, y), "VECTOR"
        node.mapping.update()
        self.put(value, node.inputs[1])
        return node.outputs[0]

    def noise(self, vector: Any, scale: float, detail: float = 2.0) -> bpy.types.NodeSocket:
        """Fractal noise around 0.5."""
        node = self.add("ShaderNodeTexNoise", {"Vector": vector, "Scale": scale, "Detail": detail, "Roughness": 0.55})
        return node.outputs[0]

    def mapped(self, vector: Any, scale: Color, offset: Color = (0.0, 0.0, 0.0)) -> bpy.types.NodeSocket:
        """Scaled and shifted coordinates."""
        return self.add("ShaderNodeMapping", {"Vector": vector, "Scale": scale, "Location": offset}).outputs[0]

    def attribute(self, name: str) -> bpy.types.NodeSocket:
        """A scalar stored on the mesh."""
        return self.add("ShaderNodeAttribute", attribute_name=name).outputs["Fac"]

    def vector(self, name: str) -> bpy.types.NodeSocket:
        """A vector stored on the mesh."""
        return self.add("ShaderNodeAttribute", attribute_name=name).outputs["Vector"]

    def components(self, vector: bpy.types.NodeSocket) -> tuple[bpy.types.NodeSocket, ...]:
        """X, Y and Z."""
        return tuple(self.add("ShaderNodeSeparateXYZ", {0: vector}).outputs)

    def bump(self, height: Any, distance_m: float, strength: Any = 1.0) -> bpy.types.NodeSocket:
        """A normal, as if the surface rose by `height` times a distance."""
        return self.add("ShaderNodeBump", {"Height": height, "Distance": distance_m, "Strength": strength}).outputs[0]

    def picture(self, vector: Any, file: InputFile, color_space: str) -> bpy.types.NodeSocket:
        """Colour of a user's picture; raises `DataError` when it is gone or another one than was planned with."""
        check_file(file)
        node = self.add("ShaderNodeTexImage", {"Vector": vector})
        node.image = bpy.data.images.load(file.path, check_existing=True)
        node.image.colorspace_settings.name = color_space
        return node.outputs[0]

    def surface(self, shader: bpy.types.NodeSocket) -> None:
        """End the graph in a surface shader."""
        self.add("ShaderNodeOutputMaterial", {"Surface": shader})

    def principled(self, color: Any, roughness: Any, metallic: float = 0.0, **inputs: Any) -> bpy.types.NodeSocket:
        """The shader that most things are made of."""
        named = {name.replace("_", " "): value for name, value in inputs.items()}
        values = {"Base Color": color, "Roughness": roughness, "Metallic": metallic, **named}
        return self.add("ShaderNodeBsdfPrincipled", values).outputs[0]


def new_material(name: str) -> tuple[bpy.types.Material, Graph]:
    """An empty material and its graph."""
    material = bpy.data.materials.new(name)
    return material, Graph(material)


def scaled(color: Color, factor: float) -> Color:
    """A brighter or darker colour of the same hue."""
    red, green, blue = (min(1.0, channel * factor) for channel in color)
    return red, green, blue


def draw_color(
    rng: np.random.Generator, hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]
) -> Color:
    """A linear RGB colour from ranges of display HSV."""
    return linear_from_srgb(
        colorsys.hsv_to_rgb(float(rng.uniform(*hue)), float(rng.uniform(*saturation)), float(rng.uniform(*value)))
    )
