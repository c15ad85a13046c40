"""Products are computed in the order in which they are read."""

from __future__ import annotations

import numpy as np

from graphc import dtypes, interpret
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.layout.operands import order_products

SHAPES = {"q": (2, 3, 5, 4), "k": (2, 3, 6, 4)}
AXES = {"lhs_batch": (0, 1), "rhs_batch": (0, 1), "lhs_contract": (3,), "rhs_contract": (3,)}


def scores(builder: Builder) -> Value:
    """`[batch, heads, keys, queries]`, as Keras's attention forms them."""
    q, k = (builder.input(name, TensorType(shape, dtypes.float64)) for name, shape in SHAPES.items())
    return builder.apply("contract", k, q, **AXES)


def ordered(graph: Graph) -> Graph:
    """The graph after the pass; fails where its results are others."""
    after = eliminate_dead(order_products(graph))
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    expected, found = (interpret.run(g, inputs, {})[0] for g in (graph, after))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    return after


def test_a_product_that_is_read_across_is_computed_across() -> None:
    builder = Builder()
    turned = builder.apply("transpose", scores(builder), order=(0, 1, 3, 2))
    after = ordered(builder.finish([builder.apply("exp", turned), builder.apply("neg", turned)]))
    assert not after.of_op("transpose")
    (product,) = after.of_op("contract")
    assert product.outs[0].shape == (2, 3, 5, 6)


def test_a_product_that_is_also_read_as_it_is_stays() -> None:
    builder = Builder()
    product = scores(builder)
    turned = builder.apply("transpose", product, order=(0, 1, 3, 2))
    graph = builder.finish([builder.apply("exp", turned), builder.apply("neg", product)])
    assert ordered(graph).of_op("transpose")
    builder = Builder()
    product = scores(builder)
    graph = builder.finish([builder.apply("transpose", product, order=(0, 1, 3, 2)), product])
    assert ordered(graph).of_op("transpose")


def test_another_order_stays() -> None:
    builder = Builder()
    turned = builder.apply("transpose", scores(builder), order=(1, 0, 3, 2))
    assert ordered(builder.finish([builder.apply("exp", turned)])).of_op("transpose")
