"""The ways in which tests run a graph. A backend is added here, and every table-driven test covers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from graphc import config, interpret
from graphc.compiler import compile
from graphc.graph.core import Graph
from graphc.runtime.cpu import thread_pool
from tests.support.portable import run_portable
from tests.support.rules import run_rules

Array = np.ndarray[Any, Any]
Run = Callable[[Graph, Mapping[str, Array], Mapping[str, int]], list[Array]]


def run_interpreter(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs of a graph without states, from the reference."""
    return interpret.run(graph, inputs, sizes=sizes)[0]


def run_cpu(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs from generated C."""
    return compile(graph, "cpu").run(inputs, {}, sizes)


def run_threads(
    graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int], products: str = "generated"
) -> list[Array]:
    """The outputs from generated C, every kernel shared among three threads, however small: to the bit those of one."""
    with config.override(products=products):
        executable = compile(graph, "cpu")
    with config.override(threads=1):
        alone = executable.run(inputs, {}, sizes)
    with config.override(threads=3), patch.multiple(thread_pool, WORTH_SHARING=0, GRAIN=1, TRIES_ALONE=0):
        shared = executable.run(inputs, {}, sizes)
    for one, three in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one, three)
    return shared


def run_library(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The same where a library computes each product of matrices that it can."""
    return run_threads(graph, inputs, sizes, "library")


def run_cuda(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs from generated CUDA: on a GPU, or on the emulator that `tests.conftest` activates."""
    return compile(graph, "cuda").run(inputs, {}, sizes)


# Operations of libraries that portable C has functions for.
PORTABLE = ("bitcast", "cholesky", "fft", "sort", "triangular_solve")
# What each primitive's single rules are checked with.
BACKENDS: dict[str, Run] = {"rules": run_rules}
# What compiles whole graphs. Building machine code takes a while, so that tests give it many calls at once.
COMPILED = [
    pytest.param(run_cpu, id="cpu"),
    pytest.param(run_threads, id="threads"),
    pytest.param(run_cuda, id="cuda", marks=pytest.mark.cuda),
    pytest.param(run_portable, id="portable"),
]
