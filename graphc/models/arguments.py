"""What `fit`, `evaluate` and `predict` are asked for, checked before anything changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.utils.arguments import number, refused, whole_number


def number_of_steps(name: str, value: Any) -> int | None:
    """How many steps were asked for; None where the data tell. As in Keras, 0 leaves it to the data, too."""
    return whole_number(name, value, 0, optional=True) or None


def share_for_validation(value: Any) -> float:
    """The share of samples that is kept for validation.

    Raises:
        ArgumentError: if it is no number from 0 to below 1.
    """
    share = number("validation_split", value, optional=True) or 0.0
    if not 0 <= share < 1:
        raise refused("validation_split", value, "a number from 0 to below 1")
    return float(share)


def way_to_shuffle(value: Any) -> Any:
    """How samples are mixed in each pass: all of them (True), whole batches (`"batch"`), or not at all.

    Raises:
        ArgumentError: if it is none of these.
    """
    if isinstance(value, bool | np.bool_ | None) or (isinstance(value, str) and value == "batch"):
        return value
    if isinstance(value, int | np.integer) and value in (0, 1):
        return bool(value)
    raise refused("shuffle", value, "True, False or 'batch'")


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
        raise refused("verbose", verbose, "0, 1, 2 or 'auto'")
    return int(verbose)
