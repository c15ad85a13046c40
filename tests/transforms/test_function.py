"""Compiled functions: what is traced, what is compared, what compiles again, and what state is left."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops, random
from graphc.errors import ArgumentError, GraphcError, StateError


def counted(f: Any, **options: Any) -> tuple[Any, list[int]]:
    """A function, and a list with an entry for each time it was traced."""
    runs: list[int] = []

    def traced(*args: Any, **kwargs: Any) -> Any:
        runs.append(1)
        return f(*args, **kwargs)

    return graphc.function(traced, **options), runs


def test_python_values_choose_what_is_traced() -> None:
    f, runs = counted(lambda x, double: x * 2 if double else x + 1)
    x = np.float32(3.0)
    assert [float(f(x, flag)) for flag in (True, False, True, False)] == [6.0, 4.0, 6.0, 4.0]
    assert len(runs) == 2
    g, runs = counted(lambda x, n, name=None: x * n)
    assert [float(g(x, n)) for n in (1, 1.0, True, 2)] == [3.0, 3.0, 3.0, 6.0]
    assert len(runs) == 4  # 1, 1.0 and True are equal in Python, and give other dtypes
    g(x, 2, name="a"), g(x, 2, name="a")
    assert len(runs) == 5


def test_variables_and_objects_are_arguments_by_identity() -> None:
    v, w = graphc.Variable(2.0), graphc.Variable(5.0)
    f, runs = counted(lambda x, u: x * u)
    x = np.float32(3.0)
    assert [float(f(x, u)) for u in (v, w, v)] == [6.0, 15.0, 6.0]
    v.assign(7.0)
    assert float(f(x, v)) == 21.0 and len(runs) == 2
    layer, other = layers.Dense(2), layers.Dense(2)
    g, runs = counted(lambda layer, x: layer(x))
    data = np.ones((1, 3), "float32")
    for one in (layer, other, layer):
        np.testing.assert_allclose(g(one, data).numpy(), one(data).numpy(), rtol=1e-6)
    assert len(runs) == 2


def test_the_second_size_is_symbolic_and_the_third_compiles_nothing() -> None:
    f, runs = counted(lambda x, y: ops.sum(x, axis=1) + y)
    for n in (4, 5, 6, 7, 4):
        x, y = np.ones((n, 3), "float32"), np.arange(n, dtype="float32")
        np.testing.assert_array_equal(f(x, y).numpy(), 3 + y)
    assert len(runs) == 2


def test_symbols_of_unrelated_axes_differ() -> None:
    f, runs = counted(lambda x, y: ops.sum(x) + ops.sum(y))
    for n, m in ((4, 4), (5, 5), (6, 7), (8, 9)):
        assert float(f(np.ones(n, "float32"), np.ones(m, "float32"))) == n + m
    assert len(runs) == 3  # 4 and 4; one symbol; two symbols


def test_a_function_that_needs_known_sizes_compiles_for_each() -> None:
    f, _ = counted(lambda x: x * sum(range(x.shape[0])))
    for n in (3, 4, 5):
        assert f(np.ones(n, "float32")).numpy().tolist() == [n * (n - 1) / 2] * n


def test_sizes_of_one_broadcast() -> None:
    f, _ = counted(lambda x, y: x + y)
    for n, m in ((3, 3), (4, 4), (1, 4), (4, 1), (1, 1), (6, 6)):
        assert f(np.zeros(n, "float32"), np.ones(m, "float32")).shape == (max(n, m),)


def test_recompile_error() -> None:
    f = graphc.function(lambda x, n: x * n, recompile="error")
    f(np.float32(1.0), 2)
    f(np.float32(5.0), 2)
    with pytest.raises(StateError, match=r"(?s)would compile again.*test_function\.py.*argument 'n': 3 after 2"):
        f(np.float32(1.0), 3)
    with pytest.raises(StateError, match=r"float32 of rank 1 after a tensor float32 of rank 0"):
        f(np.ones(2, "float32"), 2)
    with pytest.raises(ArgumentError, match="recompile"):
        graphc.function(lambda x: x, recompile="never")


def test_a_warning_names_what_keeps_changing() -> None:
    f = graphc.function(lambda x, rate: x * rate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(5):
            f(np.float32(1.0), float(i))
    with pytest.warns(UserWarning, match=r"6th time.*argument 'rate': '5\.0' after '4\.0'"):
        f(np.float32(1.0), 5.0)


def test_settings_are_part_of_the_key() -> None:
    f, runs = counted(lambda: ops.ones(()) + 0.5)
    assert f().dtype == "float32"
    with graphc.config.override(floatx="float16"):
        assert f().dtype == "float16"
    with graphc.backend("numpy"):
        f()
    f()
    assert len(runs) == 3


def test_what_it_compiled_to() -> None:
    f = graphc.function(lambda x: ops.sum(x * 2.0))
    x = np.ones((4, 4), "float32")
    f(x)
    assert "sum" in {node.op for node in f.graph().table.values()}
    assert f.lower(x).graph.outputs
    with graphc.backend("cpu"):
        assert f.memory_report(x)["input"] == 64


def test_methods_have_programs_of_their_own() -> None:
    class Scaled:
        def __init__(self, factor: float) -> None:
            self.factor = factor

        @graphc.function
        def __call__(self, x: Any) -> Any:
            return x * self.factor

        @graphc.function
        def twice(self, x: Any) -> Any:
            return x * self.factor * 2.0

    two, three = Scaled(2.0), Scaled(3.0)
    x = np.float32(1.0)
    assert [float(s.twice(x)) for s in (two, three, two)] == [4.0, 6.0, 4.0]
    other = copy.deepcopy(two)
    other.factor = 10.0
    assert float(other.twice(x)) == 20.0 and float(two(x)) == 2.0


def test_nested_functions_are_inlined_and_change_state_once() -> None:
    count = graphc.Variable(0)

    @graphc.function
    def inner(x: Any) -> Any:
        count.assign_add(1)
        return x * 2

    @graphc.function
    def outer(x: Any) -> Any:
        return inner(inner(x))

    assert float(outer(np.float32(1.0))) == 4.0 and int(count) == 2
    assert float(outer(np.float32(1.0))) == 4.0 and int(count) == 4


def test_an_error_leaves_state_as_it_was() -> None:
    v = graphc.Variable(1.0)

    @graphc.function
    def f(x: Any) -> Any:
        v.assign(v + ops.sum(x))
        if x.shape == (3,):
            raise ZeroDivisionError
        return v.value

    f(np.float32(1.0))
    with pytest.raises(ZeroDivisionError):
        f(np.ones(3, "float32"))
    assert float(v) == 2.0 and float(f(np.float32(1.0))) == 3.0


def test_a_variable_has_no_numpy_value_in_a_graph() -> None:
    v = graphc.Variable(1.0, name="weight")

    @graphc.function
    def f() -> Any:
        v.assign(v * 2)
        return v.numpy()

    with pytest.raises(StateError, match=r"(?s)no values yet.*test_function\.py.*weight"):
        f()
    assert float(v) == 1.0


def test_random_numbers_count_on() -> None:
    generator = random.SeedGenerator(5)

    @graphc.function
    def draws() -> Any:
        def step(carry: Any, _: Any) -> Any:
            return carry, random.uniform((), seed=generator)

        return random.uniform((2,), seed=generator), ops.scan(step, 0, length=3)[1], random.normal((2,))

    graphc.utils.set_random_seed(1)
    first, second = ([part.numpy() for part in draws()] for _ in range(2))
    values = np.concatenate([*first, *second])
    assert len(set(values.tolist())) == len(values)
    eager = random.SeedGenerator(5)
    wanted = [random.uniform((2,), seed=eager).numpy(), *(random.uniform((), seed=eager).numpy() for _ in range(3))]
    np.testing.assert_allclose(np.concatenate([first[0], first[1]]), np.hstack(wanted), rtol=1e-6)
    graphc.utils.set_random_seed(1)
    np.testing.assert_array_equal(draws()[2].numpy(), first[2])


def test_stateless_scopes() -> None:
    v = graphc.Variable([1.0, 2.0])
    f = graphc.function(lambda: v.assign_add([1.0, 1.0]) * 2.0)
    with graphc.StatelessScope([(v, [10.0, 20.0])]) as scope:
        result = f()
    assert result.numpy().tolist() == [22.0, 42.0]
    assert scope.get_current_value(v).numpy().tolist() == [11.0, 21.0] and v.numpy().tolist() == [1.0, 2.0]
    with pytest.raises(GraphcError, match="cannot take this value"):
        graphc.StatelessScope([(v, 1.0)])


def test_not_a_function() -> None:
    with pytest.raises(ArgumentError, match=r"(?s)takes a function.*test_function\.py"):
        graphc.function(3)


@pytest.mark.parametrize("kind", ["method", "keywords", "class", "static", "property", "subclass", "slots"])
def test_methods_of_every_kind(kind: str) -> None:
    traced: list[str] = []
    x = np.float32(1.0)

    class Scaled:
        factor = 10.0

        def __init__(self, factor: float) -> None:
            self.factor = factor

        @graphc.function(input_signature=None, reduce_retracing=True)
        def method(self, x: Any, scale: Any = 1.0, *, offset: Any = 0.0) -> Any:
            traced.append("method")
            return x * self.factor * scale + offset

        @classmethod
        @graphc.function
        def of_class(cls, x: Any) -> Any:
            traced.append("class")
            return x * cls.factor

        @staticmethod
        @graphc.function
        def static(x: Any) -> Any:
            traced.append("static")
            return x * 7.0

        @property
        @graphc.function
        def double(self) -> Any:
            traced.append("property")
            return ops.convert_to_tensor(self.factor) * 2.0

    class Other(Scaled):
        factor = 20.0

    class Slotted:
        __slots__ = ("factor",)
        method = Scaled.method

    one, other, slotted = Scaled(2.0), Other(3.0), Slotted()
    slotted.factor = 4.0  # type: ignore[attr-defined]
    calls: dict[str, list[tuple[Callable[[], Any], float]]] = {
        "method": [(lambda: one.method(x), 2.0), (lambda: other.method(x), 3.0)],
        "keywords": [(lambda: one.method(x, scale=2.0), 4.0), (lambda: one.method(x, offset=1.0), 3.0)],
        "class": [(lambda: Scaled.of_class(x), 10.0), (lambda: one.of_class(x), 10.0)],
        "static": [(lambda: Scaled.static(x), 7.0), (lambda: one.static(x), 7.0)],
        "property": [(lambda: one.double, 4.0), (lambda: other.double, 6.0)],
        "subclass": [(lambda: Other.of_class(x), 20.0), (lambda: Scaled.of_class(x), 10.0)],
        "slots": [(lambda: slotted.method(x), 4.0)],
    }
    for call, wanted in calls[kind]:
        assert float(call()) == wanted
    count = len(traced)
    for call, wanted in calls[kind]:
        assert float(call()) == wanted
    assert len(traced) == count or kind == "slots"
