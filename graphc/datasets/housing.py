"""The common parts of the two data sets of houses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphc.datasets.fetch import Resource, fetch
from graphc.datasets.pickles import read_lists
from graphc.errors import DataError
from graphc.utils.arguments import argument_error, number

Part = tuple[NDArray[Any], NDArray[Any]]


def load(file: Resource, test_split: float, seed: int, rows: int | None = None) -> tuple[Part, Part]:
    """Loads the features and prices of a data set in a random order, split for training and testing.

    Args:
        file: The `.npz` file.
        test_split: The part of the rows for testing, from 0 to below 1.
        seed: Of the order.
        rows: How many rows are used. None: all.

    Raises:
        ArgumentError: if an argument is invalid.
        FileError: if the file is not on this machine and cannot be downloaded.
        DataError: if the download has an unexpected content.
    """
    if not 0 <= number("test_split", test_split) < 1:
        raise argument_error("test_split", test_split, "a number from 0 to below 1")
    x, y = (array[:rows] for array in read_lists(fetch(file, group=".").content, ("x", "y"), file.name))
    if x.ndim != 2 or len(x) != len(y):
        raise DataError(f"{file.name} is not what it should be", got=f"features {x.shape}, prices {y.shape}")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    boundary = int(len(x) * (1 - test_split))
    return (x[:boundary], y[:boundary]), (x[boundary:], y[boundary:])
