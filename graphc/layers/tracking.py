"""Parts of a layer: the layers, variables, metrics and seed generators in its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from types import FunctionType
from typing import Any, TypeVar

from graphc.random import SeedGenerator
from graphc.tracing import Operation, Variable

T = TypeVar("T")


def parts(owner: object, skipped: Set[str]) -> Iterator[Any]:
    """The parts in an object's attributes and in their lists, tuples, sets and dictionaries, in the order of creation.

    The attributes are searched at each call, so that parts which a user appends to a list later are included.
    """
    for name, value in vars(owner).items():
        # Most attributes are plain values, which are skipped first: the search is frequent.
        if type(value) in _PLAIN or name in skipped:
            continue
        if isinstance(value, _CONTAINERS):
            yield from _within(value, set())
        elif isinstance(value, _TRACKED) or is_metric(value):
            yield value


_PLAIN = frozenset((bool, int, float, str, type(None), FunctionType))
_TRACKED = (Operation, Variable, SeedGenerator)
_CONTAINERS = (list, tuple, set, dict)


def _within(value: Any, around: Set[int]) -> Iterator[Any]:
    """The parts in a value; a container that contains itself is searched once."""
    if isinstance(value, _CONTAINERS):
        if id(value) not in around:
            for part in value.values() if isinstance(value, dict) else value:
                yield from _within(part, {*around, id(value)})
    elif isinstance(value, _TRACKED) or is_metric(value):
        yield value


def is_metric(value: Any) -> bool:
    """Whether a value has the interface of a metric."""
    return hasattr(value, "update_state") and hasattr(value, "reset_state") and hasattr(value, "result")


def unique(things: Iterable[T]) -> list[T]:
    """The distinct objects, in the order of their first occurrence."""
    seen: set[int] = set()
    result = []
    for thing in things:
        if id(thing) not in seen:
            seen.add(id(thing))
            result.append(thing)
    return result
