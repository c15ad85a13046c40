"""The table of functions that are converted, with arguments for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CASES: list[tuple[Callable[..., Any], tuple[tuple[Any, ...], ...]]] = []


def case(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds a function to the table, with the arguments of several calls: tuples, or single values."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append((function, tuple(each if isinstance(each, tuple) else (each,) for each in arguments)))
        return function

    return add
