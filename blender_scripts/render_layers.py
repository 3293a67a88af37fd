"""All layers of a scene that physics has accepted, and their manifest."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from blender_scripts.build_scene import BuiltScene, SceneState, build_scene
from blender_scripts.passes import Kind, Pass, Renderer, keep_channel, standard_passes
from datagen.codec import read_record, write_json
from datagen.errors import SceneFailed
from datagen.jobs import RenderJob
from datagen.layers import MANIFEST, Layer, RenderManifest, standard_layers
from datagen.spec import SceneSpec, Staging
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
    layers = standard_layers(spec.render.width, spec.render.height, spec.render.light_scale)
    by_name = {layer.name: layer for layer in layers}
    for one in standard_passes(spec.render):
        with watch.stage(one.layer):
            render_layer(renderer, scene, one, by_name[one.layer], out)
    (out / SCRATCH).unlink(missing_ok=True)
    write_json(out / MANIFEST, manifest(spec, layers, watch, renderer.cpu_seconds))
    report(spec, watch)


def render_layer(renderer: Renderer, scene: BuiltScene, one: Pass, layer: Layer, out: Path) -> None:
    """All frames of a layer; a frame in which nothing has moved since the last picture is a copy of it."""
    renderer.prepare(one.settings)
    (out / layer.name).mkdir(exist_ok=True)
    hidden = scene.spec.removed if one.hide_removed else ()
    drawn: SceneState | None = None
    for frame in range(scene.spec.clip.num_frames):
        state = scene.state(one.world, hidden, frame)
        target = layer.path(out, frame)
        if drawn is not None and state.looks_like(drawn):
            shutil.copyfile(layer.path(out, drawn.frame), target)
            continue
        draw(renderer, one, state, target, out)
        drawn = state


def draw(renderer: Renderer, one: Pass, state: SceneState, target: Path, out: Path) -> None:
    """Render one picture."""
    around = renderer.scene.spec.removed if one.around_removed else ()
    picture = target if one.settings.kind is Kind.LOOK else out / SCRATCH
    renderer.picture(state, picture, around)
    if not picture.is_file():
        key = renderer.scene.spec.key
        raise SceneFailed(f"{key}: Blender wrote no {one.layer} of frame {state.frame}; see the worker's log")
    if picture != target:
        keep_channel(picture, target, one.channel)
        picture.unlink()


def manifest(spec: SceneSpec, layers: tuple[Layer, ...], watch: Stopwatch, engine_cpu_seconds: float) -> RenderManifest:
    """What was made, with what, and what it cost."""
    return RenderManifest(
        key=spec.key,
        num_frames=spec.clip.num_frames,
        layers=layers,
        ids=spec.ids(),
        device="CPU",
        versions={"blender": bpy.app.version_string, "numpy": np.__version__},
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
        engine_cpu_seconds=engine_cpu_seconds,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def report(spec: SceneSpec, watch: Stopwatch) -> None:
    """Cost by stage, into the worker's log."""
    total = sum(watch.cpu_seconds.values())
    for name, cpu in watch.cpu_seconds.items():
        sys.stderr.write(f"{name:>20} {cpu:8.1f} CPU-s {watch.seconds.get(name, 0.0):8.1f} s\n")
    sys.stderr.write(f"{spec.key}: {total / spec.clip.num_frames:.2f} CPU-s a frame, {total:.1f} in all\n")
