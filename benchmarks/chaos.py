"""Kill everything, again and again, and see whether a run still ends with the bytes of an undisturbed one.

    .venv/bin/python benchmarks/chaos.py [--faults 20] [--minutes 20] [--scenes 6]

A real Ray of several nodes on this machine, real tiny renders. SIGKILL hits, at random moments, the processes of
scenes, whole nodes (a new one joins for each) and the driver, which is started again as a user would. In the end the
shards must be those of a run that nobody disturbed, no `.partial` may be left, and no process may still run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from datagen.codec import sha256_file
from datagen.jobs import DemoJob
from datagen.runs import RunFolder
from datagen.worker import run_engine

SEQUENCE = "carry_mug_with_right_hand_and_set_down_on_table-001"
TINY = (
    "clips.num_frames=3",
    "clips.fps=5",
    "clips.per_sequence=12",
    "clips.max_overlap=0.9",
    "physics.perturbed=0",
    "render.width=64",
    "render.height=48",
    "render.samples=1",
    "render.light_samples=1",
    "render.fine_light_samples=4",
    "pack.samples_per_shard=2",
    "resources.simulate.memory_gb=0",
    "resources.render.memory_gb=0",
    "resources.compose.memory_gb=0",
)
FAULTS = ("engine", "node", "engine", "driver", "engine")
ENGINES = ("blender_scripts.", "datagen.simulate_scene", "datagen.compose_scene", "datagen.elsewhere")
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PYTHONWARNINGS": "ignore",
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",  # a machine that is busy with other work is no dead one
    "RAY_health_check_failure_threshold": "30",
}


def datagen(*arguments: str | Path) -> list[str]:
    """Command line of `datagen`."""
    return [sys.executable, "-m", "datagen.cli", *map(str, arguments)]


def demo_sequence(folder: Path) -> Path:
    """One acted sequence: a person carries a mug."""
    run_engine("blender_scripts.demo_data", DemoJob(sequences=(SEQUENCE,), seed=0), folder, timeout_s=300)
    return folder


def run_command(data: Path, root: Path, scenes: int, ray: str) -> list[str]:
    """The command that makes a run of tiny scenes, and goes on with it."""
    settings = [part for value in TINY for part in ("--set", value)]
    source = ("run", "humoto", "--data", data, "--out", root, "--config", "preview")
    return datagen(*source, *settings, "--limit", str(scenes), "--ray", ray, "--workers", "2")


def shard_hashes(root: Path) -> dict[str, str]:
    """Hash of every shard of a run and of its index."""
    return {path.name: sha256_file(path) for path in sorted((root / "shards").iterdir())}


def engines(root: Path) -> list[psutil.Process]:
    """Living processes that work on scenes of a run."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if process.status() == psutil.STATUS_ZOMBIE or str(root) not in " ".join(command):
                continue
            if any(part.startswith(ENGINES) for part in command):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@contextmanager
def ray_cluster(nodes: int, *, dashboard: bool = False) -> Iterator[Any]:
    """A head that does no work and `nodes` nodes with one core each, all on this machine."""
    os.environ.update(QUIET)
    from ray.cluster_utils import Cluster

    quiet = {"include_dashboard": dashboard, "dashboard_port": 0, "object_store_memory": 80 * 2**20}
    cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **quiet}))
    try:
        for _ in range(nodes):
            add_node(cluster)
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Any, num_cpus: int = 1, **more: Any) -> Any:
    """Another node on this machine."""
    return patiently(lambda: cluster.add_node(num_cpus=num_cpus, object_store_memory=80 * 2**20, **more))


def patiently(start: Callable[[], Any]) -> Any:
    """Start something of Ray's; it gives a start 30 s, which on a very busy machine is too little."""
    for _ in range(4):
        try:
            return start()
        except Exception as error:  # of no class of its own
            if "timed out during startup" not in str(error):
                raise
    return start()


@dataclass
class Chaos:
    """A run under fire: `begin`, `strike` as often as wanted, `finish`."""

    command: list[str]
    root: Path
    cluster: Any
    dice: random.Random
    driver: subprocess.Popen[bytes] | None = None
    struck: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)  # short ids of nodes that came during the run

    @property
    def log(self) -> Path:
        return self.root.with_suffix(".log")

    def begin(self) -> None:
        """Start the driver, as a user would: the same command each time."""
        with self.log.open("ab") as log:
            self.driver = subprocess.Popen(self.command, stdout=log, stderr=log, env={**os.environ, **QUIET})

    def strike(self, fault: str, deadline: float) -> bool:
        """Kill something while scenes are being made; False when the run ended or time was up before."""
        while not engines(self.root):
            if time.monotonic() > deadline or self._ended():
                return False
            time.sleep(0.05)
        time.sleep(self.dice.uniform(0, 1.5))
        if fault == "driver" and self.driver is not None:
            self.driver.kill()
            self.driver.wait()
            self.begin()
        elif fault == "node":
            node = self.dice.choice(list(self.cluster.worker_nodes))
            self.cluster.remove_node(node, allow_graceful=False)
            joined = add_node(self.cluster)
            self.joined.append(joined.node_id[:8])
        elif targets := engines(self.root):
            _kill(self.dice.choice(targets))
        else:
            return self.strike(fault, deadline)
        self.struck.append(fault)
        return True

    def _ended(self) -> bool:
        return self.driver is None or self.driver.poll() is not None

    def finish(self, timeout_s: float) -> None:
        """Let the run end; start it again if it was stopped, and try again what was hit too often."""
        if self.driver is not None and self.driver.wait(timeout_s) != 0:
            subprocess.run(self.command, check=True, timeout=timeout_s, capture_output=True)
        if RunFolder(root=self.root).failed_keys():
            retry = datagen("retry", self.root, "--failed", "--ray", "off")
            subprocess.run(retry, check=True, timeout=timeout_s, capture_output=True)


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)


def leftovers(root: Path, patience_s: float = 20) -> list[str]:
    """What should not be there any more: half-written folders, locks, processes."""
    deadline = time.monotonic() + patience_s
    while engines(root) and time.monotonic() < deadline:
        time.sleep(0.2)
    files = [str(path) for path in root.rglob("*") if path.name.endswith(".partial") or "driver.lock" in path.name]
    return files + [f"process {process.pid}" for process in engines(root)]


def undisturbed(data: Path, root: Path, scenes: int) -> dict[str, str]:
    """Hashes of a run that nobody disturbs, by plain processes."""
    subprocess.run(run_command(data, root, scenes, "off"), check=True, capture_output=True)
    return shard_hashes(root)


def main() -> None:
    """Print what was killed and whether the bytes are the same; exit code 1 if they are not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=20.0, help="strike no more after so long")
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="chaos-"))
    data = demo_sequence(scratch / "data")
    expected = undisturbed(data, scratch / "quiet", options.scenes)
    dice, struck, rounds = random.Random(options.seed), list[str](), 0
    same, left = True, list[str]()
    deadline = time.monotonic() + 60 * options.minutes
    with ray_cluster(options.nodes) as cluster:
        while len(struck) < options.faults and time.monotonic() < deadline:
            root = scratch / f"round-{rounds}"
            chaos = Chaos(run_command(data, root, options.scenes, cluster.address), root, cluster, dice)
            chaos.begin()
            while len(struck) + len(chaos.struck) < options.faults:
                if not chaos.strike(dice.choice(FAULTS), deadline):
                    break
            chaos.finish(timeout_s=900)
            struck += chaos.struck
            rounds += 1
            same = same and shard_hashes(root) == expected
            left += leftovers(root)
            print(f"round {rounds}: {', '.join(chaos.struck) or 'nothing'}; shards equal: {same}", flush=True)
    kinds = {kind: struck.count(kind) for kind in sorted(set(struck))}
    print(json.dumps({"faults": kinds, "rounds": rounds, "shards_equal": same, "left_over": left}))
    shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(0 if same and not left else 1)


if __name__ == "__main__":
    main()
