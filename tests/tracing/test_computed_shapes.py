"""Shapes that a graph computes of sizes, as programs for TensorFlow do, and slices of known values up to a size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops, random
from graphc.errors import GraphcError

ONES = np.ones((1, 2, 2), "float32")
TABLE = ops.convert_to_tensor(np.arange(40.0, dtype="float32").reshape(1, 10, 4))
SHAPES: dict[str, tuple[Callable[[Any], Any], Callable[[int], tuple[int, ...]]]] = {
    "tile": (
        lambda x: ops.tile(ONES, ops.concatenate([ops.expand_dims(ops.shape(x)[0], -1), [1, 1]], 0)),
        lambda n: (n, 2, 2),
    ),
    "zeros": (lambda x: ops.zeros(ops.stack([ops.shape(x)[0], 3])), lambda n: (n, 3)),
    "sums": (lambda x: ops.ones(ops.convert_to_tensor([ops.shape(x)[0], 2]) * 2 + 1), lambda n: (2 * n + 1, 5)),
    "broadcast_to": (lambda x: ops.broadcast_to(1.0, ops.convert_to_tensor(ops.shape(x))[:1]), lambda n: (n,)),
    "reshape": (lambda x: ops.reshape(x, ops.concatenate([ops.shape(x)[:1], [2, -1]], 0)), lambda n: (n, 2, 2)),
    "scalars": (lambda x: ops.zeros([ops.cast(ops.shape(x)[0], "int32"), 2]), lambda n: (n, 2)),
    "halves": (lambda x: ops.ones(ops.convert_to_tensor([ops.shape(x)[0] * 4]) // 2), lambda n: (2 * n,)),
    "random": (lambda x: random.normal(ops.stack([ops.shape(x)[0], 3])), lambda n: (n, 3)),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_of_sizes(kind: str) -> None:
    function, wanted = SHAPES[kind]
    with graphc.backend("numpy"):
        compiled = graphc.function(function)
        for size in (2, 3, 5):
            x = np.ones((size, 4), "float32")
            assert compiled(x).shape == function(x).shape == wanted(size)
        inputs = graphc.Input((4,))
        layer = layers.Lambda(function)
        model = graphc.Model(inputs, layer(inputs))
        assert model(np.ones((3, 4), "float32")).shape == wanted(3)


def test_shapes_of_data_are_refused() -> None:
    with pytest.raises(GraphcError, match="no values yet"):
        graphc.function(lambda x: ops.zeros(ops.cast(x, "int32")))(np.ones(2, "float32"))


def test_slices_of_known_values_up_to_a_size() -> None:
    """A table of positions, of which a model takes as many rows as a sequence has steps."""

    class Positions(layers.Layer):
        def call(self, x: Any) -> Any:
            length = ops.shape(x)[1]
            return x + TABLE[:, :length] + TABLE[0][:length] + TABLE[:, length - 1 : length]

    inputs = graphc.Input((None, 4))
    model = graphc.Model(inputs, Positions()(inputs))
    with graphc.backend("numpy"):
        for length in (3, 4, 7):
            x = np.ones((2, length, 4), "float32")
            table = TABLE.numpy()
            wanted = x + 2 * table[:, :length] + table[:, length - 1 : length]
            np.testing.assert_allclose(model(x), wanted)
            np.testing.assert_allclose(model.predict(x, verbose=0), wanted)
