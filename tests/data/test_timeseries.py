"""Windows over series and splits, beside definitions and Keras's own shuffling; arrays of pandas and polars."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.data import Dataset
from graphc.errors import ArgumentError, DataError, DTypeError
from graphc.utils import split_dataset, timeseries_dataset_from_array

SERIES = np.arange(40, dtype="float64").reshape(20, 2)
TARGETS = np.arange(100, 120)


@pytest.mark.parametrize("targets", [None, TARGETS, TARGETS[:6]])
@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sequence_stride": 3},
        {"sampling_rate": 2},
        {"sequence_stride": 2, "sampling_rate": 3, "batch_size": 2},
        {"start_index": 2, "end_index": 15, "batch_size": None},
        {"start_index": 5},
        {"end_index": 12, "sampling_rate": 2},
    ],
)
def test_windows(length: int, targets: Any, options: dict[str, Any]) -> None:
    stride, rate = options.get("sequence_stride", 1), options.get("sampling_rate", 1)
    start, end = options.get("start_index", 0), options.get("end_index", 20)
    count = end - start - (length - 1) * rate
    count = count if targets is None else min(count, len(targets) - start)
    expected = [SERIES[start + i : start + i + length * rate : rate] for i in range(0, count, stride)]
    ds = timeseries_dataset_from_array(SERIES, targets, length, **options)
    size = options.get("batch_size", 128)
    found = [x for batch in ds for x in ((batch,) if targets is None else (batch[0],))]
    if size is not None:
        assert len(found) == len(ds) == -(-len(expected) // size)
        found = [window for batch in found for window in batch]
    np.testing.assert_array_equal(np.asarray(list(map(np.asarray, found))), expected)
    assert all(window.dtype == "float64" for window in found)
    if targets is not None:
        ys = np.concatenate([np.atleast_1d(np.asarray(batch[1])) for batch in ds])
        np.testing.assert_array_equal(ys, targets[start:][: max(count, 0) : stride])


def test_shuffled_windows_keep_their_targets_and_come_in_new_orders() -> None:
    ds = timeseries_dataset_from_array(SERIES, TARGETS, 3, shuffle=True, seed=4, batch_size=None)
    orders = []
    for _ in range(3):
        pairs = [(int(x[0, 0]) // 2, int(y) - 100) for x, y in ds]
        assert all(a == b for a, b in pairs) and sorted(a for a, _ in pairs) == list(range(18))
        orders.append(pairs)
    assert orders[0] != orders[1] != orders[2]
    again = timeseries_dataset_from_array(SERIES, TARGETS, 3, shuffle=True, seed=4, batch_size=None)
    assert [(int(x[0, 0]) // 2, int(y) - 100) for x, y in again] == orders[0]


@pytest.mark.parametrize(
    "options",
    [
        {"sequence_length": 0},
        {"sequence_stride": 0},
        {"sequence_stride": 20},
        {"sampling_rate": -1},
        {"sampling_rate": 30},
        {"start_index": 20},
        {"start_index": -1},
        {"end_index": 20},
        {"start_index": 8, "end_index": 8},
        {"batch_size": 0},
        {"format": "torch"},
    ],
)
def test_windows_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(options)) if len(options) == 1 else "end_index"):
        timeseries_dataset_from_array(SERIES, TARGETS, **{"sequence_length": 3} | options)


# ---- splits


def values(ds: Dataset) -> list[Any]:
    return [tuple(np.asarray(part).tolist() for part in x) if isinstance(x, tuple) else x.tolist() for x in ds]


@pytest.mark.parametrize(
    ("sizes", "left", "right"),
    [
        ((0.8, None), 8, 2),
        ((None, 0.25), 8, 2),  # 2.5 is rounded to even
        ((3, None), 3, 7),
        ((None, 3), 7, 3),
        ((3, 4), 3, 4),
        ((0.5, 2), 5, 2),
    ],
)
def test_sizes_of_splits(sizes: Any, left: int, right: int) -> None:
    ten = np.arange(10)
    for given in (ten, Dataset.range(10), [ten, ten + 1], (ten,)):
        first, second = split_dataset(given, *sizes)
        alone = [x if isinstance(x, int) else x[0] for x in (*values(first), *values(second))]
        assert alone == [*range(left), *range(10 - right, 10)]
        assert (len(first), len(second)) == (left, right)


def test_splits_are_shuffled_as_in_keras_and_keep_structure_and_batches() -> None:
    order = list(range(10))
    random.Random(5).shuffle(order)
    first, second = split_dataset(np.arange(10), 6, shuffle=True, seed=5)
    assert values(first) + values(second) == order
    made = Dataset.from_tensor_slices({"x": np.arange(10), "y": (np.ones(10),)}).batch(4)
    first, second = split_dataset(made, 0.7)
    assert [x["x"].tolist() for x in first] == [[0, 1, 2, 3], [4, 5, 6]] and first.batch_size == 4
    assert [x["y"][0].shape for x in second] == [(3,)]

    class Indexed:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, i: int) -> Any:
            return [np.ones(2) * i, i]

    assert values(split_dataset(Indexed(), 1)[1]) == [([float(i)] * 2, i) for i in (1, 2, 3)]


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (ArgumentError, (np.arange(10),)),
        (ArgumentError, (np.arange(10), 1.0)),
        (ArgumentError, (np.arange(10), -1)),
        (ArgumentError, (np.arange(10), 10)),
        (ArgumentError, (np.arange(10), 0, 0)),
        (ArgumentError, (np.arange(10), 0.6, 0.5)),
        (ArgumentError, (np.arange(10), 6, 5)),
        (ArgumentError, (np.arange(10), 0.01)),
        (DTypeError, (np.arange(10), "1")),
        (DTypeError, (np.arange(10), None, [2])),
        (DTypeError, (3, 0.5)),
        (DataError, ([], 0.5)),
        (DataError, ([np.ones(3), np.ones(2)], 0.5)),
        (DataError, ([1, 2], 0.5)),
    ],
)
def test_splits_that_are_refused(error: type[Exception], arguments: Any) -> None:
    with pytest.raises(error):
        split_dataset(*arguments)


# ---- columns


class Column:
    """What pandas and polars have in common for a column: an array, and a table of it."""

    def __init__(self, data: Any) -> None:
        self.data = np.asarray(data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.data.astype(dtype or self.data.dtype)

    def __len__(self) -> int:
        return len(self.data)

    def to_frame(self) -> Any:
        raise NotImplementedError


def test_columns_are_tables_of_one_column() -> None:
    data = {"a": np.arange(6.0), "b": np.ones(6)}
    inputs = {name: graphc.Input((1,), name=name) for name in data}
    outputs = layers.Dense(1)(layers.Concatenate()(list(inputs.values())))
    with graphc.backend("numpy"):
        model = graphc.Model(inputs, outputs)
        model.compile("sgd", "mse")
        model.fit({name: Column(x) for name, x in data.items()}, Column(np.ones(6)), verbose=0)
        found = model.predict({name: Column(x) for name, x in data.items()}, verbose=0)
        expected = model.predict({name: x[:, None] for name, x in data.items()}, verbose=0)
    np.testing.assert_array_equal(found, expected)
