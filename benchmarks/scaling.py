"""What many scenes cost beyond the scenes: throughput of the driver, overhead a sample, gain of a second worker.

    .venv/bin/python benchmarks/scaling.py throughput [--scenes 100000]
    .venv/bin/python benchmarks/scaling.py overhead   [--scenes 6] [--pair-cpu-s 352]
    .venv/bin/python benchmarks/scaling.py efficiency [--scenes 6] [--set KEY=VALUE]

`throughput` sends scenes that do nothing through a real Ray of one machine, with all their bookkeeping. `overhead`
takes the wall time of a run of real tiny renders, one after the other through Ray, less that of the renders and of an
empty Ray's start and stop, and adds what Ray's daemons take while nothing happens; `--pair-cpu-s` is what a pair of the
standard preset costs, by
benchmarks/sample_profile.py. `efficiency` renders the same scenes with one worker and with two, each with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from chaos import TINY, datagen, demo_sequence, run_command

from datagen.cluster import Interrupt, Policy, connected, map_tasks, node_name
from datagen.config import StageResources, resolve_config
from datagen.driving import needs_of, record
from datagen.runs import RunFolder, open_run, read_rows
from datagen.stages import SceneOutcome, SceneTask

TO_REACH = {"scenes_per_s": 300.0, "speedup": 1.85, "overhead_share": 0.03}
PAIR_CPU_S = 352.0  # 60 frames of 5.9 CPU-s: benchmarks/sample_profile.py at 672x384
IDLE_S = 20.0


def nothing(task: SceneTask) -> SceneOutcome:
    """A scene that takes no time, with the row that a stage leaves."""
    event = {"key": task.key, "stage": "render", "started": 0.0, "wall_s": 0.0, "cpu_s": 0.0, "node": node_name()}
    return SceneOutcome(key=task.key, events=(event,))


def rss_mib() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def throughput(scenes: int) -> dict[str, Any]:
    """Scenes a second that do nothing, and the driver's memory along the way."""
    root = Path(tempfile.mkdtemp(prefix="scaling-")) / "run"
    run = open_run(root, source="humoto", data="", limit=None, config=resolve_config("preview"), versions={})
    tasks = (
        SceneTask(
            root=str(root),
            url="",
            key=f"scene-{number:08d}",
            stages=("render",),
            threads=1,
            resources=StageResources(memory_gb=0.0),
            keep_renders=True,
        )
        for number in range(scenes)
    )
    memory, done = list[float](), 0
    workers = len(os.sched_getaffinity(0))
    policy = Policy[SceneTask, SceneOutcome](needs=needs_of)
    with connected("local", workers):
        warm = map_tasks(
            nothing,
            [SceneTask(root="", url="", key="w", stages=(), threads=1, resources=StageResources(), keep_renders=True)],
            backend="auto",
            workers=workers,
            interrupt=Interrupt(),
        )
        list(warm)
        start, cpu = time.monotonic(), time.process_time()
        for outcome in map_tasks(nothing, tasks, backend="auto", workers=workers, interrupt=Interrupt(), policy=policy):
            record(run, outcome)
            done += 1
            if done % max(1, scenes // 10) == 0:
                memory.append(round(rss_mib(), 1))
                print(f"{done} scenes, {done / (time.monotonic() - start):.0f}/s, {memory[-1]} MiB", file=sys.stderr)
        wall_s, cpu_s = time.monotonic() - start, time.process_time() - cpu
    assert len(read_rows(run.events)) == done == scenes
    shutil.rmtree(root.parent)
    return {
        "scenes": scenes,
        "scenes_per_s": round(scenes / wall_s, 1),
        "driver_cpu_ms_per_scene": round(1000 * cpu_s / scenes, 3),
        "rss_mib_by_tenth": memory,
    }


def render_run(root: Path, workers: int, ray: str) -> dict[str, float]:
    """Render a simulated run anew; wall and CPU of the command with all its processes, and of the renders alone."""
    run = RunFolder(root=root)
    for key in sorted(run.keys()):
        shutil.rmtree(run.folder("render", key), ignore_errors=True)
    run.events.unlink(missing_ok=True)
    before, start = _children_cpu_s(), time.monotonic()  # with Ray, the CPU of its workers is not seen
    command = datagen("render", root, "--ray", ray, "--workers", str(workers))
    subprocess.run(command, check=True, capture_output=True)
    rows = [row for row in read_rows(run.events) if "wall_s" in row]
    return {
        "wall_s": round(time.monotonic() - start, 2),
        "cpu_s": round(_children_cpu_s() - before, 2),
        "render_wall_s": round(sum(row["wall_s"] for row in rows), 2),
        "render_cpu_s": round(sum(row["cpu_s"] for row in rows), 2),
    }


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def simulated(scratch: Path, scenes: int, settings: list[str]) -> Path:
    """A run of scenes that are ready to be rendered; every process gets one thread."""
    data, root = demo_sequence(scratch / "data"), scratch / "run"
    one_thread = [f"resources.{stage}.cpus=1" for stage in ("simulate", "render", "compose")]
    more = [part for value in (*one_thread, *settings) for part in ("--set", value)]
    plan = run_command(data, root, scenes, "off")
    plan[plan.index("run")] = "plan"
    plan = [*plan[: plan.index("--ray")], *more]
    subprocess.run(plan, check=True, capture_output=True)
    subprocess.run(datagen("simulate", root, "--ray", "off"), check=True, capture_output=True)
    return root


def overhead(root: Path, scenes: int, pair_cpu_s: float) -> dict[str, Any]:
    """What the driver and Ray add to a scene's own process: time between processes, and daemons that run beside."""
    empty = render_run_of_nothing()
    run = render_run(root, 1, "local")
    per_scene_s = max(0.0, run["wall_s"] - empty["wall_s"] - run["render_wall_s"]) / scenes
    return {
        **run,
        "start_and_stop_wall_s": empty["wall_s"],
        "ray_idle_cores": empty["idle_cores"],
        "wall_s_per_scene": round(per_scene_s, 3),
        "share_of_a_standard_pair": round(per_scene_s / pair_cpu_s + empty["idle_cores"], 4),
    }


def render_run_of_nothing() -> dict[str, float]:
    """Wall time of starting and stopping a Ray, and what its daemons take while nothing happens, in cores."""
    code = "import time\nfrom datagen.cluster import connected\nwith connected('local', 1): time.sleep({})\n"
    spent, walls = list[float](), list[float]()
    for pause_s in (0.0, IDLE_S):
        before, start = _children_cpu_s(), time.monotonic()
        subprocess.run([sys.executable, "-W", "ignore", "-c", code.format(pause_s)], check=True, capture_output=True)
        spent.append(_children_cpu_s() - before)
        walls.append(time.monotonic() - start)
    return {"wall_s": round(walls[0], 2), "idle_cores": round(max(0.0, spent[1] - spent[0]) / IDLE_S, 4)}


def efficiency(root: Path) -> dict[str, Any]:
    """One worker against two on the same scenes."""
    one, two = render_run(root, 1, "off"), render_run(root, 2, "off")
    return {
        "one": one,
        "two": two,
        "speedup_wall": round(one["wall_s"] / two["wall_s"], 3),
        "speedup_by_cpu_time": round(2 * one["cpu_s"] / two["cpu_s"], 3),  # were both cores free
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Print one JSON object a benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("throughput", "overhead", "efficiency"))
    parser.add_argument("--scenes", type=int)
    parser.add_argument("--pair-cpu-s", type=float, default=PAIR_CPU_S)
    parser.add_argument("--set", action="append", default=[], help=f"beside {', '.join(TINY[:2])} ...")
    options = parser.parse_args()
    if options.what == "throughput":
        print(json.dumps(throughput(options.scenes or 100_000)))
        return
    scratch = Path(tempfile.mkdtemp(prefix="scaling-"))
    try:
        scenes = options.scenes or 6
        root = simulated(scratch, scenes, options.set)
        result = overhead(root, scenes, options.pair_cpu_s) if options.what == "overhead" else efficiency(root)
        print(json.dumps(result))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
