"""All layers of a scene that physics has accepted, and their manifest."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from blender_scripts.build_scene import BuiltScene, SceneState, build_scene
from blender_scripts.exr import read_weighted
from blender_scripts.extra_passes import render_geometry
from blender_scripts.extra_worlds import ExtraWorlds
from blender_scripts.marks import Marks
from blender_scripts.passes import Kind, Pass, standard_passes
from blender_scripts.renderer import Renderer
from blender_scripts.reuse import stretches
from blender_scripts.reuse_light import FINE_LAYERS, FineLight, LightReuse
from blender_scripts.videos import COUNTERFACTUAL, FACTUAL, Videos
from datagen.codec import read_record, write_json
from datagen.evidence import RenderedLayers
from datagen.frames import make_stack
from datagen.jobs import RenderJob
from datagen.layers import MANIFEST, Layer, RenderManifest, ReuseReport, extra_layers, standard_layers
from datagen.placement import Staging
from datagen.settings import Engine
from datagen.spec import SceneSpec
from datagen.trajectory import read_trajectories

SCRATCH = "scratch.exr"


class Stopwatch:
    """Wall and CPU time by stage, of this process and its threads; "start" is what Blender's import took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {"start": time.process_time()}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; times of equal names add up."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - wall
        self.cpu_seconds[name] = self.cpu_seconds.get(name, 0.0) + time.process_time() - cpu


def render_job(job: RenderJob, out: Path) -> None:
    """Fill `out` with the layers of `datagen.layers`."""
    watch = Stopwatch()
    with watch.stage("read"):
        spec = read_record(SceneSpec, Path(job.spec))
        staging = read_record(Staging, Path(job.physics) / "staging.json")
        worlds = read_trajectories(Path(job.physics) / "trajectories.npz")
    with watch.stage("build"):
        scene = build_scene(spec, staging, worlds, Path(job.spec).parent)
        renderer = Renderer(scene, job.threads)
    extra = extra_layers(spec.layers, spec.render.width, spec.render.height)
    layers = (*standard_layers(spec.render.width, spec.render.height, spec.render.light_scale), *extra)
    by_name = {layer.name: layer for layer in layers}
    passes = standard_passes(spec.render, on_gpu=renderer.on_gpu)
    states = {one.layer: states_of(scene, one) for one in passes}
    stacks = {layer.name: make_stack(out, layer, spec.clip.num_frames) for layer in layers if layer.values}
    reuse: ReuseReport | None = None
    fine = FineLight(renderer, stacks, Path(job.physics), out)
    rendered = RenderedLayers(**stacks)
    videos = Videos(renderer, by_name, states, rendered, Path(job.physics), out)
    with watch.stage("marks"):
        Marks(renderer, stacks, Path(job.physics), out).render()
    for one in passes:
        with watch.stage(one.layer):
            if one.layer in FINE_LAYERS:
                fine.render(one, states[one.layer])
            elif one.layer == "light_hidden" and spec.render.reuse_unchanged:
                LightReuse(renderer, one, states, stacks, out).render()
            elif one.layer == FACTUAL and spec.render.reuse_unchanged and videos.keyed:
                videos.render_factual(one.settings)
            elif one.layer == COUNTERFACTUAL and spec.render.reuse_unchanged:
                reuse = videos.render_counterfactual(one.settings)
            elif one.settings.kind is Kind.LOOK:
                render_pictures(renderer, one, states[one.layer], by_name[one.layer], out)
            else:
                render_values(renderer, one, states, stacks, out)
    worlds_beside = ExtraWorlds(renderer, by_name, rendered, Path(job.physics), out)
    extra_reuse = {}
    for layer in extra:
        with watch.stage(layer.name):
            extra_reuse[layer.name] = worlds_beside.render(layer)
    if spec.layers.wanted:
        with watch.stage("geometry"):
            renderer.cpu_seconds += render_geometry(scene, out)
    (out / SCRATCH).unlink(missing_ok=True)
    write_json(out / MANIFEST, manifest(spec, layers, watch, renderer, reuse, extra_reuse))
    report(spec, watch)


def states_of(scene: BuiltScene, one: Pass) -> tuple[SceneState, ...]:
    """What a pass shows, frame by frame; only pictures have motion blur."""
    hidden = scene.spec.removed if one.hide_removed else ()
    states = (scene.state(one.world, hidden, frame) for frame in range(scene.spec.clip.num_frames))
    return tuple(state if one.settings.kind is Kind.LOOK else replace(state, swept=None) for state in states)


def render_values(
    renderer: Renderer,
    one: Pass,
    states: Mapping[str, tuple[SceneState, ...]],
    stacks: Mapping[str, np.ndarray],
    out: Path,
) -> None:
    """All frames of a layer of light; one that looks like the last one, or like the twin layer's, is a copy of it."""
    renderer.prepare(one.settings)
    stack, drawn = stacks[one.layer], 0
    for frame, state in enumerate(states[one.layer]):
        if frame and state.looks_like(states[one.layer][drawn]):
            stack[frame] = stack[drawn]
        elif one.twin and state.looks_like(states[one.twin][frame]):
            stack[frame] = stacks[one.twin][frame]
        else:
            renderer.picture(state, out / SCRATCH)
            stack[frame] = read_weighted(out / SCRATCH, one.weights)
            drawn = frame


def render_pictures(renderer: Renderer, one: Pass, states: Sequence[SceneState], layer: Layer, out: Path) -> None:
    """All pictures of a video, whole; one that looks like the last one is a copy of it."""
    renderer.prepare(one.settings)
    (out / layer.name).mkdir(exist_ok=True)
    for state, frames in stretches(states):
        first, *others = (layer.path(out, frame) for frame in frames)
        renderer.picture(state, first)
        for other in others:
            shutil.copyfile(first, other)


def manifest(
    spec: SceneSpec,
    layers: tuple[Layer, ...],
    watch: Stopwatch,
    renderer: Renderer,
    reuse: ReuseReport | None,
    extra_reuse: dict[str, ReuseReport],
) -> RenderManifest:
    """What was made, with what, and what it cost."""
    return RenderManifest(
        key=spec.key,
        num_frames=spec.clip.num_frames,
        layers=layers,
        ids=spec.ids(),
        device=f"EEVEE; {renderer.device}" if spec.render.engine is Engine.EEVEE else str(renderer.device),
        versions={"blender": bpy.app.version_string, "numpy": np.__version__},
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
        engine_cpu_seconds=renderer.cpu_seconds,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        notes=renderer.scene.notes,
        reuse=reuse,
        extra_reuse=extra_reuse,
    )


def report(spec: SceneSpec, watch: Stopwatch) -> None:
    """Cost by stage, into the worker's log."""
    total = sum(watch.cpu_seconds.values())
    for name, cpu in watch.cpu_seconds.items():
        sys.stderr.write(f"{name:>20} {cpu:8.1f} CPU-s {watch.seconds.get(name, 0.0):8.1f} s\n")
    sys.stderr.write(f"{spec.key}: {total / spec.clip.num_frames:.2f} CPU-s a frame, {total:.1f} in all\n")
