"""The same results from plain processes and from a real Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray import cloudpickle

from datagen.cluster import Interrupt, map_tasks
from datagen.errors import ConfigError, StorageError

BACKENDS = ["off", pytest.param("local", marks=pytest.mark.ray)]


@pytest.fixture(autouse=True)
def by_value() -> Iterator[None]:
    """Ray's workers cannot import test modules: send this one's functions whole."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> int:
    if number == 2:
        raise StorageError("no space left")
    return number


def die_once(marker: str) -> str:
    """Kill the worker's own process the first time."""
    path = Path(marker)
    if not path.exists():
        path.write_text("")
        os.kill(os.getpid(), 9)
    return "alive"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_item_once(backend: str) -> None:
    assert sorted(map_tasks(square, range(20), backend=backend, workers=2, interrupt=Interrupt())) == [
        number * number for number in range(20)
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_users_error_ends_the_run_as_itself(backend: str) -> None:
    with pytest.raises(StorageError, match="no space left"):
        list(map_tasks(refuse, range(20), backend=backend, workers=2, interrupt=Interrupt()))


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_a_killed_ray_worker_is_replaced(tmp_path: Path) -> None:
    markers = [str(tmp_path / "once")]
    assert list(map_tasks(die_once, markers, backend="local", workers=2, interrupt=Interrupt())) == ["alive"]


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("address", "message"), [("127.0.0.1:1", "no Ray cluster there"), ("locl", "HOST:PORT")])
def test_no_cluster_at_the_address(address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        list(map_tasks(square, [1], backend=address, workers=1, interrupt=Interrupt()))


def test_an_interrupt_stops_submitting_and_keeps_what_runs() -> None:
    interrupt = Interrupt()
    seen = []
    for result in map_tasks(square, range(1000), backend="off", workers=2, interrupt=interrupt):
        seen.append(result)
        interrupt.stopping = True
    assert 0 < len(seen) < 10


def test_ctrl_c_is_a_clean_exit(tmp_path: Path) -> None:
    code = (
        "import time\n"
        "from datagen.cluster import interruptible, map_tasks\n"
        "with interruptible() as interrupt:\n"
        "    work = lambda n: time.sleep(0.3) or n\n"
        "    for one in map_tasks(work, range(99), backend='off', workers=2, interrupt=interrupt):\n"
        "        print(one, flush=True)\n"
        "print('stopped', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(2)
    start = time.monotonic()
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0 and rest.strip().endswith("stopped")
    assert time.monotonic() - start < 5
