"""The mesh that Blender draws lies where the shape that Bullet collides came to rest: every scan, to a pixel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from datagen.assets import VISUAL_FILE, AssetManifest, read_manifest
from datagen.camera import lens_of, look_at, project
from datagen.codec import sha256_file, write_json
from datagen.frames import RenderedScene
from datagen.jobs import RenderJob
from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.meshes import read_obj
from datagen.physics.materials import floor_material
from datagen.physics.records import BodyReport, PhysicsCertificate, Verdict
from datagen.placement import Room, Staging
from datagen.settings import RenderSettings
from datagen.spec import Clip, GeometryRef, ObjectSpec, SceneSpec, World
from datagen.trajectory import Trajectory, apply_pose, write_trajectories
from datagen.worker import run_engine
from kubric_jobs.assets import Palette
from kubric_jobs.course import run_course
from kubric_jobs.things import Thing

pytestmark = pytest.mark.blender

SPACING_M = 0.6
COLUMNS = 5
SCALES = (1.0, 0.8, 1.2)
RENDER = RenderSettings(
    width=960,
    height=960,
    samples=1,
    denoise=False,
    max_bounces=0,
    light_samples=1,
    light_scale=8,
    reuse_unchanged=False,
)
REMOVED = "removed"
THINNER_THAN_A_PIXEL = 0.002  # share of an object's pixels, where a ray may miss what a polygon covers
FINER = 5  # odd: the middle one of finer pixels is the centre of a pixel


def dropped(palette: Palette, assets: tuple) -> tuple[Thing, ...]:
    """Every asset at rest on the floor, apart from the others, at one of three scales."""
    shapes = [shape for shape in (palette.shape(asset) for asset in assets) if shape is not None]
    things = []
    for index, shape in enumerate(shapes):
        scale = SCALES[index % len(SCALES)]
        x, y = SPACING_M * (index % COLUMNS), SPACING_M * (index // COLUMNS)
        pose = np.array([x, y, 0.005 - scale * float(shape.solid.low[2]), 0.8, 0.0, 0.0, 0.6])
        zeros = np.zeros(3)
        one = Thing(name=shape.asset_id, shape=shape, scale=scale, pose=pose, linear=zeros, angular=zeros)
        things.append(one.at(pose))
    rest = run_course(
        tuple(things),
        floor_material("wood"),
        num_frames=90,
        fps=12.5,
        substep_hz=480,
        gravity_m_s2=9.81,
        until_rest=True,
    )
    return tuple(one.at(rest.of(one.name)[-1]) for one in things)


def scene_of(things: tuple[Thing, ...]) -> SceneSpec:
    def described(one: Thing, name: str) -> ObjectSpec:
        file = one.shape.folder / VISUAL_FILE
        geometry = GeometryRef(file=str(file), sha256=sha256_file(file), node="")
        return ObjectSpec(name=name, category=one.shape.category, geometry=geometry, scale=one.scale)

    return SceneSpec(
        key="at-rest",
        source="kubric",
        seed=1,
        sequence="at-rest",
        description="",
        clip=Clip(start_s=0.0, num_frames=1, fps=12.0),
        objects=(*(described(one, one.name) for one in things), described(things[0], REMOVED)),
        removed=(REMOVED,),
        camera=draw_camera(1),
        light=draw_light(1),
        floor=draw_surface(1, "floor"),
        wall=draw_surface(1, "wall"),
        render=RENDER,
    )


def staged_from_above() -> Staging:
    middle = np.array([SPACING_M * (COLUMNS - 1) / 2, SPACING_M * (COLUMNS - 1) / 2, 0.0])
    camera = look_at(middle + np.array([0.0, -0.05, 6.0]), middle)
    return Staging(
        room=Room(x_min=-4, x_max=7, y_min=-4, y_max=7, height=7),
        focal_length_mm=56.0,
        sensor_width_mm=36.0,
        world_from_camera=(tuple(float(value) for value in camera),),
        key_light=(2.0, 1.0, 6.5),
        key_target=(1.0, 1.0, 0.0),
    )


def silhouette(one: Thing, staging: Staging, spec: SceneSpec) -> np.ndarray:
    """Pixels whose centre the drawn mesh covers, bool [height, width], by projecting its triangles."""
    mesh = read_obj(one.shape.folder / VISUAL_FILE)
    world = apply_pose(one.pose, mesh.vertices * one.scale)
    pixels, _ = project(world, np.array(staging.world_from_camera[0]), lens_of(spec, staging))
    picture = np.zeros((RENDER.height * FINER, RENDER.width * FINER), dtype=np.uint8)
    fixed = np.round((pixels * FINER - 0.5) * 16).astype(np.int32)  # four bits of fraction
    for triangle in fixed[mesh.faces]:
        cv2.fillConvexPoly(picture, triangle, 1, shift=4)  # draws every pixel that it touches: hence finer ones
    return picture[FINER // 2 :: FINER, FINER // 2 :: FINER].astype(bool)


def grown(mask: np.ndarray) -> np.ndarray:
    """A mask and its neighbours within one pixel."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


def test_every_scan_is_drawn_where_it_rests(shared_data: Path, asset_cache: Path, tmp_path: Path) -> None:
    check_set(read_manifest(shared_data / "objects", check_meshes=False), 22, asset_cache, tmp_path)


def test_every_embedded_object_is_drawn_where_it_rests(
    embedded: AssetManifest, asset_cache: Path, tmp_path: Path
) -> None:
    check_set(embedded, 26, asset_cache, tmp_path)


def certificate_of(key: str, things: tuple[Thing, ...]) -> PhysicsCertificate:
    """What a renderer reads of it: the bounding boxes."""

    def report(one: Thing) -> BodyReport:
        low, high = one.scale * one.shape.solid.low, one.scale * one.shape.solid.high
        corners = [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
        return BodyReport(
            name=one.name,
            category="thing",
            dynamic=True,
            why="dropped",
            contact_mm=None,
            contact_part="",
            settle_mm=None,
            settle_deg=None,
            mass_kg=1.0,
            friction=0.5,
            restitution=0.0,
            corners=tuple(tuple(float(value) for value in corner) for corner in corners),
            divergence_frame=None,
        )

    return PhysicsCertificate(
        key=key,
        verdict=Verdict.ACCEPTED,
        labels=(),
        checks=(),
        affected=(),
        divergence_frame=None,
        bodies=tuple(report(one) for one in things),
        caption="",
        seconds={},
        versions={},
    )


def check_set(manifest: AssetManifest, count: int, asset_cache: Path, tmp_path: Path) -> None:
    """Drop all objects of a set, draw them where they rest, and compare with their projected meshes."""
    things = dropped(Palette(assets=manifest.assets, cache=asset_cache, own=tmp_path), manifest.assets)
    assert len(things) == count
    spec, staging = scene_of(things), staged_from_above()
    aside = np.array([SPACING_M * COLUMNS, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    poses = np.stack([*(one.pose for one in things), aside])[None]
    factual = Trajectory.from_poses(tuple(one.name for one in spec.objects), 12.0, poses)
    kept = Trajectory.from_poses(factual.names[:-1], 12.0, poses[:, :-1])
    physics = tmp_path / "physics"
    physics.mkdir()
    write_trajectories(physics / "trajectories.npz", {World.FACTUAL: factual, World.COUNTERFACTUAL: kept})
    write_json(physics / "staging.json", staging)
    write_json(physics / "certificate.json", certificate_of(spec.key, things))
    write_json(tmp_path / "spec.json", spec)
    job = RenderJob(spec=str(tmp_path / "spec.json"), physics=str(physics), threads=1)
    run_engine("blender_scripts.render_scene", job, tmp_path / "render", timeout_s=120)
    ids = RenderedScene(tmp_path / "render").frame("ids_counterfactual", 0)
    for one in things:
        drawn, projected = ids == spec.ids()[one.name], silhouette(one, staging, spec)
        assert drawn.sum() > 100, one.name
        assert (drawn & ~grown(projected)).mean() <= THINNER_THAN_A_PIXEL * drawn.mean(), one.name
        assert (projected & ~grown(drawn)).mean() <= THINNER_THAN_A_PIXEL * drawn.mean(), one.name
        lowest = apply_pose(one.pose, read_obj(one.shape.folder / VISUAL_FILE).vertices * one.scale)[:, 2].min()
        assert abs(lowest) < 0.003, one.name
