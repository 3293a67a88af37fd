"""Two drivers on one run folder: the second is refused, unless the first is dead, here or on another machine."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from datagen import driver_lock
from datagen.cluster import interruptible
from datagen.config import resolve_config
from datagen.driver_lock import FolderLock, driving, this_process
from datagen.errors import RunFolderError
from datagen.runs import LOCK_FILE, open_run

HOLD = "import sys, time; from pathlib import Path; from datagen.driver_lock import driving\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder without scenes."""
    root = tmp_path / "run"
    open_run(root, source="humoto", data="", limit=1, config=resolve_config("preview"), versions={})
    return root


@pytest.fixture
def driver(run: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that drives the run until it is stopped."""
    code = HOLD + "with driving(Path(sys.argv[1])): print('driving', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "driving\n"
        yield process
        process.kill()


def datagen(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datagen.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_living_driver_keeps_others_out(run: Path, driver: subprocess.Popen[str]) -> None:
    for command in ("pack", "simulate", "render"):
        result = datagen(command, run)
        assert result.returncode == 2
        (line,) = result.stderr.strip().splitlines()
        assert f"in use by another driver (process {driver.pid} on " in line
    with pytest.raises(RunFolderError, match="in use"), driving(run):
        pass
    driver.kill()
    driver.wait()
    assert (run / LOCK_FILE).is_file()  # it had no time to take it away
    assert datagen("pack", run).returncode == 0
    assert not list(run.glob("driver.lock*"))


def test_a_process_id_that_was_given_again_is_not_the_driver(run: Path) -> None:
    before = replace(this_process(), started="1")
    (run / LOCK_FILE).write_text(json.dumps(asdict(before)))
    with driving(run):
        holder = FolderLock(run).read()
        assert holder is not None and holder.token != before.token
    assert not (run / LOCK_FILE).exists()


@pytest.mark.parametrize("torn", ["", "{", '{"token": "x"}'])
def test_a_torn_lock_is_nobodys(run: Path, torn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_lock, "SILENCE_S", 0.5)
    (run / LOCK_FILE).write_text(torn)
    with driving(run):
        pass


def test_a_driver_elsewhere_is_known_by_its_beat(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_lock, "SILENCE_S", 3.0)
    elsewhere = replace(this_process(), machine="another", host="node-7")
    path, stop = run / LOCK_FILE, threading.Event()

    def beat() -> None:
        for number in range(10_000):
            draft = path.with_name("draft")
            draft.write_text(json.dumps(asdict(replace(elsewhere, beat=number))))
            draft.replace(path)
            if stop.wait(0.1):
                return

    beating = threading.Thread(target=beat)
    beating.start()
    while not path.exists():
        time.sleep(0.01)
    with pytest.raises(RunFolderError, match="node-7"), driving(run):
        pass
    stop.set()
    beating.join()
    start = time.monotonic()
    with driving(run):  # silent now
        assert time.monotonic() - start >= 3.0


def test_of_many_that_find_a_dead_driver_one_wins_at_a_time(run: Path) -> None:
    (run / LOCK_FILE).write_text(json.dumps(asdict(replace(this_process(), started="1"))))
    code = HOLD + (
        "from datagen.errors import RunFolderError\n"
        "root = Path(sys.argv[1])\n"
        "try:\n"
        "    with driving(root):\n"
        "        (root / 'busy').open('x').close(); time.sleep(0.3); (root / 'busy').unlink(); print('drove')\n"
        "except RunFolderError: print('refused')\n"
    )
    command = [sys.executable, "-c", code, str(run)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    ends = [process.communicate()[0].strip() for process in processes]
    assert all(process.returncode == 0 for process in processes)  # 'busy' was never there twice
    assert set(ends) <= {"drove", "refused"} and "drove" in ends


def test_a_driver_that_lost_its_lock_stops(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_lock, "BEAT_S", 0.05)
    with interruptible() as interrupt, driving(run):
        other = json.dumps(asdict(this_process()))
        (run / LOCK_FILE).write_text(other)
        deadline = time.monotonic() + 20
        while not interrupt.stopping and time.monotonic() < deadline:
            time.sleep(0.01)
        assert interrupt.stopping
    assert (run / LOCK_FILE).read_text() == other  # not its own to take away


def test_a_run_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    result = datagen("plan", "humoto", "--data", tmp_path / "nothing", "--out", tmp_path / "run")
    assert result.returncode == 2 and not (tmp_path / "run").exists()
    assert not list(tmp_path.iterdir())
