"""What `fit`, `evaluate` and `predict` are asked for, checked before anything changes."""

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
        least: The least that it may be.
        optional: Whether it may be None.

    Returns:
        The value.

    Raises:
        ArgumentError: if it is none.

    Example:

    >>> whole_number("epochs", 3, 0)
    3
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
    if whole or (optional and value is None):
        return value
    kind = {0: "an integer, 0 or more", 1: "a positive integer"}[least]
    raise _refused(name, value, kind + (", or None" if optional else ""))


def number_of_steps(name: str, value: Any) -> int | None:
    """How many steps were asked for; None where the data tell. As in Keras, 0 leaves it to the data, too."""
    return whole_number(name, value, 0, optional=True) or None


def share_for_validation(value: Any) -> float:
    """The share of samples that is kept for validation.

    Raises:
        ArgumentError: if it is no number from 0 to below 1.
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if value is not None and (not number or not 0 <= value < 1):
        raise _refused("validation_split", value, "a number from 0 to below 1")
    return value or 0.0


def epochs_to_validate(value: Any) -> Any:
    """After which epochs to validate: every how many, or which ones, counted from 1.

    Raises:
        ArgumentError: if it is neither.
    """
    if not isinstance(value, list | tuple | set | range):
        return whole_number("validation_freq", value, 1)
    for epoch in value:
        whole_number("an epoch in validation_freq", epoch, 1)
    return value


def level_of_output(verbose: Any) -> int:
    """How much to show: 0, 1 or 2.

    Raises:
        ArgumentError: if it is something else.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return 1
    if not isinstance(verbose, int | np.integer) or verbose not in (0, 1, 2):
        raise _refused("verbose", verbose, "0, 1, 2 or 'auto'")
    return int(verbose)


def _refused(name: str, value: Any, expected: str) -> ArgumentError:
    shown = repr(value)
    got = shown if len(shown) < 80 else f"{shown[:80]}..."
    return ArgumentError(f"{name} is {expected}", where=describe(user_line()), got=got, expected=expected)
