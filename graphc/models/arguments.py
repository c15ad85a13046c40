"""Checks of the arguments of `fit`, `evaluate` and `predict`, made before any state changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import config
from graphc.utils.arguments import argument_error, number, whole_number


def checked_steps(name: str, value: Any) -> int | None:
    """A number of steps; None if the data determine it. As in Keras, 0 means None."""
    return whole_number(name, value, 0, optional=True) or None


def limited_steps(steps: int | None) -> int | None:
    """A number of steps, at most `config.max_steps_per_epoch()`; None: not known before they have run."""
    limit = config.max_steps_per_epoch()
    return steps if limit is None else limit if steps is None else min(steps, limit)


def limited_epochs(epochs: int) -> int:
    """A number of epochs, at most `config.max_epochs()`."""
    limit = config.max_epochs()
    return epochs if limit is None else min(epochs, limit)


def validation_fraction(value: Any) -> float:
    """The fraction of the samples that is held out for validation.

    Raises:
        ArgumentError: if it is no number from 0 to below 1.
    """
    share = number("validation_split", value, optional=True) or 0.0
    if not 0 <= share < 1:
        raise argument_error("validation_split", value, "a number from 0 to below 1")
    return float(share)


def shuffle_mode(value: Any) -> Any:
    """How an epoch shuffles: samples (True), whole batches (`"batch"`), or nothing (False, None).

    Raises:
        ArgumentError: if it is none of these.
    """
    if isinstance(value, bool | np.bool_ | None) or (isinstance(value, str) and value == "batch"):
        return value
    if isinstance(value, int | np.integer) and value in (0, 1):
        return bool(value)
    raise argument_error("shuffle", value, "True, False or 'batch'")


def validation_frequency(value: Any) -> Any:
    """The epochs that are followed by validation: every n-th, or a list of epochs counted from 1.

    Raises:
        ArgumentError: if it is neither.
    """
    if not isinstance(value, list | tuple | set | range):
        return whole_number("validation_freq", value, 1)
    for epoch in value:
        whole_number("an epoch in validation_freq", epoch, 1)
    return value


def verbosity(verbose: Any) -> int:
    """The verbosity: 0, 1 or 2.

    Raises:
        ArgumentError: if it is something else.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return 1
    if not isinstance(verbose, int | np.integer) or verbose not in (0, 1, 2):
        raise argument_error("verbose", verbose, "0, 1, 2 or 'auto'")
    return int(verbose)
