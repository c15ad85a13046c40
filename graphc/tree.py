"""Nested structures (tuples, lists, dictionaries) and their leaves: Keras's functions, implemented with optree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree


def is_nested(structure: Any) -> bool:
    """Whether a value is a list, tuple or dictionary, and not a leaf.

    Example:

    >>> is_nested([1, 2]), is_nested(3)
    (True, False)
    """
    return not optree.tree_is_leaf(structure)


def flatten(structure: Any) -> list[Any]:
    """The leaves of a structure in order; dictionaries are traversed in the order of their sorted keys. None is a leaf.

    Example:

    >>> flatten({"b": [1, 2], "a": 3})
    [3, 1, 2]
    """
    leaves: list[Any] = optree.tree_leaves(structure, none_is_leaf=True)
    return leaves


def paths(structure: Any) -> list[tuple[Any, ...]]:
    """The path of each leaf of `flatten` in a structure: a tuple of keys and positions.

    Example:

    >>> paths({"b": [1, 2], "a": 3})
    [('a',), ('b', 0), ('b', 1)]
    """
    return optree.tree_paths(structure, none_is_leaf=True)


def flatten_with_spec(structure: Any) -> tuple[list[Any], Any]:
    """The leaves of a structure and its tree spec, from which `unflatten` builds it again. None is not a leaf."""
    leaves, spec = optree.tree_flatten(structure)
    return leaves, spec


def unflatten(spec: Any, leaves: Sequence[Any]) -> Any:
    """The structure that a tree spec of `flatten_with_spec` describes, with these leaves."""
    return optree.tree_unflatten(spec, leaves)


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Applies `func` to the leaves of a structure, or to the corresponding leaves of several structures.

    Args:
        func: A function with one argument for each structure.
        *structures: Structures of the same nesting.
        none_is_leaf: Whether `func` is called on None.

    Example:

    >>> map_structure(lambda a, b: a + b, [1, (2,)], [10, (20,)])
    [11, (22,)]
    """
    return optree.tree_map(func, structures[0], *structures[1:], none_is_leaf=none_is_leaf)


def pack_sequence_as(structure: Any, flat_sequence: Sequence[Any]) -> Any:
    """Nests a flat sequence of leaves like a structure.

    Raises:
        ValueError: if the number of leaves differs.

    Example:

    >>> pack_sequence_as({"a": 0, "b": (0, 0)}, [1, 2, 3])
    {'a': 1, 'b': (2, 3)}
    """
    return optree.tree_unflatten(optree.tree_structure(structure, none_is_leaf=True), flat_sequence)


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Checks that two structures have the same nesting.

    Raises:
        ValueError: if they do not.
    """
    first, second = (optree.tree_structure(x, none_is_leaf=True) for x in (a, b))
    if first != second:
        raise ValueError(f"the structures differ: {first} and {second}")
