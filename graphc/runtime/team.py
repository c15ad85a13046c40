"""The threads that run programs on the CPU: one pool for the process, whose threads sleep between runs.

A run is one native function that every thread of a team calls with its number; they meet inside it, and the caller is
thread 0. So a run costs the others one wake-up, however many steps it makes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from graphc import config
from graphc.runtime.processor import cores
from graphc.runtime.state import aligned_empty

# What a waiting thread reads and what an arriving one writes: two cache lines, twice for processors that fetch pairs.
MEETING_BYTES = 256
# Scalar operations of a run from which on other threads are worth waking, and those of a kernel that a thread should
# at least get: more than meeting the others costs.
WORTH_SHARING = 2_000_000
GRAIN = 1 << 14


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="graphc")


if hasattr(os, "register_at_fork"):
    # A child of fork() has none of the parent's threads, and must not wait for them.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def allowed_threads() -> int:
    """How many threads a run may use: `config.threads`, else as many as there are processors for this process."""
    return config.current().threads or cores()


def run(function: Callable[[int, int, int, int], None], work: int) -> None:
    """Calls `function(meeting, thread, threads, grain)` on every thread of a team, and returns when all is done.

    Args:
        function: What runs, with the address of the place where its threads meet. Its threads meet before it returns.
        work: About how many scalar operations it takes.
    """
    threads = allowed_threads() if work >= WORTH_SHARING else 1
    meeting = aligned_empty((MEETING_BYTES,), np.dtype(np.uint8))
    meeting[:] = 0
    place = int(meeting.ctypes.data)
    others = [_pool(threads - 1).submit(function, place, thread, threads, GRAIN) for thread in range(1, threads)]
    function(place, 0, threads, GRAIN)
    for other in others:
        other.result()
