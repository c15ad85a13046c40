"""The ways in which tests run a graph. A backend is added here, and every table-driven test covers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from graphc import interpret
from graphc.compiler import compile
from graphc.graph.core import Graph
from tests.support.rules import run_rules

Array = np.ndarray[Any, Any]
Run = Callable[[Graph, Mapping[str, Array], Mapping[str, int]], list[Array]]


def run_interpreter(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs of a graph without states, from the reference."""
    return interpret.run(graph, inputs, sizes=sizes)[0]


def run_cpu(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs from generated C."""
    return compile(graph, "cpu").run(inputs, {}, sizes)


def run_cuda(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs from generated CUDA: on a GPU, or on the emulator that `tests.conftest` activates."""
    return compile(graph, "cuda").run(inputs, {}, sizes)


# What each primitive's single rules are checked with.
BACKENDS: dict[str, Run] = {"rules": run_rules}
# What compiles whole graphs. Building machine code takes a while, so that tests give it many calls at once.
COMPILED = [pytest.param(run_cpu, id="cpu"), pytest.param(run_cuda, id="cuda", marks=pytest.mark.cuda)]
