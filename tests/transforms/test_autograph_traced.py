"""Converted functions on traced tensors compute what Python computes on numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
import tests.transforms.functions  # noqa: F401  (adds its functions to the table)
from graphc import layers, ops
from graphc.tracing import as_tensor, trace
from graphc.transforms.autograph import convert
from tests.transforms.cases import CASES
from tests.transforms.programs import Program, define


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def compiled(function: Callable[..., Any]) -> Any:
    return graphc.function(convert(function))


def plain(value: Any) -> Any:
    return tuple(map(plain, value)) if isinstance(value, tuple | list) else np.asarray(value).tolist()


def check_programs(seeds: Iterable[int]) -> None:
    """Random programs compute on traced integers what Python computes."""
    for seed in seeds:
        text = Program(seed, traced=True).text()
        function = define(text)
        run = compiled(function)
        for args in ((0, 0, 0), (1, 2, 3), (-4, 7, 2), (5, -1, 9), (2, 2, 2), (8, 3, -6)):
            found = run(*(np.int32(x) for x in args))
            assert plain(found) == plain(function(*args)), f"{args} of\n{text}"


@pytest.mark.parametrize("first", range(0, 60, 6))
def test_random_programs(first: int) -> None:
    check_programs(range(first, first + 6))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 2000, 20))
def test_many_random_programs(first: int) -> None:
    check_programs(range(first, first + 20))


def test_what_a_with_block_in_a_loop_assigns() -> None:
    def slopes(rows: Any) -> Any:
        total = 0.0
        for row in rows:
            with graphc.GradientTape() as tape:
                tape.watch(row)
                y = row * row
            total = total + tape.gradient(y, row)
        return total

    assert graphc.function(slopes)(np.array([1.0, 2.0], "float32")).numpy() == 6.0


@pytest.mark.parametrize(("function", "arguments"), CASES, ids=[function.__name__ for function, _ in CASES])
def test_functions(function: Callable[..., Any], arguments: tuple[tuple[Any, ...], ...]) -> None:
    run = compiled(function)
    for args in arguments:
        found, wanted = plain(run(*args)), plain(function(*args))
        flat = [np.ravel(np.asarray(x, "float64")) for x in (_leaves(found), _leaves(wanted))]
        np.testing.assert_allclose(*flat, rtol=1e-5)


def _leaves(value: Any) -> list[float]:
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in _leaves(part)]
    return [float(value)]


def test_loops_stay_loops_and_python_stays_python() -> None:
    def f(x: Any, t: Any, n: Any, training: bool) -> Any:
        for _ in range(3):  # unrolled
            x = x + 1.0
        if training:
            x = x * 2.0
        for row in t:
            x = x + row
        for i in range(n):
            x = x + i
        while x < 100.0:
            x = x * 2.0
        if x > 150.0:
            x = -x
        return x

    types = [as_tensor(np.zeros(shape, dtype)).type for shape, dtype in (((), "f"), ((4,), "f"), ((), "i"))]
    traced = trace(lambda *xs: convert(f)(*xs, True), types)
    regions = [node.op for node in traced.graph.table.values() if node.op in ("scan", "while", "switch")]
    assert regions == ["scan", "while", "while", "switch"]
    assert sum(node.op == "add" for node in traced.graph.table.values()) == 3


def test_a_graph_knows_the_users_lines() -> None:
    function = define(
        "def f(x):\n    y = x\n    if x > 0:\n        y = x * 2\n    while y > 9:\n        y = y - 3\n    return y\n"
    )
    traced = trace(convert(function), [as_tensor(1.0).type])
    lines = {node.op: {origin.line for origin in node.loc} for node in traced.graph.table.values()}
    assert lines["switch"] == {3} and lines["while"] == {5}
    files = {origin.file for node in traced.graph.table.values() for origin in node.loc}
    assert files == {function.__code__.co_filename}


def test_symbolic_sizes() -> None:
    def f(t: Any) -> Any:
        total, n = ops.zeros((3,)), 0
        for i in range(t.shape[0]):
            total = total + t[i]
            n = n + 1
        for row in t:
            if row[0] > 2:
                break
            total = total + row
        return total, n, len(t) * 2

    run = compiled(f)
    for size in (2, 3, 4, 5):
        t = np.arange(3.0 * size, dtype="float32").reshape(size, 3)
        total, n, doubled = run(t)
        np.testing.assert_allclose(total, t.sum(0) + t[0])
        assert int(n) == size and int(doubled) == 2 * size


def test_variables_of_the_program_change_where_the_code_runs() -> None:
    v, steps = graphc.Variable(0.0), graphc.Variable(0)

    def tick() -> Any:
        v.assign_add(1.0)
        return v.value

    def f(limit: Any) -> Any:
        n = 0
        while tick() < limit:
            n += 1
            if n > 2:
                steps.assign(n)
                break
        return n

    run = compiled(f)
    for limit, count, value, step in ((4.0, 3, 3.0, 3), (2.0, 1, 2.0, 3), (0.0, 0, 1.0, 3), (9.0, 3, 3.0, 3)):
        v.assign(0.0)
        assert int(run(np.float32(limit))) == count
        assert float(v.numpy()) == value and int(steps.numpy()) == step


def test_variables_are_tested_and_iterated() -> None:
    v, rows = graphc.Variable(0.0), graphc.Variable([1.0, 2.0, 3.0])

    def f(limit: Any) -> Any:
        while v < limit:
            for row in rows:
                v.assign_add(row)
        if v > 15:
            v.assign(-1.0)
        return v.value

    run = compiled(f)
    assert [float(run(np.float32(limit))) for limit in (7.0, 12.5, 0.0)] == [12.0, -1.0, 5.0]


class Halving(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.calls = self.add_weight(shape=(), initializer="zeros", name="calls")
        self.__limit = 1.0

    def call(self, x: Any, training: bool = False) -> Any:
        while ops.max(x) > self.__limit:
            x = x / 2
            self.calls.assign_add(1.0)
        return x + 1 if training and ops.sum(x) > 1 else x


def test_the_call_of_a_layer() -> None:
    layer = Halving()
    call = convert(layer.call)
    run = graphc.function(lambda x: call(x, training=True))
    np.testing.assert_allclose(run(np.array([8.0, 4.0], "float32")), [2.0, 1.5])
    assert float(layer.calls.numpy()) == 3
    np.testing.assert_allclose(run(np.array([0.5, 0.25], "float32")), [0.5, 0.25])
    assert float(layer.calls.numpy()) == 3


def test_gradients_go_through_branches_and_loops() -> None:
    def f(x: Any, t: Any) -> Any:
        y = x * x if x > 0 else -x
        for row in t:
            if row > 1:
                y = y * row
        return y

    derivative = compiled(lambda x, t: graphc.grad(f)(x, t))
    t = np.array([1.0, 2.0, 3.0], "float32")
    assert float(derivative(np.float32(3), t)) == 36 and float(derivative(np.float32(-3), t)) == -6


def test_gradients_of_loops_that_are_left() -> None:
    def root(a: Any) -> Any:
        x = a
        for _ in range(50):
            new = 0.5 * (x + a / x)
            if ops.abs(new - x) < 1e-5 * x:
                break
            x = new
        return x

    derivative = compiled(lambda a: graphc.grad(root)(a))
    for a in (0.5, 2.0, 9.0):
        np.testing.assert_allclose(derivative(np.float32(a)), 0.5 / a**0.5, rtol=1e-3)


def test_compiled_to_c() -> None:
    named = {function.__name__: function for function, _ in CASES}
    chosen = [named[name] for name in ("attr", "boolean", "handlers", "loopy", "many", "methods", "structure", "trys")]

    def together(x: Any) -> Any:
        return [convert(function)(x) for function in chosen]

    with graphc.backend("cpu"):
        run = graphc.function(together)
        for value in map(np.float32, (2.5, 3.0, 40.0)):
            found, wanted = plain(run(value)), plain(together(value))
            np.testing.assert_allclose(_leaves(found), _leaves(wanted), rtol=1e-5)


def _adding(total: Any, x: Any) -> Any:
    if x > 1:
        total = total + x
    return total, total


def _clipped(x: Any) -> Any:
    return x if x < 2 else 2.0 + 0 * x


def test_functions_that_are_given_to_operations() -> None:
    def f(t: Any) -> Any:
        clipped = ops.switch(1, [lambda x: x, _clipped], t[3])
        return ops.scan(_adding, 0.0, t), ops.map(_clipped, t), clipped, graphc.grad(_clipped)(t[1])

    (total, sums), mapped, clipped, gradient = compiled(f)(np.arange(4, dtype="float32"))
    assert float(total) == 5 and np.asarray(sums).tolist() == [0, 0, 2, 5]
    assert np.asarray(mapped).tolist() == [0, 1, 2, 2] and float(clipped) == 2 and float(gradient) == 1


def test_random_numbers_in_branches() -> None:
    def f(x: Any) -> Any:
        if x > 0:
            return graphc.random.normal(())
        return graphc.random.uniform(())

    run = compiled(f)
    drawn = [float(run(np.float32(x))) for x in (1, 1, -1, -1)]
    assert len(set(drawn)) == 4 and all(0 <= x < 1 for x in drawn[2:])


def test_eager_calls_run_python() -> None:
    def f(x: Any) -> Any:
        out = []
        for row in x:
            if row > 1:
                out.append(row)
        return ops.stack(out)

    assert np.asarray(convert(f)(as_tensor([1.0, 2.0, 3.0]))).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("count", [60])
def test_many_returns(count: int) -> None:
    text = "def f(a):\n" + "".join(f"    if a == {i}: return {i * i}\n" for i in range(count)) + "    return -1\n"
    function = define(text)
    run = compiled(function)
    for a in (0, 7, count - 1, count):
        assert int(run(np.int32(a))) == function(a)
