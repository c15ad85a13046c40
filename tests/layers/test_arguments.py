"""Arguments by name: as `inspect` binds them, for all forms of parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from graphc.layers.arguments import given_arguments


def plain(self: Any, x: Any, mask: Any = None, training: Any = None) -> None: ...


def by_name(self: Any, x: Any, *, training: Any = None) -> None: ...


def variadic(self: Any, *xs: Any, training: Any = None, **rest: Any) -> None: ...


def by_position(self: Any, x: Any, /, y: Any = None) -> None: ...


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3), {}),
    ((1, 2, 3, 4), {}),
    ((1,), {"training": True}),
    ((1,), {"training": True, "mask": 2}),
    ((), {"training": True, "x": 1}),
    ((1,), {"x": 1}),
    ((1,), {"unknown": 1}),
    ((), {"y": 1}),
]


@pytest.mark.parametrize("call", CALLS, ids=repr)
@pytest.mark.parametrize("function", [plain, by_name, variadic, by_position])
def test_arguments_are_bound_as_python_does(
    function: Callable[..., None], call: tuple[tuple[Any, ...], dict[str, Any]]
) -> None:
    args, kwargs = call
    try:
        expected = inspect.signature(function).bind_partial(None, *args, **kwargs).arguments
    except TypeError:
        with pytest.raises(TypeError):
            given_arguments(function, None, args, kwargs)
        return
    assert list(given_arguments(function, None, args, kwargs).items()) == list(expected.items())[1:]
