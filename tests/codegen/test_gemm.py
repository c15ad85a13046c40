"""Products of matrices in C: every way in which they are cut, by shape and by the number of rows when they run."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest

from graphc import dims, dtypes, interpret
from graphc.codegen.cpu.gemm.choose_tiling import tiling
from graphc.codegen.cpu.gemm.tiling import Tiling
from graphc.compiler import compile
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType, resolve
from graphc.runtime.cpu import processor
from tests.support.backends import run_library, run_threads
from tests.support.loop_interpreter import schedule

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
    inputs = {n: rng.normal(size=resolve(s, {"B": rows})).astype(np.float32) for n, s in shapes.items()}
    attrs = graph.of_op("contract")[0].attrs
    wanted = np.tensordot(
        inputs["a"].astype(np.float64), inputs["b"], (attrs["lhs_contract"], attrs["rhs_contract"])
    ).clip(0)
    for run in (run_threads, run_library):
        (got,) = run(graph, inputs, {"B": rows})
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


@pytest.mark.parametrize("vector_bytes", (16, 32, 64))
def test_a_depth_that_is_never_small_is_shared(vector_bytes: int) -> None:
    """Gradients of small weights that a layer uses at 64 positions and more of each sample."""
    if vector_bytes > processor.vector_bytes():
        pytest.skip("the processor has no such vectors")
    with patch.object(processor, "vector_bytes", lambda: vector_bytes):
        for positions, sharing in ((1, "tiles"), (63, "tiles"), (64, "slices"), (100, "slices")):
            graph = product((ROWS * positions, 40), (ROWS * positions, 90), 0, 0)
            assert cut(graph, vector_bytes).sharing == sharing
            for samples in (1, 3, 50):
                check(graph, samples)


def test_registers_hold_a_tile_and_its_factors() -> None:
    for vector_bytes, registers in ((16, 16), (32, 16), (64, 32)):
        for columns in (8, 16, 24, 48, 100):
            t = cut(product((784, ROWS), (ROWS, columns), 1, 0), vector_bytes)
            assert t.rows * t.vectors + t.vectors < registers


def test_a_tile_with_few_sums_is_not_chosen_to_save_rows() -> None:
    """Four rows divide 128 and six do not, but four by two sums take as long as six by two."""
    assert cut(product((ROWS, 128), (ROWS, 128), 0, 0), 32).rows == 6
    assert cut(product((ROWS, 128), (ROWS, 128), 0, 0), 64).rows == 8


def spread() -> dict[str, tuple[Graph, str]]:
    """Products of factors whose rows lie far apart, and what is then done with AVX2."""
    builder = Builder({"B": (1, 1 << 20)})
    a, b = (builder.input(n, TensorType((ROWS, 80, 4, 128), FLOAT)) for n in "ab")
    axes = {"lhs_batch": (0, 2), "rhs_batch": (0, 2), "lhs_contract": (1,), "rhs_contract": (1,)}
    heads = builder.finish([builder.apply("relu", builder.apply("contract", a, b, **axes))])
    return {
        "rows side by side, far apart in depth": (product((ROWS, 1024), (ROWS, 96), 0, 0), "packs_left"),
        "rows that meet in one set": (product((ROWS, 1024), (1024, 96), 1, 0), "packs_left"),
        "a right factor that meets in few sets": (product((ROWS, 130), (130, 1024), 1, 0), "is_spread"),
        "heads side by side": (heads, "packs_left"),
    }


@pytest.mark.parametrize("kind", spread())
@pytest.mark.parametrize("vector_bytes", (16, 32, 64))
def test_factors_that_lie_far_apart(kind: str, vector_bytes: int) -> None:
    if vector_bytes > processor.vector_bytes():
        pytest.skip("the processor has no such vectors")
    with patch.object(processor, "vector_bytes", lambda: vector_bytes):
        graph, expected = spread()[kind]
        if vector_bytes == 32:
            assert getattr(cut(graph, vector_bytes), expected)
        for rows in (1, 5, 64, 131, 400):
            if kind == "heads side by side":
                check_heads(graph, rows % 60)
            else:
                check(graph, rows)


def check_heads(graph: Graph, batch: int) -> None:
    rng = np.random.default_rng(batch)
    a, b = (rng.normal(size=(batch, 80, 4, 128)).astype(np.float32) for _ in range(2))
    wanted = np.einsum("bkhm,bkhn->bhmn", a.astype(np.float64), b).clip(0)
    for run in (run_threads, run_library):
        (got,) = run(graph, {"a": a, "b": b}, {"B": batch})
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width, filters", ((3, 20), (7, 20), (7, 200), (13, 20), (14, 20), (14, 1200)))
@pytest.mark.parametrize("vector_bytes", (16, 32, 64))
def test_tiles_of_pixels_of_several_lines(width: int, filters: int, vector_bytes: int) -> None:
    if vector_bytes > processor.vector_bytes():
        pytest.skip("the processor has no such vectors")
    builder = Builder({"B": (1, 1 << 20)})
    x = builder.input("x", TensorType((ROWS, 2 * width + 1, 2 * width + 1, 24), FLOAT))
    w = builder.input("w", TensorType((3, 3, 24, filters), FLOAT))
    attrs = {"padding": ((0, 0), (0, 0)), "lhs_dilation": (1, 1), "rhs_dilation": (1, 1), "groups": 1}
    y = builder.apply("conv", x, w, strides=(2, 2), **attrs)
    graph = builder.finish([builder.apply("relu", y)])
    rng = np.random.default_rng(width)
    weights = rng.normal(size=(3, 3, 24, filters)).astype(np.float32)
    with patch.object(processor, "vector_bytes", lambda: vector_bytes):
        if vector_bytes == 32 and width in (7, 14):
            assert cut(graph, vector_bytes).scattered
        for batch in (1, 3):
            pixels = rng.normal(size=(batch, 2 * width + 1, 2 * width + 1, 24)).astype(np.float32)
            inputs = {"x": pixels, "w": weights}
            (got,), (wanted,) = run_threads(graph, inputs, {"B": batch}), interpret.run(graph, inputs, {"B": batch})[0]
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-3)
