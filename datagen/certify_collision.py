"""Judge a simulated collision scene, and stage it.

`python -m datagen.certify_collision JOB.json OUT` reads what `kubric_jobs.simulate_scene` left and fills OUT with

    spec.json, geometry/   as they were
    trajectories.npz       both worlds; removed objects are in the factual one alone
    contacts.npz           of the counterfactual, as for HUMOTO; and the same with the prefix `factual_`
    perturbed.npz          as for HUMOTO; absent when the scene is rejected
    certificate.json       datagen.physics.records.PhysicsCertificate
    staging.json           camera, room and lights; absent when the scene is rejected
    collision.json         datagen.collision.CollisionReport
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from datagen.codec import read_npz, read_record, write_json, write_npz
from datagen.collision import (
    OUTLINES_FILE,
    REPORT_FILE,
    RERUNS_FILE,
    SPEC_FILE,
    WORLD_FILES,
    CollisionReport,
    Contacts,
    Reach,
    ThingReport,
    reached_from,
)
from datagen.entry import serve
from datagen.errors import DataError
from datagen.jobs import CertifyJob
from datagen.physics import certificate
from datagen.physics.bodies import WorldRun
from datagen.physics.captions import caption
from datagen.physics.happenings import Happening, happenings_of
from datagen.physics.perturb import write_perturbed
from datagen.physics.records import BodyReport, Check, PhysicsCertificate, Verdict
from datagen.physics.support import upright_axis
from datagen.physics.verdict import box_corners
from datagen.spec import SceneSpec, World
from datagen.staging import stage_scene
from datagen.trajectory import Trajectory, write_trajectories

SAME_MM = 1e-3  # two worlds agree on an object until something reaches it: 1e-6 m
TUPLE_FIELDS = ("names", "dynamic")
MOVES_MM = 10.0  # an object that moves less than this all along stands still in the caption


@dataclass(frozen=True, kw_only=True)
class Collision:
    """A simulated collision scene."""

    spec: SceneSpec
    factual: WorldRun
    counterfactual: WorldRun
    finer: WorldRun
    reruns: Mapping[str, np.ndarray]  # see datagen.collision
    outlines: Mapping[str, np.ndarray]  # name -> corners of the convex hull [V, 3], own frame
    report: CollisionReport

    @property
    def reached(self) -> dict[str, Reach]:
        """Objects that the removal can have changed."""
        worlds = [Contacts(pairs=run.pairs, impulse=run.impulse) for run in (self.factual, self.counterfactual)]
        passive = [thing.name for thing in self.report.things if thing.static]
        return reached_from(self.spec.removed, worlds, passive)

    def trajectories(self) -> dict[World, Trajectory]:
        """Both worlds' poses."""
        runs = {World.FACTUAL: self.factual, World.COUNTERFACTUAL: self.counterfactual}
        return {
            world: Trajectory(
                names=run.names,
                fps=self.spec.clip.fps,
                poses=run.poses,
                linear_velocity=run.linear_velocity,
                angular_velocity=run.angular_velocity,
            )
            for world, run in runs.items()
        }


def main(job_path: Path, out: Path) -> None:
    """Serve one `CertifyJob`."""
    job = read_record(CertifyJob, job_path)
    certify_folder(Path(job.simulation), out)


def certify_folder(simulation: Path, out: Path) -> PhysicsCertificate:
    """Fill `out`. Raises `SceneRejected`, after writing everything measured, when a gate fails or no camera fits."""
    started = time.perf_counter()
    collision = read_collision(simulation)
    worlds = collision.trajectories()
    _keep(simulation, out)
    write_trajectories(out / "trajectories.npz", worlds)
    write_npz(out / "contacts.npz", contact_arrays(collision))
    measured = certify(collision)
    seconds = {**collision.report.seconds, "certify": time.perf_counter() - started}
    write_json(out / "certificate.json", replace(measured, seconds=seconds))
    if measured.verdict is Verdict.REJECTED:
        raise certificate.rejection(measured)
    corners = {name: box_corners(points) for name, points in collision.outlines.items()}
    counterfactual = collision.counterfactual
    write_perturbed(out, counterfactual.names, collision.reruns["perturbed"], counterfactual.poses, corners)
    write_json(out / "staging.json", stage_scene(collision.spec, worlds, corners, {}, shown(collision.spec)))
    return measured


def shown(spec: SceneSpec) -> tuple[str, ...]:
    """What the camera keeps in sight beside what is removed: all that could move, whether or not it changes."""
    return tuple(thing.name for thing in spec.kept_objects() if not thing.static)


def _keep(simulation: Path, out: Path) -> None:
    """What the later stages need of the simulation's folder."""
    if simulation.resolve() == out.resolve():
        return
    for name in (SPEC_FILE, REPORT_FILE):
        shutil.copyfile(simulation / name, out / name)
    if (simulation / "geometry").is_dir():
        shutil.copytree(simulation / "geometry", out / "geometry", dirs_exist_ok=True)


def read_collision(folder: Path) -> Collision:
    """What `kubric_jobs.simulate_scene` left."""
    return Collision(
        spec=read_record(SceneSpec, folder / SPEC_FILE),
        factual=read_world(folder / WORLD_FILES["factual"]),
        counterfactual=read_world(folder / WORLD_FILES["counterfactual"]),
        finer=read_world(folder / WORLD_FILES["finer"]),
        reruns=read_npz(folder / RERUNS_FILE),
        outlines=read_npz(folder / OUTLINES_FILE),
        report=read_record(CollisionReport, folder / REPORT_FILE),
    )


def read_world(path: Path) -> WorldRun:
    """A run, field by field."""
    arrays = read_npz(path)
    wanted = [field.name for field in fields(WorldRun)]
    if missing := sorted(set(wanted) - set(arrays)):
        raise DataError(f"{path}: lacks {missing}; simulate the scene again")
    values: dict[str, object] = {name: arrays[name] for name in wanted}
    for name in TUPLE_FIELDS:
        values[name] = tuple(str(value) for value in arrays[name])
    values["pairs"] = tuple((str(first), str(second)) for first, second in arrays["pairs"])
    values |= {name: float(arrays[name]) for name in ("substep_s", "first_s")}
    return WorldRun(**values)  # type: ignore[arg-type]


def contact_arrays(collision: Collision) -> dict[str, np.ndarray]:
    """What touched what, per video frame, in both worlds."""
    arrays: dict[str, np.ndarray] = {}
    for prefix, run in (("", collision.counterfactual), ("factual_", collision.factual)):
        arrays[f"{prefix}pair_first"] = np.array([first for first, _ in run.pairs], dtype=np.str_)
        arrays[f"{prefix}pair_second"] = np.array([second for _, second in run.pairs], dtype=np.str_)
        arrays[f"{prefix}impulse"] = run.impulse
        arrays[f"{prefix}touching"] = run.impulse > 0
    return arrays


@dataclass(frozen=True, kw_only=True)
class Change:
    """How far apart the two worlds are for one kept object."""

    outline_mm: np.ndarray  # float64 [num_frames], greatest distance of a corner of its box
    moved_mm: float  # of its middle
    turned_deg: float
    first_frame: int | None  # in which it is beyond tolerance


def certify(collision: Collision) -> PhysicsCertificate:
    """Measure both worlds, and judge."""
    changes = {name: change_of(collision, name) for name in collision.counterfactual.names}
    reached = collision.reached
    checks = _checks(collision, changes, reached)
    frames = [change.first_frame for change in changes.values() if change.first_frame is not None]
    return PhysicsCertificate(
        key=collision.spec.key,
        verdict=Verdict.ACCEPTED if all(check.passed for check in checks if check.gate) else Verdict.REJECTED,
        labels=certificate.labels_of(checks),
        checks=checks,
        affected=tuple(name for name, change in changes.items() if change.first_frame is not None),
        divergence_frame=min(frames, default=None),
        bodies=tuple(_body(collision, thing, changes, reached) for thing in collision.report.things),
        caption=caption(_happenings(collision), collision.spec.seed),
        seconds={},
        versions=collision.report.versions,
    )


def change_of(collision: Collision, name: str) -> Change:
    """Compare an object's courses in the two worlds."""
    runs = (collision.factual, collision.counterfactual)
    first, second = (run.poses[:, run.names.index(name)] for run in runs)
    corners = box_corners(collision.outlines[name])
    apart = certificate.corner_difference(first, second, corners)
    middle = certificate.corner_difference(first, second, corners.mean(axis=0, keepdims=True))
    beyond = np.flatnonzero(apart > collision.spec.physics.max_bystander_mm)
    return Change(
        outline_mm=apart,
        moved_mm=float(middle.max()),
        turned_deg=certificate.turn_difference(first, second),
        first_frame=int(beyond[0]) if len(beyond) else None,
    )


def _checks(collision: Collision, changes: Mapping[str, Change], reached: Mapping[str, Reach]) -> tuple[Check, ...]:
    settings, spec = collision.spec.physics, collision.spec
    effects = {name: (change.moved_mm, change.turned_deg) for name, change in changes.items()}
    worlds = collision.trajectories()
    factual = [
        _of_factual(check)
        for check in (
            *certificate.check_run(collision.factual, settings, spec.clip.fps),
            *certificate.in_room(worlds[World.FACTUAL], collision.outlines),
            certificate.repeat(collision.factual.poses, collision.reruns["factual_again"]),
            *certificate.convergence(collision.factual, collision.reruns["factual_finer"]),
        )
    ]
    return (
        *certificate.check_run(collision.counterfactual, settings, spec.clip.fps),
        *certificate.in_room(worlds[World.COUNTERFACTUAL], collision.outlines),
        *factual,
        _bystanders(changes, reached),
        _wanted_effect(spec, effects),
        certificate.repeat(collision.counterfactual.poses, collision.reruns["counterfactual_again"]),
        *certificate.convergence(collision.counterfactual, collision.finer.poses),
        certificate.effect(effects, settings),
    )


def _of_factual(check: Check) -> Check:
    """The same check, told apart from that of the counterfactual."""
    return replace(check, name=f"factual_{check.name}")


def _bystanders(changes: Mapping[str, Change], reached: Mapping[str, Reach]) -> Check:
    """Until contacts bring the removal's influence to an object, it is equal in both worlds."""
    before = {
        name: change.outline_mm[: reached[name].frame] if name in reached else change.outline_mm
        for name, change in changes.items()
    }
    worst = {name: float(gap.max(initial=0.0)) for name, gap in before.items()}
    value = max(worst.values(), default=0.0)
    most = f", most in '{max(worst, key=lambda name: worst[name])}'" if value > 0 else ""
    note = f"{sum(name not in reached for name in changes)} of {len(changes)} are never reached{most}"
    return Check(
        name="bystanders", value=value, limit=SAME_MM, unit="mm", passed=value <= SAME_MM, gate=True, note=note
    )


def _wanted_effect(spec: SceneSpec, effects: Mapping[str, tuple[float, float]]) -> Check:
    """Whether the scene has the effect, or the lack of one, that it was drawn for."""
    null_wanted = spec.collision is not None and spec.collision.null_effect
    moved = max((value[0] for value in effects.values()), default=0.0)
    limit = spec.physics.max_bystander_mm if null_wanted else spec.physics.min_effect_mm
    turned = max((value[1] for value in effects.values()), default=0.0)
    passed = moved <= limit if null_wanted else moved > limit or turned > spec.physics.min_effect_deg
    note = "none is wanted" if null_wanted else f"and {turned:.0f} of {spec.physics.min_effect_deg:.0f} degrees"
    return Check(name="wanted_effect", value=moved, limit=limit, unit="mm", passed=passed, gate=True, note=note)


def _body(
    collision: Collision, thing: ThingReport, changes: Mapping[str, Change], reached: Mapping[str, Reach]
) -> BodyReport:
    spec = next(one for one in collision.spec.objects if one.name == thing.name)
    change = changes.get(thing.name)
    return BodyReport(
        name=thing.name,
        category=spec.category,
        dynamic=not thing.static,
        why=_why(collision.spec, thing, reached.get(thing.name)),
        contact_mm=None,
        contact_part="",
        settle_mm=None,
        settle_deg=None,
        mass_kg=thing.mass_kg,
        friction=thing.friction,
        restitution=thing.restitution,
        corners=tuple((float(x), float(y), float(z)) for x, y, z in box_corners(collision.outlines[thing.name])),
        divergence_frame=change.first_frame if change else None,
    )


def _why(spec: SceneSpec, thing: ThingReport, reach: Reach | None) -> str:
    """Its part in the scene, in words."""
    if thing.static:
        return f"{thing.role}; never moves"
    if thing.name in spec.removed:
        return f"{thing.role}; removed"
    if reach is None:
        return f"{thing.role}; nothing that the removal changes reaches it"
    return f"{thing.role}; reached in frame {reach.frame} by {' -> '.join(reach.chain)}"


def _happenings(collision: Collision) -> tuple[Happening, ...]:
    """What becomes of every kept object; those that hardly move stand still."""
    run = collision.counterfactual
    uprights = {
        name: upright_axis(run.poses[:, index], collision.outlines[name]) for index, name in enumerate(run.names)
    }
    happenings = happenings_of(run, collision.outlines, uprights)
    return tuple(replace(one, dynamic=one.dynamic and _travel_mm(collision, one.name) > MOVES_MM) for one in happenings)


def _travel_mm(collision: Collision, name: str) -> float:
    """Farthest that a corner of an object gets from where it began."""
    poses = collision.counterfactual.poses[:, collision.counterfactual.names.index(name)]
    corners = box_corners(collision.outlines[name])
    start = np.repeat(poses[:1], len(poses), axis=0)
    return float(certificate.corner_difference(poses, start, corners).max())


if __name__ == "__main__":
    serve(main)
