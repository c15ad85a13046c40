"""The interpreter: inputs, states, updates, sizes, bodies."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import dims, dtypes, interpret
from graphc.errors import VerificationError
from graphc.graph.builder import Builder, Value
from graphc.graph.types import TensorType

VECTOR = TensorType((dims.size("B"),), dtypes.float32)


def scalar(builder: Builder, name: str) -> Value:
    """An input that is a number."""
    return builder.input(name, TensorType((), dtypes.float32))


def test_outputs_and_updates() -> None:
    builder = Builder({"B": (1, 9)})
    x, w = builder.input("x", VECTOR), builder.state("w", VECTOR)
    total = builder.apply("add", x, w)
    builder.update(w, total)
    graph = builder.finish([builder.apply("neg", w), total])
    (negative, result), updates = interpret.run(graph, {"x": np.float32([1, 2])}, {"w": np.float32([5, 6])}, {"B": 2})
    np.testing.assert_array_equal(negative, [-5, -6])
    np.testing.assert_array_equal(result, [6, 8])
    np.testing.assert_array_equal(updates["w"], [6, 8])


def test_results_are_copies() -> None:
    builder = Builder({"B": (1, 9)})
    x = builder.input("x", VECTOR)
    graph = builder.finish([x, x])
    given = np.float32([1, 2])
    (first, second), _ = interpret.run(graph, {"x": given}, sizes={"B": 2})
    first[0] = 7
    assert given[0] == second[0] == 1


def test_sizes_reach_attributes_and_bodies() -> None:
    builder = Builder({"B": (1, 9)})
    x, batch = builder.input("x", VECTOR), dims.size("B")
    body = Builder({"B": (1, 9)})
    state = body.input("s0", VECTOR)
    grown = body.apply("add", state, body.broadcast(body.size(batch, dtypes.float32), (batch,), ()))
    counts = {"constants": 0, "carries": 1, "xs": 0, "length": batch, "reverse": False}
    graph = builder.finish(builder.apply_many("scan", x, body=body.finish([grown]), **counts))
    (result,), _ = interpret.run(graph, {"x": np.float32([1, 2, 3])}, sizes={"B": 3})
    np.testing.assert_array_equal(result, [10, 11, 12])


def test_a_missing_value_is_named() -> None:
    builder = Builder()
    graph = builder.finish([builder.apply("exp", scalar(builder, "wanted"))])
    with pytest.raises(VerificationError, match="no value for input") as caught:
        interpret.run(graph, {})
    assert caught.value.got == "wanted"


def test_a_missing_size_is_an_error() -> None:
    builder = Builder({"B": (1, 9)})
    graph = builder.finish([builder.size(dims.size("B"), dtypes.int32)])
    with pytest.raises(VerificationError, match="a size is not known"):
        interpret.run(graph, {})
