"""The ladder, what is reserved, and the memory of a process with its children."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from datagen.config import Config, data_settings, differing_keys, resolve_config
from datagen.driving import stage_groups
from datagen.resources import GIB, Needs, group_rss_bytes, machine_memory_bytes, next_rung


@pytest.mark.parametrize(
    ("reason", "rungs"),
    [("SIGSEGV", [0, 1, 2]), ("timeout", [0, 1, 2]), ("exit code 1", [0, 1, 2]), ("memory", [0, 2])],
)
def test_the_ladder(reason: str, rungs: list[int]) -> None:
    climbed, rung = [0], next_rung(reason, 0)
    while rung is not None:
        climbed.append(rung)
        rung = next_rung(reason, rung)
    assert climbed == rungs


def test_more_room_is_never_less_and_never_more_than_a_machine_has() -> None:
    needs, small = Needs(cpus=2, memory_bytes=4 * GIB), Needs(cpus=3, memory_bytes=2 * GIB)
    assert needs.times(2, Needs(cpus=64, memory_bytes=64 * GIB)) == Needs(cpus=4, memory_bytes=8 * GIB)
    assert needs.times(2, small) == Needs(cpus=3, memory_bytes=4 * GIB)
    assert needs.times(2, Needs(cpus=0)) == needs  # the machines of an autoscaler have not come yet


def test_memory_of_children_counts() -> None:
    child = "held = bytearray(b'x' * 80_000_000); print('ready', flush=True); import time; time.sleep(600)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        assert 80_000_000 < group_rss_bytes(process.pid) < 300_000_000
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()
    deadline = time.monotonic() + 10
    while group_rss_bytes(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert group_rss_bytes(process.pid) == 0
    assert 0 < machine_memory_bytes() < 2**50


def test_resources_decide_no_sample() -> None:
    more = resolve_config("standard", ["resources.render.memory_gb=8", "resources.render.gpus=0.25"])
    assert more != Config() and not differing_keys(Config(), more) and data_settings(more) == data_settings(Config())
    assert stage_groups(("simulate", "render", "compose"), Config().resources) == (("simulate", "render", "compose"),)
    assert stage_groups(("simulate", "render", "compose"), more.resources) == (("simulate",), ("render",), ("compose",))
