"""Values known on one side of a diagonal: what is found out of graphs, that it is true, and that products use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import config, dims, dtypes, interpret, ops
from graphc.codegen.cpu.contraction import contraction_tiling
from graphc.codegen.cpu.gemm.masks import Limit, limits
from graphc.codegen.cpu.gemm.tiling import Tiling
from graphc.compiler import compile
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.passes.analysis.triangles import Triangle, triangles
from tests.support.backends import run_cpu, run_library, run_threads

BATCH = dims.size("B")
FLOAT = dtypes.float32
MASKED = -2e38
Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path) -> Any:
    with config.override(cache_dir=tmp_path):
        yield


def diagonal(b: Builder, rows: int, columns: int, relation: str) -> Value:
    """Whether a row's number and a column's are in a relation."""
    ramps = [b.apply("iota", shape=(rows, columns), axis=axis, dtype=dtypes.int32) for axis in (0, 1)]
    return b.apply(relation, *ramps)


def attention(rows: int, columns: int, relation: str = "ge", padding: str = "", depth: int = 16) -> Graph:
    """The weighted values of masked attention; scores and weights are results, too."""
    b = Builder({"B": (1, 1 << 20)})
    q, k, v = (
        b.input(n, TensorType((BATCH, s, depth), FLOAT)) for n, s in (("q", rows), ("k", columns), ("v", columns))
    )
    shape = (BATCH, rows, columns)
    scores = b.apply("contract", q, k, lhs_contract=(2,), rhs_contract=(2,), lhs_batch=(0,), rhs_batch=(0,))
    masked = b.full(MASKED, shape, FLOAT)
    mask = b.broadcast(diagonal(b, rows, columns, relation), shape, (1, 2))
    if padding:
        pad = b.broadcast(b.input("pad", TensorType((BATCH, columns), dtypes.bool_)), shape, (0, 2))
        if padding == "and":
            mask = b.apply("logical_and", mask, pad)
        else:
            scores = b.apply("select", pad, scores, masked)
    scores = b.apply("select", mask, scores, masked)
    largest = b.broadcast(b.apply("max", scores, axes=(2,)), shape, (0, 1))
    weights = b.apply("exp", b.apply("sub", scores, largest))
    return b.finish(
        [b.apply("contract", weights, v, lhs_contract=(2,), rhs_contract=(1,), lhs_batch=(0,), rhs_batch=(0,))]
    )


def inputs_of(graph: Graph, batch: int) -> dict[str, Array]:
    rng = np.random.default_rng(batch)
    found: dict[str, Array] = {}
    for name, node in graph.inputs.items():
        type = node.outs[0]
        shape = [batch if d == BATCH else d for d in type.shape]
        found[name] = rng.random(shape) < 0.5 if type.dtype.is_bool else rng.normal(size=shape).astype(np.float32)
    if "pad" in found:
        found["pad"][0, : found["pad"].shape[1] // 2] = False  # some rows see nothing at all
    return found


def check(graph: Graph, batch: int) -> None:
    inputs, sizes = inputs_of(graph, batch), {"B": batch}
    wanted = interpret.run(graph, inputs, sizes=sizes)[0]
    for run in (run_cpu, run_threads, run_library):
        for ours, theirs in zip(run(graph, inputs, sizes), wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def known(graph: Graph) -> list[tuple[Limit, ...]]:
    """The limits of each product in the compiled program."""
    found = []
    for kernel in compile(graph, "cpu").compilation.kernels.values():
        if (contraction := kernel.contraction) is not None:
            cut = contraction_tiling(kernel, 64)
            assert isinstance(cut, Tiling)
            found.append(limits(cut, contraction, tuple(stmt for stmt in kernel.body if stmt is not contraction)))
    return found


@pytest.mark.parametrize("relation", ("ge", "gt", "le", "lt"))
@pytest.mark.parametrize("rows, columns", ((40, 40), (33, 47), (47, 33), (64, 7)))
def test_masked_attention(rows: int, columns: int, relation: str) -> None:
    graph = attention(rows, columns, relation)
    for batch in (1, 3):
        check(graph, batch)


def test_both_products_are_limited() -> None:
    assert known(attention(40, 40)) == [(Limit(1, -1, 0, 0),), (Limit(1, 0, -1, 0),)]
    assert known(attention(40, 40, "le")) == [(Limit(-1, 1, 0, 0),), (Limit(-1, 0, 1, 0),)]


def test_rows_that_see_nothing_have_weights_everywhere() -> None:
    """The first row of a mask that excludes the diagonal, or rows whose keys are all padding: weights are even."""
    for graph in (attention(40, 40, "gt"), attention(40, 40, padding="and"), attention(40, 40, padding="before")):
        assert known(graph)[1] == ()
        for batch in (1, 3):
            check(graph, batch)
    assert known(attention(40, 40, padding="and"))[0] == (Limit(1, -1, 0, 0),)


def test_gradients() -> None:
    graphc.utils.set_random_seed(3)
    results = []
    for backend in ("numpy", "cpu"):
        with config.override(backend=backend):
            graphc.utils.set_random_seed(3)
            x = graphc.Input((24, 16))
            y = graphc.layers.MultiHeadAttention(2, 8)(x, x, use_causal_mask=True)
            model = graphc.Model(x, graphc.layers.Flatten()(y))
            model.compile(graphc.optimizers.SGD(0.5), "mse")
            data = np.random.default_rng(0).normal(size=(6, 24, 16)).astype(np.float32)
            model.fit(data, data.reshape(6, -1), batch_size=3, epochs=3, shuffle=False, verbose=0)
            results.append(model.get_weights())
    for ours, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-5)


def test_what_is_found_is_true() -> None:
    """Every value that is said to be a number somewhere is that number there."""
    b = Builder({})
    x = b.input("x", TensorType((5, 7), FLOAT))
    zero = b.full(0.0, (5, 7), FLOAT)
    lower = b.apply("select", diagonal(b, 5, 7, "gt"), x, zero)
    upper = b.apply("select", diagonal(b, 5, 7, "le"), x, b.full(3.0, (5, 7), FLOAT))
    scaled = b.apply("mul", x, b.apply("neg", lower))
    turned = b.apply("reshape", b.apply("transpose", scaled, order=(1, 0)), shape=(7, 1, 5))
    dropped = b.apply("select", b.apply("ge", x, zero), lower, zero)
    divided = b.apply("div", x, b.apply("exp", upper))
    by_zero, zero_by_zero = b.apply("div", upper, lower), b.apply("div", lower, scaled)
    graph = b.finish([lower, upper, scaled, turned, dropped, divided, b.apply("exp", lower), by_zero, zero_by_zero])
    found = triangles(graph)
    data = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    values = interpret.run(graph, {"x": data})[0]
    told = {ref: value for ref, value in zip(graph.outputs, values, strict=True) if ref in found}
    assert not {divided.ref, by_zero.ref, zero_by_zero.ref} & set(told) and len(told) == 6
    for ref, value in told.items():
        t = found[ref]
        index = np.indices(value.shape)
        outside = index[t.row] - index[t.column] + t.offset < 0
        assert outside.any() and not outside.all()
        np.testing.assert_array_equal(value[outside], np.float32(t.rest))
    assert found[turned.ref] == Triangle(2, 0, -1, 0.0, False)


def test_scores_without_a_mask_are_whole() -> None:
    assert known(attention(40, 40, "ne")) == [(), ()]
    with config.override(backend="cpu"):
        q = np.random.default_rng(0).normal(size=(1, 9, 2, 8)).astype(np.float32)
        ours = np.asarray(ops.dot_product_attention(q, q, q, is_causal=True))
    with config.override(backend="numpy"):
        np.testing.assert_allclose(ours, np.asarray(ops.dot_product_attention(q, q, q, is_causal=True)), rtol=1e-5)
