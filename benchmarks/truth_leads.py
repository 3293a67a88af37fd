"""Whether both truths lead: every metric of a finished report, over means and clip by clip.

    .venv/bin/python benchmarks/truth_leads.py REPORT [--subset effect=yes]

The truth coded and the truth perturbed are each held against every other row that is no prediction. A pair is wrong
where the other row is better on a clip by more than rounding. REPORT is what `python -m inference evaluate` wrote.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from datagen.codec import read_record
from inference.metrics.api import Direction
from inference.scores import Scores

TRUTHS = ("truth_reencoded", "truth_perturbed")
ROUNDING = 1e-9


def values_of(scores: Scores, row: str, metric: str, keys: list[str]) -> np.ndarray:
    """A metric of a row on each clip, float64 [clips]; nan where it does not apply."""
    cells = {cell.key: cell for cell in scores.cells if cell.row == row}
    found = [cells[key].values.get(metric) for key in keys]
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--subset", choices=("all", "effect=yes"), default="all")
    options = parser.parse_args()
    scores = read_record(Scores, options.report / "scores.json")
    keys = [clip.key for clip in scores.clips if options.subset == "all" or "null_effect" not in clip.labels]
    others = [row.name for row in scores.rows if row.name not in TRUTHS and row.kind != "prediction"]
    print(f"{len(keys)} clips, {len(others)} other rows")
    for metric in scores.metrics:
        sign = 1 if metric.direction == Direction.HIGHER else -1
        rows = {name: sign * values_of(scores, name, metric.name, keys) for name in (*TRUTHS, *others)}
        if not np.isfinite(rows[TRUTHS[0]]).any():
            continue
        gaps = np.stack([rows[truth] - rows[other] for truth in TRUTHS for other in others])
        pairs, wrong = int(np.isfinite(gaps).sum()), int((gaps < -ROUNDING).sum())
        means = {name: float(np.nanmean(row)) for name, row in rows.items() if np.isfinite(row).any()}
        ahead = [
            f"{other} before {truth}"
            for truth in TRUTHS
            for other in others
            if other in means and means[other] > means[truth] + ROUNDING
        ]
        led = "both truths lead" if not ahead else "; ".join(ahead)
        print(f"{metric.group:>12} {metric.name:<26} wrong {wrong:>3} of {pairs:<3} pairs; means: {led}")


if __name__ == "__main__":
    main()
