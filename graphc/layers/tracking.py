"""What belongs to a layer: the layers, variables, metrics and seed generators in its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from types import FunctionType
from typing import Any, TypeVar

from graphc.random import SeedGenerator
from graphc.tracing import Operation, Variable

T = TypeVar("T")


def parts(owner: object, skipped: Set[str]) -> Iterator[Any]:
    """The attributes of an object, those in lists, tuples, sets and dictionaries included, in the order they were set.

    Attributes are looked through each time they are asked for, so that what a user appends to a list later counts too.
    """
    for name, value in vars(owner).items():
        # Most attributes are plain values, and every weight of a model is looked for many times.
        if name not in skipped and type(value) not in _PLAIN:
            yield from _within(value, set())


_PLAIN = frozenset((bool, int, float, str, type(None), FunctionType))
_TRACKED = (Operation, Variable, SeedGenerator)
_CONTAINERS = (list, tuple, set, dict)


def _within(value: Any, around: Set[int]) -> Iterator[Any]:
    """The parts in a value; a container that holds itself is looked through once."""
    if isinstance(value, _CONTAINERS):
        if id(value) not in around:
            for part in value.values() if isinstance(value, dict) else value:
                yield from _within(part, {*around, id(value)})
    elif isinstance(value, _TRACKED) or is_metric(value):
        yield value


def is_metric(value: Any) -> bool:
    """Whether something accumulates a metric."""
    return hasattr(value, "update_state") and hasattr(value, "reset_state") and hasattr(value, "result")


def unique(things: Iterable[T]) -> list[T]:
    """Each thing once, in the order of its first appearance."""
    seen: set[int] = set()
    result = []
    for thing in things:
        if id(thing) not in seen:
            seen.add(id(thing))
            result.append(thing)
    return result
