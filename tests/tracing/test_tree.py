"""Nested structures: every function beside Keras's."""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc import tree

os.environ["KERAS_BACKEND"] = "jax"
import keras

Point = namedtuple("Point", ["x", "y"])
Other = namedtuple("Other", ["x", "y"])
STRUCTURES = (
    *(1, None, "text", (), [], {}, [1], (None,), [None, [1]], (1, [2, {"b": 3, "a": (4, 5)}]), {"b": [1], "a": {}}),
    *(
        Point(1, [2]),
        [Point(1, 2), Other(3, 4)],
        OrderedDict([("b", 1), ("a", [2])]),
        defaultdict(int, {"z": 1, "y": 2}),
    ),
    *(deque([1, [2]]), {1: "x", 0: [None]}, [(2, None), [3]], {"a": (3, 4), "b": [(None,)]}, [[[]], ((),)]),
)


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the kind of its error."""
    try:
        return call()
    except (ValueError, TypeError) as error:
        return ValueError if isinstance(error, ValueError) else TypeError


def both(use: Callable[[Any], Any]) -> tuple[Any, Any]:
    return outcome(lambda: use(tree)), outcome(lambda: use(keras.tree))


def replaced(module: Any, x: Any) -> Any:
    if isinstance(x, list):
        return tuple(x)
    return module.MAP_TO_NONE if x == 1 else x * 2 if isinstance(x, int) and x > 1 else None


@pytest.mark.parametrize("structure", STRUCTURES, ids=str)
def test_functions_of_one_structure(structure: Any) -> None:
    uses: list[Callable[[Any], Any]] = [
        lambda t: t.is_nested(structure),
        lambda t: t.flatten(structure),
        lambda t: t.flatten_with_path(structure),
        lambda t: t.map_structure(lambda x: (x, x), structure),
        lambda t: t.map_structure(lambda x: [x], structure, none_is_leaf=False),
        lambda t: t.map_shape_structure(lambda x: str(x), structure),
        lambda t: t.lists_to_tuples(structure),
        lambda t: t.pack_sequence_as(structure, [str(x) for x in t.flatten(structure)]),
        lambda t: t.pack_sequence_as(structure, list(range(3))),
        lambda t: t.traverse(lambda x: replaced(t, x), structure),
        lambda t: t.traverse(lambda x: replaced(t, x), structure, top_down=False),
    ]
    for use in uses:
        found, expected = both(use)
        assert found == expected and type(found) is type(expected)
    for top_down in (True, False):
        visited: tuple[list[Any], list[Any]] = ([], [])
        for module, seen in zip((tree, keras.tree), visited, strict=True):
            module.traverse(seen.append, structure, top_down)
        assert visited[0] == visited[1]


@pytest.mark.parametrize("a", STRUCTURES, ids=str)
def test_functions_of_two_structures(a: Any) -> None:
    for b in STRUCTURES:
        uses: list[Callable[[Any], Any]] = [
            lambda t, b=b: t.assert_same_structure(a, b),
            lambda t, b=b: t.assert_same_paths(a, b),
            lambda t, b=b: t.map_structure(lambda x, y: (x, y), a, b),
            lambda t, b=b: t.map_structure(lambda x, y: (x, y), a, b, none_is_leaf=False),
        ]
        if None not in tree.flatten(a):  # where Keras refuses what its documentation shows
            uses.append(lambda t, b=b: t.map_structure_up_to(a, lambda x: [x], b))
        for use in uses:
            found, expected = both(use)
            assert found == expected, (b, use)


def test_none_is_a_leaf_of_a_shallow_structure() -> None:
    assert tree.map_structure_up_to([None, [None, None]], str, [[1, 1], [2, 2]]) == ["[1, 1]", ["2", "2"]]


def test_what_is_refused() -> None:
    for use in (
        lambda t: t.map_structure(lambda: 1),
        lambda t: t.map_structure_up_to([1], lambda: 1),
        lambda t: t.traverse(3, [1]),
    ):
        found, expected = both(use)
        assert found is expected and found in (ValueError, TypeError)

    def fails(a: Any, b: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tree.map_structure(fails, [1], [2])
    with pytest.warns(DeprecationWarning, match="no effect"):
        tree.assert_same_structure(np.ones(2), 3, check_types=True)
