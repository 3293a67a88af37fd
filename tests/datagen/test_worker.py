"""Real processes: they end, crash, hang, leave children behind, and are cleaned up after."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from datagen.errors import DataError, EngineFailed, SceneFailed, SceneRejected, StorageError
from datagen.worker import START_GAP_S, run_engine

BODY = {
    "good": "(out / 'result').write_text('x')",
    "rejects": "raise SceneRejected('too fast', speed=13.5)",
    "data": "raise DataError('no armature')",
    "fails": "raise SceneFailed('no camera', tried=3)",
    "storage": "raise StorageError('full')",
    "crashes": "print('last words', flush=True); os.kill(os.getpid(), 11)",
    "bug": "raise ZeroDivisionError('a bug')",
    "hogs": "subprocess.run([sys.executable, '-c', 'held = bytes(1) * 400_000_000; import time; time.sleep(1000)'])",
    "hangs": "subprocess.Popen(['sleep', '1000']); (Path(HERE) / 'pid').write_text(str(os.getpid())); time.sleep(1000)",
}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with a module per way to end."""
    for name, body in BODY.items():
        code = f"""
        import os, subprocess, sys, time
        from pathlib import Path
        from datagen.entry import serve
        from datagen.errors import *
        HERE = {str(tmp_path)!r}
        def main(job, out):
            {body}
        serve(main)
        """
        (tmp_path / f"engine_{name}.py").write_text(textwrap.dedent(code))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_a_good_end_is_renamed_and_accounted(engine: Path) -> None:
    usage = run_engine("engine_good", {}, engine / "out", timeout_s=60)
    assert (engine / "out" / "result").read_text() == "x"
    assert usage.cpu_s > 0 and usage.peak_rss_bytes > 10**7
    assert sorted(path.name for path in (engine / "out").iterdir()) == ["result", "worker.log"]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("rejects", SceneRejected, "too fast"),
        ("data", DataError, "no armature"),
        ("fails", SceneFailed, "no camera"),
        ("storage", StorageError, "no space left"),
        ("crashes", EngineFailed, "SIGSEGV: last words"),
        ("bug", EngineFailed, "ZeroDivisionError: a bug"),
    ],
)
def test_a_bad_end_leaves_nothing(engine: Path, name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run_engine(f"engine_{name}", {}, engine / "out", timeout_s=60)
    assert not list(engine.glob("out*"))


def test_details_come_back(engine: Path) -> None:
    with pytest.raises(SceneRejected) as caught:
        run_engine("engine_rejects", {}, engine / "out", timeout_s=60)
    assert caught.value.details["speed"] == 13.5


def test_a_hanging_process_dies_with_its_children(engine: Path) -> None:
    start = time.monotonic()
    with pytest.raises(EngineFailed, match="killed after 2 s"):
        run_engine("engine_hangs", {}, engine / "out", timeout_s=2)
    assert time.monotonic() - start < 10
    group = int((engine / "pid").read_text())
    deadline = time.monotonic() + 5
    while _alive_in_group(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive_in_group(group)


def test_processes_of_a_machine_start_apart(tmp_path: Path) -> None:
    code = "from datagen.worker import stagger\nimport time\nfor _ in range(2): stagger(); print(time.time())"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    times = sorted(float(line) for process in running for line in process.communicate()[0].split())
    assert len(times) == 6 and times[-1] - times[0] > 5 * START_GAP_S * 0.9


def test_a_process_that_takes_too_much_memory_is_killed_with_its_children(engine: Path) -> None:
    with pytest.raises(EngineFailed, match=r"held more than 0.29 GiB of memory") as caught:
        run_engine("engine_hogs", {}, engine / "out", timeout_s=120, memory_bytes=300 * 2**20)
    assert caught.value.details["reason"] == "memory" and caught.value.details["peak_rss_bytes"] > 300 * 2**20
    assert not list(engine.glob("out*"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_a_killed_parent_takes_the_engine_along(engine: Path) -> None:
    call = f"run_engine('engine_hangs', {{}}, Path({str(engine)!r}) / 'out', timeout_s=1000)"
    code = f"from datagen.worker import START_GAP_S, run_engine; from pathlib import Path; {call}"
    parent = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    while not (engine / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    child = int((engine / "pid").read_text())
    parent.kill()
    parent.wait()
    while psutil.pid_exists(child) and psutil.Process(child).status() != "zombie" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"


def _alive_in_group(group: int) -> list[int]:
    alive = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != "zombie":
                alive.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return alive
