"""How many clips of a folder of recordings physics accepts, why it rejects the others, and what a clip costs.

    .venv/bin/python benchmarks/physics_yield.py --data DIR [--clips 4] [--frames 60] [--fps 12] [--max-overlap 0.5]

Draws clips of every sequence as `datagen plan` does and runs the simulate stage on each, in this process, with one
thread. Extraction and convex parts are cached before the clock starts, so CPU-seconds are those of a warm cache:
simulation, promotions, the certificate with its re-simulations (also in child processes), and where the camera stands;
not the start of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datagen.cache import extracted_sequence, hull_cache
from datagen.codec import read_record, write_json
from datagen.config import Config, resolve_config
from datagen.entry import silenced
from datagen.errors import SceneError, SceneRejected, UserError
from datagen.jobs import SimulateJob
from datagen.physics.captions import leaks
from datagen.physics.decompose import convex_parts
from datagen.physics.records import PhysicsCertificate
from datagen.physics.untouched import untouched_moves_mm
from datagen.sequence import Sequence, read_sequence
from datagen.simulate_scene import main as simulate
from datagen.sources.clips import ClipKind, propose_clips
from datagen.sources.humoto import SequenceFile, find_sequences, plan_scenes, scene_key
from datagen.spec import SceneSpec

TARGET_CPU_S = 3.0
TARGET_ACCEPTED = 0.8


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What became of one clip."""

    key: str
    kind: ClipKind
    outcome: str  # "accepted", the failed checks, or what went wrong
    labels: tuple[str, ...]
    cpu_s: float
    caption: str
    untouched_mm: tuple[float, ...]  # way of each resting object that nobody touched; none of a rejected clip

    @property
    def accepted(self) -> bool:
        return self.outcome == "accepted"


def warm(file: SequenceFile) -> tuple[Path, Sequence]:
    """A sequence with its meshes decomposed; what cannot be is left for the simulation to report."""
    folder = extracted_sequence(file.file)
    sequence = read_sequence(folder)
    for track in sequence.objects:
        try:
            convex_parts(track.name, track.vertices, track.faces, hull_cache())
        except SceneError as error:
            print(f"{file.name}: {error}", file=sys.stderr)
    return folder, sequence


def clips_of(file: SequenceFile, config: Config) -> list[Clip]:
    """All drawn clips of a sequence, simulated."""
    folder, sequence = warm(file)
    plan = plan_scenes(
        [file],
        {file.name: sequence},
        num_frames=config.clips.num_frames,
        fps=config.clips.fps,
        mocap_fps=config.humoto.mocap_fps,
        physics=config.physics,
        render=config.render,
        seed=config.seed,
        per_sequence=config.clips.per_sequence,
        effect_share=config.clips.effect_share,
        touched_later_share=config.clips.touched_later_share,
        max_overlap=config.clips.max_overlap,
    )
    for problem in plan.problems.values():
        print(f"left out: {problem}", file=sys.stderr)
    if plan.problems:
        return []
    proposals = propose_clips(
        sequence,
        num_frames=config.clips.num_frames,
        fps=config.clips.fps,
        mocap_fps=config.humoto.mocap_fps,
        contact_mm=config.physics.contact_mm,
    )
    kinds = {scene_key(file.name, one): one.kind for one in proposals}
    return [simulated(scene, kinds[scene.key], folder) for scene in plan.scenes]


def simulated(scene: SceneSpec, kind: ClipKind, sequence: Path) -> Clip:
    """Run the simulate stage on one scene."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        out.mkdir()
        write_json(Path(scratch) / "spec.json", scene)
        job = SimulateJob(spec=str(Path(scratch) / "spec.json"), sequence=str(sequence), cache=str(hull_cache()))
        write_json(Path(scratch) / "job.json", job)
        started = cpu_seconds()
        try:
            with silenced():  # Bullet prints
                simulate(Path(scratch) / "job.json", out)
            outcome = "accepted"
        except SceneRejected as error:
            outcome = " + ".join(sorted(error.details["checks"]))
        except SceneError as error:
            outcome = type(error).__name__
        cpu_s = cpu_seconds() - started
        file = out / "certificate.json"
        certificate = read_record(PhysicsCertificate, file) if file.is_file() else None
        untouched = tuple(untouched_moves_mm(out).values()) if outcome == "accepted" else ()
    text = certificate.caption if certificate else ""
    if found := leaks(text, scene.removed, [thing.name for thing in scene.kept_objects()]):
        raise AssertionError(f"{scene.key}: the caption names {found}: {text}")
    labels = certificate.labels if certificate else ()
    return Clip(
        key=scene.key, kind=kind, outcome=outcome, labels=labels, cpu_s=cpu_s, caption=text, untouched_mm=untouched
    )


def cpu_seconds() -> float:
    """CPU time of this process and of the children it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def report(clips: list[Clip]) -> None:
    """Print the figures."""
    accepted = [clip for clip in clips if clip.accepted]
    print(f"{'clips':>24} {len(clips):5}")
    print(f"{'accepted':>24} {len(accepted):5} {len(accepted) / len(clips):7.1%}")
    for reason, count in Counter(clip.outcome for clip in clips if not clip.accepted).most_common():
        print(f"{'rejected by':>24} {count:5} {count / len(clips):7.1%}  {reason}")
    for label, count in sorted(Counter(label for clip in accepted for label in clip.labels).items()):
        print(f"{label:>24} {count:5} {count / max(len(accepted), 1):7.1%}  of the accepted")
    for kind in ClipKind:
        some = [clip for clip in clips if clip.kind is kind]
        if some:
            good = sum(clip.accepted for clip in some)
            null = sum(clip.accepted and "null_effect" in clip.labels for clip in some)
            print(f"{kind.value:>24} {len(some):5} {good / len(some):7.1%}  accepted, {null} of them null effects")
    held = [clip for clip in clips if clip.kind is ClipKind.HELD]
    share = sum(clip.accepted for clip in held) / len(held) if held else float("nan")
    median, p90 = np.percentile([clip.cpu_s for clip in clips], [50, 90])
    print(f"with a held object: {share:.1%} accepted (to reach: at least {TARGET_ACCEPTED:.0%})")
    print(
        f"CPU-seconds a clip: median {median:.2f}, 90th percentile {p90:.2f} (to reach: median below {TARGET_CPU_S:g})"
    )
    ways = [way for clip in accepted for way in clip.untouched_mm]
    print(f"resting objects that nobody touched: {len(ways)}, they move at most {max(ways, default=0.0):.4f} mm")
    figures = {"clips": len(clips), "accepted": len(accepted) / len(clips), "held_accepted": share}
    print(
        json.dumps(
            {
                **figures,
                "cpu_s_median": median,
                "cpu_s_p90": p90,
                "untouched": len(ways),
                "untouched_max_mm": max(ways, default=0.0),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a HUMOTO folder, or one FBX")
    parser.add_argument("--clips", type=int, default=4, help="of each sequence, at most")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--fps", type=float, default=12.0)
    parser.add_argument("--max-overlap", type=float, default=0.5)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options = parser.parse_args()
    given = (
        f"clips.per_sequence={options.clips}",
        f"clips.num_frames={options.frames}",
        f"clips.fps={options.fps}",
        f"clips.max_overlap={options.max_overlap}",
    )
    try:
        config = resolve_config("standard", [*given, *options.overrides])
        clips: list[Clip] = []
        for file in find_sequences(options.data):
            for clip in clips_of(file, config):
                clips.append(clip)
                labels = f" [{', '.join(clip.labels)}]" if clip.labels else ""
                line = f"{clip.key} ({clip.kind.value}): {clip.outcome}{labels}, {clip.cpu_s:.2f} CPU-s: {clip.caption}"
                print(line, flush=True)
    except UserError as error:
        sys.exit(f"physics_yield: {error}")
    if not clips:
        sys.exit("physics_yield: no clip could be drawn")
    report(clips)


if __name__ == "__main__":
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if not one_thread.items() <= os.environ.items():  # libraries read them when they are loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **one_thread})
    main()
