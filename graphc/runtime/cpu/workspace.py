"""The memory of a program on the CPU: its arena, and tables of the addresses of its buffers."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from graphc import dims
from graphc.plan import Plan
from graphc.runtime.cpu import thread_pool
from graphc.runtime.cpu.references import References
from graphc.runtime.memory import Layout, extended
from graphc.runtime.state import StateBuffer, address, aligned_empty

Array = np.ndarray[Any, Any]

# Tables of addresses that are cached: a full batch, the rest of the data, the same for validation, and some more.
MOST_TABLES = 16
# Systems provide memory when it is first written to, a page of at least so many bytes at a time.
PAGE_BYTES = 4096
# Programs have many states: the loop over them runs in C.
_PLACE = attrgetter("place")


class Table:
    """The addresses of a plan's buffers at given sizes. Constants and temporaries are in place.

    Args:
        plan: The plan.
        sizes: A value for each symbolic size.
        places: The addresses of the constants and of what lies in the arena, by buffer.
        barrier: The address of the barrier of the threads of a run.

    Attributes:
        addresses: The table itself; the caller fills in inputs and outputs.
        job: A run of the plan on the table; the caller fills in how often it runs.
        inputs: The buffer of each input: id, name, dtype, bytes.
        outputs: The buffer of each output, in the order of outputs: id, dtype, bytes.
        work: About how many scalar operations a run takes.
    """

    def __init__(self, plan: Plan, sizes: Mapping[str, int], places: Mapping[int, int], barrier: int) -> None:
        count = max(1, len(plan.buffers))
        self.addresses = (ctypes.c_size_t * count)()
        for id, place in places.items():
            self.addresses[id] = place
        nbytes = {b.id: dims.evaluate(b.nbytes, sizes) for b in plan.buffers if b.role in ("input", "output")}
        self.inputs = [(b.id, b.name, b.dtype.numpy, nbytes[b.id]) for b in plan.buffers if b.role == "input"]
        self.outputs = [(id, plan.buffers[id].dtype.numpy, nbytes[id]) for id in dict.fromkeys(plan.outputs)]
        self.work = dims.evaluate(plan.work, sizes)
        # On one thread and on several. Short runs, in which threads may be asleep, do not predict long ones.
        self._trials = thread_pool.Trials(), thread_pool.Trials(), thread_pool.Trials()
        values = [sizes[name] for name in plan.symbols] or [0]
        self._sizes = (ctypes.c_long * len(values))(*values)
        self._strides = (ctypes.c_long * count)(*(nbytes.get(id, 0) for id in range(count)))
        parts = (self.addresses, self._sizes, self._strides)
        self.job = thread_pool.Job(
            *(ctypes.addressof(part) for part in parts), count=len(plan.buffers), barrier=barrier
        )
        states = [b for b in plan.buffers if b.role == "state"]
        self._names, self._ids = [b.name for b in states], [b.id for b in states]
        written = {id for step in plan.steps for id in step.writes}
        self._steady = [i for i, id in enumerate(self._ids) if id not in written]
        self._written = [i for i, id in enumerate(self._ids) if id in written]
        self._bound: list[int] = []

    def trials_of(self, count: int, work: int) -> thread_pool.Trials:
        """What runs of a kind took: single ones, several in one call, and those that take long.

        Args:
            count: How many runs one call makes.
            work: About how many scalar operations they take together.
        """
        return self._trials[0 if count == 1 else 1 if work < thread_pool.CERTAIN else 2]

    def bind(self, states: Mapping[str, StateBuffer]) -> list[object]:
        """Fills in the addresses of the states, up to date on the host and not lent where they are written to.

        Returns:
            The versions of those that stay.
        """
        buffers = [states[name] for name in self._names]
        if list(map(_PLACE, buffers)) != self._bound:
            self._bound = []  # should an interruption leave the addresses of some
            for i in self._written:
                if buffers[i].lent:
                    buffers[i].part()
            for id, buffer in zip(self._ids, buffers, strict=True):
                buffer.host()
                self.addresses[id] = buffer.address
            self._bound = [buffer.address for buffer in buffers]
        return [buffers[i].version for i in self._steady]


class Workspace:
    """The memory of one run at a time.

    Args:
        plan: What runs in it.
        constants: The values of the plan's constants, by buffer.

    Attributes:
        references: Computes the calls of libraries that have no native code.
        persistent_versions: The versions of the states that the persistent buffers in the arena were computed from;
            None where they hold nothing.
    """

    def __init__(self, plan: Plan, constants: Mapping[int, Array]) -> None:
        self._plan = plan
        self._values = constants  # which live as long as their addresses are in use
        self.references = References(plan)
        self._constants = {id: address(value) for id, value in constants.items()} | self.references.places
        self.persistent_versions: list[object] | None = None
        self._layout: Layout | None = None
        self._arena = aligned_empty((0,), np.dtype(np.uint8))
        self._tables: dict[tuple[int, ...], Table] = {}
        self._barrier = aligned_empty((thread_pool.BARRIER_BYTES,), np.dtype(np.uint8))
        self._barrier[:] = 0

    def table(self, sizes: Mapping[str, int]) -> Table:
        """The table for given sizes; the arena is made large enough, and what it held is lost."""
        key = tuple(map(sizes.__getitem__, self._plan.symbols))
        found = self._tables.get(key)
        return found if found is not None else self._made(key, sizes)

    def prepare(self, sizes: Mapping[str, int]) -> None:
        """Makes the table for given sizes, and has the system give the memory of the arena."""
        self.table(sizes)
        self._arena[::PAGE_BYTES] = 0

    def _made(self, key: tuple[int, ...], sizes: Mapping[str, int]) -> Table:
        layout = extended(self._plan, self._layout, sizes)
        if layout is not self._layout:
            self._layout, self._arena = layout, aligned_empty((layout.nbytes,), np.dtype(np.uint8))
            self._tables.clear()
            self.persistent_versions = None
        elif len(self._tables) >= MOST_TABLES:
            self._tables.clear()
        base = address(self._arena)
        temporaries = {b.id: base + layout.offsets.get(b.id, 0) for b in self._plan.buffers if b.in_arena}
        self._tables[key] = Table(self._plan, sizes, self._constants | temporaries, address(self._barrier))
        return self._tables[key]
