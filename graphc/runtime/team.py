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
from time import perf_counter

from graphc import config
from graphc.runtime.processor import cores

# What a waiting thread reads and what an arriving one writes: two cache lines, twice for processors that fetch pairs.
MEETING_BYTES = 256
# Scalar operations of a run from which on other threads are worth waking, and those of a kernel that a thread should
# at least get: more than meeting the others costs.
WORTH_SHARING = 2_000_000
GRAIN = 1 << 14
# Scalar operations of a run from which on it is taken for granted that sharing them is faster; below that it is tried:
# how often on one thread and on several, and what several must take of the time of one to be chosen.
CERTAIN = 500_000_000
TRIES_ALONE, TRIES_SHARED = 2, 6
WORTHWHILE = 0.9
# What was slower is tried again when so many times its time has passed: trying costs 3 % at most.
AGAIN = 32


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="graphc")


if hasattr(os, "register_at_fork"):
    # A child of fork() has none of the parent's threads, and must not wait for them.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def allowed_threads() -> int:
    """How many threads a run may use: `config.threads`, else as many as there are processors for this process."""
    return config.current().threads or cores()


class Trials:
    """What steps of one kind took on one thread and on several, which tells on how many the next ones run.

    How long threads take to wake up and to meet is known only to those who try: 10 microseconds or 100, and
    milliseconds where other programs keep the processors busy.
    """

    def __init__(self) -> None:
        self._tries: dict[int, int] = {}
        self._seconds: dict[int, float] = {}
        self._since = 0

    def chosen(self, allowed: int, work: int) -> int:
        """How many threads the next steps should run on, `work` operations in all: 1, or as many as are allowed."""
        if work < CERTAIN and self._tries.get(1, 0) < TRIES_ALONE:
            return 1
        if self._tries.get(allowed, 0) < TRIES_SHARED:
            return allowed
        shared = self._seconds[allowed]
        alone = self._seconds.get(1, allowed * shared)
        self._since += 1
        if shared < WORTHWHILE * alone:
            again = self._since * shared > AGAIN * alone
            return self._other(1) if again else allowed
        again = self._since * alone > AGAIN * shared
        return self._other(allowed) if again else 1

    def _other(self, threads: int) -> int:
        self._since = 0
        return threads

    def note(self, threads: int, seconds: float) -> None:
        """Takes in what a step took."""
        tries, before = self._tries.get(threads, 0), self._seconds.get(threads, seconds)
        # The first runs find caches and memory cold; what comes later tells how busy the machine is now.
        self._seconds[threads] = min(before, seconds) if tries < TRIES_SHARED else before + (seconds - before) / 4
        self._tries[threads] = tries + 1


Native = Callable[[ctypes.c_void_p, int, int, int], None]


def run(function: Native, work: int, steps: int, trials: Trials, meeting: ctypes.c_void_p) -> None:
    """Calls `function(meeting, thread, threads, grain)` on every thread of a team, and returns when all is done.

    Args:
        function: What runs. Its threads meet before it returns.
        work: About how many scalar operations it takes.
        steps: How many equal steps it consists of.
        trials: What such steps took before.
        meeting: Where they meet: `MEETING_BYTES` bytes for this run alone, zeros before the first one.
    """
    allowed = allowed_threads() if work >= WORTH_SHARING else 1
    if allowed == 1:
        function(meeting, 0, 1, GRAIN)
        return
    threads, start = trials.chosen(allowed, work), perf_counter()
    _run_on(threads, function, meeting)
    trials.note(threads, (perf_counter() - start) / steps)


def _run_on(threads: int, function: Native, meeting: ctypes.c_void_p) -> None:
    if threads == 1:
        function(meeting, 0, 1, GRAIN)
        return
    others = [_pool(threads - 1).submit(function, meeting, thread, threads, GRAIN) for thread in range(1, threads)]
    function(meeting, 0, threads, GRAIN)
    for other in others:
        other.result()
