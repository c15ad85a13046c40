"""Common factors: what is known early is computed early, values stay, and nothing is stored that need not be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphc import autodiff, dtypes, interpret
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.factor import factor
from graphc.passes.fusion.fuse import fuse
from graphc.passes.simplify import simplify

FLOAT = dtypes.float32
Activation = Callable[[Value], Value]


def prepared(graph: Graph) -> Graph:
    return eliminate_dead(simplify(factor(eliminate_dead(simplify(graph)))))


def unary(op: str) -> Activation:
    return lambda x: x.builder.apply(op, x)


def gelu(x: Value) -> Value:
    b = x.builder
    half, scale, one = (b.full(number, x.shape, FLOAT) for number in (0.5, 0.70710678, 1.0))
    bracket = b.apply("add", b.apply("erf", b.apply("mul", x, scale)), one)
    return b.apply("mul", b.apply("mul", half, x), bracket)


def silu(x: Value) -> Value:
    return x.builder.apply("mul", x, x.builder.apply("sigmoid", x))


def product_of(left: Value, right: Value) -> Value:
    return left.builder.apply("contract", left, right, lhs_contract=(1,), rhs_contract=(0,), lhs_batch=(), rhs_batch=())


def layers(activation: Activation) -> Graph:
    """The gradient of a weight before an activation, by way of a product behind it."""
    b = Builder()
    x, weight, last = (b.input(name, TensorType((64, 64), FLOAT)) for name in ("x", "weight", "last"))

    result = product_of(activation(product_of(x, weight)), last)
    loss = b.apply("sum", b.apply("mul", result, result), axes=(0, 1))
    return b.finish(autodiff.grad(loss, [weight, last]))


@pytest.mark.parametrize(
    ("activation", "stored"),
    [(unary("tanh"), 1), (unary("sigmoid"), 1), (unary("relu"), 1), (silu, 2), (gelu, 2)],
    ids=["tanh", "sigmoid", "relu", "silu", "gelu"],
)
def test_an_activation_stores_its_result_and_at_most_its_derivative(activation: Activation, stored: int) -> None:
    partition = fuse(prepared(layers(activation)))
    first = next(position for position, group in enumerate(partition.groups) if group.nodes[0].op == "contract")
    assert len(partition.stored[first]) == stored


def test_gradients_with_a_common_factor_keep_their_values() -> None:
    graph = layers(gelu)
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(64, 64)).astype("float32") for name in graph.inputs}
    before, after = interpret.run(graph, inputs)[0], interpret.run(prepared(graph), inputs)[0]
    for expected, got in zip(before, after, strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-3)


def test_a_sum_of_products_has_its_common_factor_outside() -> None:
    b = Builder()
    x, y, z = (b.input(name, TensorType((4, 4), FLOAT)) for name in "xyz")
    late = b.apply("broadcast", b.apply("sum", z, axes=(0,)), shape=(4, 4), axes=(1,))
    total = b.apply("add", b.apply("mul", late, x), b.apply("mul", b.apply("mul", y, late), x))
    assert [node.op for node in eliminate_dead(factor(b.finish([total]))).table.values()].count("mul") == 2


def test_what_is_computed_from_stored_values_sinks_to_its_reader() -> None:
    b = Builder()
    x, w = (b.input(name, TensorType((64, 64), FLOAT)) for name in "xw")
    first = b.apply("tanh", x)
    one = b.full(1, (64, 64), FLOAT)
    slope = b.apply("sub", one, b.apply("mul", first, first))
    product = product_of(first, w)
    partition = fuse(b.finish([b.apply("mul", product, slope)]))
    assert [[node.op for node in group.nodes] for group in partition.groups] == [
        ["tanh"],
        ["mul", "sub", "contract", "mul"],
    ]
