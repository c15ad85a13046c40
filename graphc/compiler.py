"""The compiler: the explicit list of passes, and what joins a renderer with a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc import interpret
from graphc.graph.core import Graph
from graphc.runtime.state import StateBuffer

Array = np.ndarray[Any, Any]


class Executable:
    """A compiled graph."""

    def __init__(self, graph: Graph, backend: str) -> None:
        self.graph = graph
        self.backend = backend

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int = 1,
    ) -> list[Array]:
        """Runs the graph `repeat` times; states are updated in place. Returns the outputs of the last run."""
        arrays = {k: v.host() if isinstance(v, StateBuffer) else v for k, v in inputs.items()}
        outputs: list[Array] = []
        for _ in range(repeat):
            outputs, updates = interpret.run(
                self.graph, arrays, {name: state.host() for name, state in states.items()}, sizes
            )
            for name, value in updates.items():
                states[name].assign(value)
        return outputs


def compile(graph: Graph, backend: str) -> Executable:
    """Compiles a graph for a backend."""
    return Executable(graph, backend)
