"""Windows over series."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.directory import choice
from graphc.tracing import Tensor
from graphc.utils.arguments import argument_error, whole_number


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """A data set of windows over a series: `data[i], data[i + r], ..., data[i + (sequence_length - 1) * r]`.

    Args:
        data: Array whose first axis is time.
        targets: Array: `targets[i]` belongs to the window that begins at `i`. None: no targets.
        sequence_length: The number of steps in a window.
        sequence_stride: The distance between the beginnings of two windows.
        sampling_rate: The distance `r` between two steps of a window.
        batch_size: The number of windows in a batch. None: no batches.
        shuffle: Whether windows are shuffled, anew in each iteration.
        seed: Of the order. None: a random one.
        start_index: Steps before it are left out. None: 0.
        end_index: Steps from it on are left out. None: none.
        format: `"tf"` or `"grain"`: either gives a data set of graphc.

    Returns:
        A `graphc.data.Dataset` of `(windows, targets)`, or of windows: of shape (batch, sequence_length, ...).

    Raises:
        ArgumentError: if an argument is invalid, or does not fit the length of the series.

    Example:

    >>> ds = timeseries_dataset_from_array(np.arange(6), np.arange(3, 6), sequence_length=3)
    >>> [(windows.tolist(), targets.tolist()) for windows, targets in ds]
    [([[0, 1, 2], [1, 2, 3], [2, 3, 4]], [3, 4, 5])]
    """
    choice("format", format, ("tf", "grain"))
    whole_number("sequence_length", sequence_length, 1)
    whole_number("batch_size", batch_size, 1, optional=True)
    series = _array(data)
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if whole_number(name, value, 1) >= len(series):
            raise argument_error(name, value, f"lower than the length of the data, {len(series)}")
    start, end = _bounds(start_index, end_index, len(series))
    series = series[start:end]
    wanted = None if targets is None else _array(targets)[start:]
    count = len(series) - (sequence_length - 1) * sampling_rate
    beginnings = np.arange(0, count if wanted is None else min(count, len(wanted)), sequence_stride)
    if shuffle:
        seed = int(np.random.randint(10**6)) if seed is None else seed
        np.random.RandomState(seed).shuffle(beginnings)
    offsets = np.arange(sequence_length) * sampling_rate

    def windows(beginning: Tensor) -> Any:
        # One, or those of a batch at once.
        at = beginning.array
        window = Tensor(series[at[..., None] + offsets])
        return window if wanted is None else (window, Tensor(np.asarray(wanted[at])))

    chosen = Dataset.from_tensor_slices(beginnings)
    if shuffle and len(beginnings):
        chosen = chosen.shuffle(len(beginnings), seed=seed)
    if batch_size is not None:
        chosen = chosen.batch(batch_size)
    return chosen.map(windows).prefetch()


def _array(values: Any) -> Any:
    return np.asarray(values.array if isinstance(values, Tensor) else values)


def _bounds(start: Any, end: Any, length: int) -> tuple[int, int]:
    first = whole_number("start_index", start, 0, optional=True) or 0
    if first >= length:
        raise argument_error("start_index", start, f"lower than the length of the data, {length}")
    last = whole_number("end_index", end, 1, optional=True)
    if last is None:
        return first, length
    if last <= first:
        raise argument_error("end_index", end, f"higher than start_index, {first}")
    if last >= length:
        raise argument_error("end_index", end, f"lower than the length of the data, {length}; leave it out for all")
    return first, last
