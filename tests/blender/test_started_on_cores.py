"""Blender's workers are as many as a render's threads, and none is bound to a core that other renders use too."""

from __future__ import annotations

import os
import threading

import pytest

from blender_scripts.render_scene import started_on_cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be bound to cores here")
@pytest.mark.parametrize("threads", [1, 64])
def test_threads_started_meanwhile_see_few_cores_and_may_run_on_all_afterwards(threads: int) -> None:
    cores, done = os.sched_getaffinity(0), threading.Event()
    worker = threading.Thread(target=done.wait)
    with started_on_cores(threads):
        assert len(os.sched_getaffinity(0)) == min(threads, len(cores))
        worker.start()
        assert worker.native_id is not None
        assert os.sched_getaffinity(worker.native_id) == os.sched_getaffinity(0)
    try:
        assert os.sched_getaffinity(0) == os.sched_getaffinity(worker.native_id) == cores
    finally:
        done.set()
        worker.join()
