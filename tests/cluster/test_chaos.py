"""SIGKILL of processes, nodes and the driver; afterwards the bytes are those of an undisturbed run."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.chaos import Chaos, leftovers, ray_cluster, run_command, shard_hashes
from datagen.runs import RunFolder, read_rows
from datagen.shards import read_index
from tests.cluster.conftest import SCENES

pytestmark = [pytest.mark.ray, pytest.mark.blender, pytest.mark.slow, pytest.mark.timeout(900)]

FAULTS = ("node", "engine", "driver", "engine", "driver")


@pytest.mark.filterwarnings("ignore")
def test_five_faults_change_no_byte(tiny_data: Path, quiet_run: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    with ray_cluster(nodes=2) as cluster:
        command = run_command(tiny_data, root, SCENES, cluster.address)
        chaos = Chaos(command, root, cluster, random.Random(8))
        chaos.begin()
        for fault in FAULTS:
            assert chaos.strike(fault, time.monotonic() + 300), chaos.log.read_text()
        chaos.finish(timeout_s=600)
        assert not leftovers(root)
    assert chaos.struck == list(FAULTS)
    assert shard_hashes(root) == shard_hashes(quiet_run)
    keys = Counter(key for entry in read_index(root / "shards").shards for key in entry.keys)
    assert set(keys) == set(RunFolder(root=root).keys()) and set(keys.values()) == {1}
    nodes = {row["node"].rpartition("/")[2] for row in read_rows(root / "events.jsonl")}
    assert nodes & set(chaos.joined), "the node that joined got no work"
