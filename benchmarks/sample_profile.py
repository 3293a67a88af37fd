"""What one sample costs: CPU-seconds a frame by stage, the share inside Cycles, and peak memory.

    .venv/bin/python benchmarks/sample_profile.py [--data DIR] [--config standard] [--set KEY=VALUE]

Makes one sample in a fresh run folder through the command line, as a user does, and reads the run's own records.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from datagen.layers import read_manifest
from datagen.runs import RunFolder, read_rows

TARGET_CPU_S = 13.0
TARGET_SHARE = 0.85
TARGET_PEAK_GIB = 2.5


def make_sample(source: list[str], preset: str, root: Path) -> None:
    """One sample of a source, e.g. `["humoto", "--data", "DIR"]`, with its renders kept."""
    command = [sys.executable, "-m", "datagen.cli", "run", *source, "--out", str(root), "--config", preset]
    command += ["--limit", "1", "--ray", "off", "--workers", "1", "--keep-renders"]
    command += ["--set", "humoto.split=all"]  # whatever recordings there are
    subprocess.run(command, check=True)


def report(root: Path) -> None:
    """Print the figures."""
    run = RunFolder(root=root)
    (key,) = run.keys()
    manifest = read_manifest(run.folder("render", key))
    events = {row["stage"]: row for row in read_rows(run.events)}
    frames = manifest.num_frames
    width, height = manifest.layer("rgb_factual").width, manifest.layer("rgb_factual").height
    print(f"{key}: {frames} frames, {width}x{height}")
    for stage, row in events.items():
        peak = row["peak_rss_bytes"] / 2**30
        print(f"{stage:>12} {row['cpu_s'] / frames:7.2f} CPU-s a frame {row['wall_s']:8.1f} s {peak:6.2f} GiB")
    for name, cpu_s in manifest.cpu_seconds.items():
        print(f"{'':>12}   {name:<20} {cpu_s / frames:7.2f}")
    total = sum(row["cpu_s"] for row in events.values())
    peak = max(row["peak_rss_bytes"] for row in events.values()) / 2**30
    cycles = manifest.engine_cpu_seconds
    print(f"{'total':>12} {total / frames:7.2f} CPU-s a frame (to reach: at most {TARGET_CPU_S:g})")
    print(f"{'in Cycles':>12} {cycles / total:7.1%} of the CPU time (to reach: more than {TARGET_SHARE:.0%})")
    print(f"{'peak':>12} {peak:7.2f} GiB per worker (to reach: below {TARGET_PEAK_GIB:g})")
    print(json.dumps({"cpu_s_per_frame": total / frames, "cycles_share": cycles / total, "peak_gib": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a HUMOTO folder, or one FBX")
    parser.add_argument("--config", default="standard")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    options = parser.parse_args()
    arguments = [part for override in options.overrides for part in ("--set", override)]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "run"
        make_sample(["humoto", "--data", str(options.data), *arguments], options.config, root)
        report(root)


if __name__ == "__main__":
    main()
