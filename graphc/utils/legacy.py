"""Configurations in the form from before Keras 3: `{"class_name": ..., "config": ...}`, or the name of a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import ArgumentError
from graphc.registration import choices, get_custom_objects, get_registered_name, get_registered_object
from graphc.tracing import describe, user_line


def serialize_keras_object(instance: Any) -> Any:
    """An object, or a function, in the old form.

    Args:
        instance: An object with `get_config`, a function, or None.

    Raises:
        ArgumentError: if it is none of these.

    Example:

    >>> from graphc import regularizers
    >>> serialize_keras_object(regularizers.L1(0.5))
    {'class_name': 'L1', 'config': {'l1': 0.5}}
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": get_registered_name(type(instance)), "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
    raise ArgumentError("this cannot be serialized", where=describe(user_line()), got=repr(instance)[:80])


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object, or function, that a configuration in the old form describes.

    Args:
        identifier: A configuration, the name of a function or class, a function, or None.
        module_objects: Dictionary of name to class or function.
        custom_objects: Likewise; its names go before.
        printable_module_name: What the object is, in messages.

    Raises:
        ArgumentError: if the name is unknown, or the configuration has another form.
    """
    if identifier is None or callable(identifier):
        return identifier
    if isinstance(identifier, Mapping):
        if not {"class_name", "config"} <= set(identifier):
            raise _unknown(printable_module_name, identifier, "a dictionary of class_name and config")
        found = _found(identifier["class_name"], module_objects, custom_objects, printable_module_name)
        config = dict(identifier["config"])
        return found.from_config(config) if hasattr(found, "from_config") else found(**config)
    if isinstance(identifier, str):
        found = _found(identifier, module_objects, custom_objects, printable_module_name)
        return found() if isinstance(found, type) else found
    raise _unknown(printable_module_name, identifier, "a configuration, or a name")


def _found(name: Any, module_objects: Mapping[str, Any] | None, custom: Mapping[str, Any] | None, kind: str) -> Any:
    known = {**(module_objects or {}), **get_custom_objects(), **(custom or {})}
    found = known.get(name) or get_registered_object(name)
    if found is None:
        raise _unknown(kind, name, choices(str(name), known) or "a name in module_objects or custom_objects")
    return found


def _unknown(kind: str, got: Any, expected: str) -> ArgumentError:
    return ArgumentError(f"this is no known {kind}", where=describe(user_line()), got=repr(got)[:80], expected=expected)
