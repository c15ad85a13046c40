"""The threads that run programs on the CPU: one pool for the process, whose threads sleep between runs.

A run is one native function that every thread of a team calls with its number; they meet inside it, and the caller is
thread 0. So a run costs the others one wake-up, however many steps it makes.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from graphc import config
from graphc.runtime.processor import cores

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


def run(function: Callable[[ctypes.c_void_p, int, int, int], None], work: int, meeting: ctypes.c_void_p) -> None:
    """Calls `function(meeting, thread, threads, grain)` on every thread of a team, and returns when all is done.

    Args:
        function: What runs. Its threads meet before it returns.
        work: About how many scalar operations it takes.
        meeting: Where they meet: `MEETING_BYTES` bytes for this run alone, zeros before the first one.
    """
    threads = allowed_threads() if work >= WORTH_SHARING else 1
    if threads == 1:
        function(meeting, 0, 1, GRAIN)
        return
    others = [_pool(threads - 1).submit(function, meeting, thread, threads, GRAIN) for thread in range(1, threads)]
    function(meeting, 0, threads, GRAIN)
    for other in others:
        other.result()
