"""A simulation run again: with half the time step, in another process, and from starts within measurement noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from datagen.elsewhere import call_elsewhere
from datagen.physics.bodies import Body
from datagen.physics.materials import Material
from datagen.physics.perturb import DEEPER_M, TRIES, Jitter, draw_jitter, jitter_generator, jittered_pose
from datagen.physics.simulate import Outcome
from datagen.physics.world import overlap_probe, run_poses
from datagen.spec import SceneSpec

Probe = Callable[[Body], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Reruns:
    """Poses [num_frames, N, 7] of the bodies in the order of the run."""

    finer: np.ndarray  # with half the time step
    again: np.ndarray  # the same in another process


def run_again(spec: SceneSpec, outcome: Outcome) -> Reruns:
    """Both, at the cost of poses alone."""
    rate_hz = _rate_hz(outcome)
    return Reruns(
        finer=_poses(spec, outcome.bodies, outcome.floor, 2 * rate_hz),
        again=call_elsewhere(  # what is called there decides what that process has to import
            run_poses,
            outcome.bodies,
            outcome.floor,
            num_frames=spec.clip.num_frames,
            fps=spec.clip.fps,
            substep_hz=rate_hz,
            gravity_m_s2=spec.physics.gravity_m_s2,
        ),
    )


def run_perturbed(spec: SceneSpec, outcome: Outcome) -> np.ndarray:
    """Poses from jittered starts, float64 [K, num_frames, N, 7]."""
    starts = jittered_starts(outcome.bodies, outcome.floor, spec.seed, spec.physics.perturbed)
    runs = [_poses(spec, bodies, outcome.floor, _rate_hz(outcome)) for bodies in starts]
    return np.array(runs).reshape(-1, *outcome.run.poses.shape)


def _rate_hz(outcome: Outcome) -> int:
    return round(1 / outcome.run.substep_s)


def _poses(spec: SceneSpec, bodies: tuple[Body, ...], floor: Material, substep_hz: int) -> np.ndarray:
    return run_poses(
        bodies,
        floor,
        num_frames=spec.clip.num_frames,
        fps=spec.clip.fps,
        substep_hz=substep_hz,
        gravity_m_s2=spec.physics.gravity_m_s2,
    )


def jittered_starts(bodies: tuple[Body, ...], floor: Material, seed: int, count: int) -> Iterator[tuple[Body, ...]]:
    """`count` times the same bodies, the free ones elsewhere by as much as a measurement can be wrong.

    No start overlaps deeper than the measured one: a body that lies on something is drawn again until it does not sink
    in, so it hovers by a millimetre or two rather than being thrown out.
    """
    free = [body for body in bodies if body.dynamic]
    if not count or not free:
        yield from (bodies for _ in range(count))
        return
    with overlap_probe(bodies, floor) as probe:
        measured = {body.name: probe(body) for body in free}
        starts = []
        for number in range(count):
            rng = jitter_generator(seed, number)
            for body in free:
                probe(body)  # back to the measured pose
            chosen = {body.name: _fitting(body, measured[body.name], probe, rng) for body in free}
            starts.append(tuple(chosen.get(body.name, body) for body in bodies))
    yield from starts


def _fitting(body: Body, measured: Mapping[str, float], probe: Probe, rng: np.random.Generator) -> Body:
    """A jittered body that overlaps nothing deeper than the measured one; its pose as measured if none is found."""
    for _ in range(TRIES):
        jitter = draw_jitter(rng)
        moved = _jittered(body, jitter)
        if all(depth <= max(0.0, measured.get(other, 0.0)) + DEEPER_M for other, depth in probe(moved).items()):
            return moved
    probe(body)
    return replace(_jittered(body, jitter), pose=body.pose)


def _jittered(body: Body, jitter: Jitter) -> Body:
    """A body with another start; turned about its middle, so that far-away origins do not enlarge the jitter."""
    pivot = (body.vertices.min(axis=0) + body.vertices.max(axis=0)) / 2
    return replace(
        body,
        pose=jittered_pose(body.pose, pivot, jitter),
        linear=body.linear + jitter.linear,
        angular=body.angular + jitter.angular,
    )
