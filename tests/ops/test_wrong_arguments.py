"""Arguments that no operation can have: errors of ours that tell the user's line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops
from graphc.errors import GraphcError

X = np.ones((2, 3), "float32")
WRONG: dict[str, Callable[[], Any]] = {
    "no such axis": lambda: ops.sum(X, axis=7),
    "an axis of text": lambda: ops.sum(X, axis="a"),
    "an axis with a fraction": lambda: ops.max(X, axis=1.5),
    "an axis twice": lambda: ops.sum(X, axis=(0, 0)),
    "an axis that is None among others": lambda: ops.mean(X, axis=(0, None)),
    "nothing to concatenate": lambda: ops.concatenate([]),
    "nothing to stack": lambda: ops.stack([]),
    "subscripts that are an array": lambda: ops.einsum(X, X),
    "subscripts alone": lambda: ops.einsum("ij->ji"),
    "a slice with a size too many": lambda: ops.slice(X, (0, 1), (1, 1, 1)),
    "a slice with a start too many": lambda: ops.slice(X, (0, 1, 0), (1, 1)),
    "a slice that reaches outside": lambda: ops.slice(X, (0, 1), (1, 5)),
    "repeats for other positions": lambda: ops.repeat(X, [1, 2, 3], axis=0),
    "half a repeat": lambda: ops.repeat(X, 0.5),
    "no repeats": lambda: ops.repeat(X, [], axis=0),
    "no parts": lambda: ops.split(X, 0),
    "parts that do not divide": lambda: ops.split(X, 2, axis=1),
    "less than no parts": lambda: ops.split(X, -1),
    "axes from and to": lambda: ops.moveaxis(X, (0, 1), (0,)),
    "axes that are exchanged": lambda: ops.swapaxes(X, 0, 5),
    "axes that are transposed": lambda: ops.transpose(X, (0, 0)),
    "a filter without channels": lambda: ops.conv(np.ones((1, 4, 4, 2)), np.ones((2, 2, 0, 3))),
    "a new shape": lambda: ops.reshape(X, (4,)),
    "two sizes that are left": lambda: ops.reshape(X, (-1, -1)),
    "an axis to add": lambda: ops.expand_dims(X, 5),
    "an axis to drop": lambda: ops.squeeze(X, 0),
    "shapes that do not broadcast": lambda: ops.add(X, np.ones(4)),
    "a product": lambda: ops.matmul(X, X),
    "a dtype": lambda: ops.cast(X, "foo"),
    "a window": lambda: ops.max_pool(np.ones((1, 4, 4, 1)), 0),
    "an order of a norm": lambda: ops.norm(X, ord="x"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_arguments(kind: str) -> None:
    with pytest.raises(GraphcError) as caught:
        WRONG[kind]()
    assert "test_wrong_arguments.py" in str(caught.value)


def test_what_is_left_flattened_and_repeated() -> None:
    np.testing.assert_array_equal(ops.slice(X, (1, 1), (-1, -1)).numpy(), X[1:, 1:])
    assert ops.concatenate([X, X[0]], axis=None).shape == (9,)
    for repeats in (2, [2], np.int64(2), np.array([2, 2])):
        np.testing.assert_array_equal(ops.repeat(X, repeats, axis=0).numpy(), np.repeat(X, repeats, axis=0))
    assert ops.repeat(X[:0], [], axis=0).shape == (0, 3)
    inputs = graphc.Input((3,))
    assert ops.repeat(inputs, 2, axis=0).shape == (None, 3) and ops.repeat(inputs, 2).shape == (None,)
    assert ops.repeat(inputs, [1, 2, 3], axis=1).shape == (None, 6)
    assert ops.slice(inputs, (0, 1), (-1, 2)).shape == (None, 2)
    dense = graphc.layers.Dense(2)
    dense.activation = None
    assert dense(X).shape == (2, 2)


def test_axes_may_be_arrays_and_numbers_of_numpy() -> None:
    assert ops.sum(X, axis=np.array([0, 1])).shape == () and ops.sum(X, axis=np.int64(1)).shape == (2,)
    assert ops.unstack(np.zeros((0, 3), "float32")) == []
    inputs = graphc.Input((3,))
    assert ops.max(inputs, axis=np.int32(1)).shape == (None,)
