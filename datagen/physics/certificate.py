"""Why to believe a counterfactual: figures of its trajectory and contacts against limits.

Free fall, energy, penetration, speed, room and bystanders are gates; effect, chaos and rest are labels. A gate is never
widened to let a scene pass: find out why the scene is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from scipy.spatial.transform import Rotation

from datagen.codec import sha256_arrays
from datagen.errors import SceneRejected
from datagen.physics.bodies import WorldRun
from datagen.physics.records import LABELS, Check, PhysicsCertificate
from datagen.settings import PhysicsSettings
from datagen.trajectory import Trajectory, apply_pose, rotation_angle

MIN_SPAN_STEPS = 4  # of an airborne span that free fall is fitted over
TOUCHING_M = -0.001  # Bullet keeps margins of 1 mm, so resting bodies report gaps up to this
ENERGY_SHARE = 0.02  # of the energy at hand-over
ENERGY_SLACK_J = 0.005
BELOW_FLOOR_MM = 10.0
MAX_TRAVEL_M = 5.0  # a room is about this large
REST_M_S = 0.05  # an object slower than this in the last frame lies still
CHAOS_MM = 20.0
GRAVITY_M_S2 = 9.81  # whatever a configuration says: other gravity is no ground truth for films of the Earth
CLOCK_MM = 1.0
MAX_TIME_ERROR = 0.15  # real clips at 12 Hz reach 0.06, because the mean of two velocities is not that between them
MIN_TRAVEL_M = 0.1  # as filmed, below which time cannot be told from noise
MAX_INITIAL_OVERLAP_MM = 12.0  # motion capture sinks things in by up to 8 mm; what is held, by 1.2


def check_run(run: WorldRun, settings: PhysicsSettings, fps: float) -> tuple[Check, ...]:
    """Checks of the simulation itself; `fps` is the rate at which its frames will be shown."""
    return (
        free_fall(run, settings),
        clock(run, fps),
        energy(run),
        initial_overlap(run),
        *penetration(run, settings),
        speed(run, settings),
        at_rest(run),
    )


def free_fall(run: WorldRun, settings: PhysicsSettings) -> Check:
    """Acceleration fitted over every airborne span, against that of the Earth; no drag is simulated."""
    errors = []
    for column in range(len(run.dynamic)):
        for start, stop in spans(run.airborne[:, column]):
            if stop - start >= MIN_SPAN_STEPS:
                path = run.centre[max(start - 1, 0) : stop, column]
                errors.append(_acceleration_error(path, run.substep_s))
    limit = settings.max_free_fall_error
    if not errors:
        return _limited("free_fall", None, limit, "1", "nothing was airborne")
    return _limited("free_fall", max(errors), limit, "1", f"{len(errors)} airborne spans")


def spans(flags: np.ndarray) -> list[tuple[int, int]]:
    """Runs of true values as (start, stop)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _acceleration_error(path: np.ndarray, step_s: float) -> float:
    """Length of the difference between the fitted acceleration of a path [n, 3] and gravity, relative to gravity."""
    times = np.arange(len(path)) * step_s
    times -= times.mean()
    fitted = 2 * np.polyfit(times, path - path.mean(axis=0), 2)[0]
    return float(np.linalg.norm(fitted - np.array([0.0, 0.0, -GRAVITY_M_S2])) / GRAVITY_M_S2)


def clock(run: WorldRun, fps: float) -> Check:
    """Distance between where a frame shows a centre of mass and where it was at the frame's time: real time is kept."""
    worst = 0.0
    for column, name in enumerate(run.dynamic):
        shown = centres(run.poses[:, run.names.index(name)], run.com[column])
        rows = np.round((np.arange(len(shown)) / fps - run.first_s) / run.substep_s).astype(int)
        known = rows >= 0  # a simulation that ended because all lay still goes on with its last row
        was = run.centre[np.minimum(rows[known], len(run.centre) - 1), column] if len(run.centre) else shown[known]
        worst = max(worst, float(np.linalg.norm(shown[known] - was, axis=1).max(initial=0.0)))
    if not run.dynamic:
        return _limited("clock", None, CLOCK_MM, "mm", "nothing is free")
    return _limited("clock", worst * 1000, CLOCK_MM, "mm")


def centres(poses: np.ndarray, com: np.ndarray) -> np.ndarray:
    """Course [num_frames, 3] of a point [3] of the object's frame."""
    return np.asarray(Rotation.from_quat(poses[:, 3:], scalar_first=True).apply(com) + poses[:, :3])


def time_scale(filmed: Trajectory) -> Check:
    """By how much the ways in a filmed clip differ from its velocities times its frame times, as a share.

    Velocities come from the recording at its own rate, ways from the clip: a clip that squeezes time shows here.
    """
    ways = np.diff(filmed.poses[..., :3], axis=0)
    expected = (filmed.linear_velocity[1:] + filmed.linear_velocity[:-1]) / 2 / filmed.fps
    travelled = float(np.linalg.norm(expected, axis=-1).sum())
    if travelled < MIN_TRAVEL_M:
        return _limited("time_scale", None, MAX_TIME_ERROR, "1", "hardly anything moves as filmed")
    ratio = float(np.sum(ways * expected) / np.sum(expected**2))
    return _limited(
        "time_scale", abs(ratio - 1), MAX_TIME_ERROR, "1", f"{ratio:.2f} times as far as its velocities say"
    )


def initial_overlap(run: WorldRun) -> Check:
    """Deepest overlap that a free body begins with: what the penetration checks forgive."""
    free = [bool(set(pair) & set(run.dynamic)) for pair in run.pairs]
    depths = np.where(free, run.initial_penetration, 0.0) * 1000
    if not depths.size or depths.max() <= 0:
        return _limited("initial_overlap", 0.0, MAX_INITIAL_OVERLAP_MM, "mm")
    note = f"between {' and '.join(run.pairs[int(depths.argmax())])}"
    return _limited("initial_overlap", float(depths.max()), MAX_INITIAL_OVERLAP_MM, "mm", note)


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


def convergence(run: WorldRun, finer: np.ndarray) -> tuple[Check, Check]:
    """Positions with half the time step, `finer` [num_frames, N, 7], against those of the run: up to each body's first
    bounce, and at the end. A miss is the label `chaotic`.
    """
    names = ("convergence_flight", "convergence")
    if not run.dynamic:
        return (
            _limited(names[0], None, CHAOS_MM, "mm", gate=False),
            _limited(names[1], None, CHAOS_MM, "mm", gate=False),
        )
    apart = np.linalg.norm(run.poses[..., :3] - finer[..., :3], axis=2) * 1000
    bounces = {name: first_bounce(run, name) for name in run.dynamic}
    before = max(float(apart[: bounces[name], run.names.index(name)].max(initial=0.0)) for name in run.dynamic)
    bounced = [frame for frame in bounces.values() if frame < len(run.poses)]
    note = f"first bounce in frame {min(bounced)}" if bounced else "nothing bounces"
    return (
        _limited(names[0], before, CHAOS_MM, "mm", note, gate=False),
        _limited(names[1], float(apart[-1].max()), CHAOS_MM, "mm", gate=False),
    )


def first_bounce(run: WorldRun, name: str) -> int:
    """First frame by which something that a body did not lie on has pushed it; the number of frames if nothing does."""
    found = len(run.poses)
    for column, pair in enumerate(run.pairs):
        if name in pair and run.initial_penetration[column] <= 0:
            pushed = np.flatnonzero(run.impulse[:, column] > 0)
            found = min(found, int(pushed[0]) if len(pushed) else found)
    return found


def repeat(poses: np.ndarray, again: np.ndarray) -> Check:
    """Greatest difference between poses [num_frames, N, 7] and those of another process, which must be equal bits."""
    equal = poses.shape == again.shape and poses.tobytes() == again.tobytes()
    value = float(np.abs(poses - again).max(initial=0.0)) * 1000 if poses.shape == again.shape else None
    digest = sha256_arrays(np.ascontiguousarray(poses))[:12]
    note = f"equal bits, sha256 {digest}" if equal else "differs in another process"
    return Check(name="repeat", value=value, limit=0.0, unit="mm", passed=equal, gate=True, note=note)


def labels_of(checks: tuple[Check, ...]) -> tuple[str, ...]:
    """What to know about a scene that is no reason to reject it."""
    missed = [LABELS[check.name] for check in checks if check.name in LABELS and not check.passed]
    return tuple(dict.fromkeys(missed))


def rejection(certificate: PhysicsCertificate) -> SceneRejected:
    """The failed gates, with their figures, as one line and as details."""
    failed = [check for check in certificate.checks if check.gate and not check.passed]
    figures = "; ".join(f"{check.name} {_figure(check)} {check.unit} (limit {check.limit:g})" for check in failed)
    return SceneRejected(
        f"{certificate.key}: physics ran and is not to be believed: {figures}",
        checks={check.name: {"value": check.value, "limit": check.limit, "unit": check.unit} for check in failed},
        measured=[asdict(check) for check in certificate.checks],
        labels=list(certificate.labels),
    )


def _figure(check: Check) -> str:
    return "nothing" if check.value is None else f"{check.value:.4g}"


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
