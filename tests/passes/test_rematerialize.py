"""Values that are rematerialized rather than stored, and padded where they are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import dtypes, interpret
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY, Kind, primitive
from graphc.graph.types import TensorType
from graphc.graph.verify import verify
from graphc.passes.fusion.fuse import Partition, fuse
from graphc.passes.layout.paddings import share_paddings

FLOAT = dtypes.float32
SHAPE = (4, 6, 6, 8)
PLAIN: dict[str, Any] = {"strides": (1, 1), "lhs_dilation": (1, 1), "rhs_dilation": (1, 1), "groups": 1}


def conv(x: Value, w: Value) -> Value:
    return x.builder.apply("conv", x, w, padding=((0, 0), (0, 0)), **PLAIN)


def channels(x: Value) -> Value:
    return x.builder.broadcast(x, SHAPE, (3,))


def stored(partition: Partition) -> list[str]:
    """The operations whose results are in memory, largest tensors only."""
    refs = [ref for refs in partition.stored.values() for ref in refs]
    return [partition.graph.node(ref.node).op for ref in refs if partition.graph.type(ref).rank == 4]


def normalized() -> Graph:
    """A convolution's result less a mean, squared and summed; the differences are used again after the sums."""
    builder = Builder()
    x = builder.input("x", TensorType((4, 8, 8, 8), FLOAT))
    y = conv(x, builder.input("w", TensorType((3, 3, 8, 8), FLOAT)))
    sums = builder.apply("sum", y, axes=(0, 1, 2))
    distance = builder.apply("sub", y, channels(sums))
    variance = builder.apply("sum", builder.apply("mul", distance, distance), axes=(0, 1, 2))
    return builder.finish([builder.apply("exp", builder.apply("mul", distance, channels(variance))).ref])


def test_a_difference_is_not_stored_for_later() -> None:
    assert sorted(stored(fuse(normalized()))) == ["conv", "exp"]


def summed_twice(make: Any) -> Graph:
    """The sums over two groups of axes, which no single kernel forms, of what is made of three inputs."""
    builder = Builder()
    value = make(*(builder.input(name, TensorType(SHAPE, FLOAT)) for name in "abc"))
    sums = [builder.apply("sum", value, axes=axes).ref for axes in ((0, 1, 2), (0, 3))]
    return builder.finish(sums)


def test_what_is_dear_is_stored() -> None:
    assert stored(fuse(summed_twice(lambda a, b, c: a.builder.apply("exp", a)))) == ["exp"]
    assert stored(fuse(summed_twice(lambda a, b, c: a.builder.apply("mul", a, a)))) == []


def test_what_readers_would_read_more_for_is_stored() -> None:
    def total(a: Value, b: Value, c: Value) -> Value:
        return a.builder.apply("add", a.builder.apply("add", a, b), c)

    assert stored(fuse(summed_twice(total))) == ["add"]


def test_operands_of_contractions_and_results_are_stored() -> None:
    builder = Builder()
    x = builder.input("x", TensorType((4, 8), FLOAT))
    double = builder.apply("add", x, x)
    turned = builder.apply("transpose", double, order=(1, 0))
    dimension = {"lhs_batch": (), "lhs_contract": (1,), "rhs_batch": (), "rhs_contract": (0,)}
    product = builder.apply("contract", double, turned, **dimension)
    other = builder.apply("exp", builder.apply("sum", double, axes=(1,)))
    partition = fuse(builder.finish([product.ref, other.ref, builder.apply("neg", x).ref]))
    assert double.ref in {ref for refs in partition.stored.values() for ref in refs}
    assert "neg" in [partition.graph.node(ref.node).op for refs in partition.stored.values() for ref in refs]


# ---- paddings


def around(x: Value, low: int = 1, high: int = 1) -> Value:
    sides = {"low": (0, low, low, 0), "high": (0, high, high, 0), "interior": (0, 0, 0, 0), "value": 0.0}
    return x.builder.apply("pad", x, **sides)


def block(inner: Any) -> Graph:
    """A residual block: what is convolved is added to the result, too."""
    builder = Builder()
    x = builder.input("x", TensorType(SHAPE, FLOAT))
    w = builder.input("w", TensorType((3, 3, 8, 8), FLOAT))
    y = inner(builder, x)
    return builder.finish([builder.apply("add", conv(around(y), w), y).ref, conv(around(y, 0, 2), w).ref])


def run(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=node.outs[0].shape).astype("float32") for name, node in graph.inputs.items()}
    return interpret.run(graph, inputs, {})[0]


def test_what_is_padded_is_in_memory_once() -> None:
    before = block(lambda builder, x: builder.apply("relu", builder.apply("mul", x, x)))
    after = share_paddings(before)
    verify(after)
    for a, b in zip(run(after), run(before), strict=True):
        np.testing.assert_array_equal(a, b)
    relu = next(iter(after.of_op("relu")))
    assert [after.node(user).op for user in after.users[next(r for r in after.users if r.node == relu.id)]] == ["pad"]
    assert "relu" not in stored(fuse(after))


@pytest.mark.parametrize("inner", [lambda builder, x: x, lambda builder, x: builder.apply("exp", x)])
def test_what_is_not_computed_where_it_is_padded_is_left_alone(inner: Any) -> None:
    before = block(inner)
    assert share_paddings(before) == before


def test_results_are_left_alone() -> None:
    builder = Builder()
    x = builder.input("x", TensorType(SHAPE, FLOAT))
    y = builder.apply("relu", x)
    w = builder.input("w", TensorType((3, 3, 8, 8), FLOAT))
    graph = builder.finish([conv(around(y), w).ref, y.ref])
    assert share_paddings(graph) == graph


def test_cheap_operations_are_those_of_the_registry() -> None:
    cheap = [name for name, rule in REGISTRY.items() if rule.cheap]
    assert cheap
    assert all(primitive(name).kind is Kind.POINTWISE for name in cheap)
