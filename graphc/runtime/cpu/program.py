"""The CPU: loads a program built from C and runs it on host memory."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from graphc import dims
from graphc.errors import ArgumentError
from graphc.plan import Plan
from graphc.runtime.cpu import blas, thread_pool
from graphc.runtime.cpu.workspace import Table, Workspace
from graphc.runtime.program import Program
from graphc.runtime.state import StateBuffer, address, aligned_empty

Array = np.ndarray[Any, Any]


def workspace(plan: Plan) -> Workspace:
    """A workspace for runs of a plan, one at a time."""
    return Workspace(plan, {b.id: b.value.numpy() for b in plan.buffers if b.value is not None})


class CpuProgram(Program):
    """A plan that runs as one native call.

    Args:
        plan: What the library runs.
        library: The shared library with `graphc_run`.
        space: A workspace for its first run. None: one is made then.

    Raises:
        LoadError: if the system does not load the library.
    """

    def __init__(self, plan: Plan, library: Path, space: Workspace | None = None) -> None:
        super().__init__(plan)
        self._library = thread_pool.SharedProgram(library)
        blas.lend(self._library.dll, {call.native for call in plan.calls() if call.native})
        self._single = len(set(plan.outputs)) == len(plan.outputs)
        # Runs at the same time, from several threads, each have a workspace; one after the other share one.
        self._idle = [] if space is None else [space]

    def seconds(self, kernels: list[str]) -> dict[str, float]:
        """What each kernel has taken since the library was loaded.

        Raises:
            ArgumentError: if the library was not built to measure it.
        """
        try:
            measured = (ctypes.c_double * len(kernels)).in_dll(self._library.dll, "graphc_seconds")
        except ValueError:
            problem = "the program does not measure its kernels"
            raise ArgumentError(problem, hint="compile it with profiled=True") from None
        return dict(zip(kernels, measured, strict=True))

    def trials(self, kernels: list[str], sizes: Mapping[str, int], rounds: int) -> list[dict[str, float]]:
        """The seconds of each kernel in each of some runs of a plan that has nothing but states, which begin as zeros.

        Args:
            kernels: Their names, in the order in which the library measures them.
            sizes: A value for each symbolic size.
            rounds: How many runs, after a first one that does not count.
        """
        states = {
            # Written, not only allocated: memory that was never written to is a single page.
            name: StateBuffer(np.zeros(dims.evaluate(buffer.elements, sizes), buffer.dtype.numpy))
            for name, buffer in self.plan.named("state").items()
        }
        self.run({}, states, sizes, 1)
        totals = [self.seconds(kernels)]
        for _ in range(rounds):
            self.run({}, states, sizes, 1)
            totals.append(self.seconds(kernels))
        return [{name: after[name] - before[name] for name in kernels} for before, after in pairwise(totals)]

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int,
    ) -> list[Array]:
        """Runs the plan `repeat` times; returns the outputs of the last run."""
        space = self._workspace()
        table = space.table(sizes)
        keep: list[Array] = []  # arrays whose memory the call uses
        for id, name, dtype, _ in table.inputs:
            given = inputs[name]
            array = np.ascontiguousarray(given.host() if isinstance(given, StateBuffer) else given, dtype)
            keep.append(array)
            table.addresses[id] = address(array)
        outputs = {}
        for id, dtype, nbytes in table.outputs:
            outputs[id] = aligned_empty((nbytes // dtype.itemsize,), dtype)
            table.addresses[id] = address(outputs[id])
        self._call(space, table, states, repeat=repeat)
        return [outputs[id] for id in self.plan.outputs]

    def sweep(
        self,
        inputs: Mapping[str, Array],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        steps: int,
        results: Sequence[Array],
    ) -> None:
        """Runs the plan on consecutive batches of the inputs, in one native call; nothing is copied."""
        space = self._workspace()
        table = space.table(sizes)
        fits = self._single
        for id, name, dtype, nbytes in table.inputs:
            array = inputs[name]
            fits = fits and array.flags.c_contiguous and array.dtype == dtype and array.nbytes == steps * nbytes
            table.addresses[id] = address(array)
        for (id, dtype, nbytes), array in zip(table.outputs, results, strict=self._single):
            fits = fits and array.flags.c_contiguous and array.dtype == dtype and array.nbytes == steps * nbytes
            table.addresses[id] = address(array)
        if not fits:
            self._idle.append(space)
            super().sweep(inputs, states, sizes, steps, results)
            return
        self._call(space, table, states, steps=steps)

    def _workspace(self) -> Workspace:
        try:
            return self._idle.pop()
        except IndexError:
            return workspace(self.plan)

    def _call(
        self, space: Workspace, table: Table, states: Mapping[str, StateBuffer], steps: int = 1, repeat: int = 1
    ) -> None:
        """Runs the native function on a table whose inputs and outputs are in place.

        An interruption may come between any two of these lines. Versions rise before the call, so that nothing computed
        from old values counts as current afterwards, and again after it, for what others computed from values that were
        half changed.
        """
        updated = [states[name] for name in self.updated]
        try:
            versions = table.bind(states)
            table.job.steps, table.job.repeat = steps, repeat
            table.job.persistent_valid = versions == space.persistent_versions
            work = steps * repeat * table.work
            space.persistent_versions = None
            for buffer in updated:
                buffer.host_changed()
            thread_pool.run(self._library, table.job, work, table.trials_of(steps * repeat, work))
            space.persistent_versions = versions
            space.references.raise_error()
        finally:
            self._idle.append(space)
            for buffer in updated:
                buffer.host_changed()
