"""Samples per second and memory of `datagen.loader.PairDataset` on the shards of a run.

.venv/bin/python benchmarks/loader.py RUN [--copies 16] [--workers 0,2] [--epochs 3]

The shards of RUN are copied under other keys until an epoch is long enough to be timed. Each row is a process of its
own: one epoch that is not counted (workers start, files come into memory), then the timed ones. Wall and CPU time are
those of the process and its workers; memory is the largest sum of proportional set sizes (PSS) of all of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from torch.utils.data import DataLoader

from datagen.codec import parse_record, write_json
from datagen.loader import PairDataset
from datagen.metadata import SampleMetadata
from datagen.sample import METADATA
from datagen.shards import read_shard, write_shards

MIB = 2**20
POLL_S = 0.05


def main() -> None:
    """Print one row a number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--copies", type=int, default=16)
    parser.add_argument("--workers", default="0,2")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        sys.stdout.write(json.dumps(measure(arguments.run, arguments.measure, arguments.epochs)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        repeat_shards(arguments.run / "shards", Path(scratch), arguments.copies)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print("workers  samples  samples/s  frames/s  CPU-s a sample  PSS MiB")
        for workers in (int(text) for text in arguments.workers.split(",")):
            command = [sys.executable, __file__, scratch, "--measure", str(workers), "--epochs", str(arguments.epochs)]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"{workers:7d}  {row['samples']:7d}  {row['samples'] / row['wall_s']:9.1f}  "
                f"{row['frames'] / row['wall_s']:8.0f}  {row['cpu_s'] / row['samples']:14.3f}  {row['pss_mib']:7.0f}"
            )


def repeat_shards(shards: Path, out: Path, copies: int) -> None:
    """Samples of a folder of shards under `copies` different keys, in shards of 16."""
    folders = []
    for sample in (one for path in sorted(shards.glob("*.tar")) for one in read_shard(path)):
        metadata = parse_record(SampleMetadata, sample.files[METADATA], sample.key)
        for copy in range(copies):
            folder = out / "samples" / f"{sample.key}-copy-{copy:03d}"
            folder.mkdir(parents=True)
            for name, contents in sample.files.items():
                (folder / name).write_bytes(contents)
            write_json(folder / METADATA, dataclasses.replace(metadata, key=folder.name))
            folders.append(folder)
    write_shards(folders, out / "shards", "repeated", 16)


def measure(run: Path, workers: int, epochs: int) -> dict[str, float]:
    """Figures of some epochs."""
    dataset = PairDataset(run)
    loader = DataLoader(dataset, batch_size=None, num_workers=workers, persistent_workers=workers > 0)
    for _ in loader:
        pass
    peak, stop = [0.0], threading.Event()
    watcher = threading.Thread(target=watch_memory, args=(peak, stop))
    watcher.start()
    samples = frames = 0
    cpu, start = cpu_seconds(), time.perf_counter()
    for epoch in range(1, epochs + 1):
        dataset.set_epoch(epoch)
        for pair in loader:
            samples += 1
            frames += 3 * len(pair["rgb_full"])
    wall_s, cpu_s = time.perf_counter() - start, cpu_seconds() - cpu
    stop.set()
    watcher.join()
    return {"samples": samples, "frames": frames, "wall_s": wall_s, "cpu_s": cpu_s, "pss_mib": peak[0] / MIB}


def processes() -> list[psutil.Process]:
    """This one and its workers."""
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def cpu_seconds() -> float:
    """Of this process and its workers."""
    return sum(sum(process.cpu_times()[:2]) for process in processes())


def watch_memory(peak: list[float], stop: threading.Event) -> None:
    """Keep the largest sum of proportional set sizes, in bytes."""
    while not stop.wait(POLL_S):
        peak[0] = max(peak[0], sum(process.memory_full_info().pss for process in processes()))


if __name__ == "__main__":
    main()
