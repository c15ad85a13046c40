"""The thread pool: runs at the same time, in children of fork, and when the user interrupts."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from threading import Thread
from unittest.mock import patch

import numpy as np
import pytest

import graphc as keras
from graphc import config
from graphc.runtime.cpu import thread_pool

# Where a slot tells which processor its thread is on: behind its state, the padding, and two pointers.
PROCESSOR = 4 + 124 + 2 * ctypes.sizeof(ctypes.c_void_p)
X = np.random.default_rng(0).random((64, 16), dtype=np.float32)
# Says so on stderr when the memory that the threads poll is freed.
EXIT = """
import os, sys
import numpy as np, graphc
from graphc.runtime.cpu import thread_pool
class Watched(np.ndarray):
    def __del__(self, write=os.write, is_finalizing=sys.is_finalizing):
        if is_finalizing():
            write(2, b"freed")
empty = thread_pool.aligned_empty
thread_pool.aligned_empty = lambda *arguments: empty(*arguments).view(Watched)
with graphc.config.override(backend="cpu", threads=2):
    model = graphc.Sequential([graphc.Input((256,)), graphc.layers.Dense(256)])
    model.predict(np.ones((4096, 256), "float32"), batch_size=4096, verbose=0)
assert thread_pool._pool()._threads
"""


@pytest.fixture
def model() -> Iterator[keras.Model]:
    """A model all of whose runs, however small, are shared by three threads."""
    with (
        patch.multiple(thread_pool, WORTH_SHARING=0, GRAIN=1, TRIES_ALONE=0, CERTAIN=0),
        config.override(backend="cpu", threads=3),
    ):
        yield keras.Sequential([keras.Input((16,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(5)])


@pytest.mark.parametrize("backend, runs", (("cpu", 200), pytest.param("cuda", 20, marks=pytest.mark.cuda)))
def test_runs_at_the_same_time_do_not_disturb_each_other(model: keras.Model, backend: str, runs: int) -> None:
    with config.override(backend=backend):
        expected = model.predict(X, verbose=0)
    wrong: list[int] = []

    def work(threads: int) -> None:
        with config.override(backend=backend, threads=threads):
            for rows in range(1, runs):
                got = model.predict(X[: rows % 64 + 1], batch_size=rows % 7 + 1, verbose=0)
                if np.abs(got - expected[: rows % 64 + 1]).max() > 1e-5:
                    wrong.append(rows)

    workers = [Thread(target=work, args=(threads,)) for threads in (2, 3, 3, 4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not wrong
    assert not any(worker.is_alive() for worker in workers)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_of_fork_has_a_thread_pool_of_its_own(model: keras.Model) -> None:
    expected = model.predict(X, verbose=0)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(model.predict(X, verbose=0), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_threads_poll_outlives_the_interpreter() -> None:
    done = subprocess.run([sys.executable, "-c", EXIT], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no interval timer")
def test_an_interruption_leaves_no_thread_waiting(model: keras.Model) -> None:
    expected = model.predict(X, verbose=0)

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for i in range(100):
            with pytest.raises(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.00001 * i)
                while True:
                    model.predict(X, verbose=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells where a thread is")
def test_a_thread_that_wakes_up_leaves_the_processor_of_the_calling_thread(model: keras.Model) -> None:
    """It moves to another processor, and may be moved anywhere afterwards."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("there is one processor")
    model.predict(X, verbose=0)
    library = next(iter(model.made_programs)).executable.program._library
    slots = (ctypes.c_int * (thread_pool.SLOT_BYTES // 4 * 2))()
    moved: list[tuple[int, set[int]]] = []

    def wake_up() -> None:
        for here in sorted(allowed):
            os.sched_setaffinity(0, {here})
            slots[PROCESSOR // 4] = here
            os.sched_setaffinity(0, allowed)
            library.run_posted(slots, 1)
            moved.append((slots[(thread_pool.SLOT_BYTES + PROCESSOR) // 4] - here, os.sched_getaffinity(0)))

    thread = Thread(target=wake_up)
    thread.start()
    thread.join()
    assert all(apart != 0 and free == allowed for apart, free in moved)
    assert len(moved) == len(allowed)
