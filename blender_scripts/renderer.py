"""Blender's renderer, and how Cycles is set for each pass.

One process renders pass after pass. Cycles' persistent data ignores changed samples and bounces, so it is dropped
before each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from blender_scripts.build_scene import BuiltScene, SceneState
from blender_scripts.devices import Taken, check_engine, take_device
from blender_scripts.nodes import new_material
from blender_scripts.passes import CENTRE_PX, Kind, Settings
from blender_scripts.shared_meshes import share_meshes
from blender_scripts.shutter import exposed, set_lens
from blender_scripts.stencil import GPU_CELL_PX, Stencil
from datagen.camera import lens_of, project
from datagen.entry import silenced
from datagen.errors import SceneFailed
from datagen.regions import BOX_COST, MARGIN_PX, Box, bounding_box, boxes_around
from datagen.seeding import seed_for
from datagen.settings import Device, Engine
from datagen.spec import SceneSpec

LAYERS_SEEN_THROUGH = 128  # surfaces of removed things, one behind the other
TRANSPARENT_BOUNCES = 8  # Cycles' default
BORDER_PX = 4
ROUNDING_PX = 0.25
MIN_HIDDEN = 0.02  # of a full picture: making a stencil costs more than to render less
GPU_SAMPLES_HIDDEN = 1.0  # times the picture's pixels, likewise: as much as making a stencil


@dataclass(frozen=True, kw_only=True)
class Border:
    """Part of the picture to render, as shares of its size, from the lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def of(cls, box: Box, width: int, height: int) -> Border:
        """The border of some pixels; Blender rounds it down, so every side lies a little above the whole number."""
        return cls(
            left=(box.left + ROUNDING_PX) / width,
            bottom=(height - box.bottom + ROUNDING_PX) / height,
            right=min((box.right + ROUNDING_PX) / width, 1.0),
            top=min((height - box.top + ROUNDING_PX) / height, 1.0),
        )


class Renderer:
    """Blender's renderer, set for one pass at a time."""

    def __init__(self, scene: BuiltScene, threads: int) -> None:
        self.scene = scene
        self.settings: Settings | None = None
        self.by_eevee = False
        self.cpu_seconds = 0.0  # inside Blender's render call
        self.mark_material = mark_material()
        check_engine(scene.spec.render.engine)
        self.device = take_device(scene.spec.render, scene.spec.key)
        self.on_gpu = self.device.device is not Device.CPU
        self.stencil = Stencil(scene, GPU_CELL_PX if self.on_gpu else 1)
        if self.on_gpu and self.device.device is not Device.OPTIX and scene.spec.render.engine is Engine.CYCLES:
            share_meshes(scene.room)
        set_constants(scene.spec, threads, self.device)

    def prepare(self, settings: Settings) -> None:
        """Set Cycles for a pass, and have it begin from nothing.

        Also between passes of equal settings: once something was hidden, kept data made Cycles draw other samples
        in about every second process (seen in Blender 4.5).
        """
        blender = bpy.context.scene
        render, cycles = blender.render, blender.cycles
        self.by_eevee = settings.kind is Kind.LOOK and self.scene.spec.render.engine is Engine.EEVEE
        render.engine = "BLENDER_EEVEE_NEXT" if self.by_eevee else "CYCLES"
        blender.eevee.taa_render_samples = settings.samples
        render.resolution_x, render.resolution_y = settings.width, settings.height
        cycles.samples = settings.samples
        cycles.sampling_pattern = "BLUE_NOISE" if settings.blue_noise else "TABULATED_SOBOL"
        cycles.max_bounces = settings.bounces
        cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = settings.bounces
        through = LAYERS_SEEN_THROUGH if settings.kind is Kind.MARKS else TRANSPARENT_BOUNCES
        cycles.transparent_max_bounces = through
        cycles.use_denoising = settings.denoise
        cycles.pixel_filter_type = "BOX" if settings.filter_px == CENTRE_PX else "BLACKMAN_HARRIS"
        cycles.filter_width = settings.filter_px
        blender.view_layers[0].material_override = self.mark_material if settings.kind is Kind.MARKS else None
        blender.world = None if settings.kind is Kind.MARKS else self.scene.environment
        set_output(settings.kind)
        set_lens(self.scene, blurred=settings.kind is Kind.LOOK)
        render.use_persistent_data = False  # drops what there is, at once
        render.use_persistent_data = not render.use_motion_blur  # kept data would not know of other keys
        self.settings = settings

    def picture(self, state: SceneState, path: Path, box: Box | None = None) -> None:
        """Render a state into a file; with a box of pixels, those alone.

        Raises `SceneFailed` when the engine stops, as it does once its device is gone or full.
        """
        self.scene.show(state, evaluate=False)
        path.unlink(missing_ok=True)
        render = bpy.context.scene.render
        render.filepath = str(path)
        set_border(box)
        before = time.process_time()
        reason = ""
        try:
            with exposed(self.scene, state), silenced():
                bpy.ops.render.render(write_still=True)
        except RuntimeError as error:  # what the operator reports
            reason = str(error).strip().splitlines()[-1]
        self.cpu_seconds += time.process_time() - before
        if reason or not path.is_file():
            raise SceneFailed(
                f"{self.scene.spec.key}: frame {state.frame} could not be rendered on {self.device} "
                f"({reason or 'no picture was written'}): see that the device is there and has memory left (each of "
                "--workers takes about 3 GB of it), or take render.device=cpu; then try the scene again"
            )

    def boxes(
        self, region: np.ndarray, margin_px: int = MARGIN_PX, box_cost: float = BOX_COST
    ) -> tuple[Box | None, ...]:
        """What to render so that a region bool [height, width] is there with a margin; None is the whole picture.

        On a GPU starting a render costs more than its pixels: one box. What EEVEE sees depends on the whole picture.
        """
        if self.by_eevee:
            return (None,) if region.any() else ()
        if self.on_gpu:
            box = bounding_box(region, margin_px)
            return () if box is None else (box,)
        return boxes_around(region, margin_px, box_cost)

    @property
    def can_cut(self) -> bool:
        """Whether a stencil is seen sharp: by Cycles, without blur of lens or shutter."""
        blurred = self.scene.camera.data.dof.use_dof or bpy.context.scene.render.use_motion_blur
        return not (blurred or self.by_eevee)

    @property
    def least_hidden(self) -> float:
        """Share of the picture that a stencil has to hide to be worth making; on a GPU that depends on the samples."""
        if self.on_gpu and self.settings:
            return GPU_SAMPLES_HIDDEN / self.settings.samples
        return MIN_HIDDEN

    def box_of(self, state: SceneState, names: tuple[str, ...]) -> Box | None:
        """Smallest box with room for the filter around some things; None for the whole picture."""
        self.scene.show(state)
        lens = lens_of(self.scene.spec, self.scene.staging)
        pixels, depth = project(np.concatenate(list(self.surface_points(names))), state.camera, lens)
        if depth.min() <= 0.05:
            return None
        size = np.array([lens.width, lens.height])
        low = np.clip(np.floor(pixels.min(axis=0)) - BORDER_PX, 0, size - 1).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0)) + BORDER_PX, 1, size).astype(int)
        return Box(left=int(low[0]), top=int(low[1]), right=int(high[0]), bottom=int(high[1]))

    def surface_points(self, names: tuple[str, ...]) -> Iterator[np.ndarray]:
        """World positions [V, 3] of the vertices of some objects and people, as posed."""
        graph = bpy.context.evaluated_depsgraph_get()
        for name in names:
            person = self.scene.people.get(name)
            for mesh in person.meshes if person else (self.scene.objects[name],):
                posed = mesh.evaluated_get(graph)
                flat = np.empty(len(posed.data.vertices) * 3, dtype=np.float32)
                posed.data.vertices.foreach_get("co", flat)
                world = np.array(posed.matrix_world, dtype=np.float64)
                yield flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


def set_border(box: Box | None) -> None:
    """Have a part of the picture rendered, or all of it."""
    render = bpy.context.scene.render
    render.use_border = render.use_crop_to_border = box is not None
    if box is not None:
        border = Border.of(box, render.resolution_x, render.resolution_y)
        render.border_min_x, render.border_max_x = border.left, border.right
        render.border_min_y, render.border_max_y = border.bottom, border.top


def set_constants(spec: SceneSpec, threads: int, device: Taken) -> None:
    """What all passes share: one seed, no adaptive sampling, explicit colour management, no clock in the files."""
    blender = bpy.context.scene
    render, cycles = blender.render, blender.cycles
    render.engine = "CYCLES"
    render.threads_mode, render.threads = "FIXED", threads
    render.resolution_percentage = 100
    render.use_compositing = render.use_sequencer = render.use_motion_blur = False
    render.dither_intensity = 0.0
    for name in dir(render):
        if name.startswith("use_stamp"):
            setattr(render, name, False)
    on_gpu = device.device is not Device.CPU
    cycles.device = "GPU" if on_gpu else "CPU"
    cycles.seed = seed_for(spec.seed, "render") % 2**31
    cycles.use_animated_seed = False
    cycles.sampling_pattern = "TABULATED_SOBOL"
    cycles.use_adaptive_sampling = False
    cycles.use_light_tree = False
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_direct, cycles.sample_clamp_indirect = 0.0, 4.0
    cycles.blur_glossy = 1.0
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_quality, cycles.denoising_prefilter = "FAST", "FAST"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.denoising_use_gpu = on_gpu
    blender.eevee.use_raytracing = blender.eevee.use_shadows = True
    blender.display_settings.display_device = "sRGB"
    blender.view_settings.view_transform = "AgX"
    blender.view_settings.look = "AgX - Medium High Contrast"
    blender.view_settings.exposure, blender.view_settings.gamma = 0.0, 1.0


def set_output(kind: Kind) -> None:
    """Pictures as BMP, light as float EXR, and marks, whole numbers far below 2048, in half of that.

    Nothing is packed, for most files are read once and dropped.
    """
    image = bpy.context.scene.render.image_settings
    if kind is Kind.LOOK:
        image.file_format, image.color_mode, image.color_depth = "BMP", "RGB", "8"
    else:
        depth = "16" if kind is Kind.MARKS else "32"
        image.file_format, image.color_mode, image.color_depth, image.exr_codec = "OPEN_EXR", "RGB", depth, "NONE"


def mark_material() -> bpy.types.Material:
    """Red: the pass index of an object that stays. What is removed (red in its object colour) adds 1 to green, and
    rays go on through it."""
    material, graph = new_material("all marks")
    info = graph.add("ShaderNodeObjectInfo")
    removed = graph.add("ShaderNodeSeparateColor", {0: info.outputs["Color"]}).outputs[0]
    number = graph.add("ShaderNodeCombineColor", {0: info.outputs["Object Index"]}).outputs[0]
    stays = graph.add("ShaderNodeEmission", {"Color": number, "Strength": 1.0}).outputs[0]
    glow = graph.add("ShaderNodeEmission", {"Color": (0.0, 1.0, 0.0, 1.0), "Strength": 1.0}).outputs[0]
    clear = graph.add("ShaderNodeBsdfTransparent", {"Color": (1.0, 1.0, 1.0, 1.0)}).outputs[0]
    gone = graph.add("ShaderNodeAddShader", {0: glow, 1: clear}).outputs[0]
    graph.surface(graph.add("ShaderNodeMixShader", {0: removed, 1: stays, 2: gone}).outputs[0])
    material.cycles.emission_sampling = "NONE"
    return material
