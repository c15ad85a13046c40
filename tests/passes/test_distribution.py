"""Loop distribution: operations that no step waits for leave the loop, and results stay what they were."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import dims, dtypes, interpret, layers, ops
from graphc.compiler import compile
from graphc.graph.builder import Builder, inline
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY
from graphc.graph.types import TensorType
from graphc.graph.verify import verify
from graphc.passes.loops.distribution import distribute_loops
from graphc.passes.loops.optimize import optimize_loops
from graphc.passes.loops.scans import simplify_scans
from graphc.passes.simplify import simplify
from graphc.tracing import Tensor, trace
from graphc.tracing.tensor import bind
from tests.tapes import gradients_of

STEPS, BATCH, SIZE, UNITS = 5, 3, 4, 2


def traced(function: Any, *shapes: tuple[int, ...]) -> Graph:
    return trace(function, [TensorType(shape, dtypes.float32) for shape in shapes]).graph


def check(before: Graph, after: Graph) -> Graph:
    """Fails where results differ; returns the graph after."""
    verify(after)
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=node.outs[0].shape).astype("float32") for name, node in before.inputs.items()}
    states = {name: rng.normal(size=node.outs[0].shape).astype("float32") for name, node in before.states.items()}
    expected, found = (interpret.run(graph, inputs, states)[0] for graph in (before, after))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5)
    return after


def in_loops(graph: Graph, *names: str) -> int:
    """How many operations of some names are in the bodies of loops."""
    return sum(len(node.attrs["body"].of_op(*names)) for node in graph.of_op("scan"))


def recurrence(x: Any, w: Any, r: Any, out: Any) -> Any:
    """A product before the loop, one in it, and one after it."""

    def step(h: Any, row: Any) -> Any:
        h = ops.tanh(ops.matmul(row, w) + 1.0 + ops.matmul(h, r))
        return h, ops.sum(ops.matmul(h, out), axis=0)

    return ops.scan(step, ops.zeros((BATCH, UNITS)), x)


SHAPES = ((STEPS, BATCH, SIZE), (SIZE, UNITS), (UNITS, UNITS), (UNITS, 3))


def test_only_what_steps_wait_for_stays() -> None:
    before = traced(recurrence, *SHAPES)
    assert in_loops(before, "contract") == 3
    after = check(before, optimize_loops(simplify(before)))
    assert in_loops(after, "contract") == 1
    assert in_loops(after, "sum") == 0
    # The sum with 1 goes with the product that it follows.
    (loop,) = after.of_op("scan")
    assert loop.attrs["xs"] == 1
    assert not loop.attrs["body"].of_op("constant")


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_gradients_of_weights_are_one_contraction(kind: str) -> None:
    layer = getattr(layers, kind)(UNITS, return_sequences=True)
    layer.build((BATCH, STEPS, SIZE))

    def step(x: Any) -> Any:
        return gradients_of(lambda: ops.sum(ops.square(layer(x))), layer.weights)

    before = traced(step, (BATCH, STEPS, SIZE))
    after = check(before, optimize_loops(simplify(before)))
    # The state's kernel in each direction is all that is left in the loops.
    assert in_loops(after, "contract") == 2
    assert in_loops(after, "sum") == 0
    assert len(after.of_op("scan")) == 2
    # The gates' values are kept and not computed again.
    assert in_loops(after, "tanh", "sigmoid") == {"SimpleRNN": 1, "GRU": 3, "LSTM": 5}[kind]


def test_what_is_the_same_in_every_step_is_computed_once() -> None:
    def function(x: Any, w: Any) -> Any:
        return ops.scan(lambda h, row: (ops.tanh(h * ops.exp(w) + row), None), ops.zeros((SIZE,)), x)[0]

    before = traced(function, (STEPS, SIZE), (SIZE,))
    after = check(before, optimize_loops(before))
    assert in_loops(after, "exp") == 0
    assert len(after.of_op("exp")) == 1


SEVERAL = {
    "sort": lambda w: ops.cast(ops.argsort(w, axis=1), "float32"),
    "scan": lambda w: ops.scan(lambda h, row: (h + row, h * row), w[0], w)[1],
    "while": lambda w: ops.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, a * b, b - a), (0, w, w + 1.0))[2],
    "branch": lambda w: ops.cond(ops.sum(w) > 0.0, lambda: (w, w + 1.0), lambda: (-w, w - 1.0))[1],
}


@pytest.mark.parametrize("name", SEVERAL)
def test_each_result_of_what_is_the_same_in_every_step_is_that_result(name: str) -> None:
    """What reads one of several results leaves the loop, and still reads the same one."""

    def function(x: Any, w: Any) -> Any:
        def step(h: Any, row: Any) -> Any:
            return ops.tanh(h + row), ops.exp(SEVERAL[name](w))

        return ops.scan(step, ops.zeros((SIZE,)), x)[1]

    before = traced(function, (STEPS, SIZE), (SIZE, SIZE))
    after = check(before, optimize_loops(before))
    assert in_loops(after, "exp") == 0


def test_a_sum_of_products_is_one_product() -> None:
    def function(x: Any, y: Any) -> Any:
        def step(total: Any, rows: Any) -> Any:
            return total + ops.transpose(ops.matmul(rows[0], rows[1])), None

        return ops.scan(step, ops.ones((3, 2)), (x, y))[0]

    before = traced(function, (STEPS, 2, SIZE), (STEPS, SIZE, 3))
    after = check(before, optimize_loops(before))
    assert not after.of_op("scan")
    assert len(after.of_op("contract")) == 1


def product(rows: Any) -> Any:
    return ops.matmul(rows[0], rows[1])


# What a step adds to a sum: linear in a product of what it reads, `w` being the same in every step.
LINEAR_IN_A_PRODUCT = {
    "factor": lambda rows, w: product(rows) * w,
    "divisor": lambda rows, w: product(rows) / (w * w + 1.0),
    "difference": lambda rows, w: ops.transpose(product(rows) - ops.sum(rows[2], axis=0)),
    "broadcast": lambda rows, w: ops.broadcast_to(product(rows)[:, None, :], (2, 4, 3)),
    "selection": lambda rows, w: ops.where(w > 0.0, product(rows), ops.sum(rows[2], axis=0)),
    "running sum": lambda rows, w: bind("cumsum", product(rows), axis=1, reverse=False),
    "scattered": lambda rows, w: bind("scatter_add", Tensor(np.array([1, 0], "int32")), product(rows), size=3),
}


@pytest.mark.parametrize("name", LINEAR_IN_A_PRODUCT)
@pytest.mark.parametrize("reverse", [False, True])
def test_sums_of_what_is_linear_in_products_leave_the_loop(name: str, reverse: bool) -> None:
    part = LINEAR_IN_A_PRODUCT[name]

    def function(x: Any, y: Any, z: Any, w: Any) -> Any:
        start = part((x[0], y[0], z[0]), w)
        return ops.scan(lambda total, rows: (total + part(rows, w), None), start, (x, y, z), reverse=reverse)[0]

    before = simplify(traced(function, (STEPS, 2, 4), (STEPS, 4, 3), (STEPS, 2, 2, 3), (2, 3)))
    after = check(before, optimize_loops(before))
    assert not after.of_op("scan")


def test_factors_that_keep_sums_in_the_range_of_halves_stay() -> None:
    def function(x: Any, y: Any) -> Any:
        return ops.scan(lambda t, rows: (t + product(rows) * 1e-3, None), ops.zeros((2, 3), "float16"), (x, y))[0]

    specs = [TensorType(shape, dtypes.float16) for shape in ((STEPS, 2, 4), (STEPS, 4, 3))]
    before = simplify(trace(function, specs).graph)
    after = optimize_loops(before)
    inputs = {f"x{i}": np.full(spec.shape, 110, "float16") for i, spec in enumerate(specs)}
    expected, found = (interpret.run(graph, inputs)[0][0] for graph in (before, after))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-2)


def test_what_is_not_linear_in_what_varies_stays() -> None:
    def function(x: Any, y: Any, w: Any) -> Any:
        def step(total: Any, rows: Any) -> Any:
            return total + w / (ops.matmul(rows[0], rows[1]) * 0.01 + 5.0), None

        return ops.scan(step, ops.zeros((2, 3)), (x, y))[0]

    before = traced(function, (STEPS, 2, 4), (STEPS, 4, 3), (2, 3))
    after = check(before, optimize_loops(before))
    assert len(after.of_op("scan")) == 1


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("steps", [STEPS, "N1"])
def test_convolutions_of_all_steps_are_one(groups: int, steps: Any) -> None:
    w = graphc.Variable(np.random.default_rng(1).normal(size=(3, 4 // groups, 2)).astype("float32"))

    def function(x: Any) -> Any:
        def step(h: Any, row: Any) -> Any:
            h = ops.tanh(h + ops.conv(row, w, padding="same"))
            return h, None

        with graphc.GradientTape() as tape:
            last, _ = ops.scan(step, ops.zeros((2, 6, 2)), x)
            loss = ops.sum(ops.square(last))
        return last, tape.gradient(loss, w)

    if steps == STEPS:
        before = traced(function, (STEPS, 2, 6, 4))
    else:
        size = dims.size("N1")
        before = trace(function, [TensorType((size, 2, 6, 4), dtypes.float32)], {"N1": (1, 9)}).graph
    after = optimize_loops(simplify(before))
    verify(after)
    x = np.random.default_rng(0).normal(size=(STEPS, 2, 6, 4)).astype("float32")
    states = {name: w.numpy() for name in before.states}
    expected, found = (interpret.run(graph, {"x0": x}, states, {"N1": STEPS})[0] for graph in (before, after))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5)
    assert in_loops(after, "conv", "conv_filter_grad") == 0


def test_a_sum_that_steps_read_stays() -> None:
    def function(x: Any, w: Any) -> Any:
        def step(total: Any, row: Any) -> Any:
            total = total + ops.matmul(row, w)
            return total, ops.tanh(total)

        return ops.scan(step, ops.zeros((BATCH, UNITS)), x)

    before = traced(function, (STEPS, BATCH, SIZE), (SIZE, UNITS))
    after = check(before, optimize_loops(before))
    assert len(after.of_op("scan")) == 1
    assert in_loops(after, "contract") == 0


def test_contractions_with_batches_of_their_own() -> None:
    equations = ("abc,acd->abd", "abc,acd->adb", "bac,cd->bad", "cd,bac->dba")

    def function(x: Any, y: Any, z: Any) -> Any:
        def step(carry: Any, rows: Any) -> Any:
            found = [ops.einsum(e, rows[0], rows[1] if i < 2 else z) for i, e in enumerate(equations[:3])]
            return carry, [*found, ops.einsum(equations[3], z, rows[0])]

        return ops.scan(step, 0.0, (x, y))[1]

    before = traced(function, (STEPS, 2, 3, 4), (STEPS, 2, 4, 5), (4, 5))
    after = check(before, optimize_loops(before))
    assert in_loops(after, "contract") == 0


@pytest.mark.parametrize("reverse", [False, True])
def test_second_derivatives(reverse: bool) -> None:
    w = graphc.Variable(np.random.default_rng(1).normal(size=(UNITS, UNITS)).astype("float32"))

    def function(x: Any) -> Any:
        def step(h: Any, row: Any) -> Any:
            h = ops.tanh(row + ops.matmul(h, w))
            return h, h

        def loss() -> Any:
            _, hs = ops.scan(step, ops.zeros((BATCH, UNITS)), x, reverse=reverse)
            return ops.sum(hs * hs)

        with graphc.GradientTape() as tape:
            (first,) = gradients_of(loss, [w])
            size = ops.sum(ops.square(first))
        return first, tape.gradient(size, w)

    before = traced(function, (STEPS, BATCH, UNITS))
    check(before, optimize_loops(simplify(before)))


def test_loops_within_loops() -> None:
    def function(x: Any, w: Any) -> Any:
        def outer(h: Any, row: Any) -> Any:
            def inner(c: Any, part: Any) -> Any:
                return ops.tanh(c + ops.matmul(part, w)), None

            return ops.scan(inner, h, row)[0], None

        return ops.scan(outer, ops.zeros((BATCH, UNITS)), x)[0]

    before = traced(function, (STEPS, 4, BATCH, SIZE), (SIZE, UNITS))
    after = check(before, optimize_loops(before))
    (loop,) = after.of_op("scan")
    assert in_loops(loop.attrs["body"], "contract") == 0


def test_loops_in_the_graphs_of_other_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has regions: here an operation of another name that does what a loop does."""
    monkeypatch.setitem(REGISTRY, "other", replace(REGISTRY["scan"], name="other"))
    inner = traced(recurrence, *SHAPES)
    body = Builder()
    values = {name: body.input(name.replace("x", "c"), node.outs[0]) for name, node in inner.inputs.items()}
    zero = body.full(0.0, inner.type(inner.outputs[0]).shape, dtypes.float32)
    results = inline(body, inner, values)
    whole = body.finish([body.apply("add", results[0], zero), *results[1:]])
    builder = Builder()
    operands = [builder.input(name, node.outs[0]) for name, node in whole.inputs.items()]
    attrs = {"constants": len(operands), "carries": 0, "xs": 0, "length": 2, "reverse": False}
    before = builder.finish(builder.apply_many("other", *operands, body=whole, **attrs))
    after = check(before, optimize_loops(before))
    (node,) = after.of_op("other")
    assert in_loops(node.attrs["body"], "contract") == 1
    # The sum with zeros is gone; that with 1 came out of the loop with its product.
    assert len(node.attrs["body"].of_op("add")) == 1


def test_a_graph_without_loops_is_left_alone() -> None:
    before = traced(lambda x: x + 1.0, (2,))
    assert distribute_loops(before) is before
    assert optimize_loops(before) is before


def test_splitting_twice_changes_nothing_more() -> None:
    once = simplify_scans(distribute_loops(traced(recurrence, *SHAPES)), simplify)
    assert simplify_scans(distribute_loops(once), simplify) == once


def test_a_body_keeps_nothing_for_later() -> None:
    kept: list[Tensor] = []

    def function(x: Any) -> Any:
        ops.scan(lambda carry, row: (carry, kept.append(row)), 0.0, x)
        return kept[0] + 1.0

    with pytest.raises(graphc.errors.StateError, match="another graph"):
        traced(function, (3, 2))


def scattered(product: Any, table: Any) -> Any:
    places = ops.argmax(product, axis=1)
    return bind("scatter_add", places, product, size=5)


# What is done with a product of each step that no carry reads.
BEHIND_A_PRODUCT = {
    "lookup": lambda product, table: ops.take(table, ops.argmax(product, axis=1), axis=0),
    "lookup in what varies": lambda product, table: ops.take(product, np.array([1, 0, 1], "int32"), axis=1),
    "lookup of both": lambda product, table: ops.take(product, ops.argmax(product, axis=1), axis=0),
    "scattered": scattered,
    "running sum": lambda product, table: bind("cumsum", product, axis=1, reverse=True),
    "running maximum": lambda product, table: bind("cummax", product, axis=0, reverse=False),
    "pool": lambda product, table: ops.max_pool(product[:, :, None], 2, strides=1),
    "convolution": lambda product, table: ops.conv(product[:, :, None], table[:3, :1, None], padding="same"),
    "convolution by what varies": lambda product, table: ops.conv(table[None, :, :], product[:, :, None][:, :2, :]),
    "convolution of both": lambda product, table: ops.conv(product[:, :, None], product[:3, :1, None], padding="same"),
    "sorted out": lambda product, table: ops.where(product > 0.0, product, ops.flip(product, axis=1)),
}


@pytest.fixture(scope="module")
def behind_products() -> tuple[Graph, Graph]:
    def function(x: Any, w: Any, table: Any) -> Any:
        def step(h: Any, row: Any) -> Any:
            h = ops.tanh(h * 0.5 + row)
            product = ops.matmul(h, w)
            return h, [rule(product, table) for rule in BEHIND_A_PRODUCT.values()]

        return ops.scan(step, ops.zeros((3, SIZE)), x)[1]

    before = simplify(traced(function, (STEPS, 3, SIZE), (SIZE, 4), (4, 2)))
    return before, optimize_loops(before)


def test_what_follows_a_product_leaves_the_loop_with_it(behind_products: tuple[Graph, Graph]) -> None:
    before, after = behind_products
    check(before, after)
    (loop,) = after.of_op("scan")
    assert {node.op for node in loop.attrs["body"].table.values()} <= {
        "input",
        "constant",
        "broadcast",
        "mul",
        "add",
        "tanh",
    }


def test_what_left_a_loop_is_compiled(behind_products: tuple[Graph, Graph]) -> None:
    before, _ = behind_products
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=node.outs[0].shape).astype("float32") for name, node in before.inputs.items()}
    expected = interpret.run(before, inputs)[0]
    for name, a, b in zip(BEHIND_A_PRODUCT, compile(before, backend="cpu").run(inputs, {}, {}), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5, err_msg=name)
