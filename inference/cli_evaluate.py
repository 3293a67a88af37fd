"""`python -m inference evaluate`: score predictions, and the rows that every table has, against an eval set."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from datagen.codec import read_record
from datagen.errors import ConfigError, did_you_mean
from inference.scores import ALL, SCORES_CSV, SCORES_JSON, Scores

if TYPE_CHECKING:
    from inference.evaluation import ClipOutcome
    from inference.scoring import ClipJob

console = Console(stderr=True)
EXIT_PROBLEMS = 1

DataOption = Annotated[Path, typer.Option("--data", help="An eval set: `make eval-set`, `datagen export void-eval`.")]
PredictionsOption = Annotated[
    list[str], typer.Option("--predictions", help="NAME=DIR with a <key>.mp4 for each clip. May be repeated.")
]
OutOption = Annotated[Path, typer.Option("--out", help="The report's folder; resumed if it is there.")]
MetricsOption = Annotated[
    list[str], typer.Option("--metrics", help="Groups or names of metrics, by comma; default: all. May be repeated.")
]
BackboneOption = Annotated[
    list[str],
    typer.Option("--backbone", help="NAME=PATH: a .pt2 network for lpips or dists (docs/EVALUATION.md)."),
]
RowsOption = Annotated[
    str | None,
    typer.Option("--rows", help="Which of the rows that every table has, by comma; default: all; none: ''."),
]
CompareOption = Annotated[
    tuple[str, str] | None, typer.Option("--compare", help="Two rows to compare, clip by clip: first - second.")
]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Clips at a time; default: one a core.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit code 1 if anything could not be scored.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Draws the bootstrap's samples.")]
PageOption = Annotated[bool, typer.Option("--page/--no-page", help="Make report.html too.")]
SubsetOption = Annotated[str, typer.Option("--subset", help="all, source=..., family=..., effect=yes or effect=no.")]
RayOption = Annotated[str, typer.Option("--ray", help="off (plain processes), local, auto or HOST:PORT.")]


def evaluate(
    data: DataOption,
    out: OutOption,
    predictions: PredictionsOption = [],  # noqa: B006
    metrics: MetricsOption = [],  # noqa: B006
    backbones: BackboneOption = [],  # noqa: B006
    rows: RowsOption = None,
    compare: CompareOption = None,
    workers: WorkersOption = None,
    strict: StrictOption = False,
    seed: SeedOption = 0,
    ray: RayOption = "off",
    page: PageOption = True,
) -> None:
    """Score predictions against an eval set's physics; run it again to go on where it stopped.

    Example: python -m inference evaluate --data EVALSET --predictions void=PRED --out REPORT
    """
    from inference.evaluation import check_compared, collect, pending_jobs, prepare, write_scores
    from inference.table import choose_columns, print_comparisons, print_scores

    pairs = [compare] if compare else []
    evaluation = prepare(
        data,
        out,
        predictions=predictions,
        rows=None if rows is None else _names([rows]),
        metrics=_names(metrics),
        backbones=backbones,
        seed=seed,
    )
    check_compared(evaluation, pairs)
    jobs = pending_jobs(evaluation)
    workers = workers or os.cpu_count() or 1
    outcomes = _follow(jobs, out, ray, workers)
    scores = collect(evaluation, outcomes, pairs)
    write_scores(out, scores)
    tables = Console()
    print_scores(scores, tables, choose_columns(scores, ()))
    print_comparisons(scores.comparisons, tables)
    failed = _say_failures(scores)
    shown = _page(out, data, workers) if page else out / SCORES_CSV
    typer.echo(f"{len(scores.rows)} rows, {len(scores.clips)} clips, {failed} not scored: {shown}")
    if failed and strict:
        raise typer.Exit(EXIT_PROBLEMS)


def table(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="A folder that `evaluate` wrote.")],
    metrics: MetricsOption = [],  # noqa: B006
    subset: Annotated[
        str, typer.Option("--subset", help="all, source=..., family=..., effect=yes or effect=no.")
    ] = ALL,
    markdown: Annotated[bool, typer.Option("--markdown", help="For a document.")] = False,
) -> None:
    """Print the table of an evaluation: the first metric of each group, or the metrics or groups asked for.

    Example: python -m inference table REPORT --metrics trajectory --subset source=kubric --markdown
    """
    from inference.table import choose_columns, markdown_table, print_scores

    scores = read_record(Scores, report / SCORES_JSON)
    columns = choose_columns(scores, _names(metrics))
    known = {one.subset for one in scores.summaries}
    if subset not in known:
        raise ConfigError(f"--subset: unknown subset '{subset}'{did_you_mean(subset, known)}")
    if markdown:
        typer.echo(markdown_table(scores, columns, subset))
    else:
        print_scores(scores, Console(), columns, subset)


def metrics_command() -> None:
    """Say what each metric is, as a table in Markdown.

    Example: python -m inference metrics
    """
    from inference.scoring import all_metrics
    from inference.table import metrics_table

    typer.echo(metrics_table(all_metrics().values()))


def report(
    folder: Annotated[Path, typer.Argument(metavar="REPORT", help="A folder that `evaluate` wrote.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="The eval set, if it is no longer where it was scored.")
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Make REPORT/report.html again: the table, all videos in step, plots. It opens from disk, without a network.

    Example: python -m inference report REPORT
    """
    typer.echo(str(_page(folder, data, workers or os.cpu_count() or 1)))


def _page(report: Path, data: Path | None, workers: int) -> Path:
    """The page of a report."""
    from inference.report import write_report

    return write_report(report, data, workers)


def _names(given: list[str]) -> list[str]:
    """Names of options that are repeated or hold commas."""
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def _follow(jobs: list[ClipJob], report: Path, ray: str, workers: int) -> list[ClipOutcome]:
    """Do the jobs and tell of each: a bar on a terminal, plain lines elsewhere."""
    from inference.evaluation import score_clips
    from inference.watch import watching

    outcomes = []
    with watching(console) as watcher:
        watcher.begin("evaluate", len(jobs))
        start = time.monotonic()
        for outcome in score_clips(jobs, report, backend=ray, workers=workers):
            outcomes.append(outcome)
            key = f"{outcome.job.entry.key} ({len(outcome.job.rows)} rows)"
            if outcome.failure:
                watcher.failed(key, outcome.failure)
            else:
                watcher.finished(key, outcome.usage.wall_s if outcome.usage else time.monotonic() - start)
    return outcomes


def _say_failures(scores: Scores) -> int:
    """Name every prediction that could not be scored; how many there are."""
    failed = [cell for cell in scores.cells if cell.failure]
    for cell in failed:
        _say(f"not scored: {cell.row}, {cell.key}: {cell.failure}", "yellow")
    return len(failed)


def _say(line: str, style: str) -> None:
    console.print(line, style=style, highlight=False, soft_wrap=True, markup=False)
