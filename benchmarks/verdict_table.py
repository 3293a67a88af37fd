"""Every object's verdict at several times of every sequence: the table of docs/verdicts.md.

    .venv/bin/python benchmarks/verdict_table.py --data DIR [--data DIR] [--times 5] [--into docs/verdicts.md]

With `--into` the table replaces what stands between the two marks of that file; the words around it are kept.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from datagen.explain import explain_sequence, markdown_lines
from datagen.sources.humoto import find_sequences

BEGIN, END = "<!-- table -->", "<!-- end of table -->"
MOCAP_FPS = 30.0


def sections(folders: list[Path], times: int) -> Iterator[str]:
    """A heading and a table for each sequence."""
    console = Console(stderr=True)
    for folder in folders:
        for file in find_sequences(folder):
            started = time.process_time()
            moments = explain_sequence(
                folder, file.name, times=times, step_s=None, mocap_fps=MOCAP_FPS, console=console
            )
            console.print(f"{file.name}: {(time.process_time() - started) / len(moments):.1f} CPU-s a moment")
            yield f"\n### {file.name}\n"
            yield from markdown_lines(moments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    table = "\n".join(sections(options.data, options.times))
    if options.into is None:
        print(table)
        return
    before, rest = options.into.read_text().split(BEGIN)
    after = rest.split(END)[1]
    options.into.write_text(f"{before}{BEGIN}\n{table}\n\n{END}{after}")


if __name__ == "__main__":
    main()
