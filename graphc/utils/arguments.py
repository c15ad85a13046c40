"""Checks of users' arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.tracing import describe, user_line


def whole_number(name: str, value: Any, least: int, optional: bool = False) -> Any:
    """Checks that an argument is an integer.

    Args:
        name: Its name.
        value: Its value.
        least: The minimum.
        optional: Whether it may be None.

    Returns:
        The value.

    Raises:
        ArgumentError: if it is not.

    Example:

    >>> whole_number("epochs", 3, 0)
    3
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
    if whole or (optional and value is None):
        return value
    kind = {0: "an integer, 0 or more", 1: "a positive integer"}[least]
    raise argument_error(name, value, kind + (", or None" if optional else ""))


def number(name: str, value: Any, optional: bool = False, least: float | None = None) -> Any:
    """Checks that an argument is a number, and not NaN; returns it.

    Args:
        name: Its name.
        value: Its value.
        optional: Whether it may be None.
        least: The minimum. None: no minimum.

    Raises:
        ArgumentError: if it is not.

    Example:

    >>> number("factor", 0.5)
    0.5
    """
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if (real and not np.isnan(value) and (least is None or value >= least)) or (optional and value is None):
        return value
    kind = "a number" if least is None else f"a number, {least} or more"
    raise argument_error(name, value, kind + (", or None" if optional else ""))


def argument_error(name: str, value: Any, expected: str) -> ArgumentError:
    """The error for an invalid argument."""
    shown = repr(value)
    got = shown if len(shown) < 80 else f"{shown[:80]}..."
    return ArgumentError(f"{name} is {expected}", where=describe(user_line()), got=got, expected=expected)
