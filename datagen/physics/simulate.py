"""Physics without the person: who moves, and how.

Dynamic are (1) what the person held or supported, (2) what moves by itself at the first frame, (3) what lies in or on
such a thing and goes along, and (4) what a dynamic body then pushes, or carried until then: promoted, and everything
run again until nothing changes. All else stays at its mocap pose, because resting objects hover or sink by millimetres
in motion capture and must not twitch; what was promoted and then does not move is set back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datagen.physics.bodies import Body, WorldRun
from datagen.physics.handover import Handover
from datagen.physics.materials import Material
from datagen.physics.promote import Watch
from datagen.physics.scene import Scene, scene_of
from datagen.physics.settle import displacement
from datagen.physics.standing import Standing, judge_all
from datagen.physics.world import run_world
from datagen.spec import SceneSpec
from datagen.trajectory import Trajectory

UNMOVED_MM = 3.0  # a promoted body that slides less than this, and only sinks onto its support, was not moved
UNMOVED_DEG = 2.0
SAME_COURSE_MM = 20.0  # how much the others' courses may depend on a body that is set back


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The counterfactual course of a scene."""

    trajectory: Trajectory
    run: WorldRun
    bodies: tuple[Body, ...]
    standings: dict[str, Standing]
    floor: Material


def simulate_without(spec: SceneSpec, handover: Handover, cache: Path) -> Outcome:
    """Run physics from the clip's first frame without the removed people and objects.

    Raises `SceneFailed` for an object without a surface, or one that moves and cannot be made a solid.
    """
    scene, standings = judge_all(scene_of(spec, handover, cache))
    standings, run = _until_nothing_changes(scene, standings)
    standings, run = _set_back(scene, standings, run)
    trajectory = Trajectory(
        names=run.names,
        fps=spec.clip.fps,
        poses=run.poses,
        linear_velocity=run.linear_velocity,
        angular_velocity=run.angular_velocity,
    )
    bodies = scene.with_parts(_dynamic(standings))
    return Outcome(trajectory=trajectory, run=run, bodies=bodies, standings=standings, floor=scene.floor)


def rerun(spec: SceneSpec, outcome: Outcome, substep_hz: int) -> WorldRun:
    """The same bodies with another time step."""
    return _run(spec, outcome.bodies, outcome.floor, substep_hz)


def _run(
    spec: SceneSpec, bodies: tuple[Body, ...], floor: Material, substep_hz: int, stop: Watch | None = None
) -> WorldRun:
    return run_world(
        bodies,
        floor,
        num_frames=spec.clip.num_frames,
        fps=spec.clip.fps,
        substep_hz=substep_hz,
        gravity_m_s2=spec.physics.gravity_m_s2,
        stop=stop,
    )


def _until_nothing_changes(scene: Scene, standings: dict[str, Standing]) -> tuple[dict[str, Standing], WorldRun]:
    """Run, promote what a moving body moves, and run again; every round makes a body dynamic, so it ends."""
    while True:
        dynamic = _dynamic(standings)
        watch = Watch(scene, dynamic)
        bodies = scene.with_parts(dynamic)
        run = _run(scene.spec, bodies, scene.floor, scene.spec.physics.substep_hz, watch)
        if not watch.reasons:
            return standings, run
        for name, why in watch.reasons.items():
            settling = watch.rests_on.get(name) or standings[name].settling
            standings = {
                **standings,
                name: replace(standings[name], dynamic=True, why=why, settling=settling, promoted=True),
            }


def _set_back(scene: Scene, standings: dict[str, Standing], run: WorldRun) -> tuple[dict[str, Standing], WorldRun]:
    """Fix promoted bodies that do not move at their mocap poses, if the others then move as before."""
    idle = {name for name in run.dynamic if standings[name].promoted and _unmoved(scene.body(name), run)}
    if not idle:
        return standings, run
    settled = {
        name: replace(one, dynamic=False, why=f"{one.why}, yet it does not move") if name in idle else one
        for name, one in standings.items()
    }
    again = _run(scene.spec, scene.with_parts(_dynamic(settled)), scene.floor, scene.spec.physics.substep_hz)
    kept = [run.names.index(name) for name in again.dynamic]
    apart = np.linalg.norm(run.poses[:, kept, :3] - again.poses[:, kept, :3], axis=2)
    return (settled, again) if apart.max(initial=0.0) * 1000 < SAME_COURSE_MM else (standings, run)


def _unmoved(body: Body, run: WorldRun) -> bool:
    """Whether a dynamic body only sank onto what it rests on."""
    settling = displacement(run.poses[:, run.names.index(body.name)], body.vertices)
    return settling.slid_mm < UNMOVED_MM and settling.turned_deg < UNMOVED_DEG


def _dynamic(standings: dict[str, Standing]) -> set[str]:
    return {name for name, standing in standings.items() if standing.dynamic}
