"""Two engines, the same counterfactuals: Bullet, which the pipeline uses, against MuJoCo.

    .venv/bin/python benchmarks/cross_engine.py [--data DIR | --run RUN] [--kubric 6] [--gso MANIFEST] [--json FILE]

For each object that moves: when and where it bounces first, how fast it falls, how far apart the engines are until
then, and where it comes to rest. Without --data or --run the embedded demo data is used. --kubric draws that many
collision scenes, and compares both of their worlds. Only what is in free flight at the start is held to the limits:
10 mm and one frame until the first bounce. --sunk prints instead how high both engines throw a box that starts inside
the floor.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from kubric_scene import planned
from rich.console import Console
from rich.table import Table

from datagen.assets import COLLISION_FILE, read_manifest
from datagen.cache import asset_cache, default_assets, extracted_sequence, hull_cache
from datagen.certify_collision import Collision, read_collision
from datagen.codec import write_json
from datagen.config import resolve_config
from datagen.demo import make_demo_data
from datagen.errors import SceneError
from datagen.jobs import CollisionJob
from datagen.meshes import read_obj
from datagen.physics.agreement import Agreement, Course, compare, course_of
from datagen.physics.bodies import Body, ConvexParts, WorldRun
from datagen.physics.crosscheck import Box, Hulls, run_mujoco
from datagen.physics.decompose import convex_parts, parts_from_hulls
from datagen.physics.handover import take_clip
from datagen.physics.materials import Material, floor_material
from datagen.physics.simulate import rerun, simulate_without
from datagen.physics.verdict import box_corners
from datagen.physics.world import run_world
from datagen.planning import plan_humoto
from datagen.runs import RunFolder
from datagen.sequence import read_sequence
from datagen.spec import SceneSpec
from datagen.trajectory import apply_pose
from datagen.worker import run_engine
from kubric_jobs.solids import solid_of

ROOM_M = 0.3  # around what Bullet's bodies pass through; furniture farther away is left out of MuJoCo's world
STILL_MM = 1.0  # what lies still in both engines is counted, not listed


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A world that Bullet has run."""

    key: str
    spec: SceneSpec
    bodies: tuple[Body, ...]
    floor: Material
    bullet: Course
    corners: Mapping[str, np.ndarray]
    static_hulls: Mapping[str, Hulls]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One object of one scene."""

    scene: str
    agreement: Agreement

    @property
    def listed(self) -> bool:
        """Whether it does anything."""
        one = self.agreement
        bounces = one.first_contact_s != (None, None)
        return one.free or bounces or max(one.apart_mm, one.rest_apart_mm) > STILL_MM


def main() -> None:
    """Print a row for each object, and the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a HUMOTO folder; default: the embedded demo data")
    parser.add_argument("--run", type=Path, help="a planned run folder, instead of --data")
    parser.add_argument("--limit", type=int, default=12, help="clips planned from --data")
    parser.add_argument("--kubric", type=int, default=0, help="collision scenes to draw")
    parser.add_argument("--gso", type=Path, help="their objects; default: the embedded ones")
    parser.add_argument("--furniture", choices=("triangles", "parts"), default="triangles")
    parser.add_argument("--no-rolling", action="store_true", help="no rolling friction in either engine")
    parser.add_argument("--sunk", action="store_true")
    parser.add_argument("--json", type=Path, dest="json_file")
    options = parser.parse_args()
    console = Console(width=150)
    if options.sunk:
        console.print(table_of_sunk())
        return
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for scene in (*clips(options, Path(scratch), console), *collisions(options, Path(scratch), console)):
            found = compared(scene, options.furniture)
            rows += [Row(scene=scene.key, agreement=agreement) for agreement in found]
    console.print(table_of(rows))
    summary = summary_of([row.agreement for row in rows])
    console.print_json(json.dumps(summary))
    if options.json_file:
        objects = [{"scene": row.scene, **dataclasses.asdict(row.agreement)} for row in rows]
        write_json(options.json_file, {"summary": summary, "objects": objects})


def clips(options: argparse.Namespace, scratch: Path, console: Console) -> Iterator[Scene]:
    """Counterfactuals of motion capture; a clip that Bullet cannot run is said and left out."""
    root = options.run or scratch / "run"
    if options.run is None:
        data = options.data or scratch / "demo"
        if options.data is None:
            make_demo_data(data)
        config = resolve_config("preview", ["humoto.split=all"])
        plan_humoto(data, root, config, limit=options.limit, workers=1, console=console)
    run = RunFolder(root=root)
    keys = run.keys()
    for key in keys:
        try:
            yield clip_scene(run.spec(key), rolling=not options.no_rolling)
        except SceneError as error:
            console.print(f"left out {key}: {error}", highlight=False)


def clip_scene(spec: SceneSpec, rolling: bool = True) -> Scene:
    """A clip, as `datagen.simulate_scene` runs it; or the same bodies without rolling friction."""
    geometry = spec.people[0].geometry
    sequence = read_sequence(extracted_sequence(Path(geometry.file), geometry.sha256))
    handover = take_clip(spec, sequence, spec.people[0].mocap_fps)
    outcome = simulate_without(spec, handover, hull_cache())
    floor = outcome.floor
    if not rolling:
        floor, bodies = _smooth(floor), tuple(_smooth_body(body) for body in outcome.bodies)
        outcome = dataclasses.replace(outcome, bodies=bodies, floor=floor)
        outcome = dataclasses.replace(outcome, run=rerun(spec, outcome, spec.physics.substep_hz))
    return Scene(
        key=spec.key,
        spec=spec,
        bodies=outcome.bodies,
        floor=floor,
        bullet=course_of(outcome.run),
        corners={track.name: box_corners(track.vertices) for track in handover.tracks},
        static_hulls={},
    )


def _smooth(material: Material) -> Material:
    return dataclasses.replace(material, rolling_friction=0.0)


def _smooth_body(body: Body) -> Body:
    return dataclasses.replace(body, material=_smooth(body.material))


def collisions(options: argparse.Namespace, scratch: Path, console: Console) -> Iterator[Scene]:
    """Both worlds of drawn collision scenes."""
    if not options.kubric:
        return
    manifest = read_manifest(options.gso or default_assets(), check_meshes=False)
    for spec in planned(manifest, options.kubric):
        folder = scratch / spec.key
        write_json(scratch / f"{spec.key}.json", spec)
        job = CollisionJob(spec=str(scratch / f"{spec.key}.json"), cache=str(asset_cache()))
        try:
            run_engine("kubric_jobs.simulate_scene", job, folder, timeout_s=spec.physics.timeout_s, threads=1)
        except SceneError as error:
            console.print(f"left out {spec.key}: {error}", highlight=False)
            continue
        collision = read_collision(folder)
        yield collision_scene(collision, folder, collision.factual, "factual")
        yield collision_scene(collision, folder, collision.counterfactual, "counterfactual")


def collision_scene(collision: Collision, folder: Path, run: WorldRun, world: str) -> Scene:
    """One world of a collision scene, with the convex parts and masses that it was simulated with."""
    bodies = tuple(_thing(collision, folder, run, name) for name in run.names)
    return Scene(
        key=f"{collision.spec.key}/{world}",
        spec=collision.spec,
        bodies=tuple(body for body, _ in bodies),
        floor=floor_material(collision.spec.floor.kind),
        bullet=course_of(run),
        corners={name: box_corners(points) for name, points in collision.outlines.items()},
        static_hulls={body.name: parts.hulls for body, parts in bodies if not body.dynamic},
    )


def _thing(collision: Collision, folder: Path, run: WorldRun, name: str) -> tuple[Body, ConvexParts]:
    """A thing at the first frame, and its parts; Kubric's axes are taken for principal ones, as Kubric does."""
    (spec,) = (thing for thing in collision.spec.objects if thing.name == name)
    (report,) = (thing for thing in collision.report.things if thing.name == name)
    column = run.names.index(name)
    solid = solid_of((folder / spec.geometry.file).parent, asset_cache())
    shape = read_obj(solid.urdf.with_name(COLLISION_FILE))
    hulls = tuple(shape.vertices[group] * spec.scale for group in shape.groups)
    volume = solid.volume * spec.scale**3
    inertia = np.diag(solid.inertia) * spec.scale**5
    parts = dataclasses.replace(
        parts_from_hulls(name, hulls), volume=volume, centre=np.zeros(3), inertia=inertia, hulls=hulls
    )
    body = Body(
        name=name,
        material=Material(
            name=report.asset_id,
            density_kg_m3=(report.mass_kg or 0.0) / volume,
            friction=report.friction,
            restitution=report.restitution,
            rolling_friction=0.001,
        ),
        pose=run.poses[0, column],
        linear=run.linear_velocity[0, column],
        angular=run.angular_velocity[0, column],
        vertices=shape.vertices * spec.scale,
        faces=shape.faces,
        parts=None if report.static else parts,
    )
    return body, parts


def compared(scene: Scene, furniture: str) -> tuple[Agreement, ...]:
    """The scene in MuJoCo, against Bullet's course."""
    hulls = dict(scene.static_hulls)
    if furniture == "parts":
        hulls |= {body.name: _parts(body).hulls for body in scene.bodies if not body.dynamic}
    mujoco = run_mujoco(
        scene.bodies,
        scene.floor,
        num_frames=scene.spec.clip.num_frames,
        fps=scene.spec.clip.fps,
        gravity_m_s2=scene.spec.physics.gravity_m_s2,
        static_hulls=hulls,
        within=_surroundings(scene),
    )
    settings = scene.spec.physics
    return compare(scene.bullet, mujoco, scene.corners, fps=scene.spec.clip.fps, gravity_m_s2=settings.gravity_m_s2)


def _parts(body: Body) -> ConvexParts:
    return convex_parts(body.name, body.vertices, body.faces, hull_cache())


def _surroundings(scene: Scene) -> Box:
    """The box that Bullet's bodies pass through, and `ROOM_M` around it."""
    courses = zip(scene.bullet.names, scene.bullet.poses.swapaxes(0, 1), strict=True)
    points = [apply_pose(pose, scene.corners[name]) for name, poses in courses for pose in poses]
    every = np.concatenate(points) if points else np.zeros((1, 3))
    return every.min(axis=0) - ROOM_M, every.max(axis=0) + ROOM_M


def table_of(rows: list[Row]) -> Table:
    """The objects that do anything."""
    still = sum(not row.listed for row in rows)
    table = Table(title="Bullet / MuJoCo", caption=f"{still} more objects lie still in both")
    for name in ("scene", "object", "starts on", "first bounce, s", "on", "falls at, m/s2", "apart, mm"):
        table.add_column(name, overflow="fold")
    for name in ("rest apart, mm", "rests on", "verdict"):
        table.add_column(name, overflow="fold")
    for row in (row for row in rows if row.listed):
        one = row.agreement
        table.add_row(
            row.scene if len(row.scene) < 24 else "…" + row.scene[-23:],
            one.name,
            ", ".join(one.begins_on) or "nothing",
            _pair(one.first_contact_s, "{:.3f}"),
            _either(*one.first_partner),
            _pair(one.fall_m_s2, "{:.3f}"),
            f"{one.apart_mm:.2f}",
            f"{one.rest_apart_mm:.0f}",
            _either(*(", ".join(names) or "nothing" for names in one.supports)),
            ("" if one.free else "no limit: " if one.problems else "") + ("; ".join(one.problems) or "agree"),
        )
    return table


def _pair(values: tuple[float | None, float | None], form: str) -> str:
    return " / ".join("-" if value is None else form.format(value) for value in values)


def _either(first: str, second: str) -> str:
    return first if first == second else f"{first} / {second}"


def summary_of(found: list[Agreement]) -> dict[str, object]:
    """Figures of all objects; only those in free flight are held to the limits."""
    free = [one for one in found if one.free]
    held = [one for one in found if not one.free]
    moved = [one for one in found if one.free or one.first_contact_s != (None, None)]
    bounces = [one.first_contact_s for one in free if None not in one.first_contact_s]
    falls = [value for one in found for value in one.fall_m_s2 if value is not None]
    return {
        "objects": len(found),
        "free_flight": len(free),
        "free_flight_agree": sum(not one.problems for one in free),
        "free_flight_max_apart_mm": max((one.apart_mm for one in free), default=None),
        "free_flight_max_contact_s": max((abs((a or 0) - (b or 0)) for a, b in bounces), default=None),
        "started_on_something": len(held),
        "started_on_something_agree": sum(not one.problems for one in held),
        "moved": len(moved),
        "moved_same_support": sum(one.same_support for one in moved),
        "moved_rest_apart_median_mm": float(np.median([one.rest_apart_mm for one in moved])) if moved else None,
        "falls": len(falls),
        "falls_m_s2": [min(falls), max(falls)] if falls else [],
    }


def table_of_sunk() -> Table:
    """How high [mm] a box of 0.3 m rises that starts inside the floor, at rest, without bounce."""
    rates = (480.0, 2000.0, 8000.0)
    table = Table(title="A box that starts inside the floor: how far it rises, mm")
    for name in ("sunk, mm", *(f"Bullet, {rate:.0f} Hz" for rate in rates), "MuJoCo, 2000 Hz"):
        table.add_column(name)
    for sunk_mm in (0.0, 1.0, 3.0, 5.0, 8.0):
        body, floor = _sunk_box(sunk_mm / 1000), dataclasses.replace(floor_material("wood"), restitution=0.0)
        courses = [_bullet_alone(body, floor, int(rate)) for rate in rates]
        courses.append(run_mujoco((body,), floor, num_frames=7, fps=12.0, gravity_m_s2=9.81))
        table.add_row(f"{sunk_mm:g}", *(_rise(course, float(body.pose[2])) for course in courses))
    return table


def _bullet_alone(body: Body, floor: Material, hz: int) -> Course:
    return course_of(run_world((body,), floor, num_frames=7, fps=12.0, substep_hz=hz, gravity_m_s2=9.81))


def _sunk_box(depth_m: float) -> Body:
    box = trimesh.creation.box((0.3, 0.3, 0.3))
    vertices = np.array(box.vertices)
    return Body(
        name="box",
        material=Material(name="wood", density_kg_m3=600.0, friction=0.65, restitution=0.0, rolling_friction=0.0008),
        pose=np.array([0, 0, 0.15 - depth_m, 1, 0, 0, 0]),
        linear=np.zeros(3),
        angular=np.zeros(3),
        vertices=vertices,
        faces=np.array(box.faces, dtype=np.int32),
        parts=parts_from_hulls("box", (vertices,)),
    )


def _rise(course: Course, start_m: float) -> str:
    return f"{(course.centre[:, 0, 2].max() - start_m) * 1000:.1f}"


if __name__ == "__main__":
    main()
