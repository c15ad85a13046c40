"""The threads that run programs on the CPU: one pool for the process.

A run is one native function that every thread of a team calls with its number; they meet inside it, and the caller is
thread 0. So a run costs the others one wake-up, however many steps it makes, and none if the last run was a moment ago:
`codegen/cpu/prelude/team.c` tells how they wait.
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

ROOM_BYTES = 256
MOST_THREADS = 256
# What a waiting thread reads and what an arriving one writes: two cache lines, twice for processors that fetch pairs;
# and two for each thread, which tell how far its share of the work is done.
MEETING_BYTES = 256 + 128 * MOST_THREADS
# How often a leader looks for those it has called before it calls again.
PATIENCE = 2200
# Scalar operations of a run from which on other threads are worth waking, and those of a kernel that a thread should
# at least get: more than meeting the others costs.
WORTH_SHARING = 2_000_000
GRAIN = 1 << 14
# Scalar operations of a run from which on it is taken for granted that sharing them is faster; below that it is tried:
# how often on one thread and on several, and what several must take of the time of one to be chosen.
CERTAIN = 500_000_000
TRIES_ALONE, TRIES_SHARED = 2, 6
WORTHWHILE = 0.9
# What was slower is tried again when so many times its time has passed, some times in a row, for the first of these may
# find the others asleep: trying costs 9 % at most, and usually a third of that.
AGAIN, TRIES_AGAIN = 32, 3


class Job(ctypes.Structure):
    """What a team runs: `gc_job` of `codegen/cpu/prelude/team.c`."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("addresses", "sizes", "strides")),
        *((name, ctypes.c_long) for name in ("count", "steps", "repeat", "threads", "grain", "kept")),
        ("meeting", ctypes.c_void_p),
    )


class _Member:
    """A thread that sleeps until it is called, and then serves for a while.

    Args:
        rooms: Where the rooms of all lie.
        number: Its own.
    """

    def __init__(self, rooms: int, number: int) -> None:
        self._rooms, self._number = rooms, number
        self._thread: Thread | None = None
        self._calls: SimpleQueue[TeamProgram] = SimpleQueue()

    def call(self, program: TeamProgram) -> None:
        """Makes it serve, if it does not already. An interruption here loses nothing: the next call is as good.

        Raises:
            RuntimeError: if the system has no new thread.
        """
        if self._thread is None:
            # An interruption before the last line leaves a thread more, which finds the room taken.
            thread = Thread(target=self._run, name=f"graphc-{self._number}", daemon=True)
            thread.start()
            self._thread = thread
        if self._calls.empty():
            self._calls.put(program)

    def _run(self) -> None:
        """Serves whenever it is called."""
        while True:
            program = self._calls.get()
            program.serve(self._rooms, self._number)
            del program  # which need not be there any more


class _Crew:
    """The other threads of teams, and the rooms in which they wait for jobs."""

    def __init__(self) -> None:
        self._memory = aligned_empty((MOST_THREADS * ROOM_BYTES,), np.dtype(np.uint8))
        self._memory[:] = 0
        self._rooms = address(self._memory)
        self._members: list[_Member] = []

    def run(self, program: TeamProgram, job: Job) -> bool:
        """Runs a job on a team; False if the threads are at another one, or cannot be had."""
        led, patience = 0, 0
        while led == 0:
            led = program.lead(self._rooms, ctypes.addressof(job), patience)
            if led == 0:
                try:
                    self._call(program, job.threads - 1)
                except RuntimeError:  # the system has no new thread
                    return False
            patience = PATIENCE
        return bool(led > 0)

    def _call(self, program: TeamProgram, count: int) -> None:
        while len(self._members) < count:
            self._members.append(_Member(self._rooms, len(self._members) + 1))
        for member in self._members[:count]:
            member.call(program)


@lru_cache(maxsize=1)
def _crew() -> _Crew:
    return _Crew()


if hasattr(os, "register_at_fork"):
    # A child of fork() has none of the parent's threads, and must not wait for them.
    os.register_at_fork(after_in_child=_crew.cache_clear)


def allowed_threads() -> int:
    """How many threads a run may use: `config.threads`, else as many as there are processors for this process."""
    return min(config.current().threads or cores(), MOST_THREADS)


class Trials:
    """What steps of one kind took on one thread and on several, which tells on how many the next ones run.

    How long threads take to wake up and to meet is known only to those who try: 10 microseconds or 100, and
    milliseconds where other programs keep the processors busy.
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
        """Takes in what a step took."""
        tries, before = self._tries.get(threads, 0), self._seconds.get(threads, seconds)
        # What was once as fast can be so again; what is slower may be chance, or the first runs' cold caches.
        slower = seconds > before and tries >= TRIES_SHARED
        self._seconds[threads] = before + (seconds - before) / 4 if slower else min(before, seconds)
        self._tries[threads] = tries + 1


class TeamProgram(NativeLibrary):
    """A program that teams can run.

    Args:
        path: Its file.

    Attributes:
        sweep: Runs a job as one of its threads.
        serve: Serves in a room.
        lead: Runs a job as the leader of others.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sweep = self.dll.graphc_sweep
        self.sweep.argtypes, self.sweep.restype = (ctypes.c_void_p, ctypes.c_long), None
        self.serve = self.dll.graphc_serve
        self.serve.argtypes, self.serve.restype = (ctypes.c_void_p, ctypes.c_long), None
        self.lead = self.dll.graphc_lead
        self.lead.argtypes, self.lead.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long), ctypes.c_int


def run(program: TeamProgram, job: Job, work: int, trials: Trials) -> None:
    """Runs a job on a team of threads, and returns when all is done.

    Args:
        program: Whose job it is.
        job: Its threads and grain are filled in. Its meeting is for this run alone.
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


def _run_on(threads: int, program: TeamProgram, job: Job) -> None:
    job.threads = threads
    if threads > 1 and _crew().run(program, job):
        return
    job.threads = 1
    program.sweep(ctypes.addressof(job), 0)
