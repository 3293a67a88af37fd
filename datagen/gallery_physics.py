"""A sample's physics as a page shows it: height and speed of each object, its certificate, and why things move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from datagen.metadata import SampleMetadata
from datagen.physics.records import BodyReport, Check, PhysicsCertificate
from datagen.spec import World
from datagen.web.records import Line, Plot, PlotGroup, Role, Table, Tone, Word

MAX_OBJECTS = 16
MOVES_M = 0.01  # an object that gets less far from its start in both worlds is plotted last
DECIMALS = 4  # of a metre


def plot_groups(metadata: SampleMetadata, physics: Mapping[str, np.ndarray]) -> tuple[PlotGroup, ...]:
    """Plots of a sample's objects: those that move differently first, then what is removed, then the others.

    physics: arrays of physics.npz, see `datagen.sample.physics_arrays`.
    """
    bodies = {body.name: body for body in metadata.certificate.bodies if body.dynamic}
    courses = {name: Courses.of(body, physics) for name, body in bodies.items()}
    removed = {thing.name for thing in metadata.removed}

    def rank(name: str) -> tuple[bool, bool, float]:
        return name not in metadata.affected, name not in removed, -courses[name].travel()

    return tuple(
        PlotGroup(name=name, plots=courses[name].plots(metadata.fps))
        for name in sorted(courses, key=rank)[:MAX_OBJECTS]
        if courses[name].worlds
    )


@dataclass(frozen=True, kw_only=True)
class Courses:
    """Where the middle of one object is: float64 [num_frames, 3] in each world, perturbed [K, num_frames, 3] [m]."""

    worlds: Mapping[World, np.ndarray]
    perturbed: np.ndarray

    @classmethod
    def of(cls, body: BodyReport, physics: Mapping[str, np.ndarray]) -> Courses:
        """The courses of a body; a world in which it is not, or that was not stored, is left out."""
        middle = np.array(body.corners).mean(axis=0)
        worlds, perturbed = {}, np.empty((0, 0, 3))
        for world in World:
            names = physics[f"{world}_names"].tolist()
            if body.name in names:
                worlds[world] = _carried(physics[f"{world}_poses"][:, names.index(body.name)], middle)
        names = physics[f"{World.COUNTERFACTUAL}_names"].tolist()
        if body.name in names and "perturbed_poses" in physics:
            perturbed = _carried(physics["perturbed_poses"][:, :, names.index(body.name)], middle)
        return cls(worlds=worlds, perturbed=perturbed)

    def travel(self) -> float:
        """Greatest distance from the start in any world [m]; 0 for what hardly moves."""
        far = max((float(np.linalg.norm(one - one[0], axis=1).max()) for one in self.worlds.values()), default=0.0)
        return far if far > MOVES_M else 0.0

    def plots(self, fps: float) -> tuple[Plot, ...]:
        """Height of the middle above the floor, and its speed."""
        return (
            self._plot("Height of the middle", "m", lambda course: course[..., 2]),
            self._plot("Speed of the middle", "m/s", lambda course: speeds(course, fps)),
        )

    def _plot(self, title: str, unit: str, measure: Callable[[np.ndarray], np.ndarray]) -> Plot:
        names = {World.FACTUAL: ("with", Role.FILMED), World.COUNTERFACTUAL: ("without", Role.TRUTH)}
        lines = tuple(
            Line(name=names[world][0], role=names[world][1], values=curve(measure(course)))
            for world, course in self.worlds.items()
        )
        if not len(self.perturbed):
            return Plot(title=title, unit=unit, lines=lines)
        every = np.concatenate([measure(self.perturbed), measure(self.worlds[World.COUNTERFACTUAL])[None]])
        low, high = curve(every.min(axis=0)), curve(every.max(axis=0))
        return Plot(title=title, unit=unit, lines=lines, low=low, high=high)


def _carried(poses: np.ndarray, point: np.ndarray) -> np.ndarray:
    """A point [3] of an object's frame in the world, for poses [..., 7]."""
    turned = Rotation.from_quat(poses[..., 3:].reshape(-1, 4), scalar_first=True).apply(point)
    return np.asarray(poses[..., :3] + turned.reshape(*poses.shape[:-1], 3), dtype=np.float64)


def speeds(course: np.ndarray, fps: float) -> np.ndarray:
    """Speed [m/s] of a point over a course [..., num_frames, 3], by central differences; one-sided at the ends."""
    if course.shape[-2] < 2:
        return np.zeros(course.shape[:-1])
    return np.asarray(np.linalg.norm(np.gradient(course, 1 / fps, axis=-2), axis=-1))


def curve(values: np.ndarray) -> tuple[float | None, ...]:
    """Values of a plot, rounded; None for nan."""
    return tuple(round(float(value), DECIMALS) if np.isfinite(value) else None for value in values)


def certificate_table(certificate: PhysicsCertificate) -> Table:
    """Every check with its figure and limit; those that failed first."""
    checks = sorted(certificate.checks, key=lambda check: check.passed)
    return Table(
        title="Certificate",
        head=("check", "measured", "limit", "unit", "outcome", "note"),
        rows=tuple(_check_row(check) for check in checks),
        note="A gate that fails rejects the scene; any other check that fails is a label.",
    )


def _check_row(check: Check) -> tuple[Word, ...]:
    applies = check.value is not None
    outcome = "passed" if check.passed else "failed" if check.gate else "label"
    tone = Tone.FAINT if not applies else Tone.GOOD if check.passed else Tone.BAD if check.gate else Tone.NOTE
    return (
        Word(text=check.name.replace("_", " ")),
        Word(text=_short(check.value), value=check.value),
        Word(text=_short(check.limit), value=check.limit),
        Word(text="" if check.unit == "1" else check.unit, tone=Tone.FAINT),
        Word(text=outcome if applies else "does not apply", tone=tone),
        Word(text=check.note, tone=Tone.FAINT),
    )


def objects_table(metadata: SampleMetadata) -> Table:
    """What physics decided about each object, and why."""
    return Table(
        title="Objects",
        head=("object", "mass kg", "friction", "restitution", "parts in frame", "why"),
        rows=tuple(_body_row(body) for body in _affected_first(metadata)),
    )


def _affected_first(metadata: SampleMetadata) -> Sequence[BodyReport]:
    return sorted(metadata.certificate.bodies, key=lambda body: body.name not in metadata.affected)


def _body_row(body: BodyReport) -> tuple[Word, ...]:
    frame = body.divergence_frame
    return (
        Word(text=body.name),
        Word(text=_short(body.mass_kg) if body.mass_kg is not None else "static", value=body.mass_kg),
        Word(text=_short(body.friction), value=body.friction),
        Word(text=_short(body.restitution), value=body.restitution),
        Word(text="–" if frame is None else str(frame), value=frame),
        Word(text=body.why, tone=Tone.FAINT),
    )


def _short(value: float | None) -> str:
    """A figure in at most four digits."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    return f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.4g}"
