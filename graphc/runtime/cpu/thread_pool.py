"""The thread pool that runs programs on the CPU, one for the process.

A run is one native function that some threads call, each with its number; the calling thread is thread 0. Inside it
they wait for each other at barriers. So a run wakes each thread of the pool once at most, however many steps it has,
and not at all if the last run ended a moment ago: see `codegen/cpu/prelude/thread_pool.c`.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import perf_counter

import numpy as np

from graphc import config
from graphc.runtime.cpu.native import NativeLibrary
from graphc.runtime.cpu.processor import cores
from graphc.runtime.state import address, aligned_empty

SLOT_BYTES = 256
MOST_THREADS = 256
# The barrier: two cache lines, one that arriving threads write and one that waiting threads read, twice for processors
# that fetch pairs; and two lines for each thread, which count the chunks of its share that were taken.
BARRIER_BYTES = 256 + 128 * MOST_THREADS
# How often the calling thread looks for threads that it has woken before it wakes them again.
MOST_SPINS = 2200
# Scalar operations of a run from which on other threads are worth waking, and those of a kernel that a thread should
# at least get: they take longer than a barrier.
WORTH_SHARING = 2_000_000
GRAIN = 1 << 14
# Scalar operations of a run from which on several threads are taken to be faster; shorter runs are tried: how often on
# one thread and on several, and which part of the time of one thread several must take to be chosen.
CERTAIN = 500_000_000
TRIES_ALONE, TRIES_SHARED = 2, 6
WORTHWHILE = 0.9
# The slower choice is tried again after so many times its time, some times in a row: threads may be asleep in the
# first of these runs: trials cost 9 % at most, and usually a third of that.
AGAIN, TRIES_AGAIN = 32, 3


class Job(ctypes.Structure):
    """What the threads run: `gc_job` of `codegen/cpu/prelude/thread_pool.c`."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("addresses", "sizes", "strides")),
        *((name, ctypes.c_long) for name in ("count", "steps", "repeat", "threads", "grain", "persistent_valid")),
        ("barrier", ctypes.c_void_p),
    )


class _PoolThread:
    """A thread that sleeps until it is woken, and then runs the jobs that are posted to its slot for some time.

    Args:
        slots: The address of the slots of all threads.
        number: The number of its own.
    """

    def __init__(self, slots: int, number: int) -> None:
        self._slots, self._number = slots, number
        self._thread: Thread | None = None
        self._wakes: SimpleQueue[SharedProgram] = SimpleQueue()

    def wake(self, program: SharedProgram) -> None:
        """Wakes the thread, if it sleeps. An interruption here loses nothing: the next call does the same.

        Raises:
            RuntimeError: if the system has no new thread.
        """
        if self._thread is None:
            # An interruption before the last line leaves one thread more, which finds the slot taken.
            thread = Thread(target=self._run, name=f"graphc-{self._number}", daemon=True)
            thread.start()
            self._thread = thread
        if self._wakes.empty():
            self._wakes.put(program)

    def _run(self) -> None:
        """Polls the slot, by the code of a program, whenever the thread is woken."""
        while True:
            program = self._wakes.get()
            program.run_posted(self._slots, self._number)
            del program  # so that its library can be unloaded


class _ThreadPool:
    """The threads beside the calling ones, and the slots to which their jobs are posted."""

    def __init__(self) -> None:
        self._memory = aligned_empty((MOST_THREADS * SLOT_BYTES,), np.dtype(np.uint8))
        self._memory[:] = 0
        # Threads may poll it until the process ends, after Python has torn down this module: it is never freed.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._memory))
        self._slots = address(self._memory)
        self._threads: list[_PoolThread] = []

    def run(self, program: SharedProgram, job: Job) -> bool:
        """Runs a job on several threads; False if the pool runs another one, or the system has too few threads."""
        outcome, most_spins = 0, 0
        while outcome == 0:
            outcome = program.run_job(self._slots, ctypes.addressof(job), most_spins)
            if outcome == 0:
                try:
                    self._wake(program, job.threads - 1)
                except RuntimeError:  # the system has no new thread
                    return False
            most_spins = MOST_SPINS
        return bool(outcome > 0)

    def _wake(self, program: SharedProgram, count: int) -> None:
        while len(self._threads) < count:
            self._threads.append(_PoolThread(self._slots, len(self._threads) + 1))
        for thread in self._threads[:count]:
            thread.wake(program)


@lru_cache(maxsize=1)
def _pool() -> _ThreadPool:
    return _ThreadPool()


if hasattr(os, "register_at_fork"):
    # A child of fork() has none of the parent's threads, and must not wait for them.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def allowed_threads() -> int:
    """How many threads a run may use: `config.threads`, else as many as there are processors for this process."""
    return min(config.current().threads or cores(), MOST_THREADS)


class Trials:
    """How long steps of one kind took on one thread and on several, from which the number of threads is chosen.

    How long waking threads and barriers take depends on the machine, and has to be measured: 10 microseconds or 100,
    and milliseconds where other programs keep the processors busy.
    """

    def __init__(self) -> None:
        self._tries: dict[int, int] = {}
        self._seconds: dict[int, float] = {}
        self._since = 0
        self._trying: list[int] = []

    def chosen(self, allowed: int, work: int) -> int:
        """How many threads the next steps should run on, `work` operations in all: 1, or as many as are allowed."""
        if work < CERTAIN and self._tries.get(1, 0) < TRIES_ALONE:
            return 1
        if self._tries.get(allowed, 0) < TRIES_SHARED:
            return allowed
        shared = self._seconds[allowed]
        alone = self._seconds.get(1, allowed * shared)
        if self._trying:
            return min(self._trying.pop(), allowed)
        self._since += 1
        better, other = (allowed, 1) if shared < WORTHWHILE * alone else (1, allowed)
        if self._since * min(shared, alone) > AGAIN * max(shared, alone):
            self._since = 0
            self._trying = [other] * (TRIES_AGAIN - 1)
            return other
        return better

    def note(self, threads: int, seconds: float) -> None:
        """Notes how long a step took."""
        tries, before = self._tries.get(threads, 0), self._seconds.get(threads, seconds)
        # The fastest run can be repeated; a slower one may be chance, or the cold caches of the first runs.
        slower = seconds > before and tries >= TRIES_SHARED
        self._seconds[threads] = before + (seconds - before) / 4 if slower else min(before, seconds)
        self._tries[threads] = tries + 1


class SharedProgram(NativeLibrary):
    """A program that several threads can run together.

    Args:
        path: Its file.

    Attributes:
        sweep: Runs a job as one of its threads.
        run_posted: Runs the jobs that are posted to a slot.
        run_job: Runs a job on the calling thread and on others.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sweep = self.dll.graphc_sweep
        self.sweep.argtypes, self.sweep.restype = (ctypes.c_void_p, ctypes.c_long), None
        self.run_posted = self.dll.graphc_run_posted
        self.run_posted.argtypes, self.run_posted.restype = (ctypes.c_void_p, ctypes.c_long), None
        self.run_job = self.dll.graphc_run_job
        self.run_job.argtypes, self.run_job.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long), ctypes.c_int


def run(program: SharedProgram, job: Job, work: int, trials: Trials) -> None:
    """Runs a job on one thread or several, and returns when it is done.

    Args:
        program: Whose job it is.
        job: Its threads and grain are filled in. Its barrier is for this run alone.
        work: About how many scalar operations it takes.
        trials: What such steps took before.
    """
    allowed = allowed_threads() if work >= WORTH_SHARING else 1
    job.grain = GRAIN
    if allowed == 1:
        _run_on(1, program, job)
        return
    threads, start = trials.chosen(allowed, work), perf_counter()
    _run_on(threads, program, job)
    trials.note(threads, (perf_counter() - start) / job.steps / job.repeat)


def _run_on(threads: int, program: SharedProgram, job: Job) -> None:
    job.threads = threads
    if threads > 1 and _pool().run(program, job):
        return
    job.threads = 1
    program.sweep(ctypes.addressof(job), 0)
