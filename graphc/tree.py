"""Nested structures (tuples, lists, dictionaries) and their leaves: Keras's functions, implemented with optree."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import optree

from graphc.errors import DataError


def is_nested(structure: Any) -> bool:
    """Whether a value is a list, tuple or dictionary, and not a leaf.

    Example:

    >>> is_nested([1, 2]), is_nested(3)
    (True, False)
    """
    return not optree.tree_is_leaf(structure, none_is_leaf=True)


class MAP_TO_NONE:
    """What a function of `traverse` returns to put None in the place of a part."""


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Applies `func` to a structure and to each part of it, down to the leaves.

    Args:
        func: A function of a part. What it returns takes the place of the part; None leaves it, and `MAP_TO_NONE` puts
            None there.
        structure: The structure.
        top_down: Whether a part comes before its own parts, which are only visited if `func` returned None for it.
            False: after them.

    Returns:
        The structure with what took the place of parts.

    Example:

    >>> traverse(lambda x: tuple(x) if isinstance(x, list) else None, [1, [2]], top_down=False)
    (1, (2,))
    """
    found = func(structure) if top_down else None
    if found is None:
        children, spec = optree.tree_flatten(structure, is_leaf=lambda x: x is not structure, none_is_leaf=True)
        if is_nested(structure):
            structure = optree.tree_unflatten(spec, [traverse(func, child, top_down) for child in children])
        found = None if top_down else func(structure)
    return structure if found is None else None if found is MAP_TO_NONE else found


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


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Pairs of the path and the value of each leaf of `flatten`.

    Example:

    >>> flatten_with_path([{"a": 42}])
    [((0, 'a'), 42)]
    """
    return list(zip(paths(structure), flatten(structure), strict=True))


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

    Raises:
        DataError: if there are no structures, or their nesting differs.
    """
    if len(structures) == 1:
        return optree.tree_map(func, structures[0], none_is_leaf=none_is_leaf)

    def checked(*leaves: Any) -> Any:
        # optree goes as deep as the first structure, and takes what is below for a leaf of the others.
        if not all(optree.tree_is_leaf(leaf, none_is_leaf=none_is_leaf) for leaf in leaves):
            raise _differ(*structures)
        return func(*leaves)

    return _matching(checked, structures, none_is_leaf)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Applies `func` to the parts of structures that are where another structure has its leaves.

    Args:
        shallow_structure: The structure that says how deep to go.
        func: A function with one argument for each structure.
        *structures: Structures of the same nesting down to there.

    Raises:
        DataError: if there are no structures, or one is not nested as deep.

    Example:

    >>> map_structure_up_to([None, [None]], str, [[1, 1], [2]])
    ['[1, 1]', ['2']]
    """
    return _matching(lambda _, *parts: func(*parts), (shallow_structure, *structures) if structures else (), True)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Applies `func` to the shapes in a structure: tuples and lists of integers and None.

    Example:

    >>> map_shape_structure(len, {"a": (None, 3), "b": [(2,)]})
    {'a': 2, 'b': [1]}
    """

    def is_shape(x: Any) -> bool:
        return isinstance(x, list | tuple) and all(isinstance(size, int | None) for size in x)

    return optree.tree_map(func, structure, is_leaf=is_shape, none_is_leaf=True)


def lists_to_tuples(structure: Any) -> Any:
    """The structure with tuples in the place of lists.

    Example:

    >>> lists_to_tuples({"a": [1, [2]]})
    {'a': (1, (2,))}
    """
    return traverse(lambda part: tuple(part) if isinstance(part, list) else None, structure, top_down=False)


def _matching(func: Callable[..., Any], structures: tuple[Any, ...], none_is_leaf: bool) -> Any:
    if not structures:
        raise DataError("a structure is needed", hint="pass one or more after the function")
    try:
        # Leaves first, then the function: an error of the function is none of the structures.
        parts = [optree.tree_structure(structures[0], none_is_leaf=none_is_leaf).flatten_up_to(s) for s in structures]
    except ValueError as error:
        raise _differ(*structures, reason=str(error).splitlines()[0]) from None
    spec = optree.tree_structure(structures[0], none_is_leaf=none_is_leaf)
    return optree.tree_unflatten(spec, [func(*leaves) for leaves in zip(*parts, strict=True)])


def _differ(*structures: Any, reason: str | None = None) -> DataError:
    shown = " and ".join(str(optree.tree_structure(s, none_is_leaf=True)) for s in structures[:2])
    return DataError("the structures differ in their nesting", got=shown, expected=reason)


def pack_sequence_as(structure: Any, flat_sequence: Sequence[Any]) -> Any:
    """Nests a flat sequence of leaves like a structure.

    Raises:
        DataError: if the number of leaves differs.

    Example:

    >>> pack_sequence_as({"a": 0, "b": (0, 0)}, [1, 2, 3])
    {'a': 1, 'b': (2, 3)}
    """
    spec = optree.tree_structure(structure, none_is_leaf=True)
    leaves = list(flat_sequence)
    if spec.num_leaves != len(leaves):
        raise DataError(
            "the number of leaves is another one", got=f"{len(leaves)} values", expected=f"{spec.num_leaves}: {spec}"
        )
    return optree.tree_unflatten(spec, leaves)


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Checks that two structures have the same nesting; all kinds of dictionaries count as one.

    Args:
        a: A structure.
        b: A structure.
        check_types: Without effect, as in Keras.

    Raises:
        DataError: if they do not.
    """
    if check_types is not None:
        text = "check_types has no effect; assert_same_paths is a looser check"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
    map_structure(lambda *_: None, a, b)


def assert_same_paths(a: Any, b: Any) -> None:
    """Checks that the leaves of two structures have the same paths, whatever the types of sequences are.

    Raises:
        DataError: if they do not.

    Example:

    >>> assert_same_paths([0, 1], (2, 3))
    """
    first, second = set(paths(a)), set(paths(b))
    if first != second:
        only = ("a", first - second), ("b", second - first)
        missing = [f"{name} alone has {sorted(found, key=str)}" for name, found in only if found]
        raise DataError("the structures differ in their paths", got=", ".join(missing))
