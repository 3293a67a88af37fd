"""A tiny render of a real sequence: every layer against geometry, both worlds against each other, twice the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from datagen.camera import lens_of, project
from datagen.codec import sha256_file, write_json
from datagen.evidence import RenderedLayers, derive_layers
from datagen.jobs import ExtractJob, RenderJob
from datagen.layers import PICTURE, read_manifest, standard_layers
from datagen.looks import draw_camera, draw_light, draw_surface
from datagen.physics.records import BodyReport, PhysicsCertificate, Verdict
from datagen.placement import Staging
from datagen.regions import MAX_RAMP_LEVELS
from datagen.sequence import Sequence, read_sequence
from datagen.settings import RenderSettings
from datagen.spec import Clip, GeometryRef, ObjectSpec, PersonSpec, SceneSpec, World
from datagen.staging import stage_scene
from datagen.trajectory import Trajectory, apply_pose, interpolate, write_trajectories

pytestmark = pytest.mark.blender

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = (96, 64)  # width, height
START_S, FPS, FRAMES = 1.01, 2.0, 2  # between two mocap frames


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A finished render and what it was made of."""

    out: Path
    job: Path
    spec: SceneSpec
    staging: Staging
    worlds: dict[World, Trajectory]
    sequence: Sequence

    def layer(self, name: str, frame: int, out: Path | None = None) -> np.ndarray:
        """Pixels of a layer."""
        layer, root = read_manifest(self.out).layer(name), out or self.out
        if layer.suffix == PICTURE:
            return np.asarray(cv2.imread(str(layer.path(root, frame))))
        return np.asarray(np.load(layer.stack(root))[frame])

    def body_pixels(self, frame: int) -> np.ndarray:
        """Pixels [P, 2] of the points on the body, interpolated between mocap frames."""
        at = (START_S + frame / FPS) * 30.0
        low = int(at)
        points = self.sequence.people[0].points.astype(np.float64)
        points = points[low] * (1 - at + low) + points[low + 1] * (at - low)
        return project(points, np.array(self.staging.world_from_camera[frame]), lens_of(self.spec, self.staging))[0]

    def box_pixels(self, world: World, frame: int) -> np.ndarray:
        """Pixels [V, 2] of the vase's vertices."""
        points = apply_pose(self.worlds[world].of("vase")[frame], self.sequence.objects[0].vertices)
        return project(points, np.array(self.staging.world_from_camera[frame]), lens_of(self.spec, self.staging))[0]


def serve(module: str, job: Path, out: Path) -> None:
    """Run a process of the project."""
    command = [sys.executable, "-m", module, str(job), str(out)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def rendered(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    folder = tmp_path_factory.mktemp("render")
    file = next((shared_data / "humoto").glob("carry_vase*.fbx"))
    write_json(folder / "extract.json", ExtractJob(file=str(file), sha256=sha256_file(file), body_points=1500))
    serve("blender_scripts.extract_sequence", folder / "extract.json", folder / "sequence")
    sequence = read_sequence(folder / "sequence")
    spec, worlds = make_spec(file, sequence), make_worlds(sequence)
    low, high = sequence.objects[0].vertices.min(axis=0), sequence.objects[0].vertices.max(axis=0)
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    body = sequence.people[0].points[[30, 45]].astype(np.float64)
    staging = stage_scene(spec, worlds, {"vase": corners}, {spec.people[0].name: body}, ("vase",))
    write_json(folder / "spec.json", spec)
    write_json(folder / "physics" / "staging.json", staging)
    write_trajectories(folder / "physics" / "trajectories.npz", worlds)
    write_json(folder / "physics" / "certificate.json", make_certificate(corners))
    job = RenderJob(spec=str(folder / "spec.json"), physics=str(folder / "physics"), threads=1)
    write_json(folder / "job.json", job)
    serve("blender_scripts.render_scene", folder / "job.json", folder / "out")
    return Rendered(
        out=folder / "out", job=folder / "job.json", spec=spec, staging=staging, worlds=worlds, sequence=sequence
    )


def make_spec(file: Path, sequence: Sequence) -> SceneSpec:
    def geometry(node: str) -> GeometryRef:
        return GeometryRef(file=str(file), sha256=sequence.info.sha256, node=node)

    person = sequence.people[0].name
    return SceneSpec(
        key="tiny",
        source="humoto",
        seed=4,
        sequence=sequence.info.name,
        description="",
        clip=Clip(start_s=START_S, num_frames=FRAMES, fps=FPS),
        objects=(ObjectSpec(name="vase", category="vase", geometry=geometry("vase")),),
        people=(PersonSpec(name=person, geometry=geometry(person), mocap_fps=30.0),),
        removed=(person,),
        camera=draw_camera(4),
        light=draw_light(4),
        floor=draw_surface(4, "floor"),
        wall=draw_surface(4, "wall"),
        render=RenderSettings(width=SIZE[0], height=SIZE[1], samples=2, light_samples=8, light_scale=1),
    )


def make_certificate(corners: np.ndarray) -> PhysicsCertificate:
    """What the renderer reads of a certificate: the box of the vase."""
    vase = BodyReport(
        name="vase",
        category="vase",
        dynamic=True,
        why="held",
        contact_mm=None,
        contact_part="",
        settle_mm=None,
        settle_deg=None,
        mass_kg=None,
        friction=0.5,
        restitution=0.1,
        corners=tuple(tuple(float(value) for value in corner) for corner in corners),
        divergence_frame=1,
    )
    return PhysicsCertificate(
        key="tiny",
        verdict=Verdict.ACCEPTED,
        labels=(),
        checks=(),
        affected=("vase",),
        divergence_frame=1,
        bodies=(vase,),
        caption="",
        seconds={},
        versions={},
    )


def make_worlds(sequence: Sequence) -> dict[World, Trajectory]:
    """The vase is carried; in the counterfactual it is let go and then stands on the floor."""
    vase = sequence.objects[0]
    factual = interpolate(vase.poses, 30.0, START_S + np.arange(FRAMES) / FPS)
    counterfactual = np.repeat(factual[:1], FRAMES, axis=0)
    counterfactual[1:, 2] -= apply_pose(factual[0], vase.vertices)[:, 2].min()
    return {
        World.FACTUAL: Trajectory.from_poses(("vase",), FPS, factual[:, None]),
        World.COUNTERFACTUAL: Trajectory.from_poses(("vase",), FPS, counterfactual[:, None]),
    }


def test_every_layer_is_there(rendered: Rendered) -> None:
    manifest = read_manifest(rendered.out)
    assert manifest.layers == standard_layers(*SIZE, 1)
    assert manifest.ids == {"vase": 1, rendered.spec.people[0].name: 2}
    for layer in manifest.layers:
        for frame in range(FRAMES):
            assert rendered.layer(layer.name, frame).shape[:2] == (layer.height, layer.width)
    assert sorted(path.name for path in rendered.out.iterdir()) == sorted(
        [layer.name + (".npy" if layer.values else "") for layer in manifest.layers] + ["evidence.npz", "manifest.json"]
    )
    assert manifest.peak_rss_bytes < 2.5 * 2**30


@pytest.mark.parametrize("frame", range(FRAMES))
@pytest.mark.parametrize(
    ("name", "world"), [("ids_hidden", World.FACTUAL), ("ids_counterfactual", World.COUNTERFACTUAL)]
)
def test_ids_lie_where_geometry_says(rendered: Rendered, name: str, world: World, frame: int) -> None:
    ids = rendered.layer(name, frame)
    assert set(np.unique(ids)) == {0.0, 1.0}
    pixels = rendered.box_pixels(world, frame)
    hull = cv2.convexHull(pixels.astype(np.float32))
    inside = [cv2.pointPolygonTest(hull, (x + 0.5, y + 0.5), True) for y, x in np.argwhere(ids == 1)]
    assert min(inside) > -0.05
    assert len(inside) > 0.75 * cv2.contourArea(hull)


@pytest.mark.parametrize("frame", range(FRAMES))
def test_coverage_is_where_the_body_is(rendered: Rendered, frame: int) -> None:
    coverage = rendered.layer("removed_coverage", frame)
    assert coverage.min() == 0 and coverage.max() == 255
    pixels = rendered.body_pixels(frame)
    column, row = np.floor(pixels).astype(int).T
    assert np.mean(coverage[row, column] > 0) > 0.9  # the vase hides some
    distance = cv2.distanceTransform((coverage == 0).astype(np.uint8), cv2.DIST_L2, 3)
    body = np.ones(coverage.shape, dtype=np.uint8)
    body[row, column] = 0
    assert cv2.distanceTransform(body, cv2.DIST_L2, 3)[coverage > 0].max() < 3.0
    assert distance.max() > 20


def test_shadow_of_the_person_is_found(rendered: Rendered) -> None:
    factual, hidden = rendered.layer("light_factual", 0), rendered.layer("light_hidden", 0)
    outside = (rendered.layer("removed_coverage", 0) == 0) & (rendered.layer("ids_hidden", 0) == 0)
    darker = outside & (factual < 0.6 * hidden)
    assert 20 < darker.sum() < 0.2 * darker.size
    assert hidden.max() < 20 and np.median(hidden) > 0.05


def test_far_pixels_are_equal_in_both_worlds(rendered: Rendered) -> None:
    """At frame 0 the vase is where it was, so that H and C are one picture."""
    for name in ("light", "ids"):
        assert np.array_equal(rendered.layer(f"{name}_hidden", 0), rendered.layer(f"{name}_counterfactual", 0))
    assert not np.array_equal(rendered.layer("ids_hidden", 1), rendered.layer("ids_counterfactual", 1))


def again(rendered: Rendered, folder: Path, **changes: object) -> Path:
    """The same scene with other settings of the renderer."""
    spec = replace(rendered.spec, render=replace(rendered.spec.render, **changes))  # type: ignore[arg-type]
    write_json(folder / "spec.json", spec)
    job = RenderJob(spec=str(folder / "spec.json"), physics=str(rendered.job.parent / "physics"), threads=1)
    write_json(folder / "job.json", job)
    serve("blender_scripts.render_scene", folder / "job.json", folder / "out")
    return folder / "out"


def test_reuse_renders_what_the_full_render_shows_and_copies_the_rest(rendered: Rendered, tmp_path: Path) -> None:
    """Without a denoiser, pixels that were rendered are equal to the last bit; what was copied is the factual one's."""
    parts = again(rendered, tmp_path / "parts", denoise=False)
    whole = again(rendered, tmp_path / "whole", denoise=False, reuse_unchanged=False)
    reuse = read_manifest(parts).reuse
    assert reuse is not None and 0 < reuse.rendered_share < 1 and read_manifest(whole).reuse is None
    assert 0 < reuse.factual_share < 1.5
    key = rendered.layer("rgb_counterfactual", FRAMES - 1, whole)
    for frame in range(FRAMES):
        factual, part = (rendered.layer(f"rgb_{world}", frame, parts) for world in ("factual", "counterfactual"))
        full_factual, full = (rendered.layer(f"rgb_{one}", frame, whole) for one in ("factual", "counterfactual"))
        body = rendered.layer("removed_coverage", frame) > 0
        moved = (rendered.layer("ids_hidden", frame) != rendered.layer("ids_counterfactual", frame)) | body
        assert np.array_equal(factual[moved], full_factual[moved])
        nearest = np.minimum(apart(part, full), apart(part, key))[moved]
        assert nearest.max() <= MAX_RAMP_LEVELS and (nearest == 0).mean() > 0.98
        assert equal(part, factual).mean() > 0.2 and not equal(part, factual)[moved].all()
        for mine, true in ((factual, full_factual), (part, full)):
            ramp = np.minimum(apart(mine, key), apart(mine, factual)) <= MAX_RAMP_LEVELS
            assert (equal(mine, true) | ramp).all()
    check_hidden_light(rendered, parts, whole)


def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Largest difference of a channel, int [height, width]."""
    return np.asarray(np.abs(first.astype(int) - second).max(axis=-1))


def equal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return apart(first, second) == 0


def check_hidden_light(rendered: Rendered, parts: Path, whole: Path) -> None:
    """H's light is rendered where F and C differ and F's elsewhere; the masks do not tell."""
    part, full = (rendered.layer("light_hidden", 1, out) for out in (parts, whole))
    factual, counterfactual = (rendered.layer(f"light_{one}", 1, whole) for one in ("factual", "counterfactual"))
    apart = np.abs(factual - counterfactual) > 0.2 * np.maximum(factual, counterfactual)
    assert 0.02 < apart.mean() < 0.8
    assert np.array_equal(part[apart], full[apart]) and not np.array_equal(part, factual)
    assert ((part == full) | (part == factual)).all()
    for mine, other in zip(mask_layers(rendered, parts), mask_layers(rendered, whole), strict=True):
        assert mine.any() and np.mean(mine != other) < 0.002


def mask_layers(rendered: Rendered, out: Path) -> tuple[np.ndarray, np.ndarray]:
    """Changes of light that a render leads to: by what moved, and by the person."""
    names = [field.name for field in fields(RenderedLayers)]
    pictures = {name: np.stack([rendered.layer(name, frame, out) for frame in range(FRAMES)]) for name in names}
    moved = np.array([[False, False, False], [False, True, False]])
    layers = derive_layers(RenderedLayers(**pictures), moved)
    return layers.lit_by_moved, layers.own_effects


def test_light_differs_by_more_than_noise() -> None:
    from blender_scripts.reuse_light import light_differs  # Blender stays out of the collection of tests

    first = np.full((2, 40, 60), 0.5, dtype=np.float32)
    second = first.copy()
    second[1, 10:20, 10:20] *= 0.9
    second[1, 30, 50] *= 1.05  # one path
    second[0] *= 1.01
    differ = light_differs(first, second, dark=0.01)
    assert differ[1, 10:20, 10:20].all() and not differ[1, 25:].any() and not differ[0].any()
    assert not light_differs(first, second, dark=50.0).any()


def test_a_stencil_lets_through_what_is_wanted_and_leaves_it_as_it_is(rendered: Rendered, tmp_path: Path) -> None:
    found = tmp_path / "found.npz"
    probe = Path(__file__).with_name("probe_stencil.py")
    subprocess.run([sys.executable, str(probe), str(rendered.job), str(found)], cwd=REPOSITORY, check=True)
    with np.load(found) as arrays:
        whole, cut, again, drawn, wanted = (arrays[name] for name in ("whole", "cut", "again", "drawn", "wanted"))
        all_through, coarse = arrays["all"], arrays["coarse"]
    reach = np.ones((5, 5), dtype=np.uint8)  # of the picture's filter
    inner = cv2.erode(wanted.astype(np.uint8), reach) > 0
    beyond = cv2.dilate(wanted.astype(np.uint8), reach) == 0
    assert whole.min() > 0 and np.array_equal(cut[inner], whole[inner])
    assert cut[beyond].max() < 0.05 * whole[beyond].mean()  # a ray may slip between two rectangles
    assert np.array_equal(again, whole) and np.allclose(drawn, whole * wanted, rtol=1e-5, atol=0)
    assert np.array_equal(all_through, whole)
    assert np.array_equal(coarse[inner], whole[inner]) and 0 < (coarse[beyond] == whole[beyond]).mean() < 0.3


def test_finer_light_is_rendered_where_coarse_light_cannot_tell(rendered: Rendered) -> None:
    """Of both worlds on the same pixels, few of them; at frame 0 the worlds are one."""
    hidden, counterfactual = (rendered.layer(f"fine_{world}", 1) for world in ("hidden", "counterfactual"))
    assert 0.005 < (hidden > 0).mean() < 0.4 and np.array_equal(hidden > 0, counterfactual > 0)
    assert not rendered.layer("fine_hidden", 0).any()


def test_finer_light_by_few_samples_and_then_by_many_on_a_cpu() -> None:
    from blender_scripts.passes import standard_passes  # Blender stays out of the collection of tests

    render = RenderSettings(width=224, height=128)
    for settings, on_gpu, samples in (
        (render, False, [16, 16, 128, 128]),
        (render, True, [128, 128]),
        (replace(render, fine_light_samples=1), False, [1, 1]),
    ):
        passes = standard_passes(settings, on_gpu=on_gpu)
        assert [one.settings.samples for one in passes if one.layer.startswith("fine")] == samples


def test_many_samples_replace_few_where_these_leave_it_open(rendered: Rendered, tmp_path: Path) -> None:
    """And nowhere else; no pixel that was asked is 0."""
    found = tmp_path / "found.npz"
    probe = Path(__file__).with_name("probe_fine_light.py")
    command = [sys.executable, str(probe), str(rendered.job), str(rendered.out), str(found)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    with np.load(found) as arrays:
        few, many, wanted, contested = (arrays[name] for name in ("few", "many", "wanted", "contested"))
    assert contested.any() and not (contested & ~wanted).any() and contested.sum() < 0.9 * wanted.sum()
    assert np.array_equal(few > 0, wanted) and np.array_equal(many > 0, wanted)
    assert np.array_equal(few[~contested], many[~contested])
    assert (few[contested] != many[contested]).mean() > 0.9


def test_videos_are_equal_on_keep(rendered: Rendered) -> None:
    """Frame 0 differs by the person alone, frame 1 by the vase too; far from both nothing differs at all."""
    for frame in range(FRAMES):
        factual, other = (rendered.layer(f"rgb_{world}", frame).astype(int) for world in ("factual", "counterfactual"))
        apart = np.abs(factual - other).max(axis=-1)
        assert apart[rendered.layer("removed_coverage", frame) > 0.9 * 255].mean() > 10
        assert (apart == 0).mean() > 0.2


def test_picture_is_well_exposed(rendered: Rendered) -> None:
    for name in ("rgb_factual", "rgb_counterfactual"):
        picture = rendered.layer(name, 1)
        assert 70 < picture.mean() < 190
        assert (picture.max(axis=-1) < 6).mean() < 0.02
        assert (picture.min(axis=-1) > 250).mean() < 0.02


def test_same_job_same_pixels_whatever_the_threads(rendered: Rendered, tmp_path: Path) -> None:
    spec = rendered.job.with_name("spec.json")
    write_json(
        tmp_path / "job.json", RenderJob(spec=str(spec), physics=str(rendered.job.parent / "physics"), threads=2)
    )
    serve("blender_scripts.render_scene", tmp_path / "job.json", tmp_path / "out")
    for layer in read_manifest(rendered.out).layers:
        for frame in range(FRAMES):
            again = rendered.layer(layer.name, frame, tmp_path / "out")
            assert np.array_equal(rendered.layer(layer.name, frame), again), layer.name
