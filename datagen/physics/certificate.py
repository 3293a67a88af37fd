"""Why to believe a counterfactual: figures of its trajectory and contacts against limits.

Free fall, energy, penetration, speed, room and bystanders are gates; effect, chaos and rest are labels. A gate is never
widened to let a scene pass: find out why the scene is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from datagen.errors import SceneRejected
from datagen.physics.bodies import WorldRun
from datagen.physics.records import LABELS, Check, PhysicsCertificate
from datagen.spec import PhysicsSettings
from datagen.trajectory import Trajectory, apply_pose, rotation_angle

MIN_SPAN_STEPS = 4  # of an airborne span that free fall is fitted over
TOUCHING_M = -0.001  # Bullet keeps margins of 1 mm, so resting bodies report gaps up to this
ENERGY_SHARE = 0.02  # of the energy at hand-over
ENERGY_SLACK_J = 0.005
BELOW_FLOOR_MM = 10.0
MAX_TRAVEL_M = 5.0  # a room is about this large
REST_M_S = 0.05  # an object slower than this in the last frame lies still
CHAOS_MM = 20.0


def check_run(run: WorldRun, settings: PhysicsSettings) -> tuple[Check, ...]:
    """Checks of the simulation itself."""
    return (
        free_fall(run, settings),
        energy(run),
        *penetration(run, settings),
        speed(run, settings),
        at_rest(run),
    )


def free_fall(run: WorldRun, settings: PhysicsSettings) -> Check:
    """Acceleration fitted over every airborne span, against gravity; no drag is simulated."""
    errors = []
    for column in range(len(run.dynamic)):
        for start, stop in spans(run.airborne[:, column]):
            if stop - start >= MIN_SPAN_STEPS:
                path = run.centre[max(start - 1, 0) : stop, column]
                errors.append(_acceleration_error(path, run.substep_s, settings.gravity_m_s2))
    limit = settings.max_free_fall_error
    if not errors:
        return _limited("free_fall", None, limit, "1", "nothing was airborne")
    return _limited("free_fall", max(errors), limit, "1", f"{len(errors)} airborne spans")


def spans(flags: np.ndarray) -> list[tuple[int, int]]:
    """Runs of true values as (start, stop)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _acceleration_error(path: np.ndarray, step_s: float, gravity: float) -> float:
    """Length of the difference between the fitted acceleration of a path [n, 3] and gravity, relative to gravity."""
    times = np.arange(len(path)) * step_s
    times -= times.mean()
    fitted = 2 * np.polyfit(times, path - path.mean(axis=0), 2)[0]
    return float(np.linalg.norm(fitted - np.array([0.0, 0.0, -gravity])) / gravity)


def energy(run: WorldRun) -> Check:
    """Greatest rise of the mechanical energy of all dynamic bodies above any earlier value."""
    if not len(run.energy) or not run.dynamic:
        return _limited("energy_rise", None, ENERGY_SLACK_J, "J", "nothing is free")
    rise = float((run.energy - np.minimum.accumulate(run.energy)).max())
    limit = ENERGY_SHARE * abs(float(run.energy[0])) + ENERGY_SLACK_J
    return _limited("energy_rise", rise, limit, "J")


def penetration(run: WorldRun, settings: PhysicsSettings) -> tuple[Check, Check]:
    """Overlap beyond what the mocap poses began with, over all moments at which two bodies touch."""
    excess = np.maximum(run.penetration - run.initial_penetration, 0.0) * 1000
    touching = np.nan_to_num(run.penetration, nan=-1.0) > TOUCHING_M
    values = excess[touching]
    p95, worst = (float(np.percentile(values, 95)), float(values.max())) if values.size else (None, None)
    note = ""
    if values.size:
        column = int(np.nanargmax(np.where(touching, excess, -1.0).max(axis=0)))
        note = f"deepest between {' and '.join(run.pairs[column])}"
    return (
        _limited("penetration_p95", p95, settings.max_penetration_p95_mm, "mm"),
        _limited("penetration_max", worst, settings.max_penetration_mm, "mm", note),
    )


def speed(run: WorldRun, settings: PhysicsSettings) -> Check:
    """Greatest speed of a centre of mass."""
    value = float(run.speed.max()) if run.speed.size else None
    return _limited("speed", value, settings.max_speed_m_s, "m/s")


def at_rest(run: WorldRun) -> Check:
    """Speed of the fastest object at the end of the clip; a label, since long rolls are no fault."""
    value = float(run.speed[-1].max()) if run.speed.size else None
    return _limited("rest_speed", value, REST_M_S, "m/s", gate=False)


def in_room(trajectory: Trajectory, vertices: Mapping[str, np.ndarray]) -> tuple[Check, Check]:
    """Nothing sinks below the floor (beyond how it began) or leaves the room."""
    sunk, travelled = 0.0, 0.0
    for name in trajectory.names:
        poses = trajectory.of(name)
        depth = [max(0.0, -float(apply_pose(pose, vertices[name])[:, 2].min())) for pose in poses]
        sunk = max(sunk, max(depth) - depth[0])
        travelled = max(travelled, float(np.linalg.norm(poses[:, :2] - poses[0, :2], axis=1).max()))
    return (
        _limited("below_floor", sunk * 1000, BELOW_FLOOR_MM, "mm"),
        _limited("travel", travelled, MAX_TRAVEL_M, "m"),
    )


def bystanders(differences: Mapping[str, float], innocent: tuple[str, ...], settings: PhysicsSettings) -> Check:
    """Objects that nothing moves must be equal in both worlds; differences are in mm."""
    limit = settings.max_bystander_mm
    if not innocent:
        return _limited("bystanders", None, limit, "mm", "there are none")
    worst = max(innocent, key=lambda name: differences[name])
    return _limited("bystanders", differences[worst], limit, "mm", f"most in '{worst}' of {len(innocent)}")


def effect(turns: Mapping[str, tuple[float, float]], settings: PhysicsSettings) -> Check:
    """Greatest difference between the worlds; `turns` holds (mm, degrees) for each object. A miss is a label."""
    moved = max((value[0] for value in turns.values()), default=0.0)
    turned = max((value[1] for value in turns.values()), default=0.0)
    passed = moved > settings.min_effect_mm or turned > settings.min_effect_deg
    note = f"and {turned:.0f} of {settings.min_effect_deg:.0f} degrees"
    return Check(
        name="effect", value=moved, limit=settings.min_effect_mm, unit="mm", passed=passed, gate=False, note=note
    )


def convergence(run: WorldRun, finer: WorldRun) -> Check:
    """Final positions with half the time step, against those of the run; a miss is the label `chaotic`."""
    if not run.dynamic:
        return _limited("convergence", None, CHAOS_MM, "mm", gate=False)
    apart = np.linalg.norm(run.poses[-1, :, :3] - finer.poses[-1, :, :3], axis=1)
    return _limited("convergence", float(apart.max()) * 1000, CHAOS_MM, "mm", gate=False)


def labels_of(checks: tuple[Check, ...]) -> tuple[str, ...]:
    """What to know about a scene that is no reason to reject it."""
    return tuple(LABELS[check.name] for check in checks if check.name in LABELS and not check.passed)


def rejection(certificate: PhysicsCertificate) -> SceneRejected:
    """The failed gates, with their figures, as one line and as details."""
    failed = [check for check in certificate.checks if check.gate and not check.passed]
    figures = "; ".join(f"{check.name} {check.value:.4g} {check.unit} (limit {check.limit:g})" for check in failed)
    return SceneRejected(
        f"{certificate.key}: physics ran and is not to be believed: {figures}",
        checks={check.name: {"value": check.value, "limit": check.limit, "unit": check.unit} for check in failed},
    )


def corner_difference(first: np.ndarray, second: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Greatest distance [mm] of an object's corners [8, 3] in two courses of poses [num_frames, 7]; [num_frames]."""
    return np.array(
        [
            np.linalg.norm(apply_pose(one, corners) - apply_pose(other, corners), axis=1).max() * 1000
            for one, other in zip(first, second, strict=True)
        ]
    )


def turn_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Greatest angle [degrees] between two courses of poses [num_frames, 7]."""
    return float(np.degrees(rotation_angle(first, second).max()))


def _limited(name: str, value: float | None, limit: float, unit: str, note: str = "", gate: bool = True) -> Check:
    """A figure that must not exceed its limit; None passes."""
    return Check(
        name=name, value=value, limit=limit, unit=unit, passed=value is None or value <= limit, gate=gate, note=note
    )
