"""Names that users give to symbolic sizes mean nothing to generated code, whatever they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from tests.support.backends import COMPILED, Run, run_interpreter

FLOAT, INT = dtypes.float32, dtypes.int32
# Names of axes, variables, buffers, counters and kernels, and words of C.
NAMES = ("p0", "p1", "p2", "k0", "r0", "s0", "z0", "v1", "b0", "t6", "size0", "n0", "sizes", "long", "名")


def _graph(name: str) -> Graph:
    """Something of every kind, all of the size in question."""
    b, size = Builder({name: (1, 64)}), dims.size(name)
    x = b.input("x", TensorType((3, size, 4), FLOAT))
    w = b.input("w", TensorType((3, 4, size), FLOAT))
    rows = b.input("rows", TensorType((size,), INT))
    product = b.apply("contract", x, w, lhs_batch=(0,), rhs_batch=(0,), lhs_contract=(2,), rhs_contract=(1,))
    flat = b.apply("reshape", x, shape=(3 * size, 4))
    first = b.apply("slice", w, start=(0, 0, 0), stop=(1, 4, size), step=(1, 1, 1))
    turned = b.apply("transpose", b.apply("reshape", first, shape=(4, size)), order=(1, 0))
    element = TensorType((4,), FLOAT)
    body = Builder(b.symbols)
    new = body.apply("tanh", body.apply("add", body.input("s0", element), body.input("x0", element)))
    counts = {"constants": 0, "carries": 1, "xs": 1, "length": size, "reverse": True}
    scanned = b.apply_many("scan", b.full(0, (4,), FLOAT), turned, body=body.finish([new, new]), **counts)
    results = [
        product,
        b.apply("sum", flat, axes=(0,)),
        b.apply("tanh", b.apply("transpose", x, order=(2, 1, 0))),
        b.apply("scatter_add", rows, turned, size=size),
        b.apply("cumsum", turned, axis=0, reverse=False),
        b.apply("argmax", product, axes=(1,)),
        *scanned,
    ]
    return b.finish(results)


@pytest.mark.parametrize("run", COMPILED)
@pytest.mark.parametrize("name", NAMES)
def test_a_size_may_have_any_name(name: str, run: Run) -> None:
    rng = np.random.default_rng(0)
    inputs: dict[str, np.ndarray[Any, Any]] = {
        "x": rng.uniform(-1, 1, (3, 6, 4)).astype(np.float32),
        "w": rng.uniform(-1, 1, (3, 4, 6)).astype(np.float32),
        "rows": rng.integers(0, 6, 6).astype(np.int32),
    }
    graph = _graph(name)
    for got, expected in zip(run(graph, inputs, {name: 6}), run_interpreter(graph, inputs, {name: 6}), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
