"""Loops: equal ones are joined, and what nobody reads is dropped from them."""

from __future__ import annotations

import numpy as np

from graphc import dims, dtypes, interpret
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import Ref, TensorType
from graphc.graph.verify import verify
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.loops.scans import simplify_scans

FLOAT = dtypes.float64
TIME = dims.size("T")
ELEMENT = TensorType((2,), FLOAT)


def looped(keep: bool = False, unused: bool = False) -> tuple[Graph, Builder]:
    """`s0' = s0 + c0 * x0` and `s1' = s1 + s0`, of which `s1` feeds only itself."""
    body = Builder({"T": (1, 9)})
    c0, s0, s1, x0 = (body.input(name, ELEMENT) for name in ("c0", "s0", "s1", "x0"))
    new = body.apply("add", s0, body.apply("mul", c0, x0))
    results = [new, body.apply("add", s1, s0), new]
    if unused:
        body.input("x1", ELEMENT)
    return body.finish([*results, s0] if keep else results), body


def scan(builder: Builder, operands: list[Value], body: Graph) -> tuple[Value, ...]:
    """Adds the loop."""
    counts = {"constants": 1, "carries": 2, "xs": len(operands) - 3, "length": TIME, "reverse": False}
    return builder.apply_many("scan", *operands, body=body, **counts)


def outer() -> tuple[Builder, list[Value]]:
    """A builder with the loop's operands."""
    builder = Builder({"T": (1, 9)})
    operands = [builder.input(name, ELEMENT) for name in ("c", "a", "b")]
    return builder, [*operands, builder.input("x", TensorType((TIME, 2), FLOAT))]


def check(before: Graph, after: Graph) -> None:
    """Fails where results differ."""
    verify(after)
    rng = np.random.default_rng(0)
    inputs = {
        name: rng.normal(size=[dims.evaluate(d, {"T": 3}) for d in node.outs[0].shape])
        for name, node in before.inputs.items()
    }
    for got, expected in zip(
        interpret.run(after, inputs, sizes={"T": 3})[0], interpret.run(before, inputs, sizes={"T": 3})[0], strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_a_prefix_is_joined_wherever_it_stands() -> None:
    for order in ((False, True), (True, False), (False, True, False)):
        builder, operands = outer()
        results = [value for keep in order for value in scan(builder, operands, looped(keep)[0])]
        graph = builder.finish(results)
        after = eliminate_dead(simplify_scans(graph))
        assert len(after.of_op("scan")) == 1
        assert len(after.of_op("scan")[0].outs) == 4
        check(graph, after)


def test_loops_over_other_operands_stay_apart() -> None:
    builder, operands = outer()
    swapped = [operands[0], operands[2], operands[1], operands[3]]
    graph = builder.finish([*scan(builder, operands, looped()[0]), *scan(builder, swapped, looped()[0])])
    after = simplify_scans(graph)
    assert len(after.of_op("scan")) == 2
    check(graph, after)


def test_a_carry_that_feeds_only_itself_goes() -> None:
    builder, operands = outer()
    graph = builder.finish(scan(builder, operands, looped()[0])[2:])
    (node,) = simplify_scans(graph).of_op("scan")
    # s0 itself is carried: the loop goes on from it.
    assert (node.attrs["constants"], node.attrs["carries"], node.attrs["xs"]) == (1, 1, 1)
    assert len(node.outs) == 2
    check(graph, simplify_scans(graph))


def test_unread_sequences_and_constants_go() -> None:
    builder, operands = outer()
    operands.append(builder.input("y", TensorType((TIME, 2), FLOAT)))
    result = scan(builder, operands, looped(unused=True)[0])
    graph = builder.finish([result[0]])
    (node,) = simplify_scans(graph).of_op("scan")
    assert [graph.node(ref.node).attrs["name"] for ref in node.inputs] == ["c", "a", "x"]
    check(graph, simplify_scans(graph))


def test_what_needs_all_keeps_all() -> None:
    builder, operands = outer()
    graph = builder.finish(scan(builder, operands, looped()[0]))
    assert simplify_scans(graph).of_op("scan")[0].attrs == graph.of_op("scan")[0].attrs


def test_a_graph_without_loops_is_left_alone() -> None:
    builder = Builder()
    graph = builder.finish([builder.input("x", ELEMENT)])
    assert simplify_scans(graph) is graph
    assert graph.outputs == (Ref(0),)
