"""A compiled graph: running it, and inspecting its compilation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.graph.core import Graph
from graphc.graph.types import resolve
from graphc.runtime.counters import counters
from graphc.runtime.cpu.program import CpuProgram
from graphc.runtime.memory import by_role
from graphc.runtime.numpy.program import NumpyProgram
from graphc.runtime.program import Program
from graphc.runtime.state import StateBuffer

if TYPE_CHECKING:
    from graphc.codegen.compilation import Compilation

Array = np.ndarray[Any, Any]


class Executable:
    """A compiled graph.

    Args:
        backend: The backend that it runs on.
        initial: The graph before any pass.
        program: The program.
        look: Returns the compilation, which is repeated where the program was in the cache.
    """

    def __init__(
        self, backend: str, initial: Graph, program: Program | NumpyProgram, look: Callable[[], Compilation]
    ) -> None:
        self.backend = backend
        self.program = program
        self._launches = program.launches if isinstance(program, Program) else 0
        self._look = look
        self._shapes = [initial.type(ref).shape for ref in initial.outputs]

    @property
    def compilation(self) -> Compilation:
        """The compilation, stage by stage."""
        return self._look()

    @property
    def graph(self) -> Graph:
        """The graph after all passes."""
        return self.compilation.graph

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int = 1,
    ) -> list[Array]:
        """Runs the graph; states are updated in place.

        Args:
            inputs: A value for each input.
            states: The buffer of each state.
            sizes: A value for each symbolic size.
            repeat: The number of runs; each uses the states of the one before.

        Returns:
            The outputs of the last run.
        """
        flat = self.program.run(inputs, states, sizes, repeat)
        self._count(repeat)
        shapes = [resolve(shape, sizes) for shape in self._shapes] if sizes else self._shapes
        return [array.reshape(shape) for array, shape in zip(flat, shapes, strict=True)]

    def sweep(
        self,
        inputs: Mapping[str, Array],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        steps: int,
        results: Sequence[Array],
    ) -> None:
        """Runs the graph on one slice of the inputs after the other; states are updated in place.

        Args:
            inputs: A value for each input, whose first axis is split into `steps` equal slices.
            states: The buffer of each state.
            sizes: A value for each symbolic size: those of a slice.
            steps: The number of slices.
            results: Receives the outputs: an array for each, split likewise.
        """
        self.program.sweep(inputs, states, sizes, steps, results)
        self._count(steps)

    def _count(self, steps: int) -> None:
        counts = counters()
        counts.runs += 1
        counts.launches += steps * self._launches

    def memory(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """The bytes of memory of a run, by role: `input`, `state`, `constant`, `output`, and `arena` for temporaries.

        Raises:
            ArgumentError: on the interpreter, which has no plan.
        """
        if not isinstance(self.program, Program):
            raise ArgumentError("the interpreter does not plan its memory", hint="choose the backend cpu or cuda")
        return by_role(self.program.plan, sizes)

    def seconds(self) -> dict[str, float]:
        """The total seconds of each kernel since the program was built, by kernel.

        Raises:
            ArgumentError: if the program was not built with `profiled=True` for the `cpu` backend.
        """
        if not isinstance(self.program, CpuProgram):
            raise ArgumentError("only the cpu backend measures its kernels", got=self.backend)
        return self.program.seconds(list(self.compilation.kernels))
