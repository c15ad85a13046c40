"""The simplifier: what it takes away, and that results stay the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from graphc import dims, dtypes, interpret
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import primitive
from graphc.graph.types import Origin, TensorType
from graphc.graph.verify import verify
from graphc.passes.copy_sources import copy_sources
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.factor import factor
from graphc.passes.loops.scans import simplify_scans
from graphc.passes.simplify import simplify
from tests.support.random_graphs import Sample, assert_near, graphs
from tests.support.samples import locations, recurrence, training_step

FLOAT = dtypes.float32
BATCH = dims.size("B")
MATRIX = TensorType((BATCH, 4), FLOAT)

PASSES: dict[str, Callable[[Graph], Graph]] = {
    "simplify": simplify,
    "eliminate_dead": eliminate_dead,
    "copy_sources": copy_sources,
    "factor": factor,
    "simplify_scans": lambda graph: simplify_scans(graph, lambda body: eliminate_dead(simplify(body))),
    "all": lambda graph: eliminate_dead(simplify_scans(simplify(copy_sources(eliminate_dead(simplify(graph)))))),
}


@pytest.mark.parametrize("name", PASSES)
@settings(max_examples=60, deadline=None)
@given(sample=graphs())
def test_results_stay_the_same(name: str, sample: Sample) -> None:
    after = PASSES[name](sample.graph)
    verify(after)
    assert set(after.inputs) == set(sample.graph.inputs) or name == "simplify"
    assert_near(sample, interpret.run(after, sample.inputs, sizes=sample.sizes)[0])


@pytest.mark.parametrize("make", [training_step, recurrence])
@pytest.mark.parametrize("name", PASSES)
def test_passes_find_nothing_new_the_third_time(name: str, make: Callable[[], Graph]) -> None:
    once = PASSES[name](make())
    twice = PASSES[name](once)
    assert PASSES[name](twice) == twice


@pytest.mark.parametrize("name", PASSES)
def test_states_and_origins_are_kept(name: str) -> None:
    before = training_step()
    after = PASSES[name](before)
    verify(after)
    assert set(after.states) == set(before.states)
    updated = {after.node(id).attrs["name"] for id in after.updates}
    assert updated == {before.node(id).attrs["name"] for id in before.updates}
    known = {origin for loc in locations(before) for origin in loc}
    assert {origin for loc in locations(after) for origin in loc} <= known
    for node in after.table.values():
        if node.op not in ("input", "copy"):
            assert node.loc


def simplified(make: Callable[[Builder, Value], Value], type: TensorType = MATRIX) -> list[str]:
    """The operations that are left of a function of one input."""
    builder = Builder({"B": (1, 64)})
    x = builder.input("x", type)
    graph = builder.finish([make(builder, x)])
    for _ in range(3):
        # What a rule makes is looked at in the next sweep.
        graph = eliminate_dead(simplify(graph))
    verify(graph)
    return [node.op for node in graph.table.values() if node.op != "input"]


def full(b: Builder, x: Value, number: float) -> Value:
    """A number everywhere."""
    return b.full(number, x.shape, x.dtype)


VANISHING: dict[str, Callable[[Builder, Value], Value]] = {
    "x + 0": lambda b, x: b.apply("add", x, full(b, x, 0)),
    "0 + x": lambda b, x: b.apply("add", full(b, x, 0), x),
    "x - 0": lambda b, x: b.apply("sub", x, full(b, x, 0)),
    "x * 1": lambda b, x: b.apply("mul", x, full(b, x, 1)),
    "x / 1": lambda b, x: b.apply("div", x, full(b, x, 1)),
    "x ** 1": lambda b, x: b.apply("pow", x, full(b, x, 1)),
    "-(-x)": lambda b, x: b.apply("neg", b.apply("neg", x)),
    "cast to its own dtype": lambda b, x: b.apply("cast", x, dtype=FLOAT),
    "stop_gradient": lambda b, x: b.apply("stop_gradient", x),
    "transpose back": lambda b, x: b.apply("transpose", b.apply("transpose", x, order=(1, 0)), order=(1, 0)),
    "reshape back": lambda b, x: b.apply("reshape", b.apply("reshape", x, shape=(BATCH * 4,)), shape=(BATCH, 4)),
    "slice of all": lambda b, x: b.apply("slice", x, start=(0, 0), stop=x.shape, step=(1, 1)),
    "pad by nothing": lambda b, x: b.apply("pad", x, low=(0, 0), high=(0, 0), interior=(0, 0), value=0),
    "concatenation of one": lambda b, x: b.apply("concatenate", x, axis=0),
    "reduction over nothing": lambda b, x: b.apply("sum", x, axes=()),
    "select of equals": lambda b, x: b.apply("select", b.apply("isnan", x), x, x),
    "select by a number": lambda b, x: b.apply("select", b.full(True, x.shape, dtypes.bool_), x, full(b, x, 2)),
    "0 - (-x)": lambda b, x: b.apply("sub", full(b, x, 0), b.apply("neg", x)),
}


@pytest.mark.parametrize("name", VANISHING)
def test_what_does_nothing_vanishes(name: str) -> None:
    assert simplified(VANISHING[name]) == []


def test_zero_times_a_float_stays() -> None:
    """It is NaN for infinities and NaN."""
    assert "mul" in simplified(lambda b, x: b.apply("mul", x, full(b, x, 0)))


@pytest.mark.parametrize("exponent", [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf, np.nan])
def test_powers_keep_infinities_and_signs(exponent: float) -> None:
    values = np.array([-np.inf, -2.0, -0.0, 0.0, 0.25, 1.0, 3.0, np.inf, np.nan], np.float32)
    builder = Builder()
    x = builder.input("x", TensorType((9,), FLOAT))
    before = builder.finish([builder.apply("pow", x, full(builder, x, exponent))])
    (wanted,), _ = interpret.run(before, {"x": values})
    (got,), _ = interpret.run(eliminate_dead(simplify(before)), {"x": values})
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))


def test_faults_of_type_rules_are_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*types: TensorType, **attrs: object) -> TensorType:
        raise TypeError("a fault of the rule")

    builder = Builder()
    graph = builder.finish([builder.apply("exp", builder.full(2, (), FLOAT))])
    monkeypatch.setattr("graphc.passes.simplify.primitive", lambda op: replace(primitive(op), infer=faulty))
    with pytest.raises(TypeError, match="a fault of the rule"):
        simplify(graph)


def test_constants_are_computed() -> None:
    ops = simplified(lambda b, x: b.apply("mul", x, b.apply("exp", b.apply("add", full(b, x, 1), full(b, x, 2)))))
    assert ops == ["constant", "broadcast", "mul"]


def test_sums_of_copies_are_products() -> None:
    builder = Builder({"B": (1, 64)})
    x = builder.input("x", TensorType((4,), FLOAT))
    total = builder.apply("sum", builder.broadcast(x, (BATCH, 4), (1,)), axes=(0,))
    graph = eliminate_dead(simplify(builder.finish([total])))
    assert not graph.of_op("sum")
    (result,), _ = interpret.run(graph, {"x": np.arange(4, dtype=np.float32)}, sizes={"B": 7})
    np.testing.assert_array_equal(result, 7 * np.arange(4))


def test_common_subexpressions_are_one_node_with_both_origins() -> None:
    builder = Builder()
    x = builder.input("x", TensorType((3,), FLOAT))
    a, b = Origin("a", "f.py", 1), Origin("b", "f.py", 2)
    with builder.located((a,)):
        first = builder.apply("exp", builder.apply("add", x, builder.full(0, (3,), FLOAT)))
    with builder.located((b,)):
        second = builder.apply("exp", x)
    graph = eliminate_dead(simplify(builder.finish([first, second])))
    (node,) = graph.of_op("exp")
    assert node.loc == (a, b)
    assert graph.outputs[0] == graph.outputs[1]


def test_dead_code_goes_and_inputs_stay() -> None:
    builder = Builder()
    x, y = (builder.input(name, TensorType((), FLOAT)) for name in "xy")
    builder.apply("exp", y)
    builder.state("unused", TensorType((), FLOAT))
    graph = eliminate_dead(builder.finish([builder.apply("neg", x)]))
    assert [node.op for node in graph.table.values()] == ["input", "input", "neg"]


def test_results_that_are_sources_are_copied() -> None:
    builder = Builder()
    x, w = builder.input("x", TensorType((), FLOAT)), builder.state("w", TensorType((), FLOAT))
    builder.update(w, x)
    graph = copy_sources(builder.finish([w, x]))
    assert all(graph.node(ref.node).op == "copy" for ref in graph.roots)


def _variance_gradient(shape: dims.Shape, axes: tuple[int, ...], other: bool = False) -> Graph:
    """What reverse mode makes of the mean in `sum((x - mean(x)) ** 2)`; of another value's mean, if asked."""
    builder = Builder()
    x, y = (builder.input(name, TensorType(shape, FLOAT)) for name in ("x", "y"))
    kept = tuple(axis for axis in range(len(shape)) if axis not in axes)
    small = tuple(shape[axis] for axis in kept)
    total = builder.apply("sum", y if other else x, axes=axes)
    count = builder.broadcast(builder.size(dims.product(shape[axis] for axis in axes), FLOAT), small, ())
    mean = builder.broadcast(builder.apply("div", total, count), shape, kept)
    factor = builder.broadcast(builder.apply("sum", y, axes=axes), shape, kept)
    term = builder.apply("mul", factor, builder.apply("sub", x, mean))
    gradient = builder.apply("neg", builder.apply("add", term, term))
    return builder.finish([builder.apply("sum", gradient, axes=axes).ref])


@pytest.mark.parametrize("shape", [(BATCH, 4, 3), (5, 4, 3)])
def test_deviations_from_the_mean_are_not_summed(shape: dims.Shape) -> None:
    after = eliminate_dead(simplify(_variance_gradient(shape, (0, 1))))
    assert not after.of_op("sub")
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(5, 4, 3)).astype("float32") for name in ("x", "y")}
    inputs["x"][1, 2, 0] = np.nan
    found = interpret.run(after, inputs, sizes={"B": 5})[0][0]
    assert np.isnan(found[0]) and not found[1:].any()


def test_deviations_from_something_else_are() -> None:
    after = eliminate_dead(simplify(_variance_gradient((5, 4, 3), (0, 1), other=True)))
    assert after.of_op("sub")
