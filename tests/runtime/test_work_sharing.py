"""Work sharing in C: each chunk is taken once, and threads without work steal chunks of the others' shares."""

from __future__ import annotations

import ctypes
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from graphc.codegen.cstyle.source import prelude
from graphc.runtime.cache import Cache
from graphc.runtime.cpu import thread_pool, toolchain
from graphc.runtime.state import address, aligned_empty

# Counts how often each of 0 .. total is done, in some rounds of work with a barrier between them.
COUNTING = """
void work(long thread, long threads, void *barrier, long total, long grain, long sharing, long rounds, int steals,
          int *counts) {
  const gc_worker worker = {thread, threads, 1, barrier}, *const self = &worker;
  for (long round = 0; round < rounds; ++round) {
    for (gc_chunks chunks = gc_begin_chunks(total, grain, self, sharing, steals); gc_next_chunk(&chunks);)
      for (long i = chunks.first; i < chunks.end; ++i) ++counts[i];
    if (rounds > 1) gc_sync(self);
  }
}
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> ctypes._CFuncPtr:
    source = "".join(prelude("cpu", name) for name in ("c.h", "barrier.c", "work_sharing.c")) + COUNTING
    cache = Cache(Path(tmp_path_factory.mktemp("cache")))
    library = toolchain.build_shared(source, flags=("-O2",), toolchain=toolchain.find(), cache=cache)
    function = ctypes.CDLL(str(library)).work
    function.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] + [ctypes.c_long] * 4 + [ctypes.c_int, ctypes.c_void_p]
    function.restype = None
    return function


def barrier() -> np.ndarray:
    memory = aligned_empty((thread_pool.BARRIER_BYTES,), np.dtype(np.uint8))
    memory[:] = 0
    return memory


@pytest.mark.parametrize("total", (0, 1, 5, 64, 1000))
@pytest.mark.parametrize("grain", (1, 16))
@pytest.mark.parametrize("threads, sharing", ((1, 1), (2, 2), (3, 2), (4, 4)))
def test_each_chunk_is_taken_once_in_each_round(
    work: ctypes._CFuncPtr, total: int, grain: int, threads: int, sharing: int
) -> None:
    place, counts, rounds = barrier(), np.zeros(total + 1, np.int32), 500
    rest = (threads, address(place), total, grain, sharing, rounds, 1, address(counts))
    workers = [Thread(target=work, args=(thread, *rest)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers)
    np.testing.assert_array_equal(counts[:total], rounds)


def test_a_thread_without_work_steals_what_others_have_not_taken(work: ctypes._CFuncPtr) -> None:
    place, counts = barrier(), np.zeros(100, np.int32)
    work(1, 2, address(place), 100, 1, 2, 1, 1, address(counts))  # thread 0 does not come
    np.testing.assert_array_equal(counts, 1)
    work(0, 2, address(place), 100, 1, 2, 1, 1, address(counts))
    np.testing.assert_array_equal(counts, 1)


def test_no_work_is_stolen_where_that_would_be_wrong(work: ctypes._CFuncPtr) -> None:
    place, counts = barrier(), np.zeros(100, np.int32)
    work(1, 2, address(place), 100, 1, 2, 1, 0, address(counts))
    np.testing.assert_array_equal(counts, np.repeat([0, 1], 50))
