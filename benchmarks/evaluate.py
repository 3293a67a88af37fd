"""What evaluation costs: CPU-seconds and peak memory of scoring one prediction with all default metrics.

    .venv/bin/python benchmarks/evaluate.py [--data EVALSET] [--clips 1] [--gso MANIFEST]

Without an eval set it makes one of collision scenes with the preset `standard`: 60 frames of 672x384, the hidden and
the perturbed outcomes rendered. Each clip is then scored in a process of one thread, as `python -m inference evaluate`
does: once with one row (start of the process and decoding of the clip included), once with three, so that the cost of
a further row follows. The row scored is the perturbed truth, for which every metric has something to do. Then each
group of metrics by itself. Progress goes to stderr; a JSON line follows the text.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from datagen.codec import read_record
from datagen.evalset import EvalItem, EvalManifest
from datagen.evalset_files import read_evalset
from datagen.worker import Usage, run_engine
from inference.rows import RowSource, generated_rows
from inference.scores import Cell, cell_path
from inference.scoring import ClipJob, choose_metrics, clip_digest, groups

TARGET_CPU_S = 60.0
TARGET_BYTES = 2 * 2**30
TIMEOUT_S = 7200.0
ROW = "truth_perturbed"
FURTHER = ("hidden", "identity")
SPARE = 3  # scenes planned for each that is wanted: physics rejects some


def note(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def make_evalset(root: Path, clips: int, gso: str) -> Path:
    """Collision scenes of the preset `standard` as an eval set."""
    plan = ["run", "kubric", "--out", str(root / "run"), "--config", "standard", "--config", "eval", "--ray", "off"]
    plan += ["--workers", "1", "--limit", str(SPARE * clips), *(["--gso", gso] if gso else [])]
    for arguments in (plan, ["export", "void-eval", str(root / "run"), str(root / "set")]):
        note(" ".join(arguments[:2]))
        subprocess.run([sys.executable, "-m", "datagen.cli", *arguments], stdout=sys.stderr, check=True)
    return root / "set"


def score(
    item: EvalItem, manifest: EvalManifest, rows: Sequence[RowSource], groups: Sequence[str], root: Path
) -> tuple[Usage, Cell]:
    """Score these rows in a new process; what it cost, and the first row's cell."""
    metrics = choose_metrics(groups)
    key = item.entry.key
    job = ClipJob(
        data=str(item.root.resolve()),
        entry=item.entry,
        report=str(root),
        rows=tuple(rows),
        metrics=tuple(metrics),
        backbones={},
        clip_sha256=clip_digest(manifest, key, metrics, {}),
    )
    usage = run_engine("inference.scoring", job, root / "log", timeout_s=TIMEOUT_S)
    return usage, read_record(Cell, cell_path(root, rows[0].row.name, key))


def measure(item: EvalItem, manifest: EvalManifest, scratch: Path) -> dict[str, float]:
    """All figures of one clip; prints them."""
    entry = item.entry
    first, further = generated_rows([ROW]), generated_rows(FURTHER)
    note(f"{entry.key}: one row")
    one, cell = score(item, manifest, first, (), scratch / "one")
    note(f"{entry.key}: {len(further)} rows more")
    more, _ = score(item, manifest, [*first, *further], (), scratch / "more")
    figures = {
        "cpu_s": one.cpu_s,
        "peak_bytes": float(max(one.peak_rss_bytes, more.peak_rss_bytes)),
        "further_row_cpu_s": (more.cpu_s - one.cpu_s) / len(further),
    }
    missing = [name for name, value in cell.values.items() if value is None]
    print(
        f"{entry.key}: {entry.num_frames} frames of {entry.width}x{entry.height}, {entry.num_perturbed} perturbed, "
        f"{len(cell.values)} metrics ({len(missing)} do not apply): {one.cpu_s:.1f} CPU-s, "
        f"{figures['peak_bytes'] / 2**30:.2f} GiB; a further row {figures['further_row_cpu_s']:.1f} CPU-s"
    )
    for group in groups():
        usage, _ = score(item, manifest, first, (group,), scratch / group)
        figures[f"cpu_s_{group}"] = usage.cpu_s
        print(f"  {group} alone: {usage.cpu_s:.1f} CPU-s, {usage.peak_rss_bytes / 2**30:.2f} GiB")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="an eval set; default: one is made, with the preset standard")
    parser.add_argument("--clips", type=int, default=1)
    parser.add_argument("--gso", default="", help="scanned objects of the set; default: the embedded ones")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = options.data or make_evalset(Path(scratch), options.clips, options.gso)
        manifest, items = read_evalset(data)
        figures = [measure(item, manifest, Path(scratch) / item.entry.key) for item in items[: options.clips]]
    worst = {name: max(one[name] for one in figures) for name in figures[0]}
    print(
        f"worst of {len(figures)}: {worst['cpu_s']:.1f} CPU-s (to reach: {TARGET_CPU_S:.0f}), "
        f"{worst['peak_bytes'] / 2**30:.2f} GiB (to reach: {TARGET_BYTES / 2**30:.0f})"
    )
    print(json.dumps({name: round(value, 3) for name, value in worst.items()}))


if __name__ == "__main__":
    main()
