"""Do the metrics measure? Each on a ladder of videos that are wrong on purpose, in known ways and degrees.

    .venv/bin/python benchmarks/metric_ladder.py --data EVALSET [--limit N] [--keys A,B] [--scores FILE]
        [--into docs/METRICS.md]

A clip whose figures are in FILE already is not measured again.

For each clip of an eval set the truth is blurred, delayed, and put together anew with its objects frozen, falling too
slowly, sinking through the floor or on the factual course, and with the removed object left in (`ladder_videos`). Two
rungs of a series are a pair: the worse one should score worse, and the truth better than any. Pairs whose objects are
within `SAME_PX` of one another are left out: nothing was made worse. Trajectories are asked only where something is
moved, and the margin not about the removed object, which has a figure of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from ladder_videos import Rung, rungs
from rich.console import Console

from datagen.evalset_files import read_evalset
from inference.cases import load_case
from inference.metrics import appearance, events, laws, margin, physics_iq, removal, trajectory
from inference.metrics.all import METRICS
from inference.metrics.api import Case, Direction, Metric
from inference.metrics.appearance import regions_of

BEGIN, END = "<!-- ladder -->", "<!-- end of ladder -->"
SAME_PX = 0.5
MOVING = ("time shift", "object frozen", "slower fall", "through the floor", "wrong object moved")
ORDERED: dict[str, tuple[str, ...]] = {  # metrics whose order is asked, and in which series
    "margin": (*MOVING, "blur"),
    "traj_centroid_px": MOVING,
    "traj_centroid_pisa": MOVING,
    "traj_chamfer_px": MOVING,
    "traj_iou": MOVING,
    "removed_gone": ("removed object left",),
    "psnr_affected": (*MOVING, "blur"),
    "ssim_whole": (*MOVING, "blur", "removed object left"),
    "piq_spatiotemporal_iou": MOVING,
    "law_gravity_error": ("slower fall",),
    "law_sinks_m": ("through the floor",),
}
SHOWN = (
    "margin",
    "traj_centroid_px",
    "traj_iou",
    "traj_discard",
    "piq_score",
    "law_gravity_error",
    "law_contact_time_error_s",
    "law_sinks_m",
    "events_right",
    "removed_gone",
    "psnr_affected",
)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A rung of a clip with its figures."""

    key: str
    series: str
    strength: int
    label: str
    off_px: float
    values: dict[str, float]


def climb(case: Case) -> Iterable[Scored]:
    """Every rung of a clip, measured."""
    groups = (physics_iq, trajectory, laws, events, removal, margin)
    for rung in rungs(case):
        values: dict[str, float] = {}
        for group in groups:
            values |= group.measure(case, rung.video).values
        values |= _appearance(case, rung)
        yield Scored(
            key=case.entry.key,
            series=rung.series,
            strength=rung.strength,
            label=rung.label,
            off_px=rung.off_px,
            values=values,
        )


def _appearance(case: Case, rung: Rung) -> dict[str, float]:
    """PSNR and SSIM alone: the rest of appearance is slow and says nothing of physics."""
    regions = regions_of(case.quadmask)
    similar, _ = appearance.similarities(rung.video, case.truth, regions, multiscale=False)
    errors = appearance.squared_errors(rung.video, case.truth, regions)
    return similar | {f"psnr_{name}": appearance.psnr(error) for name, error in errors.items()}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two rungs of a series on one clip."""

    better: Scored
    worse: Scored
    right: bool  # the worse one scores worse


def pairs(scored: list[Scored], metric: Metric) -> list[Pair]:
    """All pairs that a metric is asked about."""
    name, sign = metric.name, 1.0 if metric.direction is Direction.LOWER else -1.0
    found = []
    for series in ORDERED[name]:
        for clip in _by_clip(scored).values():
            rising = [one for one in clip if one.series in ("truth", series)]
            for better, worse in combinations(sorted(rising, key=lambda one: one.strength), 2):
                first, second = better.values[name], worse.values[name]
                if series in MOVING and worse.off_px - better.off_px < SAME_PX:
                    continue
                if np.isfinite(first) and np.isfinite(second):
                    found.append(Pair(better=better, worse=worse, right=sign * (second - first) > 0))
    return found


def _by_clip(scored: list[Scored]) -> dict[str, list[Scored]]:
    clips = defaultdict(list)
    for one in scored:
        clips[one.key].append(one)
    return clips


def order_table(scored: list[Scored]) -> list[str]:
    """Share of pairs in the right order, a line of Markdown for each metric."""
    known = {metric.name: metric for metric in METRICS}
    lines = ["| metric | pairs | in the right order |", "|---|---|---|"]
    for name in ORDERED:
        right = [pair.right for pair in pairs(scored, known[name])]
        share = f"{np.mean(right):.1%}" if right else "-"
        lines.append(f"| {name} | {len(right)} | {share} |")
    return lines


def wrong_pairs(scored: list[Scored]) -> Iterable[str]:
    """Pairs in the wrong order, in words."""
    for metric in METRICS:
        for pair in pairs(scored, metric) if metric.name in ORDERED else ():
            if not pair.right:
                first, second = (
                    f"{one.label} ({one.off_px:.1f} px off): {one.values[metric.name]:.3f}"
                    for one in (pair.better, pair.worse)
                )
                yield f"{metric.name}: {pair.worse.key}: {pair.worse.series}: {first}, {second}"


def response_table(scored: list[Scored]) -> list[str]:
    """Mean of each metric on each rung, over clips; sorted by margin."""
    rows: dict[tuple[str, int, str], list[Scored]] = defaultdict(list)
    for one in scored:
        rows[one.series, one.strength, one.label].append(one)
    lines = [f"| rung | clips | {' | '.join(SHOWN)} |", f"|---|---|{'---|' * len(SHOWN)}"]
    for (series, _, label), clips in sorted(rows.items(), key=lambda row: -_mean(row[1], "margin")):
        name = series if series == "truth" else f"{series}: {label}"
        figures = " | ".join(_number(_mean(clips, metric)) for metric in SHOWN)
        lines.append(f"| {name} | {len(clips)} | {figures} |")
    return lines


def _mean(clips: list[Scored], name: str) -> float:
    values = [one.values[name] for one in clips if np.isfinite(one.values[name])]
    return float(np.mean(values)) if values else float("nan")


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def bounds(case: Case) -> str:
    """Margins of the two ends, and the tracker's floor."""
    ends = [margin.measure(case, video).values["margin"] for video in (case.truth, case.hidden)]
    floor = trajectory.tracker_floor(case)
    return f"{case.entry.key}: margin of truth {ends[0]:.3f}, of hidden {ends[1]:.3f}; tracker's floor {floor:.2f} px"


def read_scores(path: Path | None) -> list[Scored]:
    """What an earlier run kept."""
    if path is None or not path.is_file():
        return []
    return [Scored(**json.loads(line)) for line in path.read_text().splitlines()]


def write_scores(path: Path | None, scored: list[Scored]) -> None:
    """Keep the figures of a clip."""
    if path is not None:
        with path.open("a") as file:
            file.writelines(json.dumps(dataclasses.asdict(one)) + "\n" for one in scored)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="an eval set")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--keys", default="", help="parts of keys, with commas between them")
    parser.add_argument("--scores", type=Path, default=None, help="keep figures there, a line of JSON for each rung")
    parser.add_argument("--into", type=Path, default=None, help="replace what stands between the marks of that file")
    options = parser.parse_args()
    console = Console(stderr=True)
    wanted = [part for part in options.keys.split(",") if part]
    _, items = read_evalset(options.data)
    scored = read_scores(options.scores)
    done = {one.key for one in scored}
    chosen = [item for item in items if not wanted or any(part in item.entry.key for part in wanted)]
    for item in chosen[: options.limit]:
        if item.entry.key in done or not item.entry.affected:
            continue
        started = time.process_time()
        case = load_case(item)
        console.print(bounds(case), highlight=False, soft_wrap=True)
        climbed = list(climb(case))
        write_scores(options.scores, climbed)
        scored += climbed
        console.print(f"{len(climbed)} rungs, {time.process_time() - started:.0f} CPU-s", highlight=False)
    for line in wrong_pairs(scored):
        console.print(line, highlight=False, soft_wrap=True)
    text = "\n".join([*order_table(scored), "", *response_table(scored)])
    if options.into is None:
        print(text)
        return
    before, rest = options.into.read_text().split(BEGIN)
    options.into.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
