"""Positions of extremes beside other sums of what is computed, in one loop of C."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.compiler import compile
from graphc.graph.builder import Builder
from graphc.graph.types import TensorType
from tests.support.backends import run_interpreter, run_threads


@pytest.mark.parametrize("classes", (1, 3, 10, 33))
def test_the_first_of_equals_and_of_nan(classes: int) -> None:
    builder = Builder({"B": (1, 100)})
    x = builder.input("x", TensorType((dims.size("B"), classes), dtypes.float32))
    powers = builder.apply("exp", x)
    where, total = builder.apply("argmax", powers, axes=(1,)), builder.apply("sum", powers, axes=(1,))
    graph = builder.finish([builder.apply("add", builder.apply("cast", where, dtype=dtypes.float32), total), where])
    assert len(compile(graph, "cpu").compilation.kernels) == 1
    rng = np.random.default_rng(classes)
    values = rng.integers(-3, 3, (40, classes)).astype(np.float32)
    values[3, classes // 2 :], values[4], values[5, -1] = np.nan, -np.inf, np.inf
    wanted = run_interpreter(graph, {"x": values}, {"B": 40})
    got = run_threads(graph, {"x": values}, {"B": 40})
    np.testing.assert_array_equal(got[1], wanted[1])
    np.testing.assert_array_equal(got[1], np.argmax(np.exp(values), axis=1))
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-6)
