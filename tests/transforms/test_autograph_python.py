"""Converted functions on Python values do what they do in Python."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graphc.transforms.autograph import convert
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


@pytest.mark.parametrize("first", range(0, 400, 20))
def test_random_programs(first: int) -> None:
    for seed in range(first, first + 20):
        text = Program(seed, traced=False).text()
        function = define(text, manager=manager)
        converted = convert(function)
        assert converted is not function
        for args in ((0, 0, 0), (1, 2, 3), (-4, 7, 2), (5, -1, 9), (2, 2, 2), (8, 3, -6)):
            assert outcome(converted, *args) == outcome(function, *args), f"{args} of\n{text}"
