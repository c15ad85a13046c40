"""Loops and branches: eager, interpreted and compiled alike, with what they do to variables, and their errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops, random
from graphc.errors import ArgumentError, GraphcError, ShapeError, StateError

BACKENDS = ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0], [2.0, 2.0, 2.0], [0.0, -1.0, 1.0]], "float32")


def collatz(n: Any) -> Any:
    def step(n: Any, count: Any) -> Any:
        return ops.cond(n % 2 == 0, lambda: n // 2, lambda: 3 * n + 1), count + 1

    return ops.while_loop(lambda n, _: n > 1, step, (n, 0))[1]


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "cond": lambda x: [ops.cond(ops.sum(row) > 0, lambda row=row: row * 2, lambda row=row: -row) for row in x],
    "switch": lambda x: [
        ops.switch(ops.cast(x[i, 0], "int32"), [lambda a: a, lambda a: a * 2, lambda a: a * 3], x[i]) for i in range(4)
    ],
    "switch is clamped": lambda x: [
        ops.switch(ops.cast(x[0, i] * 5, "int32"), [ops.sin, ops.cos], x) for i in range(3)
    ],
    "while": lambda x: ops.while_loop(lambda y: ops.sum(ops.abs(y)) < 100.0, lambda y: (y * 1.5,), (x,)),
    "while of one": lambda x: ops.while_loop(lambda y: ops.sum(ops.abs(y)) < 100.0, lambda y: y * 1.5, x),
    "while, never": lambda x: ops.while_loop(lambda y: ops.sum(y) > 1000.0, lambda y: y * 1.5, x),
    "while, at most": lambda x: ops.while_loop(
        lambda y: ops.sum(y) < 1000.0, lambda y: y * 1.5, x, maximum_iterations=3
    ),
    "collatz": lambda x: collatz(ops.cast(x[0, 2] * 9, "int32")),
    "fori": lambda x: ops.fori_loop(1, 5, lambda i, y: y * 0.5 + ops.cast(i, "float32"), x),
    "fori, bounds of the graph": lambda x: ops.fori_loop(
        ops.cast(x[0, 0], "int32"), ops.cast(x[1, 1], "int32"), lambda i, y: y + ops.cast(i, "float32"), x
    ),
    "fori, never": lambda x: ops.fori_loop(5, 1, lambda i, y: y * 2, x),
    "scan": lambda x: ops.scan(lambda c, row: (c * 0.5 + row, {"y": c * row}), x[0], x),
    "scan, reverse": lambda x: ops.scan(lambda c, row: (c * 0.5 + row, c), x[0], x, reverse=True),
    "map": lambda x: ops.map(lambda row: {"s": ops.sum(row), "r": row * row}, x),
    "vectorized_map": lambda x: ops.vectorized_map(lambda row: ops.tanh(row) @ ops.transpose(x) + ops.max(row), x),
    "vectorized_map of several": lambda x: ops.vectorized_map(lambda p: p[0] * p[1][0], (x, (x[:, 1],))),
    "vectorized loops": lambda x: ops.vectorized_map(
        lambda row: ops.while_loop(lambda y: ops.sum(ops.abs(y)) < 50.0, lambda y: y * 2 + 1, row), x
    ),
    "associative_scan": lambda x: ops.associative_scan(lambda a, b: a * 0.5 * b, x),
    "associative_scan, last axis": lambda x: ops.associative_scan(
        lambda a, b: (a[0] + b[0], a[1] * b[1]), (x, x), reverse=True, axis=-1
    ),
    "nested": lambda x: ops.scan(
        lambda c, row: (
            ops.cond(
                ops.sum(row) > 2.0,
                lambda: ops.fori_loop(0, 3, lambda i, y: y + row * ops.cast(i, "float32"), c),
                lambda: ops.while_loop(lambda y: ops.max(y) > 1.0, lambda y: y * 0.7, c),
            ),
            c,
        ),
        x[0],
        x,
    ),
    "remat": lambda x: graphc.remat(lambda y: ops.sin(y) * x)(x),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_as_eagerly(backend: str) -> None:
    with graphc.backend(backend):
        found = graphc.function(lambda x: {name: program(x) for name, program in PROGRAMS.items()})(X)
    for name, program in PROGRAMS.items():
        mine, wanted = (graphc.tree.flatten(part) for part in (found[name], program(ops.convert_to_tensor(X))))
        for a, b in zip(mine, wanted, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)


def test_numbers() -> None:
    assert collatz(ops.convert_to_tensor(27)).numpy().item() == 111
    sums = ops.associative_scan(lambda a, b: a + b, np.arange(9, dtype="float32"))
    np.testing.assert_array_equal(sums.numpy(), np.cumsum(np.arange(9)))
    last, stacked = ops.scan(lambda c, _: (c * 2, c), 1, length=5)
    assert last.numpy().item() == 32 and stacked.numpy().tolist() == [1, 2, 4, 8, 16]


def test_variables_are_carried() -> None:
    def program(v: Any, w: Any, x: Any) -> Any:
        def step(carry: Any, row: Any) -> Any:
            v.assign(v * 0.5 + ops.sum(row) * w)
            return carry, v.value

        stacked = ops.scan(step, 0, x)[1]
        ops.cond(v > 0, lambda: w.assign(w + 1.0), lambda: v.assign(0.0))
        count = ops.while_loop(lambda i: i < 3, lambda i: (i + int_step(v),), (0,))
        index = ops.switch(1, [lambda: v.assign(100.0), lambda: v.assign_add(1.0)])
        return stacked, count, index, graphc.remat(lambda: v.assign(v * 2.0).value)()

    def int_step(v: Any) -> Any:
        v.assign_add(1.0)
        return 1

    found = []
    for run in (lambda f: f, graphc.function):
        v, w = graphc.Variable(1.0), graphc.Variable(2.0)
        for _ in range(2):
            results = run(lambda x, v=v, w=w: program(v, w, x))(ops.convert_to_tensor(X))
            found.append([np.asarray(leaf) for leaf in graphc.tree.flatten(results)] + [v.numpy(), w.numpy()])
    for eager, compiled in zip(found[:2], found[2:], strict=True):
        for a, b in zip(eager, compiled, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_random_numbers_differ_from_step_to_step() -> None:
    generator = random.SeedGenerator(1)

    @graphc.function
    def draw() -> Any:
        return ops.map(lambda _: random.uniform((2,), seed=generator), ops.zeros((4,)))

    first, second = draw().numpy(), draw().numpy()
    assert len(np.unique(np.concatenate([first, second]))) == 16


def test_symbolic_inputs() -> None:
    x = graphc.Input((3,))
    y = ops.cond(ops.sum(x) > 0, lambda: 1.0, lambda: 2.0)
    model = graphc.Model(x, ops.scan(lambda c, row: (c + ops.sum(row), c), 0.0, x)[1] + y)
    np.testing.assert_allclose(model.predict(X, verbose=0), np.cumsum(X.sum(1)) - X.sum(1) + 1.0, rtol=1e-5)


LINE = r"(?s).*test_regions\.py:\d+"
WRONG: dict[str, tuple[Callable[[Any], Any], type[GraphcError], str]] = {
    "no functions": (lambda x: ops.cond(x[0, 0] > 0, x, x), ArgumentError, "takes functions"),
    "no condition": (lambda x: ops.cond(x > 0, lambda: x, lambda: x), ArgumentError, "no single condition.*ops.where"),
    "structures": (lambda x: ops.cond(x[0, 0] > 0, lambda: x, lambda: (x, x)), ArgumentError, "another structure"),
    "types": (
        lambda x: ops.cond(x[0, 0] > 0, lambda: x, lambda: x[0]),
        ShapeError,
        r"`false_fn` of `cond`, compared with `true_fn`, changes the type of result 0.*float32\[3\]",
    ),
    "carry": (lambda x: ops.scan(lambda c, r: (r, c), 0, x), ShapeError, "changes the type of carry 0"),
    "iteration": (lambda x: ops.while_loop(lambda y: x[0, 0] > 0, lambda y: y[0], x), ShapeError, "of variable 0"),
    "body": (
        lambda x: ops.while_loop(lambda y: x[0, 0] > 0, lambda y: (y, y), (x,)),
        ArgumentError,
        "another structure",
    ),
    "limit": (lambda x: ops.while_loop(lambda y: True, lambda y: y, x, -1), ArgumentError, "0 or more"),
    "branches": (lambda x: ops.switch(0, []), ArgumentError, "list of functions"),
    "index": (lambda x: ops.switch(x[0, 0], [lambda: x]), ArgumentError, "scalar integer"),
    "lengths": (lambda x: ops.vectorized_map(lambda p: p[0], (x, x[:2])), ShapeError, "differ in length"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name: str) -> None:
    program, error, message = WRONG[name]
    with pytest.raises(error, match=message if name in ("lengths", "index") else f"(?s){message}"):
        graphc.function(program)(X)


def test_a_variable_that_differs_from_row_to_row() -> None:
    v = graphc.Variable(0.0)

    def row(x: Any) -> Any:
        v.assign(ops.sum(x))
        return x

    with pytest.raises(StateError, match=r"(?s)differs from row to row.*test_regions\.py"):
        ops.vectorized_map(row, X)
    assert float(v) == 0.0
