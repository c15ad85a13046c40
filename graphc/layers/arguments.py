"""The arguments of `call` and `build` by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from graphc.frames import warn


@lru_cache(maxsize=1024)
def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function."""
    return inspect.signature(function)


@lru_cache(maxsize=1024)
def _plain_names(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """The parameters' names, without `self`; None if there are others than those given by position or by name."""
    parameters = list(signature_of(function).parameters.values())
    plain = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
    return tuple(parameter.name for parameter in parameters[1:]) if plain else None


def given_arguments(
    function: Callable[..., Any], owner: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a method that a caller gives, by name, in the order of the parameters.

    Args:
        function: The method, as a function of its class.
        owner: The object whose method it is.
        args: Positional arguments.
        kwargs: Keyword arguments.

    Raises:
        TypeError: if they do not fit.
    """
    names = _plain_names(function)
    # `inspect` takes ten times as long, which is longer than small layers take.
    if names is not None and len(args) <= len(names):
        given = dict(zip(names, args, strict=False))
        given.update({name: kwargs[name] for name in names[len(args) :] if name in kwargs})
        if len(given) == len(args) + len(kwargs):
            return given
    bound = signature_of(function).bind_partial(owner, *args, **kwargs).arguments
    return dict(list(bound.items())[1:])


def legacy_shape(given: dict[str, Any]) -> tuple[int | None, ...] | None:
    """Takes the shape of the inputs, batch included, out of a layer's arguments that have it under an old name."""
    found = [name for name in ("input_dim", "input_shape", "batch_input_shape") if given.get(name) is not None]
    old = {name: given.pop(name, None) for name in ("input_dim", "input_shape", "batch_input_shape")}
    if not found:
        return None
    warn(f"do not pass {found[0]} to a layer: begin the Sequential with an Input instead")
    if found[0] == "input_dim":
        return (None, old["input_dim"])
    sizes = old[found[0]]
    shape = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    return shape if found[0] == "batch_input_shape" else (None, *shape)
