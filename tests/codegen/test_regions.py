"""Closed graphs inside others: what tests and indices on the device decide, rows of rows, and calls of libraries.

Every graph is run by the interpreter, by the loop interpreter, in C on one thread and on three, and in CUDA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc import dims, dtypes, plan_json
from graphc.autodiff import grad
from graphc.codegen.compilation import Compilation
from graphc.codegen.target import Target
from graphc.compiler import compile
from graphc.errors import ArgumentError, BackendError, ShapeError
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY
from graphc.graph.types import Origin, TensorType
from graphc.plan import Branch, LibraryCall, Loop, Step, While, all_steps
from graphc.plan_check import check
from graphc.runtime.memory import solve
from graphc.runtime.state import StateBuffer
from tests.support.backends import run_cuda, run_interpreter, run_threads
from tests.support.loop_interpreter import run_loops

Array = np.ndarray[Any, Any]
FLOAT, INT = dtypes.float32, dtypes.int32
TIME, BATCH = dims.size("T"), dims.size("B")
SYMBOLS = {"T": (1, 9), "B": (1, 9)}
SIZES = ({"T": 1, "B": 1}, {"T": 5, "B": 3}, {"T": 2, "B": 9})


def row(*shape: dims.Dim) -> TensorType:
    return TensorType(shape, FLOAT)


def block(names: Mapping[str, TensorType], make: Callable[..., list[Value]]) -> Graph:
    builder = Builder(SYMBOLS)
    with builder.located((Origin("layer", "model.py", 12),)):
        return builder.finish(make(builder, *(builder.input(name, type) for name, type in names.items())))


def scan(b: Builder, operands: list[Value], body: Graph, constants: int, carries: int) -> tuple[Value, ...]:
    counts = {"constants": constants, "carries": carries, "xs": len(operands) - constants - carries}
    return b.apply_many("scan", *operands, body=body, length=TIME, reverse=False, **counts)


def sum_below(b: Builder, x: Value, limit: float) -> Value:
    return b.apply("lt", b.apply("sum", x, axes=(0,)), b.constant(limit, FLOAT))


def branches() -> tuple[Graph, ...]:
    """Of `c0` and `c1`: their product, the sine of the first, the second itself."""
    types = {"c0": row(BATCH), "c1": row(BATCH)}
    return (
        block(types, lambda b, x, y: [b.apply("mul", x, y)]),
        block(types, lambda b, x, y: [b.apply("sin", x)]),
        block(types, lambda b, x, y: [y]),
    )


def chosen_in_a_loop(b: Builder) -> list[Value]:
    """Each step takes the branch that its row of indices names; the carry is what came of it."""
    types = {"s0": row(BATCH), "x0": TensorType((), INT), "x1": row(BATCH)}

    def step(b: Builder, carry: Value, index: Value, x: Value) -> list[Value]:
        (new,) = b.apply_many("switch", index, carry, x, branches=branches())
        return [new, b.apply("neg", new)]

    start, index, xs = (
        b.input("start", row(BATCH)),
        b.input("i", TensorType((TIME,), INT)),
        b.input("xs", row(TIME, BATCH)),
    )
    return list(scan(b, [start, index, xs], block(types, step), 0, 1))


def while_in_a_loop(b: Builder) -> list[Value]:
    """Each row doubles its carry as long as that is small, and counts how often."""
    types = {"c0": row(BATCH), "s0": row(BATCH), "s1": TensorType((), INT)}
    test = block(types, lambda b, c, s, n: [sum_below(b, b.apply("abs", s), 50)])

    def body(b: Builder, c: Value, s: Value, n: Value) -> list[Value]:
        twice = b.apply("add", b.apply("add", s, s), b.apply("add", b.apply("abs", c), b.full(1, (BATCH,), FLOAT)))
        return [twice, b.apply("add", n, b.constant(1, INT))]

    inner = block(types, body)

    def step(b: Builder, carry: Value, x: Value) -> list[Value]:
        grown, count = b.apply_many(
            "while", x, carry, b.constant(0, INT), test=test, body=inner, constants=1, limit=None
        )
        return [b.apply("mul", grown, b.full(0.01, (BATCH,), FLOAT)), grown, count]

    outer = block({"s0": row(BATCH), "x0": row(BATCH)}, step)
    return list(scan(b, [b.input("start", row(BATCH)), b.input("xs", row(TIME, BATCH))], outer, 0, 1))


def loop_on_rows_of_rows(b: Builder) -> list[Value]:
    """A loop over the rows of a row of the loop around it."""
    add = block({"s0": row(BATCH), "x0": row(BATCH)}, lambda b, s, x: [b.apply("add", s, b.apply("exp", x)), s])

    def step(b: Builder, carry: Value, x: Value) -> list[Value]:
        total, before = scan(b, [carry, x], add, 0, 1)
        return [total, before]

    outer = block({"s0": row(BATCH), "x0": row(TIME, BATCH)}, step)
    return list(scan(b, [b.input("start", row(BATCH)), b.input("xs", row(TIME, TIME, BATCH))], outer, 0, 1))


def branch_in_a_while(b: Builder) -> list[Value]:
    """A while whose passes take turns with branches; nothing is left to do for some data."""
    types = {"c0": row(BATCH), "s0": TensorType((), INT), "s1": row(BATCH)}
    test = block(types, lambda b, c, n, s: [b.apply("lt", n, b.constant(5, INT))])

    def body(b: Builder, c: Value, n: Value, s: Value) -> list[Value]:
        (new,) = b.apply_many("switch", b.apply("sub", n, b.constant(1, INT)), s, c, branches=branches())
        return [b.apply("add", n, b.constant(1, INT)), b.apply("add", new, s)]

    x, first = b.input("x", row(BATCH)), b.input("n", TensorType((), INT))
    return list(
        b.apply_many("while", x, first, b.apply("sin", x), test=test, body=block(types, body), constants=1, limit=None)
    )


def sorted_in_a_loop(b: Builder) -> list[Value]:
    """Rows are sorted where they lie, and factors of matrices are found."""

    def step(b: Builder, carry: Value, x: Value) -> list[Value]:
        values, order = b.apply_many("sort", b.apply("add", x, carry))
        raw, places = b.apply_many("sort", x)
        return [values, order, raw, places]

    outer = block({"s0": row(BATCH), "x0": row(BATCH)}, step)
    return list(scan(b, [b.input("start", row(BATCH)), b.input("xs", row(TIME, BATCH))], outer, 0, 1))


def factors_of_rows(b: Builder) -> list[Value]:
    """A Cholesky factor for each row, and a system that is solved with it."""

    def step(b: Builder, x: Value) -> list[Value]:
        axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (1,)}
        square = b.apply("contract", x, x, **axes)
        one = b.apply("eq", *(b.apply("iota", shape=(3, 3), dtype=INT, axis=axis) for axis in (0, 1)))
        square = b.apply("add", square, b.apply("cast", one, dtype=FLOAT))
        factor = b.apply("cholesky", square)
        return [factor, b.apply("triangular_solve", factor, x, lower=True, transposed=True)]

    return list(scan(b, [b.input("xs", row(TIME, 3, 3))], block({"x0": row(3, 3)}, step), 0, 0))


PROGRAMS = (
    chosen_in_a_loop,
    while_in_a_loop,
    loop_on_rows_of_rows,
    branch_in_a_while,
    sorted_in_a_loop,
    factors_of_rows,
)
CALLING = (sorted_in_a_loop, factors_of_rows)


def graph_of(make: Callable[[Builder], list[Value]]) -> Graph:
    builder = Builder(SYMBOLS)
    with builder.located((Origin("layer", "model.py", 12),)):
        return builder.finish(make(builder))


def inputs_of(graph: Graph, sizes: Mapping[str, int]) -> dict[str, Array]:
    rng, found = np.random.default_rng(sum(sizes.values())), {}
    for name, node in graph.inputs.items():
        shape = [dims.evaluate(dim, sizes) for dim in node.outs[0].shape]
        whole = node.outs[0].dtype is INT
        found[name] = (
            rng.integers(-2, 5, shape).astype(np.int32) if whole else rng.normal(size=shape).astype(np.float32)
        )
    return found


@pytest.mark.parametrize("run", [run_loops, run_threads, pytest.param(run_cuda, marks=pytest.mark.cuda)])
@pytest.mark.parametrize("make", PROGRAMS)
def test_blocks_compute_what_the_interpreter_does(make: Any, run: Any) -> None:
    if run is run_cuda and make in CALLING:
        with pytest.raises(BackendError, match=r"no implementation on the backend cuda(.|\n)*model.py:12"):
            compile(graph_of(make), "cuda")
        return
    graph = graph_of(make)
    for sizes in SIZES:
        inputs = inputs_of(graph, sizes)
        for got, wanted in zip(run(graph, inputs, sizes), run_interpreter(graph, inputs, sizes), strict=True):
            np.testing.assert_allclose(got, wanted, 2e-5, 2e-5)


@pytest.mark.parametrize("make", PROGRAMS)
def test_plans_hold_them_and_are_the_same_after_json(make: Any) -> None:
    compilation = Compilation(graph_of(make), Target("cpu"), verified=True)
    plan = compilation.plan
    assert plan is not None
    for sizes in SIZES:
        check(plan, solve(plan, sizes).offsets, sizes)
    again = plan_json.from_object(plan_json.to_object(plan))
    assert str(again) == str(plan)
    kinds = {type(step) for step in all_steps(plan.steps)}
    wanted: dict[Any, set[type[Step]]] = {
        chosen_in_a_loop: {Loop, Branch},
        while_in_a_loop: {Loop, While},
        loop_on_rows_of_rows: {Loop},
        branch_in_a_while: {While, Branch},
    }
    assert wanted.get(make, {Loop, LibraryCall}) <= kinds


def test_calls_go_to_lapack_or_to_the_reference() -> None:
    graph = graph_of(factors_of_rows)
    for has_lapack in (True, False):
        plan = Compilation(graph, Target("cpu", has_lapack=has_lapack)).plan
        assert plan is not None
        assert {call.native for call in plan.calls()} == ({"spotrf", "strsm"} if has_lapack else {""})
        assert any(buffer.role == "functions" for buffer in plan.buffers) is not has_lapack


def test_the_gradient_of_a_branch_is_that_of_the_one_that_ran() -> None:
    b = Builder(SYMBOLS)
    index, x, y = b.input("i", TensorType((), INT)), b.input("x", row(BATCH)), b.input("y", row(BATCH))
    (found,) = b.apply_many("switch", index, x, y, branches=branches())
    graph = b.finish([found, *grad(b.apply("sum", found, axes=(0,)), [x, y])])
    x_value, y_value = np.float32([0.5, 2]), np.float32([3, -1])
    expected = [(y_value, x_value), (np.cos(x_value), [0, 0]), ([0, 0], [1, 1])]
    for number, (dx, dy) in enumerate(expected):
        inputs = {"i": np.int32(number), "x": x_value, "y": y_value}
        for run in (run_interpreter, run_loops, run_threads):
            _, *gradients = run(graph, inputs, {"T": 1, "B": 2})
            np.testing.assert_allclose(gradients[0], dx, 1e-6)
            np.testing.assert_allclose(gradients[1], dy, 1e-6)


def test_a_while_has_no_gradient_and_says_where() -> None:
    b = Builder(SYMBOLS)
    with b.located((Origin("layer", "model.py", 12),)):
        _, found = branch_in_a_while(b)
        total = b.apply("sum", found, axes=(0,))
    with pytest.raises(ArgumentError, match=r"`while` loop has a gradient only(.|\n)*model.py:12"):
        grad(total, [b.value(next(ref for ref in b.nodes[found.ref.node].inputs))])


@pytest.mark.parametrize("backend", ["cpu", "numpy", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_a_state_is_read_by_blocks_and_updated_by_what_they_give(backend: str) -> None:
    b = Builder(SYMBOLS)
    state, index = b.state("w", row(3)), b.input("i", TensorType((), INT))
    types = {"c0": row(3), "c1": row(3)}
    made = (
        block(types, lambda b, x, y: [b.apply("add", x, y)]),
        block(types, lambda b, x, y: [b.apply("neg", x)]),
    )
    (new,) = b.apply_many("switch", index, state, b.full(1, (3,), FLOAT), branches=made)
    b.update(state, new)
    executable = compile(b.finish([b.apply("mul", state, new)]), backend)
    buffer, values = StateBuffer(np.float32([1, 2, 3])), np.float32([1, 2, 3])
    for number in (0, 1, 0):
        (product,) = executable.run({"i": np.int32(number)}, {"w": buffer}, {"T": 1, "B": 1})
        after = values + 1 if number == 0 else -values
        np.testing.assert_array_equal(product, values * after)
        np.testing.assert_array_equal(buffer.host(), after)
        values = after


def test_an_error_or_interruption_in_a_reference_comes_after_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(sorted_in_a_loop)
    executable, sizes = compile(graph, "cpu"), {"T": 2, "B": 3}
    expected = executable.run(inputs_of(graph, sizes), {}, sizes)
    real, calls = REGISTRY["sort"], []

    def once(x: Array) -> Any:
        calls.append(x)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real.eval(x)

    monkeypatch.setitem(REGISTRY, "sort", replace(real, eval=once))
    with pytest.raises(KeyboardInterrupt):
        executable.run(inputs_of(graph, sizes), {}, sizes)
    assert len(calls) == 2 * 2 + 1  # the interrupted one is done anew, and so are all others
    monkeypatch.setitem(REGISTRY, "sort", real)
    for got, wanted in zip(executable.run(inputs_of(graph, sizes), {}, sizes), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_graphs_that_do_not_fit_are_refused() -> None:
    b = Builder(SYMBOLS)
    x, index = b.input("x", row(BATCH)), b.input("i", TensorType((), INT))
    one = block({"c0": row(BATCH)}, lambda b, x: [x])
    other = block({"c0": row(BATCH)}, lambda b, x: [b.apply("sum", x, axes=(0,))])
    with pytest.raises(ShapeError, match="branch 1 of `switch` returns other types"):
        b.apply_many("switch", index, x, branches=(one, other))
    with pytest.raises(ShapeError, match="branch 0 of `switch` has other inputs"):
        b.apply_many("switch", index, x, x, branches=(one,))
    test = block({"s0": row(BATCH)}, lambda b, x: [sum_below(b, x, 1)])
    body = block({"s0": row(BATCH)}, lambda b, x: [b.apply("sum", x, axes=(0,))])
    with pytest.raises(ShapeError, match="carry 0 of `while` changes its type"):
        b.apply_many("while", x, test=test, body=body, constants=0, limit=None)


def test_what_is_computed_from_states_alone_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    b = Builder(SYMBOLS)
    weights, x = b.state("w", row(4)), b.input("x", row(BATCH, 4))
    values, _ = b.apply_many("sort", weights)
    graph = b.finish([b.apply("add", x, b.broadcast(values, x.shape, (1,)))])
    executable = compile(graph, "cpu", cached=False)
    plan = executable.compilation.plan
    assert plan is not None
    assert [plan.persists(step) for step in plan.steps if isinstance(step, LibraryCall)] == ["all"]
    real, calls = REGISTRY["sort"], []

    def counted(x: Array) -> Any:
        calls.append(x)
        return real.eval(x)

    monkeypatch.setitem(REGISTRY, "sort", replace(real, eval=counted))
    buffer, zeros = StateBuffer(np.float32([3, 1, 2, 0])), np.zeros((2, 4), np.float32)
    for expected, count in (([0, 1, 2, 3], 1), ([0, 1, 2, 3], 1), ([4, 5, 6, 7], 2)):
        if count == 2:
            buffer.assign(np.float32([7, 6, 5, 4]))
        (found,) = executable.run({"x": zeros}, {"w": buffer}, {"T": 1, "B": 2}, repeat=3)
        np.testing.assert_array_equal(found, [expected] * 2)
        assert len(calls) == count
