"""A small scene without an engine: a stick is removed, and the box that it held falls instead of staying up.

Everything is drawn as rectangles where a real camera would see them, with a shadow of the box on the floor and one of
the stick, so that masks, physics and videos agree with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from datagen.camera import Lens, look_at, project
from datagen.codec import write_json, write_npz
from datagen.evidence import OPTIONAL_LAYERS
from datagen.frames import make_stack
from datagen.layers import MANIFEST, Layer, RenderManifest, standard_layers
from datagen.physics.records import BodyReport, Check, PhysicsCertificate, Verdict
from datagen.placement import Room, Staging
from datagen.settings import RenderSettings
from datagen.spec import Clip, GeometryRef, ObjectSpec, SceneSpec, World
from datagen.trajectory import Trajectory, apply_pose, write_trajectories
from datagen.wishes import CameraWish, LightWish, Pace, SurfaceWish

SIZE_M = 0.3
HALF = SIZE_M / 2
CORNERS = np.array([[x, y, z] for x in (-HALF, HALF) for y in (-HALF, HALF) for z in (-HALF, HALF)])
STICK_X, BOX_X, STAND_X = -0.5, 0.0, 0.6
TOP_M = 1.2
SHADOW = 0.4  # of the key light that a shadow leaves
CAMERA = look_at(np.array([0.0, -3.0, 1.0]), np.array([0.0, 0.0, 0.7]))


@dataclass(frozen=True)
class SceneFolders:
    """Where a synthetic scene lies."""

    spec: SceneSpec
    physics: Path
    render: Path


def make_spec(
    key: str = "falling_box",
    width: int = 96,
    height: int = 64,
    num_frames: int = 6,
    light_scale: int = 2,
    seed: int = 7,
) -> SceneSpec:
    def thing(name: str) -> ObjectSpec:
        return ObjectSpec(name=name, category=name, geometry=GeometryRef(file="/none.obj", sha256="0" * 64, node=name))

    surface = SurfaceWish(kind="wood", color=(0.5, 0.4, 0.3), scale_m=0.2, roughness=0.5, seed=3)
    return SceneSpec(
        key=key,
        source="humoto",
        seed=seed,
        sequence="synthetic",
        description="a stick holds a box",
        clip=Clip(start_s=0.0, num_frames=num_frames, fps=12.0),
        objects=(thing("stick"), thing("box"), thing("stand")),
        removed=("stick",),
        camera=CameraWish(focal_length_mm=35.0, sensor_width_mm=36.0, azimuth_rad=0.0, height_m=1.0, pace=Pace.STATIC),
        light=LightWish(
            key_azimuth_rad=0.0,
            key_elevation_rad=1.0,
            key_temperature_k=5000.0,
            key_size_m=0.5,
            key_strength=1.0,
            fill_strength=0.3,
            environment="",
        ),
        floor=surface,
        wall=surface,
        render=RenderSettings(width=width, height=height, light_scale=light_scale),
    )


def make_worlds(spec: SceneSpec) -> dict[World, Trajectory]:
    """The box stays up with the stick, and falls without it."""
    times = np.array(spec.clip.times_s())
    still = np.tile([0.0, 0.0, HALF, 1.0, 0.0, 0.0, 0.0], (len(times), 1))
    stick, held, stand = still.copy(), still.copy(), still.copy()
    stick[:, 0], held[:, 0], stand[:, 0] = STICK_X, BOX_X, STAND_X
    stick[:, 2] = held[:, 2] = TOP_M
    fallen = held.copy()
    fallen[:, 2] = np.maximum(TOP_M - 9.81 / 2 * times**2, HALF)
    rate = spec.clip.fps
    factual = np.stack([stick, held, stand], axis=1)
    counterfactual = np.stack([fallen, stand], axis=1)
    return {
        World.FACTUAL: Trajectory.from_poses(("stick", "box", "stand"), rate, factual),
        World.COUNTERFACTUAL: Trajectory.from_poses(("box", "stand"), rate, counterfactual),
    }


def make_certificate(spec: SceneSpec) -> PhysicsCertificate:
    def body(name: str, dynamic: bool) -> BodyReport:
        return BodyReport(
            name=name,
            category=name,
            dynamic=dynamic,
            why="held by stick" if dynamic else "rests",
            contact_mm=1.0 if dynamic else None,
            contact_part="stick" if dynamic else "",
            settle_mm=400.0 if dynamic else None,
            settle_deg=0.0 if dynamic else None,
            mass_kg=1.5 if dynamic else None,
            friction=0.5,
            restitution=0.1,
            corners=tuple(tuple(float(value) for value in corner) for corner in CORNERS),
            divergence_frame=1 if dynamic else None,
        )

    check = Check(name="effect", value=1050.0, limit=50.0, unit="mm", passed=True, gate=False)
    return PhysicsCertificate(
        key=spec.key,
        verdict=Verdict.ACCEPTED,
        labels=(),
        checks=(check,),
        affected=("box",),
        divergence_frame=1,
        bodies=(body("box", True), body("stand", False)),
        caption="A box falls to the floor beside a stand.",
        seconds={"simulate": 0.1},
        versions={"pybullet": "3.2.7"},
    )


def write_physics(folder: Path, spec: SceneSpec) -> Path:
    """A physics folder as `datagen.simulate_scene` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_trajectories(folder / "trajectories.npz", make_worlds(spec))
    write_npz(folder / "contacts.npz", {"frame": np.arange(3), "names": np.array(["box", "stand", "box"])})
    write_json(folder / "certificate.json", make_certificate(spec))
    staging = Staging(
        room=Room(x_min=-3, x_max=3, y_min=-4, y_max=2, height=2.7),
        focal_length_mm=35.0,
        sensor_width_mm=36.0,
        world_from_camera=tuple(tuple(float(value) for value in CAMERA) for _ in range(spec.clip.num_frames)),
        key_light=(1.0, -1.0, 2.5),
        key_target=(0.0, 0.0, 0.5),
    )
    write_json(folder / "staging.json", staging)
    return folder


def write_render(folder: Path, spec: SceneSpec) -> Path:
    """A render folder as `blender_scripts.render_scene` leaves it."""
    manifest = RenderManifest(
        key=spec.key,
        num_frames=spec.clip.num_frames,
        layers=drawn_layers(spec.render),
        ids=spec.ids(),
        device="none",
        versions={"bpy": "none"},
        seconds={},
        cpu_seconds={},
        engine_cpu_seconds=0.0,
        peak_rss_bytes=0,
    )
    folder.mkdir(parents=True, exist_ok=True)
    length = spec.clip.num_frames
    stacks = {layer.name: make_stack(folder, layer, length) for layer in manifest.layers if layer.values}
    for frame in range(length):
        for name, picture in draw_frame(spec, frame).items():
            if name in stacks:
                stacks[name][frame] = picture
            else:
                path = manifest.layer(name).path(folder, frame)
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(picture).save(path)
    write_json(folder / MANIFEST, manifest)
    return folder


def make_scene(root: Path, spec: SceneSpec | None = None) -> SceneFolders:
    """Physics and render folders of a scene."""
    spec = spec or make_spec()
    return SceneFolders(
        spec=spec,
        physics=write_physics(root / "physics" / spec.key, spec),
        render=write_render(root / "renders" / spec.key, spec),
    )


def drawn_layers(render: RenderSettings) -> tuple[Layer, ...]:
    """All layers but those that a mask can do without."""
    layers = standard_layers(render.width, render.height, render.light_scale)
    return tuple(layer for layer in layers if layer.name not in OPTIONAL_LAYERS)


def draw_frame(spec: SceneSpec, frame: int) -> dict[str, np.ndarray]:
    """All layers of one frame."""
    worlds = make_worlds(spec)
    factual = {name: worlds[World.FACTUAL].of(name)[frame] for name in ("stick", "box", "stand")}
    fallen = {name: worlds[World.COUNTERFACTUAL].of(name)[frame] for name in ("box", "stand")}
    hidden = {name: factual[name] for name in ("box", "stand")}
    ids = {"F": _draw_ids(spec, factual), "H": _draw_ids(spec, hidden), "C": _draw_ids(spec, fallen)}
    keys = {"F": _draw_key(spec, factual), "H": _draw_key(spec, hidden), "C": _draw_key(spec, fallen)}
    scale = spec.render.light_scale
    return {
        "rgb_factual": _shade(ids["F"], keys["F"], spec),
        "rgb_counterfactual": _shade(ids["C"], keys["C"], spec),
        "removed_coverage": np.where(ids["F"] == spec.ids()["stick"], np.uint8(255), np.uint8(0)),
        "ids_hidden": ids["H"].astype(np.uint16),
        "ids_counterfactual": ids["C"].astype(np.uint16),
        "light_factual": keys["F"][::scale, ::scale],
        "light_hidden": keys["H"][::scale, ::scale],
        "light_counterfactual": keys["C"][::scale, ::scale],
    }


def rectangle(spec: SceneSpec, pose: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that the box at `pose` covers."""
    lens = Lens(focal_length_mm=35.0, sensor_width_mm=36.0, width=spec.render.width, height=spec.render.height)
    pixels, _ = project(apply_pose(pose, CORNERS), CAMERA, lens)
    low, high = np.floor(pixels.min(axis=0)).astype(int), np.ceil(pixels.max(axis=0)).astype(int)
    return slice(max(low[1], 0), max(high[1], 0)), slice(max(low[0], 0), max(high[0], 0))


def _draw_ids(spec: SceneSpec, poses: dict[str, np.ndarray]) -> np.ndarray:
    picture = np.zeros((spec.render.height, spec.render.width), dtype=np.int64)
    for name, pose in poses.items():
        picture[rectangle(spec, pose)] = spec.ids()[name]
    return picture


def _draw_key(spec: SceneSpec, poses: dict[str, np.ndarray]) -> np.ndarray:
    """Light on the floor, with a shadow to the lower right of each thing that moves with its height."""
    height, width = spec.render.height, spec.render.width
    light = np.linspace(0.5, 1.0, width, dtype=np.float32)[None].repeat(height, axis=0)
    floor = height * 7 // 8
    for name in ("stick", "box"):
        if name in poses:
            left = round(width * (0.5 + 0.25 * poses[name][0] + 0.15 * poses[name][2]))
            light[floor : floor + height // 12, left : left + width // 8] *= SHADOW
    return light


def _shade(ids: np.ndarray, key: np.ndarray, spec: SceneSpec) -> np.ndarray:
    colors = np.array([[190, 185, 175], [150, 60, 50], [60, 90, 170], [70, 130, 70]], dtype=np.float32)
    return np.clip(colors[ids] * key[..., None], 0, 255).astype(np.uint8)
