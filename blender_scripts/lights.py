"""The key light, and the environment that fills its shadows.

Strengths are set so that a picture is well exposed at exposure 0: the key gives an irradiance of about 3 to a surface
that faces it at the target, the environment a mean radiance of about 1.
"""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
from mathutils import Vector

from blender_scripts.nodes import Color, Graph
from blender_scripts.user_files import check_file
from datagen.errors import SpecError, did_you_mean
from datagen.placement import Staging
from datagen.seeding import generator_for
from datagen.spec import SceneSpec
from datagen.wishes import InputFile

KEY_IRRADIANCE = 3.2
WINDOW_GAIN = 1.5  # its light comes in flat: floors and table tops get less of it than what stands
WINDOW_CLEAR = 0.75  # of a window's sides, past frame and curtains
FILL_RADIANCE = 1.1
WHITE_BALANCE_K = 4800.0
SKY: Color = (0.80, 0.92, 1.10)  # of luminance about 0.9
PEAK_RADIANCE = 6.0  # over the mean; brighter spots would cast shadows of their own
MAP_RESOLUTION = 256  # of importance sampling: the maps are smooth
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def add_key_light(spec: SceneSpec, staging: Staging) -> bpy.types.Object:
    """A square lamp, or the light of a window of that window's shape; not itself seen by the camera."""
    lamp = bpy.data.lights.new("key light", "AREA")
    position, target = Vector(staging.key_light), Vector(staging.key_target)
    irradiance = KEY_IRRADIANCE * spec.light.key_strength
    if staging.room.key_window is None:
        lamp.shape, lamp.size = "SQUARE", spec.light.key_size_m
    else:
        window = staging.room.pieces[staging.room.key_window]
        lamp.shape, lamp.size, lamp.size_y = "RECTANGLE", WINDOW_CLEAR * window.width_m, WINDOW_CLEAR * window.height_m
        irradiance *= WINDOW_GAIN
    lamp.color = tint_of(spec.light.key_temperature_k)
    lamp.energy = area_power(irradiance, (position - target).length)
    thing = bpy.data.objects.new("key light", lamp)
    thing.location = position
    thing.rotation_mode = "QUATERNION"
    thing.rotation_quaternion = (position - target).to_track_quat("Z", "Y")
    thing.visible_camera = False
    bpy.context.scene.collection.objects.link(thing)
    return thing


def area_power(irradiance: float, distance_m: float) -> float:
    """Blender's energy [W] of an area lamp that gives an irradiance at a distance: a Lambertian emitter's pi d^2 E."""
    return math.pi * distance_m**2 * irradiance


def tint_of(temperature_k: float) -> Color:
    """Linear RGB of a black body seen by a camera balanced for `WHITE_BALANCE_K`, of luminance 1.

    Half of the shift is kept: cameras and eyes adapt to the rest.
    """
    shift = 0.5 * (black_body(temperature_k) / black_body(WHITE_BALANCE_K) - 1) + 1
    red, green, blue = (float(channel) for channel in shift / (shift @ LUMINANCE))
    return red, green, blue


def black_body(temperature_k: float) -> np.ndarray:
    """Relative linear RGB [3] of a black body: Planck's law at 610, 545 and 465 nm."""
    wavelength_m = np.array([610e-9, 545e-9, 465e-9])
    return np.asarray(wavelength_m**-5 / np.expm1(0.014388 / (wavelength_m * temperature_k)) * 1e-32)


def add_environment(spec: SceneSpec) -> bpy.types.World:
    """What lights the room from above: an environment map of Blender's wheel, or a plain sky."""
    world = bpy.data.worlds.new("environment")
    graph = Graph(world)
    strength = FILL_RADIANCE * spec.light.fill_strength
    if spec.light.environment:
        path = environment_path(spec.light.environment)
        if spec.light.environment_sha256:
            check_file(InputFile(path=str(path), sha256=spec.light.environment_sha256))
        mean = mean_luminance(path)
        turn = float(generator_for(spec.seed, "environment").uniform(0, 2 * math.pi))
        direction = graph.add("ShaderNodeTexCoord").outputs["Generated"]
        turned = graph.add("ShaderNodeMapping", {"Vector": direction, "Rotation": (0.0, 0.0, turn)}).outputs[0]
        texture = graph.add("ShaderNodeTexEnvironment", {"Vector": turned})
        texture.image = bpy.data.images.load(str(path), check_existing=True)
        color = graph.mix(1.0, texture.outputs[0], (PEAK_RADIANCE * mean,) * 3, "DARKEN")
        strength /= mean
    else:
        rgb = graph.add("ShaderNodeRGB")
        rgb.outputs[0].default_value = (*SKY, 1.0)
        color = rgb.outputs[0]
    background = graph.add("ShaderNodeBackground", {"Color": color, "Strength": strength})
    graph.add("ShaderNodeOutputWorld", {"Surface": background.outputs[0]})
    world.cycles.sampling_method = "MANUAL"
    world.cycles.sample_map_resolution = MAP_RESOLUTION
    return world


def environment_path(name: str) -> Path:
    """File of an environment map: the user's own, by its path, or one of Blender's wheel, by its name."""
    if Path(name).is_absolute():
        if not Path(name).is_file():
            raise SpecError(f"{name}: no such environment map; put it back, or plan another run")
        return Path(name)
    folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
    path = folder / f"{name}.exr"
    if not path.is_file():
        known = [file.stem for file in sorted(folder.glob("*.exr"))]
        raise SpecError(f"no environment map '{name}' in {folder}{did_you_mean(name, known)}")
    return path


def mean_luminance(path: Path) -> float:
    """Mean over the upper half of the sphere, peaks cut."""
    pixels = read_map(path)
    upper = np.asarray(pixels, dtype=np.float64)[: len(pixels) // 2] @ LUMINANCE
    rows = np.cos((0.5 - (np.arange(len(upper)) + 0.5) / len(pixels)) * math.pi)[:, None]
    weights = np.broadcast_to(rows, upper.shape)
    mean = float(np.average(upper, weights=weights))
    return float(np.average(np.minimum(upper, PEAK_RADIANCE * mean), weights=weights))


def read_map(path: Path) -> np.ndarray:
    """Radiance [height, width, 3] of an environment map, first row on top; Radiance HDR is read by Blender."""
    if path.suffix.lower() == ".exr":
        with OpenEXR.File(str(path)) as file:
            channels = file.channels()
            return np.asarray(channels["RGB"].pixels if "RGB" in channels else channels["RGBA"].pixels[..., :3])
    image = bpy.data.images.load(str(path), check_existing=True)
    flat = np.empty(image.size[0] * image.size[1] * image.channels, dtype=np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], image.channels)[::-1, :, :3]
