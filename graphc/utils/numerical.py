"""Labels and vectors in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.tracing import Tensor
from graphc.utils.arguments import argument_error, whole_number


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """One-hot encoding of integer labels.

    Args:
        x: Array of integers.
        num_classes: The number of classes. None: one more than the largest label.

    Returns:
        A NumPy array of floats, with a further axis.

    Raises:
        ArgumentError: if `x` holds no integers.
        DataError: if a label is out of range.

    Example:

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    given = np.asarray(x.array if isinstance(x, Tensor) else x)
    if given.dtype.kind not in "biuf" or (given.dtype.kind == "f" and not np.isfinite(given).all()):
        raise argument_error("x", x, "an array of integers")
    labels = given.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    count = int(labels.max(initial=-1)) + 1 if num_classes is None else whole_number("num_classes", num_classes, 0)
    if labels.size and (labels.min() < 0 or labels.max() >= count):
        wrong = labels[(labels < 0) | (labels >= count)][0]
        raise DataError("a label is out of range", got=f"label {wrong}", expected=f"from 0 to {count - 1}")
    codes = np.zeros((labels.size, count))
    codes[np.arange(labels.size), labels.reshape(-1)] = 1
    return codes.reshape(*labels.shape, count)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Normalizes vectors of a NumPy array to norm one; zero vectors remain zero.

    Example:

    >>> normalize([[3.0, 4.0]]).round(2).tolist()
    [[0.6, 0.8]]
    """
    array = np.asarray(x)
    length = np.atleast_1d(np.linalg.norm(array, order, axis))
    length[length == 0] = 1
    return array / np.expand_dims(length, axis)
