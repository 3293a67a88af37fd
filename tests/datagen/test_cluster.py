"""The same results from plain processes and from a real Ray."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import ray
from ray import cloudpickle

from benchmarks.chaos import add_node, ray_cluster
from datagen.cluster import Interrupt, Policy, map_tasks
from datagen.errors import ConfigError, StorageError
from datagen.resources import Needs

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


def die_at_two(number: int) -> str:
    if number == 2:
        os.kill(os.getpid(), 9)
    return str(number)


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
def test_a_task_that_kills_every_worker_is_given_up_and_told_of() -> None:
    policy = Policy[int, str](lost=lambda item, why: f"{item} was lost: {why}")
    results = set(map_tasks(die_at_two, [1, 2, 3], backend="local", workers=2, interrupt=Interrupt(), policy=policy))
    assert {"1", "3"} < results
    (lost,) = results - {"1", "3"}
    assert lost == "2 was lost: WorkerCrashedError, 4 times"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore")
def test_what_a_result_asks_for_is_done_too(backend: str) -> None:
    policy = Policy[int, int](again=lambda item, result: item + 100 if item < 300 else None)
    results = map_tasks(square, [1, 2], backend=backend, workers=2, interrupt=Interrupt(), policy=policy)
    assert sorted(results) == [number**2 for number in (1, 2, 101, 102, 201, 202, 301, 302)]


def test_what_needs_much_runs_alone_and_in_the_end() -> None:
    running, most = set[int](), list[tuple[int, int]]()

    def watched(item: int) -> None:
        running.add(item)
        time.sleep(0.05)
        most.append((item, len(running)))
        running.discard(item)

    policy = Policy[int, None](room=lambda item: 2 if item == 3 else 1)
    list(map_tasks(watched, range(8), backend="off", workers=2, interrupt=Interrupt(), policy=policy))
    beside = dict(most)
    assert beside[3] == 1 and max(beside.values()) == 2 and set(beside) == set(range(8))


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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("backend", "number"),
    [
        ("off", signal.SIGINT),
        pytest.param("local", signal.SIGINT, marks=pytest.mark.ray),
        pytest.param("local", signal.SIGTERM, marks=pytest.mark.ray),
    ],
)
def test_a_signal_is_a_clean_exit(backend: str, number: signal.Signals) -> None:
    code = (
        "import time, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from datagen.cluster import interruptible, map_tasks\n"
        "with interruptible() as interrupt:\n"
        "    work = lambda n: time.sleep(0.3) or n\n"
        f"    for one in map_tasks(work, range(99), backend={backend!r}, workers=2, interrupt=interrupt):\n"
        "        print(one, flush=True)\n"
        "print('stopped', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    rest = process.stdout.read().split()
    process.stdout.close()
    assert process.wait() == 0 and rest[-1] == "stopped"
    assert len(rest) < 20  # those that ran; not all that were to come


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore")
def test_no_more_at_once_than_asked(backend: str) -> None:
    policy = Policy[float, tuple[float, float]](at_once=1)
    spans = sorted(map_tasks(span, [0.1] * 4, backend=backend, workers=4, interrupt=Interrupt(), policy=policy))
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def span(pause_s: float) -> tuple[float, float]:
    start = time.time()
    time.sleep(pause_s)
    return start, time.time()


def visible_gpus(item: int) -> str:
    time.sleep(0.2)
    return os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_a_task_sees_one_gpu_and_a_share_of_one_is_one() -> None:
    """No GPU is needed: Ray hands out what a node says that it has."""
    with ray_cluster(nodes=0) as cluster:
        add_node(cluster, num_cpus=4, num_gpus=2)
        try:
            for share in (1.0, 0.5):
                policy = Policy[int, str](needs=lambda _, share=share: Needs(gpus=share))
                seen = list(
                    map_tasks(
                        visible_gpus, range(6), backend=cluster.address, workers=1, interrupt=Interrupt(), policy=policy
                    )
                )
                assert set(seen) == {"0", "1"}
        finally:
            ray.shutdown()
