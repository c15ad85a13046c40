"""Products of matrices in C: every way in which they are cut, by shape and by the number of rows when they run."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.codegen.schedule import schedule
from graphc.codegen.tiles import Tiling, tiling
from graphc.compiler import compile
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from tests.support.backends import run_team

ROWS = dims.size("B")
FLOAT = dtypes.float32


def product(lhs: tuple[dims.Dim, ...], rhs: tuple[dims.Dim, ...], left: int, right: int) -> Graph:
    """A product that sums over axis `left` of one operand and `right` of the other, with an epilogue."""
    builder = Builder({"B": (1, 1 << 20)})
    a, b = (builder.input(n, TensorType(s, FLOAT)) for n, s in (("a", lhs), ("b", rhs)))
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (left,), "rhs_contract": (right,)}
    y: Value = builder.apply("contract", a, b, **axes)
    return builder.finish([builder.apply("relu", y)])


def check(graph: Graph, rows: int) -> None:
    rng = np.random.default_rng(rows)
    shapes = {name: graph.inputs[name].outs[0].shape for name in "ab"}
    inputs = {n: rng.normal(size=[rows if d == ROWS else d for d in s]).astype(np.float32) for n, s in shapes.items()}
    attrs = graph.of_op("contract")[0].attrs
    wanted = np.tensordot(
        inputs["a"].astype(np.float64), inputs["b"], (attrs["lhs_contract"], attrs["rhs_contract"])
    ).clip(0)
    (got,) = run_team(graph, inputs, {"B": rows})
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("columns", (1, 10, 48, 480, 1030, 1056))
@pytest.mark.parametrize("depth", (5, 130, 700, 1000))
@pytest.mark.parametrize("turned", (False, True))
def test_rows_as_they_come(depth: int, columns: int, turned: bool) -> None:
    graph = product((ROWS, depth), (columns, depth) if turned else (depth, columns), 1, 1 if turned else 0)
    for rows in (1, 2, 7, 8, 9, 65, 130):
        check(graph, rows)


@pytest.mark.parametrize("rows, columns", ((7, 20), (28, 33), (130, 64)))
def test_a_depth_of_any_size(rows: int, columns: int) -> None:
    graph = product((ROWS, rows), (ROWS, columns), 0, 0)
    for depth in (1, 3, 300, 800):
        check(graph, depth)


def cut(graph: Graph, vector_bytes: int = 64) -> Tiling:
    compilation = compile(graph, "cpu").compilation
    found = [tiling(schedule(kernel), vector_bytes) for kernel in compilation.kernels.values() if kernel.contraction]
    assert len(found) == 1 and found[0] is not None
    return found[0]


def test_tiles_divide_what_is_known() -> None:
    assert cut(product((784, ROWS), (ROWS, 128), 1, 0)).rows == 14
    assert cut(product((33, ROWS), (ROWS, 10), 1, 0)).rows == 11
    assert [cut(product((ROWS, 5), (5, n), 1, 0)).vectors for n in (10, 32, 48, 64)] == [1, 2, 3, 2]


def test_registers_hold_a_tile_and_its_factors() -> None:
    for vector_bytes, registers in ((16, 16), (32, 16), (64, 32)):
        for columns in (8, 16, 24, 48, 100):
            t = cut(product((784, ROWS), (ROWS, columns), 1, 0), vector_bytes)
            assert t.rows * t.vectors + t.vectors < registers
