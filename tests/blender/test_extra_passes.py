"""Ids, depth and flow against ray casts and projected meshes: a person who walks, and objects of an asset's file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from test_render_scene import make_spec, make_worlds, serve

from datagen.camera import lens_of, look_at, project
from datagen.codec import read_npz, sha256_file, write_json
from datagen.geometry_layers import check_geometry, raw_path, write_geometry
from datagen.jobs import ExtractJob, RenderJob
from datagen.placement import Room, Staging
from datagen.sequence import read_sequence
from datagen.settings import LayerSettings, RenderSettings
from datagen.spec import Clip, GeometryRef, ObjectSpec, SceneSpec, World
from datagen.trajectory import Trajectory, apply_pose, write_trajectories

pytestmark = pytest.mark.blender

SIZE = (80, 56)
ALL = LayerSettings(segmentation=True, depth=True, flow=True)


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Layers of a sample, what rays found, and what both are of."""

    spec: SceneSpec
    staging: Staging
    worlds: dict[World, Trajectory]
    meshes: dict[str, tuple[np.ndarray, np.ndarray]]  # vertices and faces, object frame
    render: Path
    sample: Path

    def layer(self, name: str, world: World) -> np.ndarray:
        return read_npz(self.sample / f"{name}.npz")[world.value]

    def truth(self, name: str, world: World) -> np.ndarray:
        frames = range(self.spec.clip.num_frames)
        return np.stack([read_npz(self.render / "truth" / world / f"{frame:04d}.npz")[name] for frame in frames])


def staged(positions: list[list[float]], target: list[float]) -> Staging:
    """A camera that moves, in a room."""
    poses = tuple(tuple(float(one) for one in look_at(np.array(position), np.array(target))) for position in positions)
    return Staging(
        room=Room(x_min=-4, x_max=4, y_min=-4, y_max=4, height=3.0),
        focal_length_mm=30.0,
        sensor_width_mm=36.0,
        world_from_camera=poses,
        key_light=(2.0, -2.0, 2.8),
        key_target=(0.0, 0.0, 0.5),
    )


def of_sequence(shared_data: Path, folder: Path) -> Geometry:
    """A person carries a vase; without them it stands on the floor."""
    file = next((shared_data / "humoto").glob("carry_vase*.fbx"))
    write_json(folder / "extract.json", ExtractJob(file=str(file), sha256=sha256_file(file), body_points=100))
    serve("blender_scripts.extract_sequence", folder / "extract.json", folder / "sequence")
    sequence = read_sequence(folder / "sequence")
    spec = replace(make_spec(file, sequence), clip=Clip(start_s=1.01, num_frames=2, fps=12.0))
    poses = {world: trajectory.poses[:2] for world, trajectory in make_worlds(sequence).items()}
    worlds = {world: Trajectory.from_poses(("vase",), 12.0, both) for world, both in poses.items()}
    vase = sequence.objects[0]
    x, y = poses[World.FACTUAL][0, 0, :2]
    staging = staged([[x + 1.4, y - 1.1, 1.1], [x + 1.42, y - 1.06, 1.11]], [x, y, 0.6])
    room = replace(staging.room, x_min=x - 4, x_max=x + 4, y_min=y - 4, y_max=y + 4)
    return finish(spec, replace(staging, room=room), worlds, {"vase": (vase.vertices, vase.faces)}, folder)


def of_assets(_: Path, folder: Path) -> Geometry:
    """A ball flies past a crate that turns, in one world; the ball alone lies still in the other."""
    ball, crate = trimesh.creation.icosphere(3, 0.25), trimesh.creation.box((0.4, 0.3, 0.5))
    things = []
    for name, mesh in (("ball", ball), ("crate", crate)):
        path = folder / f"{name}.obj"
        path.write_text(trimesh.exchange.obj.export_obj(mesh))
        geometry = GeometryRef(file=str(path), sha256=sha256_file(path), node="")
        things.append(ObjectSpec(name=name, category=name, geometry=geometry))
    still = np.array([0.4, 0.1, 0.25, 1, 0, 0, 0], dtype=float)
    flown = np.array([0.08, -0.1, 0.2, 0, 0, 0, 0])
    crates = [[-0.3, 0.3, 0.3, np.cos(angle), 0, 0.6 * np.sin(angle), 0.8 * np.sin(angle)] for angle in (0.2, 0.3)]
    factual = np.array([[still, crates[0]], [still + flown, crates[1]]])
    worlds = {
        World.FACTUAL: Trajectory.from_poses(("ball", "crate"), 12.0, factual),
        World.COUNTERFACTUAL: Trajectory.from_poses(("ball",), 12.0, np.tile(still, (2, 1, 1))),
    }
    base = asset_spec(tuple(things))
    meshes = {"ball": (ball.vertices, ball.faces), "crate": (crate.vertices, crate.faces)}
    staging = staged([[0.2, -2.5, 1.2], [0.25, -2.5, 1.25]], [0.0, 0.2, 0.3])
    return finish(base, staging, worlds, meshes, folder)


def asset_spec(things: tuple[ObjectSpec, ...]) -> SceneSpec:
    from datagen.looks import draw_camera, draw_light, draw_surface

    return SceneSpec(
        key="assets",
        source="kubric",
        seed=1,
        sequence="launch",
        description="",
        clip=Clip(start_s=0.0, num_frames=2, fps=12.0),
        objects=things,
        removed=("crate",),
        camera=draw_camera(1),
        light=draw_light(1),
        floor=draw_surface(1, "floor"),
        wall=draw_surface(1, "wall"),
    )


def finish(spec: SceneSpec, staging: Staging, worlds: dict[World, Trajectory], meshes: dict, folder: Path) -> Geometry:
    """Render, and compose the layers."""
    spec = replace(spec, layers=ALL, render=RenderSettings(width=SIZE[0], height=SIZE[1], samples=1))
    write_json(folder / "spec.json", spec)
    write_json(folder / "physics" / "staging.json", staging)
    write_trajectories(folder / "physics" / "trajectories.npz", worlds)
    job = RenderJob(spec=str(folder / "spec.json"), physics=str(folder / "physics"), threads=1)
    write_json(folder / "job.json", job)
    (folder / "sample").mkdir()
    serve("tests.blender.geometry_truth", folder / "job.json", folder / "out")
    write_geometry(spec, worlds, staging, folder / "out", folder / "sample")
    return Geometry(
        spec=spec, staging=staging, worlds=worlds, meshes=meshes, render=folder / "out", sample=folder / "sample"
    )


@pytest.fixture(scope="module", params=[of_assets, of_sequence], ids=["kubric", "humoto"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Geometry:
    data = request.getfixturevalue("shared_data") if request.param is of_sequence else Path()
    return request.param(data, tmp_path_factory.mktemp("geometry"))


def test_ids_are_those_that_rays_hit(made: Geometry) -> None:
    for world in World:
        found, truth = made.layer("segmentation", world), made.truth("ids", world)
        assert (found == truth).mean() > 0.998
        there = {number for name, number in made.spec.ids().items() if (found == number).any()}
        gone = {made.spec.ids()[name] for name in made.spec.removed}
        assert there == set(made.spec.ids().values()) - (gone if world is World.COUNTERFACTUAL else set())


def test_ids_fill_the_projected_mesh_of_what_nothing_hides(made: Geometry) -> None:
    world = World.COUNTERFACTUAL
    (name,) = made.worlds[world].names
    vertices, faces = made.meshes[name]
    for frame, found in enumerate(made.layer("segmentation", world)):
        points = apply_pose(made.worlds[world].of(name)[frame], vertices)
        camera = np.array(made.staging.world_from_camera[frame])
        pixels, _ = project(points, camera, lens_of(made.spec, made.staging))
        projected = covered(pixels[faces])
        shown = found == made.spec.ids()[name]
        assert shown.sum() > 30 and (shown ^ projected).sum() <= 1


def covered(triangles: np.ndarray) -> np.ndarray:
    """Which pixel centres lie inside some of the triangles [F, 3, 2], either way round: bool [height, width]."""
    centres = np.stack(np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5), axis=-1)
    result = np.zeros(centres.shape[:2], dtype=bool)
    for corners in triangles:
        edges, offsets = np.roll(corners, -1, axis=0) - corners, centres[..., None, :] - corners
        side = edges[:, 0] * offsets[..., 1] - edges[:, 1] * offsets[..., 0]
        result |= (side >= 0).all(axis=-1) | (side <= 0).all(axis=-1)
    return result


def test_depth_is_what_rays_measure(made: Geometry) -> None:
    for world in World:
        found, truth = made.layer("depth", world), made.truth("depth", world)
        assert (np.isfinite(found) == np.isfinite(truth)).mean() > 0.998 and np.isfinite(found).mean() > 0.9
        same = (made.layer("segmentation", world) == made.truth("ids", world)) & np.isfinite(found + truth)
        error = np.abs(np.where(same, found, 0) - np.where(same, truth, 0))
        for number in (0, *made.spec.ids().values()):
            part = error[same & (made.truth("ids", world) == number)]
            if part.size:
                assert np.median(part) < 0.002 and np.percentile(part, 95) < 0.01


def test_flow_is_the_projected_motion_of_the_points(made: Geometry) -> None:
    for world in World:
        found, truth = made.layer("flow", world).astype(float)[0], made.truth("flow", world)[0]
        ids = made.truth("ids", world)[0]
        same = made.layer("segmentation", world)[0] == ids
        for number in (0, *made.spec.ids().values()):
            part = same & (ids == number) & np.isfinite(truth).all(axis=-1)
            if part.any():
                apart = np.linalg.norm(found - truth, axis=-1)[part]
                assert np.median(apart) < 0.1 and np.percentile(apart, 90) < 0.2
        for name in made.spec.ids() if world is World.FACTUAL else ():
            own = np.nanmedian(truth[ids == made.spec.ids()[name]], axis=0)
            assert np.linalg.norm(own - np.nanmedian(truth[ids == 0], axis=0)) > 0.3


def test_the_sample_is_found_whole_and_damage_is_told(made: Geometry, tmp_path: Path) -> None:
    assert list(check_geometry(made.spec, made.sample)) == []
    assert [text.split(":")[0] for text in check_geometry(made.spec, tmp_path)] == [
        "segmentation.npz",
        "depth.npz",
        "flow.npz",
    ]
    assert not (made.render / "geometry.exr").exists()
    assert raw_path(made.render, World.FACTUAL, 1).is_file()
