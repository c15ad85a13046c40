"""Reverse mode over whole graphs; single operations are tested with the registry."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import dims, dtypes, interpret
from graphc.autodiff import grad, vjp
from graphc.errors import ArgumentError
from graphc.graph.builder import Builder, Value
from graphc.graph.types import Origin, TensorType
from graphc.graph.verify import verify
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.loops.scans import simplify_scans
from graphc.passes.simplify import simplify

DOUBLE = dtypes.float64
STEP = 1e-6


def run(builder: Builder, results: list[Value], **inputs: object) -> list[np.ndarray]:
    """The values of some results."""
    arrays = {name: np.asarray(value, np.float64) for name, value in inputs.items()}
    return interpret.run(builder.finish(results), arrays)[0]


def test_a_value_that_is_used_twice_gets_the_sum() -> None:
    builder = Builder()
    x = builder.input("x", TensorType((), DOUBLE))
    y = builder.apply("add", builder.apply("mul", x, x), builder.apply("exp", x))
    (gradient,) = run(builder, grad(y, [x]), x=1.5)
    assert gradient == pytest.approx(3 + np.exp(1.5))


def test_what_is_not_depended_on_gets_zeros() -> None:
    builder = Builder({"B": (1, 9)})
    x = builder.input("x", TensorType((), DOUBLE))
    other = builder.input("other", TensorType((dims.size("B"), 2), DOUBLE))
    found = grad(builder.apply("exp", x), [x, other])
    assert found[1].type == other.type
    assert vjp(builder, {x.ref: x}, [other]) == [None]


def test_gradients_stop_where_told() -> None:
    builder = Builder()
    x = builder.input("x", TensorType((), DOUBLE))
    y = builder.apply("mul", x, builder.apply("stop_gradient", x))
    (gradient,) = run(builder, grad(y, [x]), x=3.0)
    assert gradient == 3


def test_the_gradient_by_an_inner_value() -> None:
    builder = Builder()
    x = builder.input("x", TensorType((), DOUBLE))
    inner = builder.apply("exp", x)
    gradient, at_x = run(builder, grad(builder.apply("mul", inner, inner), [inner, x]), x=0.5)
    assert gradient == pytest.approx(2 * np.exp(0.5))
    assert at_x == pytest.approx(2 * np.exp(1.0))


def test_third_derivative() -> None:
    builder = Builder()
    x = builder.input("x", TensorType((), DOUBLE))
    value = builder.apply("pow", x, builder.constant(5, DOUBLE))
    for _ in range(3):
        (value,) = grad(value, [x])
    (third,) = run(builder, [value], x=1.2)
    assert third == pytest.approx(60 * 1.2**2)


def test_only_floating_point_scalars_are_differentiated() -> None:
    builder = Builder()
    x = builder.input("x", TensorType((3,), DOUBLE))
    with pytest.raises(ArgumentError, match="floating-point scalar"):
        grad(x, [x])


def test_gradients_have_the_origin_of_what_they_are_gradients_of() -> None:
    builder = Builder()
    x = builder.input("x", TensorType((), DOUBLE))
    loc = (Origin("dense", "train.py", 3),)
    with builder.located(loc):
        y = builder.apply("tanh", x)
    before = len(builder.nodes)
    grad(y, [x])
    made = [node for node in builder.nodes[before:] if node.op != "constant"]
    assert made
    assert all(node.loc == loc for node in made)


def recurrent_loss() -> tuple[Builder, Value, list[Value]]:
    """`sum(s_T^2) + sum(y^2)` of `s' = tanh(s w + x_t)`, stacked over a symbolic time."""
    builder, time = Builder({"T": (1, 9)}), dims.size("T")
    w = builder.input("w", TensorType((3, 3), DOUBLE))
    s = builder.input("s", TensorType((2, 3), DOUBLE))
    xs = builder.input("xs", TensorType((time, 2, 3), DOUBLE))
    body = Builder({"T": (1, 9)})
    c0, s0, x0 = (body.input(n, TensorType(t, DOUBLE)) for n, t in (("c0", (3, 3)), ("s0", (2, 3)), ("x0", (2, 3))))
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    new = body.apply("tanh", body.apply("add", body.apply("contract", s0, c0, **axes), x0))
    counts = {"constants": 1, "carries": 1, "xs": 1, "length": time, "reverse": False}
    last, ys = builder.apply_many("scan", w, s, xs, body=body.finish([new, new]), **counts)
    squares = [builder.apply("mul", value, value) for value in (last, ys)]
    sums = [builder.apply("sum", value, axes=tuple(range(value.rank))) for value in squares]
    return builder, builder.apply("add", *sums), [w, s, xs]


def test_through_time_of_any_length() -> None:
    builder, loss, wrt = recurrent_loss()
    graph = builder.finish([loss, *grad(loss, wrt)])
    verify(graph)
    rng = np.random.default_rng(0)
    for length in (1, 4):
        inputs = {"w": rng.normal(size=(3, 3)), "s": rng.normal(size=(2, 3)), "xs": rng.normal(size=(length, 2, 3))}
        gradients = interpret.run(graph, inputs, sizes={"T": length})[0][1:]
        for name, gradient in zip(inputs, gradients, strict=True):
            direction = rng.normal(size=gradient.shape)
            values = [
                interpret.run(graph, inputs | {name: inputs[name] + sign * STEP * direction}, sizes={"T": length})[0][0]
                for sign in (1, -1)
            ]
            assert (values[0] - values[1]) / (2 * STEP) == pytest.approx(np.sum(gradient * direction), rel=1e-5)


def test_the_plain_scan_is_joined_with_the_one_that_keeps_its_carries() -> None:
    builder, loss, wrt = recurrent_loss()
    graph = builder.finish([loss, *grad(loss, wrt[:1])])
    assert len(graph.of_op("scan")) == 3
    joined = graph
    for _ in range(2):
        joined = eliminate_dead(simplify_scans(simplify(joined), simplify))
        verify(joined)
    forward, backward = joined.of_op("scan")
    assert forward.attrs["reverse"] != backward.attrs["reverse"]
    # Nobody asked for the gradient by the sequence: the reverse scan stacks nothing.
    assert len(backward.outs) == backward.attrs["carries"] == 2
    rng = np.random.default_rng(1)
    inputs = {"w": rng.normal(size=(3, 3)), "s": rng.normal(size=(2, 3)), "xs": rng.normal(size=(5, 2, 3))}
    for got, expected in zip(
        interpret.run(joined, inputs, sizes={"T": 5})[0], interpret.run(graph, inputs, sizes={"T": 5})[0], strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
