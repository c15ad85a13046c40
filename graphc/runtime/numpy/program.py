"""The reference device: runs a graph with the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc import interpret
from graphc.graph.core import Graph
from graphc.runtime.program import run_slices
from graphc.runtime.state import StateBuffer

Array = np.ndarray[Any, Any]


class NumpyProgram:
    """A graph that the interpreter runs.

    Args:
        graph: The graph.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int,
    ) -> list[Array]:
        """Runs the graph `repeat` times; states are updated in place. Returns the last run's outputs."""
        arrays = {k: v.host() if isinstance(v, StateBuffer) else np.asarray(v) for k, v in inputs.items()}
        outputs: list[Array] = []
        for _ in range(repeat):
            values = {name: state.host() for name, state in states.items()}
            outputs, updates = interpret.run(self.graph, arrays, values, sizes)
            try:
                _assign(states, updates)
            except BaseException:
                _assign(states, updates)  # an interruption takes effect after the step, as in native code
                raise
        return outputs

    def sweep(
        self,
        inputs: Mapping[str, Array],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        steps: int,
        results: Sequence[Array],
    ) -> None:
        """Runs the graph on one slice of the inputs after the other, as `Program.sweep` does."""
        run_slices(self.run, inputs, states, sizes, steps, results)


def _assign(states: Mapping[str, StateBuffer], values: Mapping[str, Array]) -> None:
    for name, value in values.items():
        states[name].assign(value)
