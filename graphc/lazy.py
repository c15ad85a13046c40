"""Attributes of packages that are imported when they are first used (PEP 562), from one table a package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def attributes(
    package: str, submodules: Iterable[str], members: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Makes the `__getattr__` and `__dir__` of a package.

    Args:
        package: Its name.
        submodules: The names of modules of it.
        members: Where else an attribute comes from: the module that has it, by the attribute's name.

    Returns:
        Both functions. What was asked for once is an attribute like any other.

    Example:

    >>> get, names = attributes("graphc", ["errors"], {"size": "graphc.dims"})
    >>> get("errors").__name__, get("size").__name__, {"errors", "size"} <= set(names())
    ('graphc.errors', 'size', True)
    """
    homes = {name: f"{package}.{name}" for name in submodules}
    found_in = dict(members or {})

    def get(name: str) -> Any:
        if name in homes:
            return import_module(homes[name])  # which makes it an attribute of its package
        if name not in found_in:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(found_in[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes, *found_in})

    return get, names
