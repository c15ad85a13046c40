"""One data set as two."""

from __future__ import annotations

import random as _python_random
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.elements import as_element
from graphc.errors import ArgumentError, DataError, DTypeError
from graphc.tracing import Tensor, describe, user_line
from graphc.utils.arguments import argument_error


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: Any = None,
) -> tuple[Dataset, Dataset]:
    """Splits samples in two: the first ones and the last ones. All samples are held in memory.

    Args:
        dataset: A `graphc.data.Dataset`, an array, a list or tuple of arrays of one length, or another data set with a
            length and indices.
        left_size: The number of samples in the left part, or a fraction of all. None: what the right one leaves.
        right_size: Likewise.
        shuffle: Whether samples are shuffled before.
        seed: Of the order. None: a random one.
        preferred_backend: Accepted as in Keras.

    Returns:
        Two data sets; of a data set of batches, two of batches of the same size.

    Raises:
        ArgumentError: if sizes do not fit.
        DTypeError: if a size is no number, or the data set is of another type.
        DataError: if arrays differ in length, or there are no samples.

    Example:

    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), [int(x) for x in right]
    (8, [8, 9])
    """
    samples, batch_size = _samples(dataset)
    if not samples:
        raise DataError("there are no samples to split", where=describe(user_line()))
    left, right = _sizes(left_size, right_size, len(samples))
    if shuffle:
        key = _python_random.randint(0, 10**6) if seed is None else seed
        _python_random.Random(key).shuffle(samples)
    parts = _dataset(samples[:left], batch_size), _dataset(samples[-right:], batch_size)
    return parts


def _dataset(samples: Sequence[Any], batch_size: int | None) -> Dataset:
    result = Dataset(lambda: iter(samples), len(samples))
    return result if batch_size is None else result.batch(batch_size)


def _samples(dataset: Any) -> tuple[list[Any], int | None]:
    """The samples of a data set, and the number of samples in its batches."""
    if isinstance(dataset, Dataset):
        size = dataset.batch_size
        return list(dataset if size is None else dataset.unbatch()), size
    if isinstance(dataset, np.ndarray | Tensor):
        return list(Dataset.from_tensor_slices(dataset)), None
    if isinstance(dataset, list | tuple):
        for i, part in enumerate(dataset):
            if not isinstance(part, np.ndarray | Tensor):
                raise DataError(
                    "a list to split is one of arrays", where=describe(user_line()), got=f"{type(part)} at index {i}"
                )
        return list(Dataset.from_tensor_slices(tuple(dataset))) if dataset else [], None
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):  # such as a data set of PyTorch
        return [as_element(_tuple(dataset[i])) for i in range(len(dataset))], None
    raise DTypeError(
        "this is no data set",
        where=describe(user_line()),
        got=type(dataset).__name__,
        expected="a `graphc.data.Dataset`, arrays, or an object with a length and indices",
    )


def _tuple(sample: Any) -> Any:
    return tuple(sample) if isinstance(sample, list) else sample


def _sizes(left: Any, right: Any, total: int) -> tuple[int, int]:
    """The number of samples in both parts."""
    if left is None and right is None:
        raise ArgumentError("left_size or right_size is needed", where=describe(user_line()), got="neither")
    for name, size in (("left_size", left), ("right_size", right)):
        if size is not None and type(size) not in (int, float):
            raise DTypeError(
                f"{name} is an integer or a fraction", where=describe(user_line()), got=f"{size!r}, {type(size)}"
            )
        if size is not None and not 0 < size < (1 if isinstance(size, float) else total):
            raise argument_error(name, size, f"an integer from 1 to {total - 1}, or a number between 0 and 1")
    counts = [round(size * total) if isinstance(size, float) else size for size in (left, right)]
    first = total - counts[1] if counts[0] is None else counts[0]
    second = total - first if counts[1] is None else counts[1]
    both = isinstance(left, float) and isinstance(right, float) and left + right > 1
    if both or first + second > total:
        raise argument_error("left_size", f"{left}, with right_size {right}", f"at most {total} samples together")
    if not first or not second:
        raise argument_error("left_size", f"{left}, with right_size {right}", "a sample or more for both parts")
    return first, second
