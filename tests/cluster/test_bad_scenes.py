"""Scenes that crash Blender, hang, or take too much memory: they end in failures.jsonl and cost nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.chaos import datagen, engines, leftovers
from datagen.codec import write_json
from datagen.runs import RunFolder, read_rows
from datagen.status import run_status

pytestmark = [pytest.mark.ray, pytest.mark.blender, pytest.mark.slow, pytest.mark.timeout(600)]

# Every Python process of the run loads this; it acts in the renders of the scenes that a file names.
FAULTY = """
import os, sys
if "blender_scripts.render_scene" in sys.orig_argv and "VOIDGEN_TEST_FAULTS" in os.environ:
    import json
    faults = json.load(open(os.environ["VOIDGEN_TEST_FAULTS"]))
    fault = next((fault for key, fault in faults.items() if f"/{key}." in sys.orig_argv[-1]), None)
    print("fault:", fault, flush=True)
    if fault == "crash":
        import ctypes, bpy
        ctypes.string_at(0)
    if fault == "hang":
        import time
        time.sleep(1000)
    if fault == "memory":
        held = []
        for _ in range(40):
            held.append(bytearray(os.urandom(1)) * (64 << 20))
            import time
            time.sleep(0.05)
        time.sleep(1000)
"""
LIMIT_GB = 1.0
HANG_S = 3.0


def prepared(quiet_run: Path, root: Path) -> RunFolder:
    """The undisturbed run again, as it was before its first render; memory is limited."""
    shutil.copytree(quiet_run, root, ignore=shutil.ignore_patterns("samples", "renders", "shards", "*.jsonl"))
    info = json.loads((root / "run.json").read_text())
    info["config"]["resources"]["render"]["memory_limit_gb"] = LIMIT_GB
    write_json(root / "run.json", info)
    return RunFolder(root=root)


@pytest.mark.filterwarnings("ignore")
def test_bad_scenes_cost_nothing_else(quiet_run: Path, tmp_path: Path) -> None:
    run = prepared(quiet_run, tmp_path / "run")
    crash, hang, memory, good = run.keys()
    for path in (run.spec_path(hang), run.simulated_spec_path(hang)):
        spec = json.loads(path.read_text())
        spec["render"]["timeout_s"] = HANG_S
        path.write_text(json.dumps(spec))
    (tmp_path / "sitecustomize.py").write_text(FAULTY)
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({crash: "crash", hang: "hang", memory: "memory"}))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))),
        "VOIDGEN_TEST_FAULTS": str(faults),
    }
    command = datagen("render", run.root, "--ray", "local", "--workers", "2")
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    assert run.done("render") == {good} and not leftovers(run.root) and not engines(run.root)

    rows = {row["key"]: row for row in read_rows(run.failures)}
    reasons = {key: (row["details"]["reason"], row["details"]["attempts"]) for key, row in rows.items()}
    assert reasons == {crash: ("SIGSEGV", 3), hang: ("timeout", 3), memory: ("memory", 2)}
    for key, fault in ((crash, "crash"), (hang, "hang"), (memory, "memory")):
        assert any(f"fault: {fault}" in line for line in rows[key]["details"]["log_tail"])
    assert rows[memory]["details"]["peak_rss_bytes"] > 2 * LIMIT_GB * 2**30  # the last rung had twice the memory
    retried = [(row["key"], row["retried"]) for row in read_rows(run.events) if "retried" in row]
    assert sorted(retried) == sorted(
        [(crash, "SIGSEGV"), (crash, "SIGSEGV"), (hang, "timeout"), (hang, "timeout"), (memory, "memory")]
    )
    status = run_status(run.root)
    assert status.failures == {"render: SIGSEGV": 1, "render: timeout": 1, "render: memory": 1}

    again = subprocess.run(command, capture_output=True, text=True, check=False)  # failed scenes are left alone
    assert "nothing left to do" in again.stderr and "datagen retry" in again.stderr
    assert read_rows(run.failures) == list(rows.values())

    retry = datagen("retry", run.root, "--reason", "SIGSEGV", "--ray", "off")  # without the fault it is made
    result = subprocess.run(retry, capture_output=True, text=True, check=False)
    assert result.returncode == 0 and "1 scenes tried again, 0 failed again" in result.stderr, result.stderr
    assert crash in run.done("compose") and run.failed_keys() == {hang, memory}
