"""Tensors have memory of their own, and no more of it than they need."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Variable, layers, ops, random

MADE: dict[str, Callable[[Any], Any]] = {
    "convert_to_tensor": ops.convert_to_tensor,
    "copy": ops.copy,
    "array": ops.array,
    "cast": lambda x: ops.cast(x, "float32"),
    "reshape": lambda x: ops.reshape(x, (6, 4)),
    "transpose": ops.transpose,
    "squeeze": ops.squeeze,
    "expand_dims": lambda x: ops.expand_dims(x, 0),
    "get_item": lambda x: ops.get_item(x, 0),
    "split": lambda x: ops.split(x, 2)[0],
    "flip": ops.flip,
    "broadcast_to": lambda x: ops.broadcast_to(x, (2, 4, 6)),
    "stop_gradient": ops.stop_gradient,
    "Variable": Variable,
    "Identity": layers.Identity(),
    "Flatten": layers.Flatten(),
    "Dropout": layers.Dropout(0.5),
    "function": graphc.function(lambda x: x),
    "function of a view": graphc.function(lambda x: ops.reshape(x, (6, 4))),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_a_later_change_of_the_array_does_not_reach_the_tensor(name: str, backend: str) -> None:
    array = np.arange(24, dtype="float32").reshape(4, 6)
    with graphc.backend(backend):
        made = MADE[name](array)
    before = np.array(made.numpy())
    array[...] = -1
    np.testing.assert_array_equal(made.numpy(), before)
    assert (before >= 0).all()


def test_a_copy_of_a_tensor_has_its_own_memory() -> None:
    tensor = ops.convert_to_tensor([1.0, 2.0])
    assert not np.shares_memory(ops.copy(tensor).numpy(), tensor.numpy())


def test_shuffling_takes_memory_by_length() -> None:
    tracemalloc.start()
    try:
        found = random.shuffle(np.arange(200_000), seed=3).numpy()
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(np.sort(found), np.arange(200_000))
    assert abs(np.corrcoef(found, np.arange(200_000))[0, 1]) < 0.01


@pytest.mark.parametrize("length", [0, 1, 2, 3, 513, 5000])
def test_shuffling_in_a_graph(length: int) -> None:
    rows = np.arange(2 * length).reshape(2, length)
    orders = []
    for backend in ("numpy", "cpu"):
        with graphc.backend(backend):
            found = random.shuffle(rows, axis=1, seed=3) if not length else None
            if found is None:
                found = graphc.function(lambda x: random.shuffle(x, axis=1, seed=3))(rows)
        orders.append(found.numpy())
        np.testing.assert_array_equal(np.sort(orders[-1], 1), rows)
        np.testing.assert_array_equal(orders[-1][1] - orders[-1][0], np.full(length, length))
    np.testing.assert_array_equal(*orders)
    if length > 3:
        assert np.mean(orders[0][0] == rows[0]) < 0.02


def test_swapped_orders_are_all_alike() -> None:
    """Where the first, the last and a middle element of 600 come in 200 orders: everywhere equally often."""
    with graphc.backend("numpy"):
        shuffled = graphc.function(lambda seeds: [random.shuffle(ops.arange(600), seed=seeds[i]) for i in range(40)])
        seeds = np.arange(80, dtype="uint32").reshape(40, 2)
        orders = np.stack([order.numpy() for order in shuffled(seeds)])
    for element in (0, 299, 599):
        counts = np.histogram(np.argmax(orders == element, 1), 2, (0, 600))[0]
        assert counts.min() >= 8  # of 40: less happens once in 100,000 times
    assert len({order.tobytes() for order in orders}) == 40
