"""The CPU: loads a program built from C and runs it on host memory."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from graphc import dims
from graphc.errors import ArgumentError
from graphc.plan import Buffer, Plan
from graphc.runtime import team
from graphc.runtime.program import Program
from graphc.runtime.state import StateBuffer, aligned_empty

Array = np.ndarray[Any, Any]


class CpuProgram(Program):
    """A plan that runs as one native call.

    Args:
        plan: What the library runs.
        library: The shared library with `graphc_run`.
    """

    def __init__(self, plan: Plan, library: Path) -> None:
        super().__init__(plan)
        self._library = ctypes.CDLL(str(library))
        self._entry = self._library.graphc_run
        self._entry.argtypes = [*[ctypes.c_void_p] * 2, ctypes.c_long, ctypes.c_void_p, *[ctypes.c_long] * 3]
        self._entry.restype = None
        self._constants = {b.id: b.value.numpy() for b in plan.buffers if b.value is not None}
        self._arena = aligned_empty((0,), np.dtype(np.uint8))

    def seconds(self, kernels: list[str]) -> dict[str, float]:
        """What each kernel has taken since the library was loaded.

        Raises:
            ArgumentError: if the library was not built to measure it.
        """
        try:
            measured = (ctypes.c_double * len(kernels)).in_dll(self._library, "graphc_seconds")
        except ValueError:
            problem = "the program does not measure its kernels"
            raise ArgumentError(problem, hint="compile it with profiled=True") from None
        return dict(zip(kernels, measured, strict=True))

    def allocate(self, nbytes: int) -> None:
        """Makes the arena."""
        self._arena = aligned_empty((nbytes,), np.dtype(np.uint8))

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int,
    ) -> list[Array]:
        """Runs the plan `repeat` times; returns the outputs of the last run."""
        layout = self.reserve(sizes)
        outputs: dict[int, Array] = {}
        keep: list[Array] = []  # arrays whose memory the call uses
        pointers = np.empty(max(1, len(self.plan.buffers)), np.uintp)
        base = self._arena.ctypes.data
        for buffer in self.plan.buffers:
            if buffer.in_arena:
                pointers[buffer.id] = base + layout.offsets.get(buffer.id, 0)
                continue
            array = self._array(buffer, inputs, states, sizes)
            if buffer.role == "output":
                outputs[buffer.id] = array
            keep.append(array)
            pointers[buffer.id] = array.ctypes.data
        values = np.array([sizes[name] for name in self.plan.symbols] or [0], np.int_)
        entry = partial(self._entry, pointers.ctypes.data, values.ctypes.data, repeat)
        team.run(entry, repeat * dims.evaluate(self.plan.work, sizes))
        for name in self.updated:
            states[name].host_changed()
        return [outputs[id] for id in self.plan.outputs]

    def _array(
        self,
        buffer: Buffer,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
    ) -> Array:
        match buffer.role:
            case "input":
                given = inputs[buffer.name]
                array = given.host() if isinstance(given, StateBuffer) else given
                return np.ascontiguousarray(array, buffer.dtype.numpy)
            case "state":
                return states[buffer.name].host()
            case "constant":
                return self._constants[buffer.id]
            case _:
                return aligned_empty((dims.evaluate(buffer.elements, sizes),), buffer.dtype.numpy)
