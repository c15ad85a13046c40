"""Converted functions on Python values do what they do in Python."""

from __future__ import annotations

import contextlib
import functools
import inspect
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tests.transforms.functions  # noqa: F401  (adds its functions to the table)
from graphc.transforms.autograph import convert, converted, do_not_convert
from tests.transforms.cases import CASES
from tests.transforms.programs import Program, define


@contextlib.contextmanager
def manager(log: list[Any], value: Any) -> Iterator[Any]:
    log.append("enter")
    try:
        yield value
    finally:
        log.append("exit")


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as problem:
        return type(problem), str(problem)


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_random_programs(first: int) -> None:
    for seed in range(first, first + 20):
        text = Program(seed, traced=False).text()
        function = define(text, manager=manager)
        made = convert(function)
        assert made is not function
        for args in ((0, 0, 0), (1, 2, 3), (-4, 7, 2), (5, -1, 9), (2, 2, 2), (8, 3, -6)):
            assert outcome(made, *args) == outcome(function, *args), f"{args} of\n{text}"


@pytest.mark.parametrize(("function", "arguments"), CASES, ids=[function.__name__ for function, _ in CASES])
def test_functions(function: Callable[..., Any], arguments: tuple[tuple[Any, ...], ...]) -> None:
    made = convert(function)
    assert made is not function
    for args in arguments:
        assert repr(made(*args)) == repr(function(*args))


def test_metadata_defaults_and_closures_are_kept() -> None:
    count, unit = 0, 10

    def f(a: int, /, b: int = 2, *args: int, c: int = 3, **kwargs: int) -> tuple[Any, ...]:
        """Text."""
        nonlocal count
        if a > 0:
            count += unit
        return a, b, args, c, kwargs

    f.tag = "kept"  # type: ignore[attr-defined]
    made = convert(f)
    assert made(1, 5, 6, c=7, d=8) == (1, 5, (6,), 7, {"d": 8}) and made(-1) == (-1, 2, (), 3, {})
    assert count == 10
    unit = 1
    made(1)
    assert count == 11  # the cells are shared, not copied
    assert inspect.signature(made) == inspect.signature(f) and made.__doc__ == "Text."
    assert (made.__name__, made.__qualname__, made.__module__) == (f.__name__, f.__qualname__, f.__module__)
    assert made.tag == "kept"  # type: ignore[attr-defined]


def test_converting_twice_gives_the_same() -> None:
    def f(x: int) -> int:
        return 1 if x else 2

    made = convert(f)
    assert convert(made) is made and converted(made) is made


def test_lambdas_on_one_line_are_told_apart() -> None:
    first, second, third = (lambda x: x or 1), (lambda x: x and 1), (lambda x: (lambda y: not y)(x))
    for value in (0, 5):
        assert [convert(f)(value) for f in (first, second, third)] == [f(value) for f in (first, second, third)]


def test_tracebacks_show_the_users_lines() -> None:
    text = "def f(n):\n    for i in range(n):\n        if i == 1:\n            raise KeyError('boom')\n    return n\n"
    function = define(text)
    with pytest.raises(KeyError) as caught:
        convert(function)(3)
    frames = [frame for frame in traceback.extract_tb(caught.tb) if frame.filename == function.__code__.co_filename]
    assert [(frame.lineno, frame.name) for frame in frames] == [(2, "f"), (3, "f"), (4, "f")]


def test_functions_without_source_stay() -> None:
    space: dict[str, Any] = {}
    exec("def f(x):\n    return 1 if x else 2\n", space)
    assert convert(space["f"]) is space["f"]
    assert convert(len) is len and convert(np.sum) is np.sum


def test_source_of_another_text_is_not_taken() -> None:
    # The file has changed since: another function begins at the line.
    function = define("def f(x):\n    return 1 if x else 2\n")
    other = define("def f(x, y):\n    return x if y else x\n")
    code = function.__code__.replace(co_filename=other.__code__.co_filename)
    stale = type(function)(code, {})
    assert convert(stale) is stale


def test_what_is_converted_when_it_is_called() -> None:
    @do_not_convert
    def opted_out(x: int) -> int:
        return 1 if x else 2

    def own(x: int) -> int:
        return 1 if x else 2

    class Callable_:
        def __call__(self, x: int) -> int:
            return 1 if x else 2

    for value in (opted_out, np.sum, abs, int, functools.lru_cache(own), Callable_):
        assert converted(value) is value
    bound = Callable_()
    for value in (own, bound, bound.__call__, functools.partial(own)):
        made = converted(value)
        assert made is not value and [made(0), made(1)] == [2, 1]


def test_generators_and_coroutines() -> None:
    def generate(n: int) -> Iterator[int]:
        for i in range(n):
            if i % 2 and not i > 4:
                received = yield i
                if received:
                    return
        yield from (k for k in range(2) if k)

    async def wait(n: int) -> int:
        total = 0
        for i in range(n):
            if i > 1:
                total += await wait(i - 2)
            total += 1
        return total

    def run(coroutine: Any) -> Any:
        with pytest.raises(StopIteration) as stop:
            coroutine.send(None)
        return stop.value.value

    assert list(convert(generate)(8)) == list(generate(8))
    assert run(convert(wait)(4)) == run(wait(4))


def test_globals_are_the_modules() -> None:
    function = define("count = 0\ndef f(n):\n    global count\n    if n:\n        count += n\n    return count\n")
    made = convert(function)
    assert made(2) == 2 and made(3) == 5 and function.__globals__["count"] == 5


def test_finally_and_returns() -> None:
    def f(x: int, log: list[str]) -> int:
        for i in range(3):
            try:
                if i == x:
                    return i
                if x < 0:
                    continue
            finally:
                log.append(f"{i}")
        try:
            return 100 // x
        except ZeroDivisionError:
            return -1
        finally:
            if x == 50:
                return 7  # noqa: B012

    for x in (0, 1, 2, 3, 50, -1):
        logs: tuple[list[str], list[str]] = [], []
        assert convert(f)(x, logs[0]) == f(x, logs[1]) and logs[0] == logs[1]
