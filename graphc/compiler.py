"""The compiler: the explicit list of passes, and what joins a renderer with a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc import interpret
from graphc.codegen import c
from graphc.codegen.assemble import assemble, with_scratch
from graphc.codegen.schedule import schedule
from graphc.errors import BackendError
from graphc.graph.core import Graph
from graphc.graph.types import resolve
from graphc.passes.fuse import fuse
from graphc.passes.simplify import copy_sources, eliminate_dead, simplify
from graphc.runtime import cache, toolchain
from graphc.runtime.cpu import CpuProgram
from graphc.runtime.state import StateBuffer

Array = np.ndarray[Any, Any]

# Rewrites, in order: each maps a graph to a graph.
PASSES = (simplify, eliminate_dead, simplify, eliminate_dead, copy_sources)
C_FLAGS = ("-O3", "-fopenmp-simd", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fwrapv")
C_FLAGS += ("-fno-strict-aliasing", "-Wno-unknown-pragmas")


class Executable:
    """A compiled graph."""

    def __init__(self, graph: Graph, backend: str) -> None:
        self.backend = backend
        self.source = ""
        for rewrite in PASSES:
            graph = rewrite(graph)
        self.graph = graph
        self._program = self._build() if backend == "cpu" else None

    def _build(self) -> CpuProgram:
        self.partition = fuse(self.graph)
        assembly = assemble(self.partition)
        kernels = {name: schedule(kernel) for name, kernel in assembly.kernels.items()}
        scratch = {name: c.scratch_bytes(kernel) for name, kernel in kernels.items()}
        assembly = with_scratch(assembly, {name: n for name, n in scratch.items() if n != 0})
        self.plan = assembly.plan
        self.source = c.render(assembly.plan, kernels, {})
        compiler = toolchain.find()
        flags = (*C_FLAGS, *compiler.native_flags)
        library = toolchain.build_shared(self.source, flags=flags, toolchain=compiler, cache=cache.default())
        return CpuProgram(assembly.plan, library)

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int = 1,
    ) -> list[Array]:
        """Runs the graph `repeat` times; states are updated in place. Returns the outputs of the last run."""
        if self._program is None:
            return self._interpret(inputs, states, sizes, repeat)
        flat = self._program.run(inputs, states, sizes, repeat)
        shapes = [resolve(self.graph.type(ref).shape, sizes) for ref in self.graph.outputs]
        return [array.reshape(shape) for array, shape in zip(flat, shapes, strict=True)]

    def _interpret(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int,
    ) -> list[Array]:
        arrays = {k: v.host() if isinstance(v, StateBuffer) else v for k, v in inputs.items()}
        outputs: list[Array] = []
        for _ in range(repeat):
            values = {name: state.host() for name, state in states.items()}
            outputs, updates = interpret.run(self.graph, arrays, values, sizes)
            for name, value in updates.items():
                states[name].assign(value)
        return outputs


def compile(graph: Graph, backend: str) -> Executable:
    """Compiles a graph for a backend."""
    if backend not in ("numpy", "cpu"):
        raise BackendError("there is no such backend", got=backend, expected="numpy or cpu")
    return Executable(graph, backend)


