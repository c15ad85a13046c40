"""Portable C: what its printers do otherwise, and the functions that it has for operations of libraries."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.codegen.c99.tiles import panel_bytes
from graphc.codegen.compilation import Compilation
from graphc.codegen.target import Target
from graphc.dims import Dim
from graphc.graph.builder import Builder, Value
from graphc.graph.types import TensorType
from tests.support.backends import run_interpreter
from tests.support.cases import assert_close
from tests.support.portable import run_portable

BATCH = dims.size("B")


def test_integers_wrap_around() -> None:
    builder, given, results = Builder({}), {}, []
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        limits = np.iinfo(name)
        values = np.array([limits.min, limits.min + 1, 0, 1, limits.max - 1, limits.max, limits.max // 3], name)
        pairs = np.array(list(product(values, values)), name)
        x, y = (builder.input(f"{name}{i}", TensorType((len(pairs),), dtypes.as_dtype(name))) for i in range(2))
        given |= {f"{name}{i}": pairs[:, i].copy() for i in range(2)}
        results += [builder.apply(op, x, y) for op in ("add", "sub", "mul", "floordiv", "mod")]
        results += [builder.apply(op, x) for op in ("abs", "neg")] if name.startswith("i") else []
        results += [builder.apply("sum", x, axes=(0,)), builder.apply("cumsum", x, axis=0, reverse=False)]
    graph = builder.finish(results)
    for got, expected in zip(run_portable(graph, given, {}), run_interpreter(graph, given, {}), strict=True):
        np.testing.assert_array_equal(got, expected)


def products() -> tuple[Builder, list[Value]]:
    """Products of matrices of many shapes, with each factor as it is and turned."""
    builder, results = Builder({"B": (1, 64)}), []
    shapes: list[tuple[Dim, Dim, Dim]] = [(4, 3, 16), (9, 5, 21), (1, 9, 70), (BATCH, BATCH, 20)]
    shapes += [(7, 6, BATCH), (BATCH, 7, BATCH), (13, 1, 5)]
    for number, (rows, depth, columns) in enumerate(shapes):
        for left, right in product((False, True), repeat=2):
            name = f"{number}{left:d}{right:d}"
            a = builder.input(f"a{name}", TensorType((depth, rows) if left else (rows, depth), dtypes.float32))
            b = builder.input(f"b{name}", TensorType((columns, depth) if right else (depth, columns), dtypes.float32))
            sides = {"lhs_contract": (int(not left),), "rhs_contract": (int(right),)}
            whole = builder.apply("contract", a, b, lhs_batch=(), rhs_batch=(), **sides)
            results.append(builder.apply("tanh", whole))
    return builder, results


def test_tiles_cover_products_of_any_shape() -> None:
    builder, results = products()
    graph, rng = builder.finish(results), np.random.default_rng(0)
    for batch in (1, 4, 11):
        sizes = {"B": batch}
        given = {
            name: rng.normal(size=[dims.evaluate(dim, sizes) for dim in node.outs[0].shape]).astype(np.float32)
            for name, node in graph.inputs.items()
        }
        for got, expected in zip(run_portable(graph, given, sizes), run_interpreter(graph, given, sizes), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("rows", "turned", "is_packed"), [(64, True, True), (64, False, False), (2, True, False)])
def test_panels_are_packed_where_columns_are_no_neighbours(rows: int, turned: bool, is_packed: bool) -> None:
    builder = Builder({})
    a = builder.input("a", TensorType((rows, 32), dtypes.float32))
    b = builder.input("b", TensorType((48, 32) if turned else (32, 48), dtypes.float32))
    whole = builder.apply("contract", a, b, lhs_batch=(), rhs_batch=(), lhs_contract=(1,), rhs_contract=(int(turned),))
    made = Compilation(builder.finish([builder.apply("relu", whole)]), Target("c99"), verified=True)
    (kernel,) = made.kernels.values()
    assert panel_bytes(kernel) == (32 * 16 * 4 if is_packed else 0)
    assert made.plan is not None and any(b.role == "scratch" for b in made.plan.buffers) == is_packed


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int32", "bool"])
def test_sorting_keeps_the_order_of_equals_and_has_nan_last(dtype: str) -> None:
    rng, kind = np.random.default_rng(0), dtypes.as_dtype(dtype)
    values = rng.integers(0, 5, (3, 50)).astype(np.float64)
    if kind.is_float:
        values[:, ::7], values[0, 3], values[1, 4] = np.nan, np.inf, -0.0
    builder = Builder({})
    x = builder.input("x", TensorType(values.shape, kind))
    graph = builder.finish(builder.apply_many("sort", x))
    given = {"x": values.astype(kind.numpy)}
    for got, expected in zip(run_portable(graph, given, {}), run_interpreter(graph, given, {}), strict=True):
        np.testing.assert_array_equal(got.astype(np.float64), np.asarray(expected).astype(np.float64))


def test_transforms_of_any_length() -> None:
    builder, given, results = Builder({}), {}, []
    rng = np.random.default_rng(0)
    for length, dtype in product((1, 2, 3, 8, 12, 64, 100, 128), ("complex64", "complex128")):
        name = f"{dtype}{length}"
        given[name] = (rng.normal(size=(2, length)) + 1j * rng.normal(size=(2, length))).astype(dtype)
        x = builder.input(name, TensorType((2, length), dtypes.as_dtype(dtype)))
        results += [builder.apply("fft", x, inverse=inverse) for inverse in (False, True)]
    graph = builder.finish(results)
    for got, expected in zip(run_portable(graph, given, {}), run_interpreter(graph, given, {}), strict=True):
        assert_close(got, expected, f"{got.dtype} {got.shape}")
